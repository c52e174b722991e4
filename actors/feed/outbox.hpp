#pragma once

#include "messages/candle.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace breakwater {

/// The newest state of each symbol's last few minutes, for a consumer that lost its own.
class recent_candles {
public:
  static constexpr std::size_t minutes = 3;

  /// Whether `x` tells nothing beyond what was noted of its minute last.
  [[nodiscard]] bool has(const candle& x) const;
  /// Notes `x`. A minute that was closed stays closed: returns whether `x` has to count as closed.
  bool note(const candle& x);
  /// All of them, the oldest minutes first.
  [[nodiscard]] std::vector<candle> all() const;

private:
  std::unordered_map<std::string, std::array<candle, minutes>> by_symbol_; ///< Newest first; start_s 0: none.
};

/// What waits for the aggregator: one state per symbol and minute, the newest, in the order the minutes came.
/// Bounded.
class outbox {
public:
  explicit outbox(std::size_t capacity = 16384) : capacity_(capacity) {}

  /// Adds `x`, or replaces an older state of the same minute (conflated); nothing, if `x` tells nothing new.
  /// `closed`, once seen, stays.
  void put(candle x);
  /// Takes out the first `max` at most.
  [[nodiscard]] std::vector<candle> take(std::size_t max);
  /// A batch was not taken: it waits again, in front, but for what was replaced in the meantime.
  void give_back(const std::vector<candle>& batch);
  /// The consumer began a new life: the last minutes of each symbol wait again, unless they do.
  void refill();

  [[nodiscard]] std::size_t size() const noexcept { return waiting_.size(); }
  [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }
  [[nodiscard]] std::size_t conflated() const noexcept { return conflated_; }
  /// The oldest minutes, thrown away for want of room.
  [[nodiscard]] std::size_t dropped() const noexcept { return dropped_; }

private:
  using key = std::pair<std::string, std::int64_t>;
  struct key_hash {
    std::size_t operator()(const key& x) const noexcept {
      return std::hash<std::string>{}(x.first) ^ (std::hash<std::int64_t>{}(x.second) * 0x9e3779b97f4a7c15u);
    }
  };
  void add(std::int64_t place, candle x);
  void make_room();

  std::size_t capacity_;
  std::map<std::int64_t, candle> waiting_; ///< By place in the queue.
  std::unordered_map<key, std::int64_t, key_hash> place_of_;
  std::set<std::pair<std::int64_t, std::int64_t>> by_minute_; ///< (minute, place): the oldest goes first.
  std::int64_t front_ = 0, back_ = 0;                         ///< Next free places.
  recent_candles recent_;
  std::size_t conflated_ = 0;
  std::size_t dropped_ = 0;
};

} // namespace breakwater
