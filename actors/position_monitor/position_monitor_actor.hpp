#pragma once

#include "actors/position_monitor/activity.hpp"
#include "actors/position_monitor/log_tail_port.hpp"
#include "actors/support/actor_base.hpp"
#include "actors/support/timer.hpp"
#include "config/settings.hpp"
#include "messages/actors.hpp"

#include <memory>
#include <string>

namespace breakwater {

struct position_monitor_options {
  position_monitor_settings how;
  wall_clock clock = system_wall_time;
};

/// Whom it asks and where it reads. `memory` outlives the actor, so that its next life knows what this one
/// saw.
struct position_monitor_peers {
  redis_actor redis;
  std::shared_ptr<log_tail_port> logs;
  std::shared_ptr<activity> memory;
};

struct position_monitor_state {
  static inline const char* name = "position_monitor";

  explicit position_monitor_state(position_monitor_actor::pointer owner) : self(owner) {}

  void start();
  void follow_log();
  void look();
  void ask_stream();
  void take_log(const log_sightings& seen);
  void judge();
  void tell_problem(std::string& told, const std::string& is, const char* source, const std::string& of);
  [[nodiscard]] moment now() const { return {self->clock().now(), options.clock()}; }
  [[nodiscard]] position_report report() const { return peers.memory->report(now()); }
  [[nodiscard]] health_answer health() const;

  position_monitor_actor::pointer self;
  position_monitor_options options;
  position_monitor_peers peers;
  std::unique_ptr<log_tail> tail; ///< nullptr: no log is configured.
  mono_time next_look;
  mono_time next_question; ///< To the stream.
  bool is_asking = false;
  bool was_silent = false; ///< As the log was told last.
  std::string told_of_stream, told_of_log;
  timer wakes;
};

/// Knows when the external position monitor was last seen active: by a Redis stream, a log, its heartbeats.
/// Each stands for itself: while Redis is away the other two go on. Looks every few seconds.
position_monitor_actor::behavior_type
position_monitor_behavior(self_ptr<position_monitor_actor, position_monitor_state> self,
                          position_monitor_options options, position_monitor_peers peers);

} // namespace breakwater
