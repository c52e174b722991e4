#pragma once

#include "actors/support/events.hpp"

#include <chrono>
#include <cstddef>
#include <string>

namespace breakwater {

/// What a core has to say for the log; the shell adds who says it.
struct tell {
  event what;
  std::string symbol = {}; ///< Empty: does not apply; likewise the others.
  std::string reason = {};
  std::size_t count = 0;
  std::chrono::milliseconds wait{-1};
  std::chrono::milliseconds age{-1};
};
} // namespace breakwater
