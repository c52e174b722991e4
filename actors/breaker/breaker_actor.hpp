#pragma once

#include "actors/breaker/breaker.hpp"
#include "actors/breaker/breaker_store_port.hpp"
#include "actors/support/actor_base.hpp"
#include "actors/support/metrics.hpp"
#include "actors/support/timer.hpp"
#include "messages/actors.hpp"
#include "messages/time.hpp"

#include <memory>
#include <optional>
#include <string>

namespace breakwater {

struct breaker_options {
  std::string name; ///< "redis"
  breaker_settings settings;
  wall_clock clock = system_wall_time;
};

struct breaker_state {
  static inline const char* name = "breaker";

  explicit breaker_state(breaker_actor::pointer owner) : self(owner) {}

  [[nodiscard]] moment now() const;
  void remember();
  /// Asks the core for leave by `question`, and follows up whatever moved by that.
  template <class Question>
  permit ask(Question question);
  void tell_bridges();
  /// After everything that may have moved the core: say so, write it down, be woken when the open time is
  /// over.
  void follow_up();
  void keep(const std::vector<breaker_move>& moves);

  caf::result<breaker_order_answer> order(audit_record what, std::vector<std::string> refused,
                                          std::function<void()> apply);
  caf::result<breaker_order_answer> reset(const breaker_reset& order);
  caf::result<breaker_order_answer> force_open(const breaker_force_open& order);
  [[nodiscard]] health_answer health() const;

  breaker_actor::pointer self;
  std::string shown; ///< "breaker/redis": the name in logs and audit.
  breaker_options options;
  audit_actor audit;
  std::vector<bridge_actor> bridges; ///< Whom its moves are told to.
  std::shared_ptr<breaker_store_port> store;
  std::optional<breaker> core;
  std::string unsaved; ///< Why the memory could not be kept the last time; empty: it was.
  last_success saved;
  timer wakes;
};

/// Guards one dependency. Each move is logged under "breaker/<name>", audited and kept in the store, from
/// which a restarted actor (or process) goes on. An operator's order takes effect once the audit has it on
/// disk.
breaker_actor::behavior_type breaker_behavior(self_ptr<breaker_actor, breaker_state> self,
                                              breaker_options options, audit_actor audit,
                                              std::vector<bridge_actor> bridges,
                                              std::shared_ptr<breaker_store_port> store);

} // namespace breakwater
