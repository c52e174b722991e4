#pragma once

#include "app/simulator/options.hpp"

/// `breakwater simulate`: the exchanges' WebSocket servers on this machine.
namespace breakwater {

using simulate_options = simulator_options;

/// Serves until SIGTERM or SIGINT. Prints the URLs as a config snippet at start and what was sent at the end.
/// Call it on the main thread before any other thread exists: it blocks the two signals for the process.
/// Returns 0 after an orderly end, 2 when it cannot start (the reason is on standard error).
int simulate_command(const simulate_options& options);

} // namespace breakwater
