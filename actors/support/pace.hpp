#pragma once

#include "messages/time.hpp"

#include <chrono>
#include <cstddef>
#include <deque>

namespace breakwater {

/// "At most so many in any such time", as exchanges limit messages, connects and requests. count 0: no limit.
struct rate {
  std::size_t count = 0;
  std::chrono::milliseconds per{1000};

  bool operator==(const rate&) const = default;
};

/// Keeps within a rate. A plain value; the time is an argument.
class pace {
public:
  explicit pace(rate limit) : limit_(limit) {}

  /// The earliest time for the next one; in the past: now.
  [[nodiscard]] mono_time next() const {
    return limit_.count == 0 || taken_.size() < limit_.count ? mono_time{} : taken_.front() + limit_.per;
  }
  [[nodiscard]] bool allows(mono_time now) const { return now >= next(); }
  /// One more happens now. The caller asked allows() first.
  void take(mono_time now) {
    if (limit_.count == 0) return;
    taken_.push_back(now);
    if (taken_.size() > limit_.count) taken_.pop_front();
  }
  [[nodiscard]] const rate& limit() const noexcept { return limit_; }

private:
  rate limit_;
  std::deque<mono_time> taken_; ///< Never more than limit_.count.
};

} // namespace breakwater
