#pragma once

#include "actors/audit/audit_port.hpp"
#include "actors/support/actor_base.hpp"
#include "actors/support/metrics.hpp"

#include <memory>
#include <string>

namespace breakwater {

struct audit_options {
  std::string instance;
  wall_clock clock = system_wall_time;
  hash_function hash = nullptr;
};

struct audit_state {
  static inline const char* name = "audit";

  result<audit_written> write(const audit_record& record);
  result<done> open();
  [[nodiscard]] health_answer health() const;

  audit_options options;
  std::shared_ptr<audit_port> port;
  bool is_open = false;
  audit_tip tip;
  std::string broken; ///< What is wrong with the lines that were there; empty: nothing.
  std::uint64_t failed = 0;
  std::string last_failure; ///< Empty once a line was written again.
  last_success written{success::audit_written};
};

/// Writes down what it is told, one line each, numbered and chained over the lives of the process. Each
/// incarnation checks the log it finds; damage is said, and new lines go on behind it.
audit_actor::behavior_type audit_behavior(self_ptr<audit_actor, audit_state> self, audit_options options,
                                          std::shared_ptr<audit_port> port);

} // namespace breakwater
