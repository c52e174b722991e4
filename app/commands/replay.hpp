#pragma once

#include <string>

namespace breakwater {

struct replay_command_options {
  std::string config;
  std::string frames;
  double speed = 0; ///< Times as fast as recorded; 0: as fast as it goes.
  bool json = false;
};

/// `breakwater replay`: recorded frames through the real pipeline. Ends with 0 once Redis has acknowledged
/// every record.
int replay_command(const replay_command_options& options);

} // namespace breakwater
