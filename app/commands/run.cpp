#include "app/commands/run.hpp"

#include "app/commands/common.hpp"
#include "app/process.hpp"

namespace breakwater {

int run_command(const std::string& config_path) {
  const stop_signals signals;
  const auto settings = load_for_command(config_path);
  if (!settings) return exit_unusable;
  auto running = process::start(*settings);
  if (!running) return refuse(running.error());
  while (!signals.wait_for(std::chrono::hours{1})) {
  }
  return (*running)->stop();
}

} // namespace breakwater
