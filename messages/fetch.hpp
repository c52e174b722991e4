#pragma once

#include "messages/error.hpp"
#include "messages/time.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace breakwater {

/// What became of one HTTP GET. From: rest edge. To: the feed that asked.
struct fetched {
  std::uint64_t number = 0; ///< Which one, as the feed numbered it.
  int status = 0;           ///< HTTP status; 0: no answer came, and `why` says why.
  std::string body;
  std::chrono::seconds retry_after{0}; ///< Of a 418, 429 or 503 that said so.
  wall_time received_at;
  failure why; ///< errc::address_invalid, or errc::foreign with the reason; errc::none with any status.
};

} // namespace breakwater
