#pragma once

#include "actors/breaker/breaker.hpp"
#include "actors/support/actor_base.hpp"
#include "actors/support/timer.hpp"
#include "messages/actors.hpp"
#include "messages/time.hpp"

#include <optional>
#include <string>

namespace breakwater {

struct breaker_state {
  static inline const char* name = "breaker";

  std::string shown; ///< "breaker/redis": the name in logs and audit.
  wall_clock clock;
  audit_actor audit;
  std::optional<breaker> core;
  timer wakes;
};

/// Guards one dependency, `name` ("redis"). Each move is logged under "breaker/<name>" and audited.
breaker_actor::behavior_type breaker_behavior(self_ptr<breaker_actor, breaker_state> self, std::string name,
                                              breaker_settings settings, audit_actor audit, wall_clock clock);

} // namespace breakwater
