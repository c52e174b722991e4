#pragma once

#include <string>

namespace breakwater {

/// `breakwater run`: the process, until SIGTERM or SIGINT. Returns the exit code.
int run_command(const std::string& config_path);

} // namespace breakwater
