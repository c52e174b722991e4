#pragma once

#include "messages/time.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace breakwater {

/// How far an exchange's clock is from ours: receipt time less event time, over the last minute or so. The
/// least of them is the offset and the shortest way together; what others have more, queues added.
class clock_offset {
public:
  /// One frame. `event_at` at the epoch: it carried no time, and is no sample.
  void note(wall_time event_at, wall_time received_at, mono_time now) noexcept;

  struct figures {
    std::chrono::milliseconds least, most;
    std::size_t samples;
  };
  /// nullopt: no sample in the last minute.
  [[nodiscard]] std::optional<figures> over_last_minute(mono_time now) const noexcept;

private:
  static constexpr std::chrono::seconds slice{10};
  static constexpr std::int64_t slices = 6;

  /// What was noted in one slice of the time, numbered since the clock's epoch.
  struct bucket {
    std::int64_t number = -1;
    std::chrono::milliseconds least{0}, most{0};
    std::size_t samples = 0;
  };
  static std::int64_t number_of(mono_time at) noexcept { return at.time_since_epoch() / slice; }

  std::array<bucket, slices> buckets_; ///< By number modulo their count.
};

} // namespace breakwater
