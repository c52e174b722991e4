#pragma once

#include "actors/feed/dialect.hpp"
#include "actors/support/backoff.hpp"
#include "actors/support/events.hpp"
#include "messages/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace breakwater {

struct open_socket { ///< Connect, as socket number `number`.
  std::uint64_t number = 0;
};
struct close_socket {}; ///< The socket is of no use any more, or never was.
struct send_text {
  std::string text;
};
struct tell { ///< For the log.
  event what;
  std::string symbol = {}; ///< Empty: does not apply; likewise the others.
  std::string reason = {};
  std::size_t count = 0;
  std::chrono::milliseconds wait{-1};
  std::chrono::milliseconds age{-1};
};
using session_action = std::variant<open_socket, close_socket, send_text, tell>;
using session_actions = std::vector<session_action>;

struct session_settings {
  std::chrono::milliseconds stale_after{60000};
  std::chrono::milliseconds acknowledge_within{10000};
  unsigned subscribe_tries = 3;
  std::chrono::milliseconds connect_within{15000}; ///< The edge's own deadline is shorter.
  std::chrono::milliseconds stable_after{10000};   ///< An older connection's end starts the backoff anew.
  backoff::limits wait{std::chrono::seconds{1}, std::chrono::seconds{60}, 0.2};
  std::uint64_t seed = std::random_device{}();
};

/// The life of one exchange's connection: connect, subscribe at the exchange's pace, ping, notice silence,
/// connect again for ever. Decides and performs nothing; the time is an argument; whoever calls does what the
/// answers say, in order.
class session {
public:
  /// `speaks` is asked for rules, names and request texts, and outlives the session.
  session(const dialect& speaks, session_settings how);

  [[nodiscard]] session_actions start(mono_time now);
  /// Disconnect for good.
  [[nodiscard]] session_actions stop();
  /// The time asked for by next_wake() has come; any other time does no harm.
  [[nodiscard]] session_actions on_wake(mono_time now);

  // Events of another socket than the newest one are ignored.
  [[nodiscard]] session_actions on_opened(std::uint64_t number, mono_time now);
  [[nodiscard]] session_actions on_closed(std::uint64_t number, const std::string& reason, mono_time now);
  [[nodiscard]] bool is_current(std::uint64_t number) const noexcept {
    return number == number_ && (phase_ == phase::connecting || phase_ == phase::open);
  }
  /// Anything came, even a ping.
  void on_heard(mono_time now) noexcept { heard_at_ = now; }

  // What came over the newest socket; the caller asks is_current() first.
  [[nodiscard]] session_actions on_acknowledged(const acknowledgement& what, mono_time now);
  [[nodiscard]] session_actions on_refused(const refusal& what, mono_time now);
  /// A candle of `symbol` (ours) came.
  [[nodiscard]] session_actions on_data(const std::string& symbol, mono_time now);
  [[nodiscard]] session_actions on_closing_announced(const std::string& reason, mono_time now);

  [[nodiscard]] std::optional<mono_time> next_wake() const;

  [[nodiscard]] bool connected() const noexcept { return phase_ == phase::open; }
  [[nodiscard]] std::size_t symbols() const noexcept { return symbols_.size(); }
  [[nodiscard]] std::size_t subscribed() const noexcept;
  [[nodiscard]] std::size_t refused() const noexcept;
  [[nodiscard]] std::size_t stale() const noexcept;
  /// Connections lost, or replaced.
  [[nodiscard]] std::size_t reconnects() const noexcept { return reconnects_; }

private:
  enum class phase : std::uint8_t { idle, waiting, connecting, open, stopped };
  enum class standing : std::uint8_t { wanted, asked, subscribed, refused };
  struct followed {
    std::string_view ours, theirs; ///< In the dialect's names.
    standing stands = standing::wanted;
    unsigned tries = 0;
    std::uint64_t request = 0; ///< The newest that asked for it.
    mono_time data_at{};       ///< Last candle, or since when there should be some.
    bool stale = false;
  };
  struct request {
    std::vector<std::size_t> symbols;
    mono_time due{}; ///< Of the answer.
  };

  [[nodiscard]] bool may_send(mono_time now) const;
  [[nodiscard]] mono_time next_send() const;
  void queue(std::vector<std::size_t> symbols, std::size_t at_a_time);
  void send(std::string text, mono_time now, session_actions& out);
  void send_requests(mono_time now, session_actions& out);
  void send_ping(mono_time now, session_actions& out);
  [[nodiscard]] std::optional<mono_time> ping_due() const;
  void settle(std::size_t symbol, standing as, mono_time now);
  void tell_when_all_answered(session_actions& out);
  void ask_again(mono_time now, session_actions& out);
  void look_for_stale(mono_time now, session_actions& out);
  void connect(mono_time now, session_actions& out);
  void disconnect(std::string reason, mono_time now, session_actions& out, bool at_once = false);

  const dialect& speaks_;
  session_settings how_;
  backoff backoff_;
  phase phase_ = phase::idle;
  std::uint64_t number_ = 0; ///< Of the newest socket.
  std::uint64_t last_request_ = 0;
  std::vector<followed> symbols_;
  std::unordered_map<std::string_view, std::size_t> by_ours_;
  std::deque<std::vector<std::size_t>> to_ask_; ///< Requests not sent yet.
  std::unordered_map<std::uint64_t, request> asked_;
  std::deque<mono_time> sent_at_; ///< The last `rules().messages` of our messages.
  mono_time opened_at_{}, heard_at_{}, pinged_at_{};
  mono_time due_{}; ///< Waiting: the next attempt. Connecting: the end of patience.
  std::optional<mono_time> look_for_stale_at_;
  bool told_all_answered_ = false;
  std::size_t reconnects_ = 0;
};

} // namespace breakwater
