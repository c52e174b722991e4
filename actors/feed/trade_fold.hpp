#pragma once

#include "messages/time.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace breakwater {

/// One symbol's trades folded into one-minute candles. Trades are numbered one by one by the exchange: those
/// that come twice (two connections deliver the same) count once, those that never come are noticed, and in
/// whatever order they come, the candles are the same. Whether the maker or the taker sold makes no
/// difference to a candle. A plain value.
class trade_fold {
public:
  struct trade {
    std::uint64_t id = 0;       ///< > 0.
    double price = 0, size = 0; ///< Quote currency; base currency, at most largest_size.
    wall_time at;               ///< The exchange's clock decides the minute.
  };
  struct minute {
    std::int64_t start_s = 0; ///< Epoch seconds; 0: there is none.
    double open = 0, high = 0, low = 0, close = 0, volume = 0;
  };
  struct outcome {
    /// As it stands now. nullptr: the trade was known, or its minute is too old, or began before we listened.
    const minute* changed = nullptr;
    bool trades_missing = false; ///< Since the last minute that changed there is a hole in the numbers.
  };
  static constexpr double largest_size = 1e15;

  /// Trades up to this number are over: they happened before we listened. Nothing, if trades are known
  /// already.
  void begin_after(std::uint64_t id) noexcept;
  outcome take(const trade& x);

private:
  /// Adds up sizes without the error that sums of doubles gather: whole units, and steps of 10^-8, the
  /// exchange's smallest.
  struct amount {
    std::uint64_t whole = 0, steps = 0;

    void add(double size) noexcept;
    [[nodiscard]] double value() const noexcept;
  };
  struct folding {
    minute made;
    amount volume;
    std::uint64_t first_id = 0, last_id = 0;
  };
  struct id_range {
    std::uint64_t first = 0, last = 0;
  };
  [[nodiscard]] bool is_news(std::uint64_t id);
  void note_missing(id_range ids);
  bool fill_missing(std::uint64_t id);

  std::array<folding, 3> minutes_{}; ///< Newest first.
  std::uint64_t last_id_ = 0;        ///< 0: none was heard of.
  std::int64_t first_start_s_ = 0;   ///< The minute in which listening began; 0: it did not yet.
  std::vector<id_range> missing_;    ///< Some that may come yet, over the slower one of two connections.
  bool tell_missing_ = false;
};

} // namespace breakwater
