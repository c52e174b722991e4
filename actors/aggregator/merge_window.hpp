#pragma once

#include "config/settings.hpp"
#include "messages/candle.hpp"
#include "messages/merged.hpp"

#include <array>
#include <bitset>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace breakwater {

/// Merges candles by symbol and minute across exchanges. A plain value: no clock, no actor. A minute stays
/// open while it is no older than `window` behind the newest minute of its symbol.
class merge_window {
public:
  /// `max_symbols` bounds the memory; candles of further symbols are counted and dropped.
  explicit merge_window(const aggregator_settings& rules, std::size_t max_symbols = 20000);

  /// Takes a candle in and appends to `out` what consumers are to be told: nothing when no price, volume,
  /// contributing exchange or close mark changed, or when too few exchanges have the minute. With emit =
  /// "close" also the minutes that left the window with something no record told: not everyone closed them.
  void take(const candle& in, std::vector<merged>& out);

  struct counts {
    std::uint64_t late = 0; ///< For a minute already closed for good.
    std::uint64_t out_of_order =
        0; ///< Older than what we have of that exchange and minute, or open again after its close.
    std::uint64_t unchanged = 0;
    std::uint64_t alone = 0;      ///< Too few exchanges have the minute (yet).
    std::uint64_t over_limit = 0; ///< Of symbols beyond max_symbols.
  };
  [[nodiscard]] const counts& counted() const noexcept { return counts_; }
  [[nodiscard]] std::size_t symbols() const noexcept { return symbols_.size(); }

private:
  struct minute {
    std::int64_t start_s = 0;
    std::array<double, exchange_count> close{};
    std::array<double, exchange_count> volume{};
    std::array<wall_time, exchange_count> event_at{};
    std::bitset<exchange_count> present;
    std::bitset<exchange_count> closed;
    bool untold = false;      ///< Something changed since the last record of it, or there was none yet.
    bool told_closed = false; ///< The last one said closed.
  };
  struct symbol_minutes {
    std::int64_t newest_s = 0;
    std::vector<minute> open; ///< Ascending; at most window / 60 s + 1.
  };
  struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };

  /// The open minute `start_s` of a symbol, made if need be; nullptr if it is closed for good.
  minute* minute_of(symbol_minutes& of, std::int64_t start_s, std::string_view symbol,
                    std::vector<merged>& out);
  void let_go(symbol_minutes& of, std::string_view symbol, std::vector<merged>& out);
  [[nodiscard]] merged figures(const minute& of, std::string_view symbol) const;

  aggregator_settings rules_;
  std::int64_t window_s_;
  std::size_t max_symbols_;
  std::unordered_map<std::string, symbol_minutes, text_hash, std::equal_to<>> symbols_;
  counts counts_;
};

} // namespace breakwater
