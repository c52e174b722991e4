#pragma once

#include <stdexcept>
#include <string>

namespace breakwater {

/// An invariant of ours: when it does not hold we have a bug, the actor ends with this text and is restarted.
inline void expects(bool holds, const char* what) {
  if (!holds) throw std::logic_error(std::string{"expected that "} + what);
}

} // namespace breakwater
