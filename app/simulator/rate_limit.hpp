#pragma once

#include "messages/time.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>

namespace breakwater {

/// At most `count` events within any `window`, as exchanges limit messages and connections.
class rate_limit {
public:
  rate_limit(std::size_t count, std::chrono::milliseconds window) : count_(count), window_(window) {}

  /// Whether an event at `now` is still within the limit; if it is, it counts.
  [[nodiscard]] bool allow(wall_time now) {
    while (!recent_.empty() && recent_.front() + window_ <= now) recent_.pop_front();
    if (recent_.size() >= count_) return false;
    recent_.push_back(now);
    return true;
  }

private:
  std::size_t count_;
  std::chrono::milliseconds window_;
  std::deque<wall_time> recent_; ///< Never longer than count_.
};

/// `per_second` events a second, saved up to `most` by who was quiet.
class burst_limit {
public:
  burst_limit(double per_second, double most) : per_second_(per_second), most_(most), left_(most) {}

  /// As rate_limit::allow.
  [[nodiscard]] bool allow(wall_time now) {
    const auto passed = std::chrono::duration<double>{now - filled_at_}.count();
    if (passed > 0) left_ = std::min(most_, left_ + passed * per_second_);
    filled_at_ = now;
    if (left_ < 1) return false;
    left_ -= 1;
    return true;
  }

private:
  double per_second_, most_, left_;
  wall_time filled_at_{};
};

} // namespace breakwater
