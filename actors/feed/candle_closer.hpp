#pragma once

#include "messages/candle.hpp"
#include "messages/time.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace breakwater {

/// Closes the candles of exchanges that mark none: a symbol's next minute does it, or the time 5 s behind the
/// minute's end. A plain value; the time is whatever the caller says it is (receipt times in replay).
class candle_closer {
public:
  static constexpr std::chrono::milliseconds patience{5000};

  /// Takes a candle as it came; appends what it means: perhaps the minute before, closed, then the candle
  /// itself. Past minutes come closed; so does the newest, once it was closed by the time.
  void take(candle now_known, std::vector<candle>& out);

  /// Appends the candles that are over since `now`, closed.
  void advance(wall_time now, std::vector<candle>& out);

  /// When the next candle is over, if any is open.
  [[nodiscard]] std::optional<wall_time> next_close() const noexcept { return next_close_; }

private:
  static wall_time over_at(const candle& x) noexcept;

  std::unordered_map<std::string, candle> by_symbol_; ///< The newest minute of each.
  std::optional<wall_time> next_close_;               ///< Never later than the true one.
};

} // namespace breakwater
