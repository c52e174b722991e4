#pragma once

#include "messages/time.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace breakwater {

/// How fast a count grows: its mean per second over the last ten seconds. A plain value.
class rate_meter {
public:
  /// The count stands at `total` now. Returns whether it grew.
  bool saw(std::uint64_t total, mono_time now) {
    auto& second = at(now);
    const auto before = std::exchange(total_, total); // it may have fallen, and grows from there
    if (total > before) second += total - before;
    return total > before;
  }

  [[nodiscard]] double per_second(mono_time now) const {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < seconds_.size(); ++i) {
      const auto age = number_of(now) - numbers_[i];
      if (age >= 1 && age <= window) sum += seconds_[i]; // whole seconds only
    }
    return static_cast<double>(sum) / window;
  }

private:
  static constexpr std::int64_t window = 10;

  static std::int64_t number_of(mono_time at) {
    return std::chrono::duration_cast<std::chrono::seconds>(at.time_since_epoch()).count();
  }
  std::uint64_t& at(mono_time now) {
    const auto number = number_of(now);
    const auto place = static_cast<std::size_t>(number % static_cast<std::int64_t>(seconds_.size()));
    if (numbers_[place] != number) numbers_[place] = number, seconds_[place] = 0;
    return seconds_[place];
  }

  std::array<std::uint64_t, window + 1> seconds_{};
  std::array<std::int64_t, window + 1> numbers_{};
  std::uint64_t total_ = 0;
};

} // namespace breakwater
