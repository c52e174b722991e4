#pragma once

#include "actors/feed/dialect.hpp"
#include "actors/feed/tell.hpp"
#include "actors/support/backoff.hpp"
#include "actors/support/pace.hpp"
#include "messages/candle.hpp"
#include "messages/quality.hpp"
#include "messages/time.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

namespace breakwater {

/// GET the candles of `symbol` (ours) that start from `from_s` to `to_s`, both included.
struct ask_candles {
  std::uint64_t number = 0;
  std::string symbol;
  std::int64_t from_s = 0, to_s = 0;
};
using continuity_action = std::variant<ask_candles, quality_marker, tell>;
using continuity_actions = std::vector<continuity_action>;

struct continuity_settings {
  std::chrono::milliseconds fill_within{3600000}; ///< Older minutes are not asked for.
  /// How long after the next minute's first candle a close, or a skipped minute, may still come by itself.
  std::chrono::milliseconds close_patience{3000};
  /// Exchanges that mark no close: how long behind its end their past candles have a minute for certain.
  std::chrono::milliseconds history_after{8000};
  std::chrono::milliseconds answer_within{30000}; ///< No answer for so long counts as a failure.
  std::size_t requests_at_a_time = 4;             ///< One at a time of one symbol.
  unsigned tries = 10;                            ///< To get one minute: some four minutes.
  backoff::limits wait{std::chrono::seconds{1}, std::chrono::seconds{60}, 0.2};
  std::uint64_t seed = std::random_device{}();
};

/// One exchange's minutes in a row: what of its candles is news, which minutes are missing, and how they are
/// filled from the exchange's past candles, at its pace. Decides and performs nothing; the time is an
/// argument. After each call next_wake() may have changed.
///
/// Candles go through take() as the exchange sent them, before candle_closer. A snapshot's past candles, too:
/// they fill what is missing, and what is of no use is told apart here.
class continuity {
public:
  continuity(exchange which, exchange_rules rules, continuity_settings how);

  /// An earlier life passed on `newest`. To be called before the symbol's first candle; later it is ignored.
  void know(const candle& newest);
  /// Whether a live candle tells something new: neither a repeat nor an older state of its minute. What
  /// follows from a minute that was skipped, or never closed, is appended to `out`. A past candle that comes
  /// as news, as in a snapshot after subscribing, is marked closed and filled.
  [[nodiscard]] bool take(candle& x, moment now, continuity_actions& out);
  /// A fill of that minute, or newer ones of it, were passed on: what candle_closer makes of it comes too
  /// late.
  [[nodiscard]] bool is_filled(const candle& x) const;
  /// Trades between the symbol's last candle and `x`, which take() gets next, were missed: what was made of
  /// trades in these minutes stays incomplete here.
  void on_trades_missing(const candle& x, moment now);
  /// Nobody delivers the data of `symbol` since `now`.
  void on_lost(const std::string& symbol, const std::string& cause, moment now);
  /// The symbol is not followed any more. Nothing more is said of it; an answer on its way is ignored.
  void forget(const std::string& symbol);

  /// The answer to ask_candles number `number`; what of it is news and was asked for is appended to `fills`.
  void on_history(std::uint64_t number, const std::vector<candle>& rows, moment now,
                  std::vector<candle>& fills, continuity_actions& out);
  /// There was none. `wait` > 0: the exchange said not to ask before.
  void on_history_failed(std::uint64_t number, const std::string& reason, std::chrono::milliseconds wait,
                         moment now, continuity_actions& out);

  void on_wake(moment now, continuity_actions& out);
  [[nodiscard]] std::optional<mono_time> next_wake() const;

  struct counts {
    std::uint64_t repeats = 0;  ///< Candles that told nothing new.
    std::uint64_t gaps = 0;     ///< Holes of one minute or more.
    std::uint64_t missing = 0;  ///< Minutes that were missing ...
    std::uint64_t filled = 0;   ///< ... and were filled, or came late,
    std::uint64_t quiet = 0;    ///< or had no trades and so no candle,
    std::uint64_t unfilled = 0; ///< or could not be filled.
  };
  [[nodiscard]] const counts& counted() const noexcept { return counts_; }
  /// Minutes that are being asked for now.
  [[nodiscard]] std::uint64_t missing_now() const noexcept {
    return counts_.missing - counts_.filled - counts_.quiet - counts_.unfilled;
  }
  /// Whether a minute of the symbol is known.
  [[nodiscard]] bool knows(const std::string& symbol) const { return symbols_.contains(symbol); }
  /// Start of the symbol's newest minute, epoch seconds.
  [[nodiscard]] std::optional<std::int64_t> newest_minute(const std::string& symbol) const;

private:
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::min();

  /// What was last heard of one minute.
  struct known_minute {
    std::int64_t start_s = never;
    bool has_values = false; ///< Not if only an earlier life knew them.
    bool closed = false;
    bool filled = false;
    double open = 0, high = 0, low = 0, close = 0, volume = 0;
    wall_time event_at;
  };

  enum class fate : std::uint8_t { wanted, filled, quiet, unfilled };
  struct missing_minute {
    std::int64_t start_s = 0;
    mono_time not_before;      ///< To be asked for then at the earliest.
    double volume = 0;         ///< Of the state that was known of it: its candle has no less.
    std::uint64_t request = 0; ///< The one on its way for it; 0: none.
    unsigned tries = 0;        ///< That brought nothing.
    fate became = fate::wanted;
  };
  /// Minutes that were told in one gap marker.
  struct hole {
    std::vector<missing_minute> minutes; ///< The oldest first.
    std::size_t wanted = 0;              ///< So many of them.
    std::string why_unfilled;            ///< The last reason.
  };
  struct loss {
    moment since;
    std::string cause;
    bool earlier_life = false; ///< It was not told: the symbol is known from before we began.
  };
  /// All that is the matter with a symbol; most have none.
  struct trouble {
    std::optional<loss> lost;                              ///< No data since.
    std::optional<quality_marker> resync;                  ///< To be said, should nothing prove missing.
    std::vector<missing_minute> suspected;                 ///< The oldest first; some may come yet.
    std::int64_t too_old_from_s = 0, too_old_to_s = never; ///< Suspected, not to be asked for.
    mono_time suspected_until;
    std::string suspicion;     ///< Why.
    std::deque<hole> holes;    ///< One after the other.
    std::uint64_t request = 0; ///< On its way; 0: none.
    std::size_t asked = 0;

    [[nodiscard]] bool suspects() const noexcept { return !suspected.empty() || too_old_to_s != never; }
  };

  struct symbol_state;
  /// Whose turn it is: who was asked for least, then the oldest minute, then who has been here longest.
  using turn = std::tuple<std::size_t, std::int64_t, std::uint64_t, symbol_state*>;
  using alarm = std::tuple<mono_time, std::uint64_t, symbol_state*>;

  struct symbol_state {
    const std::string* name = nullptr; ///< The map's key.
    std::uint64_t serial = 0;
    std::array<known_minute, 3> kept; ///< The newest first; the first one is always there.
    std::unique_ptr<trouble> wrong;
    std::optional<turn> queued; ///< Its place in ready_ ...
    std::optional<alarm> due;   ///< ... and in alarms_.
  };
  struct request {
    std::uint64_t number = 0;
    symbol_state* of = nullptr; ///< nullptr: forgotten.
    mono_time asked_at, deadline;
  };

  static const known_minute* find(const symbol_state& s, std::int64_t start_s);
  static known_minute* find(symbol_state& s, std::int64_t start_s);
  static bool fits(const symbol_state& s, std::int64_t start_s);
  static void put(symbol_state& s, const candle& x);
  static void set(known_minute& known, const candle& x);
  static bool same_values(const known_minute& known, const candle& x);
  static trouble& trouble_of(symbol_state& s);
  static bool is_missing(const symbol_state& s, std::int64_t start_s);

  [[nodiscard]] bool follows_every_minute() const { return rules_.marks_closed && rules_.sends_every_minute; }
  [[nodiscard]] bool is_past(const candle& x) const;
  [[nodiscard]] bool is_newer(const known_minute& known, const candle& x) const;
  bool take_first(candle& x, moment now);
  bool take_state(known_minute& known, candle& x);
  bool take_slowly(symbol_state& s, candle& x, moment now, continuity_actions& out);
  void on_data_again(symbol_state& s, const candle& x, moment now);
  void suspect(symbol_state& s, std::int64_t from_s, std::int64_t to_s, const candle& at,
               const std::string& why, moment now);
  void strike(symbol_state& s, std::int64_t start_s);
  void end_suspicion(symbol_state& s, continuity_actions& out);
  void establish(symbol_state& s, continuity_actions& out);
  void settle(hole& in, missing_minute& which, fate as);
  void brought_nothing(hole& in, missing_minute& which, const std::string& why);
  void finish_holes(symbol_state& s, continuity_actions& out);
  void refresh(symbol_state& s, mono_time now);
  void give_up_old(symbol_state& s);
  void ask(moment now, continuity_actions& out);
  void fail(const request& which, const std::string& reason, std::chrono::milliseconds wait, moment now,
            continuity_actions& out);
  [[nodiscard]] std::size_t requests_allowed() const noexcept;
  std::optional<request> end_request(std::uint64_t number);
  void say(const symbol_state& s, quality_kind kind, std::int64_t first_s, std::int64_t last_s,
           std::string cause, continuity_actions& out) const;
  void say_stays(const symbol_state& s, std::int64_t first_s, std::int64_t last_s, std::size_t count,
                 std::size_t of, const std::string& why, continuity_actions& out) const;

  exchange which_;
  exchange_rules rules_;
  continuity_settings how_;
  std::unordered_map<std::string, symbol_state> symbols_;
  std::set<alarm> alarms_; ///< One a symbol at most.
  std::set<turn> ready_;   ///< Symbols with something to ask for now.
  std::vector<request> requests_;
  pace pace_;
  backoff backoff_;
  mono_time ask_not_before_{};
  mono_time failed_at_{};
  std::uint64_t last_request_ = 0, last_serial_ = 0;
  counts counts_;
};

} // namespace breakwater
