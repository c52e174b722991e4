#pragma once

#include "messages/time.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace breakwater {

/// Waits between attempts: doubling from `initial` to `max`, each varied by +-`jitter` (0.2 = 20 %), for
/// ever.
class backoff {
public:
  struct limits {
    std::chrono::milliseconds initial{1000};
    std::chrono::milliseconds max{30000};
    double jitter = 0.2;
  };

  /// `seed` makes the jitter repeatable in tests.
  explicit backoff(limits range, std::uint64_t seed = std::random_device{}())
      : limits_(range), random_(seed) {}

  /// The wait before the next attempt; `attempts()` is then one more.
  [[nodiscard]] std::chrono::milliseconds next() {
    ++attempts_;
    const auto base = std::min(wait_ == wait_.zero() ? limits_.initial : wait_ * 2, limits_.max);
    wait_ = base;
    std::uniform_real_distribution<double> vary{1 - limits_.jitter, 1 + limits_.jitter};
    return std::chrono::milliseconds{
        static_cast<std::int64_t>(static_cast<double>(base.count()) * vary(random_))};
  }
  /// The attempt held: start from `initial` again.
  void reset() noexcept {
    attempts_ = 0;
    wait_ = wait_.zero();
  }
  [[nodiscard]] unsigned attempts() const noexcept { return attempts_; }

private:
  limits limits_;
  std::minstd_rand random_;
  std::chrono::milliseconds wait_{0};
  unsigned attempts_ = 0;
};

} // namespace breakwater
