#pragma once

#include "messages/time.hpp"

#include <string>
#include <utility>
#include <vector>

namespace breakwater {

/// Something that has just gone into the log, for who watches live. From: the log. To: api.
struct happening {
  wall_time at;
  std::string level;                                        ///< "INFO", "WARN", "ERROR".
  std::string actor;                                        ///< The tag the log shows.
  std::string event;                                        ///< "breaker_opened" ...
  std::string text;                                         ///< For people.
  std::vector<std::pair<std::string, std::string>> details; ///< As in the log line.
};

} // namespace breakwater
