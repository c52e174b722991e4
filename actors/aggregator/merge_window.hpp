#pragma once

#include "actors/aggregator/minute_marks.hpp"
#include "config/settings.hpp"
#include "messages/candle.hpp"
#include "messages/merged.hpp"

#include <array>
#include <bitset>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace breakwater {

/// What merge_window may hold.
struct merge_limits {
  std::size_t symbols = 20000;       ///< Candles of further symbols are counted and dropped.
  std::size_t past_minutes = 262144; ///< Of all symbols together (some 60 MiB); the oldest are let go.
};

/// Merges candles by symbol and minute across exchanges. A plain value: no clock, no actor.
///
/// A minute is open while it is no older than `window` behind the newest minute of its symbol. Then it is
/// closed for good if a record told it. If none did (too few exchanges had it) it is kept as a past minute,
/// for filled candles only, while it is no older than `fill_within`; a filled candle also begins the past
/// minute nothing is known of. A past minute is told once no filled candle came for it in a while, with any
/// emit mode: the exchanges' fills of one outage come within seconds of each other, and one record of them
/// all beats several. It stays afterwards, too, so that what comes still later makes a richer record.
class merge_window {
public:
  explicit merge_window(const aggregator_settings& rules,
                        std::chrono::milliseconds fill_within = std::chrono::milliseconds{0},
                        const merge_limits& limits = {});

  enum class reading : std::uint8_t {
    first, ///< A candle as it comes.
    again, ///< Read a second time: what is as old as what is here was merged the first time.
  };
  /// Takes a candle in and appends to `out` what consumers are to be told: nothing when no price, volume,
  /// contributing exchange or close mark changed, or when too few exchanges have the minute. With emit =
  /// "close" also the minutes that left the window with something no record told: not everyone closed them.
  /// With emit = "interval" a minute is held until tell_held(), or until it leaves the window. What a filled
  /// candle changes in a past minute, or with emit = "close" in any, is held until tell_filled().
  void take(const candle& in, std::vector<merged>& out, reading how = reading::first);

  /// Appends the minutes that are held, as they are now, by symbol and minute.
  void tell_held(std::vector<merged>& out);
  [[nodiscard]] bool holds() const noexcept { return !held_.empty(); }

  /// To be called at even intervals while holds_filled(). Appends the minutes no filled candle came for
  /// during the last two of them, by symbol and minute, until `out` holds `most`.
  void tell_filled(std::size_t most, std::vector<merged>& out);
  /// Appends all of them, due or not: nothing more will come.
  void tell_all_filled(std::vector<merged>& out);
  [[nodiscard]] bool holds_filled() const noexcept { return !filled_.empty(); }

  /// The newest minute of each symbol in which `of` has a candle, as coverage_answer says it.
  [[nodiscard]] std::vector<candle> newest_of(exchange of) const;

  /// A minute by name, and its state as text (any bytes); no text: it is closed for good.
  using saved_minute = std::pair<std::string, std::string>;
  /// The open minutes that changed since this was called last. Only of a stream: for feeds nothing is saved.
  [[nodiscard]] std::vector<saved_minute> take_changed();
  /// Has a minute as it was when it was saved. False: it is not of take_changed(), or of a later version of
  /// it; nothing changed. To be called before take().
  bool restore(std::string_view name, std::string_view text);

  struct counts {
    std::uint64_t late = 0;        ///< For a minute already closed for good.
    std::uint64_t late_filled = 0; ///< Of them, filled ones: others told their minute in time.
    std::uint64_t out_of_order =
        0; ///< Older than what we have of that exchange and minute, or open again after its close.
    std::uint64_t unchanged = 0;
    std::uint64_t alone = 0;        ///< Too few exchanges have the minute (yet).
    std::uint64_t over_limit = 0;   ///< Of symbols beyond merge_limits::symbols.
    std::uint64_t again = 0;        ///< Read a second time, and merged the first time.
    std::uint64_t filled = 0;       ///< Filled candles that changed a past minute.
    std::uint64_t past_dropped = 0; ///< Past minutes let go for want of room before anybody was told of them.
  };
  [[nodiscard]] const counts& counted() const noexcept { return counts_; }
  [[nodiscard]] std::size_t symbols() const noexcept { return symbols_.size(); }
  [[nodiscard]] std::size_t past_minutes() const noexcept { return past_.size(); }

private:
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };
  struct minute {
    std::int64_t start_s = 0;
    std::array<double, exchange_count> close{};
    std::array<double, exchange_count> volume{};
    std::array<wall_time, exchange_count> event_at{};
    std::bitset<exchange_count> present;
    std::bitset<exchange_count> closed;
    bool untold = false;      ///< Something changed since the last record of it, or there was none yet.
    bool told = false;        ///< There was one.
    bool told_closed = false; ///< The last one said closed.
    bool held = false;        ///< It is to be told at the end of the interval. Past minutes never are.
    wall_time held_since;     ///< Received then: the candle it is held for, or the last filled one.
    bool changed = false;     ///< It stands in changed_.
  };
  /// The newest minute each exchange has a candle in.
  struct newest_minutes {
    std::array<std::optional<std::int64_t>, exchange_count> start_s{};
    std::bitset<exchange_count> closed;

    void note(const minute& of);
  };
  struct symbol_minutes {
    std::int64_t newest_s = 0;
    std::vector<minute> open;            ///< Ascending; at most window / 60 s + 1.
    std::map<std::int64_t, minute> past; ///< By start: older than the window, within fill_within.
    minute_marks told;                   ///< Those of fill_within that were told and let go.
    newest_minutes newest_behind;        ///< Of the minutes that are no longer open.

    [[nodiscard]] newest_minutes newest() const;
  };
  using symbol_table = std::unordered_map<std::string, symbol_minutes, text_hash, std::equal_to<>>;

  using symbol_place = symbol_table::value_type;
  using minute_key = std::pair<std::string, std::int64_t>; ///< Symbol and start.

  /// The open minute `in` is of, made if need be; nullptr if it is no longer open.
  minute* minute_of(symbol_place& place, const candle& in, std::vector<merged>& out);
  /// The past minute `in` is of, made if need be; nullptr: `in` is late.
  minute* past_minute_of(symbol_place& place, const candle& in, std::vector<merged>& out);
  /// Puts `in` into `of`. False, and counted: it says nothing new.
  bool merge(symbol_place& place, minute& of, const candle& in, reading how);
  /// The minutes that left the window because of `in`.
  void let_go(symbol_place& place, const candle& in, std::vector<merged>& out);
  /// Keeps an open minute that was not told as a past one, if filled candles may come for it.
  void keep(symbol_place& place, minute of, std::vector<merged>& out);
  /// Makes room for a past minute that starts then. False: it is older than all that are here.
  bool make_room(std::int64_t start_s, std::vector<merged>& out);
  /// The end of a past minute.
  void forget(symbol_place& place, std::int64_t start_s, std::vector<merged>& out);
  void tell(minute& of, merged&& figures, std::vector<merged>& out);
  /// Tells what filled candles changed in it, if there is something to tell.
  void tell_filled_minute(const minute_key& which, std::vector<merged>& out);
  void note_change(symbol_place& place, minute& of);
  [[nodiscard]] static std::string text_of(const minute& of);
  [[nodiscard]] merged figures(const minute& of, std::string_view symbol, wall_time ingest_at) const;

  aggregator_settings rules_;
  std::int64_t window_s_;
  std::int64_t fill_within_s_;
  merge_limits limits_;
  symbol_table symbols_;
  std::vector<std::pair<symbol_place*, std::int64_t>> changed_; ///< Of a symbol, the minute that starts then.
  std::set<minute_key> held_;
  std::set<std::pair<std::int64_t, symbol_place*>> past_; ///< Every past minute, the oldest first.
  std::map<minute_key, unsigned> filled_; ///< Held, and how many calls of tell_filled() ago it was changed.
  counts counts_;
};

} // namespace breakwater
