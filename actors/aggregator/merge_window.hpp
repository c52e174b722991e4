#pragma once

#include "config/settings.hpp"
#include "messages/candle.hpp"
#include "messages/merged.hpp"

#include <array>
#include <bitset>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace breakwater {

/// Merges candles by symbol and minute across exchanges. A plain value: no clock, no actor. A minute stays
/// open while it is no older than `window` behind the newest minute of its symbol.
class merge_window {
public:
  /// `max_symbols` bounds the memory; candles of further symbols are counted and dropped.
  explicit merge_window(const aggregator_settings& rules, std::size_t max_symbols = 20000);

  enum class reading : std::uint8_t {
    first, ///< A candle as it comes.
    again, ///< Read a second time: what is as old as what is here was merged the first time.
  };
  /// Takes a candle in and appends to `out` what consumers are to be told: nothing when no price, volume,
  /// contributing exchange or close mark changed, or when too few exchanges have the minute. With emit =
  /// "close" also the minutes that left the window with something no record told: not everyone closed them.
  /// With emit = "interval" a minute is held until tell_held(), or until it leaves the window.
  void take(const candle& in, std::vector<merged>& out, reading how = reading::first);

  /// Appends the minutes that are held, as they are now, by symbol and minute.
  void tell_held(std::vector<merged>& out);
  [[nodiscard]] bool holds() const noexcept { return !held_.empty(); }

  /// A minute by name, and its state as text (any bytes); no text: it is closed for good.
  using saved_minute = std::pair<std::string, std::string>;
  /// The minutes that changed since this was called last.
  [[nodiscard]] std::vector<saved_minute> take_changed();
  /// Has a minute as it was when it was saved. False: it is not of take_changed(), or of a later version of
  /// it; nothing changed. To be called before take().
  bool restore(std::string_view name, std::string_view text);

  struct counts {
    std::uint64_t late = 0; ///< For a minute already closed for good.
    std::uint64_t out_of_order =
        0; ///< Older than what we have of that exchange and minute, or open again after its close.
    std::uint64_t unchanged = 0;
    std::uint64_t alone = 0;      ///< Too few exchanges have the minute (yet).
    std::uint64_t over_limit = 0; ///< Of symbols beyond max_symbols.
    std::uint64_t again = 0;      ///< Read a second time, and merged the first time.
  };
  [[nodiscard]] const counts& counted() const noexcept { return counts_; }
  [[nodiscard]] std::size_t symbols() const noexcept { return symbols_.size(); }

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
    bool told_closed = false; ///< The last one said closed.
    bool held = false;        ///< It is to be told at the end of the interval,
    wall_time held_since;     ///< because of a candle received then.
    bool changed = false;     ///< It stands in changed_.
  };
  struct symbol_minutes {
    std::int64_t newest_s = 0;
    std::vector<minute> open; ///< Ascending; at most window / 60 s + 1.
  };
  using symbol_table = std::unordered_map<std::string, symbol_minutes, text_hash, std::equal_to<>>;

  using symbol_place = symbol_table::value_type;

  /// The open minute `in` is of, made if need be; nullptr if it is closed for good.
  minute* minute_of(symbol_place& place, const candle& in, std::vector<merged>& out);
  /// The minutes that left the window because of `in`.
  void let_go(symbol_place& place, const candle& in, std::vector<merged>& out);
  void note_change(symbol_place& place, minute& of);
  [[nodiscard]] static std::string text_of(const minute& of);
  [[nodiscard]] merged figures(const minute& of, std::string_view symbol, wall_time ingest_at) const;

  aggregator_settings rules_;
  std::int64_t window_s_;
  std::size_t max_symbols_;
  symbol_table symbols_;
  std::vector<std::pair<symbol_place*, std::int64_t>> changed_; ///< Of a symbol, the minute that starts then.
  std::set<std::pair<std::string, std::int64_t>> held_;         ///< Symbol and start of the minutes that are.
  counts counts_;
};

} // namespace breakwater
