#pragma once

#include "messages/position.hpp"

#include <functional>
#include <memory>
#include <string>

namespace breakwater {

/// The log to follow and what to look for in it. Exactly one of `file` and `journal_unit` is set.
struct log_source {
  std::string file;
  std::string journal_unit;
  std::string activity_pattern, error_pattern; ///< See sightings_count.
};

/// A log that is being followed; no longer when this is gone. Its end waits for nobody.
struct log_tail {
  virtual ~log_tail() = default;
};

/// What POSITION_MONITOR needs of logs. log_tail_io follows real ones, a fake tells what the test says.
struct log_tail_port {
  using sink = std::function<void(log_sightings)>;

  virtual ~log_tail_port() = default;
  /// Follows `from` from its present end on. `sightings` is called on a thread of the port, at most a few
  /// times a second: when lines were seen, and when the problem with the log is another than before (none,
  /// at first). Never blocks.
  virtual std::unique_ptr<log_tail> follow(log_source from, sink sightings) = 0;
};

} // namespace breakwater
