#pragma once

#include <string>
#include <utility>
#include <vector>

namespace breakwater {

/// Something worth keeping: start, stop, a restart, a breaker move. From: supervisor, breaker, main. To:
/// audit.
struct audit_record {
  std::string what;  ///< "process_started", "actor_restarted", "breaker_moved" ...
  std::string actor; ///< Who it happened to.
  std::vector<std::pair<std::string, std::string>> details; ///< In the order to write.
};

} // namespace breakwater
