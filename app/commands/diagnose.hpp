#pragma once

#include <iosfwd>
#include <string>

namespace breakwater {

struct diagnose_options {
  std::string config; ///< Empty: the defaults.
  std::string json;   ///< File to write the whole of it to, "-" for standard output; empty: none.
};

/// `breakwater diagnose`: looks at a running process over its API, at the disk and at Redis, whichever of
/// them is there, and says what to do. Returns 0 healthy, 1 attention, 2 critical (or the config cannot be
/// used).
int diagnose_command(const diagnose_options& options, std::ostream& out, std::ostream& err);

} // namespace breakwater
