#pragma once

#include "actors/feed/dialect.hpp"
#include "actors/feed/tell.hpp"
#include "actors/support/pace.hpp"
#include "messages/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace breakwater {

struct open_socket { ///< Connect, as socket number `number`.
  std::uint64_t number = 0;
};
struct close_socket { ///< That socket is of no use any more, or never was.
  std::uint64_t number = 0;
};
struct send_text {
  std::uint64_t socket = 0;
  std::string text;
};
struct lost_symbol { ///< Nobody delivers its data any more.
  std::string ours;
  std::string cause;
};
struct let_go_symbol { ///< It is not followed any more.
  std::string ours;
};
using session_action = std::variant<open_socket, close_socket, send_text, lost_symbol, let_go_symbol, tell>;
using session_actions = std::vector<session_action>;

/// How long a connection waits for what.
struct connection_patience {
  std::chrono::milliseconds connect_within{15000}; ///< The edge's own deadline is shorter.
  std::chrono::milliseconds acknowledge_within{10000};
  unsigned tries = 3; ///< To have a subscription acknowledged.
  /// A refused symbol is asked for again, and after twice the time each further time: the reason may pass, or
  /// the symbol be listed.
  std::chrono::milliseconds refused_again_after{10000}, refused_again_at_most{30 * 60000};
};

/// One WebSocket from its connect to its end: asks for its symbols at the exchange's pace, keeps who was
/// acknowledged, pings, notices silence. Decides and performs nothing; the time is an argument.
class connection {
public:
  /// Of a symbol: its index in the dialect's names().entries().
  using place = std::size_t;

  /// `speaks` and `of_all`, the pace of all the exchange's connections together, outlive the connection.
  connection(const dialect& speaks, pace& of_all, connection_patience how, std::uint64_t number,
             mono_time now);

  /// Carries another symbol from now on.
  void add(place symbol);
  /// Carries it no more: unsubscribes, if it was asked for.
  void remove(place symbol);

  void on_opened(mono_time now, session_actions& out);
  /// Anything came, even a ping.
  void on_heard(mono_time now) noexcept { heard_at_ = now; }
  void on_acknowledged(const acknowledgement& what, session_actions& out);
  void on_refused(const refusal& what, mono_time now, session_actions& out);
  /// A candle of the symbol came. False: this connection does not carry it.
  bool on_data(place symbol, session_actions& out);
  /// Sends what is due; returns why the connection is of no use, if it is not.
  [[nodiscard]] std::optional<std::string> on_wake(mono_time now, session_actions& out);
  [[nodiscard]] mono_time next_wake() const;

  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  [[nodiscard]] bool is_open() const noexcept { return opened_at_.has_value(); }
  [[nodiscard]] std::optional<mono_time> opened_at() const noexcept { return opened_at_; }
  /// Since it was opened; 0: it is not.
  [[nodiscard]] std::chrono::milliseconds age(mono_time now) const;
  [[nodiscard]] std::size_t size() const noexcept { return members_.size(); }
  [[nodiscard]] bool carries(place symbol) const { return members_.contains(symbol); }

  enum class standing : std::uint8_t { wanted, asked, subscribed, refused };
  [[nodiscard]] standing standing_of(place symbol) const;
  [[nodiscard]] const std::string& refusal_of(place symbol) const;
  /// Every symbol is subscribed or refused.
  [[nodiscard]] bool is_settled() const noexcept { return unsettled_ == 0; }
  /// Some symbol was never acknowledged nor refused; another connection may have better luck.
  [[nodiscard]] bool was_ignored() const noexcept { return was_ignored_; }
  /// A candle came of every symbol that is subscribed.
  [[nodiscard]] bool has_data_of_all() const noexcept;
  [[nodiscard]] bool has_data_of(place symbol) const;
  /// Of so many symbols a candle came.
  [[nodiscard]] std::size_t with_data() const noexcept { return subscribed_ - without_data_; }
  [[nodiscard]] std::size_t subscribed() const noexcept { return subscribed_; }

private:
  struct member {
    standing stands = standing::wanted;
    bool has_data = false;
    unsigned tries = 0;
    std::uint64_t request = 0; ///< The newest that asked for it.
    std::string reason;        ///< Of a refusal.
  };
  struct request {
    std::vector<place> symbols;
    mono_time due{}; ///< Of the answer.
  };
  struct plan {
    bool subscribe = true;
    std::vector<place> symbols;
  };

  [[nodiscard]] mono_time next_message() const;
  [[nodiscard]] mono_time next_request() const;
  void queue(std::vector<place> symbols, std::size_t at_a_time, bool subscribe = true);
  void send(std::string text, mono_time now, session_actions& out);
  void send_requests(mono_time now, session_actions& out);
  void send_ping(mono_time now, session_actions& out);
  [[nodiscard]] std::optional<mono_time> ping_due() const;
  void stand(member& one, standing as);
  void refuse(place symbol, member& one, std::string reason, mono_time now, session_actions& out);
  void ask_for_others_again(place refused);
  void tell_when_settled(session_actions& out);
  void ask_silent_again(mono_time now, session_actions& out);
  void ask_refused_again(mono_time now);
  std::optional<place> place_of(const std::string& ours) const;

  const dialect& speaks_;
  pace& of_all_;
  connection_patience how_;
  std::uint64_t number_;
  std::map<place, member> members_;
  std::size_t unsettled_ = 0,
              without_data_ = 0; ///< Of members_: wanted or asked; subscribed without a candle.
  std::size_t subscribed_ = 0;
  std::deque<plan> to_ask_; ///< Not sent yet.
  std::unordered_map<std::uint64_t, request> asked_;
  std::uint64_t last_request_ = 0;
  pace messages_, requests_;
  mono_time created_at_, heard_at_, pinged_at_{};
  std::optional<mono_time> opened_at_, refused_due_;
  std::chrono::milliseconds refused_wait_;
  bool told_settled_ = false;
  bool was_ignored_ = false;
};

} // namespace breakwater
