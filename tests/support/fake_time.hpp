#pragma once

#include "messages/time.hpp"

#include <chrono>
#include <functional>

namespace breakwater::test {

/// The time of a scenario, for fakes: they do what they do later, in order, on the test's own clock.
struct fake_time {
  std::function<mono_time()> now;
  std::function<void(std::chrono::milliseconds, std::function<void()>)> later;
  wall_clock wall;
};

} // namespace breakwater::test
