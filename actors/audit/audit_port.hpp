#pragma once

#include "actors/audit/audit_chain.hpp"
#include "messages/error.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace breakwater {

/// What an audit log was found to be.
struct audit_state_found {
  audit_tip tip; ///< What the next line follows.
  std::size_t lines = 0;
  std::vector<audit_problem> problems; ///< At most audit_check::max_problems.
  std::size_t problem_count = 0;
  std::string newest_time; ///< Of the newest line, as it stands there.
  std::string torn;        ///< Behind the last line end: what a crash left of a line.
};

/// Where audit lines go. audit_file_io keeps a file; tests keep a vector.
struct audit_port {
  virtual ~audit_port() = default;
  /// Opens the log, or makes it, and checks every line. A torn end is cut off if it was never acknowledged,
  /// else ended. Fails with errc::file_unreadable.
  virtual result<audit_state_found> open() = 0;
  /// Appends `entry`; it is on disk when this returns. Fails with errc::file_unreadable; then nothing of the
  /// line counts.
  virtual result<done> append(const audit_entry& entry) = 0;
  /// The newest lines, newest first.
  virtual std::vector<std::string> newest(std::size_t limit) = 0;
};

} // namespace breakwater
