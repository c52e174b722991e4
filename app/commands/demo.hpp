#pragma once

#include <chrono>

namespace breakwater {

struct demo_options {
  std::chrono::milliseconds run_for{0}; ///< 0: until SIGTERM or SIGINT.
  bool log_to_stderr = false;
};

/// `breakwater demo`: a private redis-server, the simulated exchanges and the whole process; a line a second
/// of what arrives in Redis. "stop" and "start" on standard input stop and start that Redis. Leaves nothing
/// behind. Returns 0 if records arrived, and each accepted one once.
int demo_command(const demo_options& options);

} // namespace breakwater
