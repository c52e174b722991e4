#pragma once

#include <iosfwd>
#include <string>

namespace breakwater {

/// `breakwater check`: reads the config file, writes warnings and problems to `err`, and the effective config
/// to `out`. Returns the exit code: 0, or 2 when the file cannot be used.
int check_command(const std::string& config_path, std::ostream& out, std::ostream& err);

} // namespace breakwater
