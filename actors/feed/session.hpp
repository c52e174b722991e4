#pragma once

#include "actors/feed/connection.hpp"
#include "actors/feed/dialect.hpp"
#include "actors/support/backoff.hpp"
#include "actors/support/pace.hpp"
#include "messages/feed.hpp"
#include "messages/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace breakwater {

struct session_settings {
  std::chrono::milliseconds stale_after{60000};
  connection_patience patience{};
  std::chrono::milliseconds stable_after{10000}; ///< An older connection's end starts the backoff anew.
  /// So long after its last acknowledgement a new connection takes over, whether or not every symbol had
  /// data.
  std::chrono::milliseconds take_over_after{5000};
  /// A new connection that cannot take over for so long is given up.
  std::chrono::milliseconds give_up_after{90000};
  /// A connection whose symbols are all stale is replaced; if that does not help, the wait doubles.
  std::chrono::milliseconds quiet_again_after{5 * 60000};
  backoff::limits wait{std::chrono::seconds{1}, std::chrono::seconds{60}, 0.2};
  std::uint64_t seed = std::random_device{}();
};

/// All connections to one exchange: splits the symbols over them, connects for ever at the exchange's pace,
/// replaces what grows old, is announced to end or delivers nothing - the new one first, then the old one
/// ends - and judges each symbol by its data. Decides and performs nothing; the time is an argument; whoever
/// calls does what the answers say, in order.
class session {
public:
  /// `speaks` learns the symbols that are followed, is asked for rules and request texts, and outlives the
  /// session.
  session(dialect& speaks, session_settings how);

  /// Follows `symbols` (ours) from now on, and nothing else.
  [[nodiscard]] session_actions follow(const std::vector<std::string>& symbols, mono_time now);
  /// Disconnect for good.
  [[nodiscard]] session_actions stop();
  /// The time asked for by next_wake() has come; any other time does no harm.
  [[nodiscard]] session_actions on_wake(mono_time now);
  [[nodiscard]] std::optional<mono_time> next_wake() const;

  // Events of a socket; those of sockets that were given up are ignored.
  [[nodiscard]] bool knows(std::uint64_t socket) const { return find(socket) != nullptr; }
  [[nodiscard]] session_actions on_opened(std::uint64_t socket, mono_time now);
  [[nodiscard]] session_actions on_closed(std::uint64_t socket, const std::string& reason, mono_time now);
  /// Anything came, even a ping.
  void on_heard(std::uint64_t socket, mono_time now);
  [[nodiscard]] session_actions on_acknowledged(std::uint64_t socket, const acknowledgement& what,
                                                mono_time now);
  [[nodiscard]] session_actions on_refused(std::uint64_t socket, const refusal& what, mono_time now);
  [[nodiscard]] session_actions on_closing_announced(std::uint64_t socket, const std::string& reason,
                                                     mono_time now);
  /// A candle of `symbol` (ours) came. False: that socket does not carry it, so it is nothing to us.
  [[nodiscard]] bool on_data(std::uint64_t socket, const std::string& symbol, mono_time now,
                             session_actions& out);

  /// The symbols (ours) that socket carries.
  [[nodiscard]] std::vector<std::string> carried_by(std::uint64_t socket) const;
  [[nodiscard]] bool connected() const noexcept;
  struct figures {
    std::size_t symbols = 0; ///< That are followed; subscribed, refused and stale ones are of them.
    std::size_t subscribed = 0, refused = 0, stale = 0;
    std::size_t connections = 0;    ///< Open ones.
    std::uint64_t reconnects = 0;   ///< Connections lost.
    std::uint64_t replacements = 0; ///< Connections that took over from another.
  };
  [[nodiscard]] figures count() const;
  /// Whether the exchange refuses that symbol (ours), or has no name for it.
  [[nodiscard]] bool is_refused(const std::string& ours) const;
  /// Fills in connections and symbols. `wall` is the same instant as `now`.
  void describe(feed_report& out, mono_time now, wall_time wall) const;

private:
  using place = connection::place;
  /// A part of the symbols and the connection that carries it; two while one takes over.
  struct slot {
    explicit slot(backoff between_attempts) : wait(std::move(between_attempts)) {}

    backoff wait;
    std::vector<place> symbols;
    std::size_t name_bytes = 0;
    std::unique_ptr<connection> main, next;
    mono_time due{};                        ///< Of the next attempt to connect, if one is wanted.
    bool replace = false;                   ///< `next` is wanted beside `main`.
    std::optional<mono_time> settled_at{};  ///< Of `next`.
    std::chrono::milliseconds age_limit{0}; ///< 0: none.
    mono_time quiet_until{};                ///< Not before then it is replaced for being quiet.
    std::chrono::milliseconds quiet_wait{0};
    std::optional<mono_time> quiet_look_at{};
  };
  struct followed {
    slot* in = nullptr; ///< nullptr: it is not followed.
    bool stale = false;
    bool has_data = false;
    mono_time data_at{}; ///< Last candle, or since when there should be some.
  };

  [[nodiscard]] slot* find(std::uint64_t socket);
  [[nodiscard]] const slot* find(std::uint64_t socket) const;
  [[nodiscard]] connection* connection_of(std::uint64_t socket);
  void take_in(place symbol, mono_time now, session_actions& out);
  void let_go(place symbol);
  void leave_out(symbol_names::problem why, session_actions& out);
  [[nodiscard]] bool fits(const slot& in, place symbol) const;
  [[nodiscard]] std::size_t name_bytes(place symbol) const;
  void look_after_all(mono_time now, session_actions& out);
  void look_after(slot& which, mono_time now, session_actions& out);
  void connect(slot& which, mono_time now, session_actions& out);
  void lose(slot& which, std::uint64_t socket, const std::string& reason, mono_time now,
            session_actions& out);
  void want_replacement(slot& which, const std::string& reason, mono_time now, session_actions& out);
  void take_over(slot& which, session_actions& out);
  [[nodiscard]] bool wants_connection(const slot& which) const;
  /// When `next` may take over; nullopt: not as things are.
  [[nodiscard]] std::optional<mono_time> take_over_due(const slot& which, mono_time now) const;
  [[nodiscard]] bool is_refused(const slot& in, place symbol) const;
  [[nodiscard]] bool has_fresh_data(const slot& which, mono_time now) const;
  void look_for_stale(mono_time now, session_actions& out);
  void replace_if_quiet(slot& which, mono_time now, session_actions& out);

  dialect& speaks_;
  session_settings how_;
  pace connects_, messages_of_all_;
  bool stopped_ = false;
  std::uint64_t number_ = 0; ///< Of the newest socket.
  std::list<slot> slots_;
  std::size_t slots_made_ = 0;
  std::vector<followed> symbols_; ///< By place.
  std::vector<symbol_names::problem> left_out_;
  std::optional<mono_time> look_for_stale_at_;
  std::uint64_t reconnects_ = 0, replacements_ = 0;
};

} // namespace breakwater
