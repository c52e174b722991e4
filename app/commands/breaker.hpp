#pragma once

#include <cstddef>
#include <iosfwd>
#include <string>

namespace breakwater {

enum class breaker_verb : std::uint8_t { status, history, reset, open };

struct breaker_command_options {
  breaker_verb verb = breaker_verb::status;
  std::string name = "redis";
  bool override = false;
  std::string reason;
  std::size_t limit = 20; ///< Of history.
  bool json = false;      ///< Print the API's answer as it is.
  std::string config;     ///< Empty: the default address, and no token but the environment's.
  std::string api;        ///< host:port; empty: that of the config.
};

/// `breakwater breaker ...`: asks a running process over its API. The token comes from the config's
/// api.token_file or the environment variable BREAKWATER_TOKEN. Returns 0 when it was done (of status: the
/// circuit is CLOSED), 1 when it was refused (of status: it is not CLOSED), 2 when nobody could be asked.
int breaker_command(const breaker_command_options& options, std::ostream& out, std::ostream& err);

} // namespace breakwater
