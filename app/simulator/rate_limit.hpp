#pragma once

#include "messages/time.hpp"

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

} // namespace breakwater
