#pragma once

#include "actors/redis/redis_url.hpp"
#include "actors/support/backoff.hpp"
#include "actors/support/events.hpp"
#include "actors/support/reply_class.hpp"
#include "config/settings.hpp"
#include "messages/redis.hpp"
#include "messages/time.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace breakwater {

enum class link_phase : std::uint8_t {
  disconnected, ///< Not started.
  connecting,   ///< The transport is being opened.
  handshaking,  ///< Credentials, database, name, PING; also while Redis loads.
  ready,        ///< The last PING was answered with PONG.
  degraded,     ///< The last PING was answered with an error: commands still go out and get theirs.
  backing_off,  ///< Waiting before the next attempt.
};

constexpr const char* to_string(link_phase phase) noexcept {
  switch (phase) {
  case link_phase::disconnected: return "disconnected";
  case link_phase::connecting: return "connecting";
  case link_phase::handshaking: return "handshaking";
  case link_phase::ready: return "ready";
  case link_phase::degraded: return "degraded";
  case link_phase::backing_off: return "backing_off";
  }
  return "unknown";
}

/// What a link wants done, in order.
struct open_connection { ///< Replaces the one there is.
  connection_number connection = any_connection;
};
struct drop_connection {};
struct send_commands {
  std::uint64_t tag = 0;
  std::shared_ptr<const std::string> wire;
  std::size_t count = 0;
};
struct finish_call { ///< Redis answered.
  std::uint64_t call = 0;
  redis_replies replies;
  verdict judged;
};
struct fail_call { ///< The connection ended first: nobody knows what was applied.
  std::uint64_t call = 0;
  std::string why;
};
struct count_failure { ///< For the breaker: something that needed no permit failed.
  std::string reason;
  unsigned next_attempt = 0; ///< Of connecting; 0: the connection stands.
  std::chrono::milliseconds wait{0};
};
struct link_restored { ///< Commands may be submitted.
  connection_number connection = any_connection;
};
struct link_news { ///< For the log.
  event what = event::redis_connected;
  unsigned attempt = 0;               ///< 0: does not apply.
  std::chrono::milliseconds wait{-1}; ///< Below 0: does not apply; so is away.
  std::chrono::milliseconds away{-1};
  std::string reason;
};
using link_action = std::variant<open_connection, drop_connection, send_commands, finish_call, fail_call,
                                 count_failure, link_restored, link_news>;
using link_actions = std::vector<link_action>;

/// The life of one Redis connection and its successors: connect, introduce ourselves, look after it, notice
/// its end, wait, connect again, for ever. A plain value: the times come in, what to do goes out.
class link {
public:
  struct options {
    redis_settings settings;     ///< Time limits and backoff.
    redis_address address;       ///< Credentials and database.
    std::string client_name;     ///< For CLIENT SETNAME; blanks become '_'.
    connection_number first = 1; ///< Numbers go up from here.
    std::uint64_t seed = 0;      ///< Of the jitter.
  };
  /// Wait after a refusal that only a human can mend.
  static constexpr std::chrono::milliseconds slow_retry{30000};
  /// A connection that held this long starts the backoff anew when it breaks.
  static constexpr std::chrono::milliseconds stable_after{10000};

  explicit link(options how);

  [[nodiscard]] link_actions start(mono_time now);
  /// What the edge saw. Events of an earlier connection are ignored.
  [[nodiscard]] link_actions on_event(const link_event& what, mono_time now, wall_time wall);
  /// Time limits and what is due.
  [[nodiscard]] link_actions on_wake(mono_time now, wall_time wall);
  /// Sends `count` commands; ends in finish_call or fail_call with `call`. Only when ready().
  [[nodiscard]] link_actions submit(std::uint64_t call, std::shared_ptr<const std::string> wire,
                                    std::size_t count, std::chrono::milliseconds blocks_for, mono_time now);

  [[nodiscard]] std::optional<mono_time> next_wake() const;
  [[nodiscard]] bool ready() const noexcept {
    return phase_ == link_phase::ready || phase_ == link_phase::degraded;
  }
  [[nodiscard]] bool healthy() const noexcept { return phase_ == link_phase::ready; }
  [[nodiscard]] link_phase phase() const noexcept { return phase_; }
  [[nodiscard]] connection_number connection() const noexcept { return connection_; }
  [[nodiscard]] std::size_t in_flight() const noexcept { return sent_.size(); }
  [[nodiscard]] redis_report report(mono_time now) const;
  /// The round trip of a PING that was answered with PONG since this was asked last.
  [[nodiscard]] std::optional<std::chrono::microseconds> take_ping() { return std::exchange(ping_took_, {}); }
  /// For the connections from here on.
  void use_password(secret password) { how_.address.password = std::move(password); }

private:
  enum class purpose : std::uint8_t { call, handshake, loading_info, health };
  struct sent {
    std::uint64_t tag;
    purpose why;
    std::uint64_t call;
    mono_time at;
    std::chrono::milliseconds blocks_for; ///< Redis may hold the answer back for so long.
  };

  void connect(mono_time now, link_actions& out);
  void introduce(mono_time now, link_actions& out);
  void ping(purpose why, mono_time now, link_actions& out);
  void send(purpose why, std::uint64_t call, std::shared_ptr<const std::string> wire, std::size_t count,
            mono_time now, link_actions& out, std::chrono::milliseconds blocks_for = {});
  void on_answer(const link_answered& answer, mono_time now, wall_time wall, link_actions& out);
  void on_handshake(const std::vector<redis_reply>& replies, mono_time now, wall_time wall,
                    link_actions& out);
  void on_loading_info(const redis_reply& reply, mono_time now);
  void on_health(const sent& asked, const redis_reply& reply, mono_time now, wall_time wall,
                 link_actions& out);
  void become_ready(bool healthy, mono_time now, link_actions& out);
  void wait_for_redis(const verdict& said, mono_time now, link_actions& out);
  void lose(reply_class what, std::string reason, bool counts, mono_time now, wall_time wall,
            link_actions& out);
  void note_error(reply_class what, const std::string& text, wall_time wall);
  /// Redis said "wait": told, but no failure.
  void note_wait(const std::string& text, wall_time wall, link_actions& out);
  [[nodiscard]] std::optional<mono_time> answer_due() const;

  options how_;
  backoff reconnect_waits_;
  backoff loading_waits_;
  link_phase phase_ = link_phase::disconnected;
  connection_number connection_ = any_connection;
  connection_number next_connection_;
  std::uint64_t last_tag_ = 0;
  std::deque<sent> sent_; ///< Not yet answered, oldest first.
  mono_time last_answer_{};
  std::size_t ping_at_ = 0;                ///< Where in the handshake's replies PING's stands.
  std::size_t name_at_ = 0;                ///< And CLIENT SETNAME's; past the end when only PING was sent.
  mono_time connect_due_{};                ///< While connecting.
  mono_time retry_at_{};                   ///< While backing off.
  std::optional<mono_time> ping_again_at_; ///< While Redis loads.
  mono_time next_health_{};
  mono_time ready_since_{};
  mono_time lost_at_{};
  bool was_ready_ = false;               ///< Ever.
  unsigned attempt_ = 0;                 ///< Of connecting, since the link was lost or begun.
  std::deque<mono_time> reconnected_at_; ///< Of the last hour.
  redis_report seen_;
  std::optional<std::chrono::microseconds> ping_took_;
};

} // namespace breakwater
