#pragma once

#include "actors/audit/audit_port.hpp"
#include "actors/support/actor_base.hpp"

#include <memory>
#include <string>

namespace breakwater {

struct audit_state {
  static inline const char* name = "audit";
  std::string instance;
  wall_clock clock;
  std::shared_ptr<audit_port> port;
  std::uint64_t failed = 0;
  std::string last_failure; ///< Empty once a line was written again.
};

/// Writes down what it is told, one line each, numbered over the lives of the process.
audit_actor::behavior_type audit_behavior(self_ptr<audit_actor, audit_state> self, std::string instance,
                                          wall_clock clock, std::shared_ptr<audit_port> port);

} // namespace breakwater
