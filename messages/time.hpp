#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

/// The two clocks of the project and how wall time is written.
namespace breakwater {

/// Monotonic time: deadlines, ages, backoff. In actors it comes from `self->clock().now()`, nowhere else.
using mono_time = std::chrono::steady_clock::time_point;

/// Wall time, UTC, whole milliseconds. It enters once, at an edge.
using wall_time = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;

/// One instant on both clocks: durations come of `mono`, what people are told of `wall`.
struct moment {
  mono_time mono;
  wall_time wall;
};

/// Tells the wall time. Actors get one by constructor; tests pass one they can move.
using wall_clock = std::function<wall_time()>;

/// The operating system's wall clock.
wall_time system_wall_time() noexcept;

constexpr wall_time wall_time_from_ms(std::int64_t epoch_ms) noexcept {
  return wall_time{std::chrono::milliseconds{epoch_ms}};
}
constexpr std::int64_t epoch_ms(wall_time at) noexcept { return at.time_since_epoch().count(); }

/// "2025-11-17T06:03:57.339Z".
std::string to_rfc3339(wall_time at);

/// Reads "YYYY-MM-DDThh:mm:ss[.fraction]Z"; digits behind the millisecond are cut. nullopt: not of that form.
std::optional<wall_time> parse_rfc3339(std::string_view text) noexcept;

} // namespace breakwater
