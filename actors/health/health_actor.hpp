#pragma once

#include "actors/health/health_board.hpp"
#include "actors/support/actor_base.hpp"
#include "config/settings.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace breakwater {

struct watched {
  std::string name;
  watched_actor who;
};

struct health_options {
  health_settings rules;
  std::string instance, version;
  wall_clock clock = system_wall_time;
};

/// Whom health tells what it found.
struct health_peers {
  supervisor_actor supervisor;
  notices_actor notices; ///< None: ticks go into no stream.
};

struct health_state {
  static inline const char* name = "health";

  explicit health_state(health_actor::pointer owner) : self(owner) {}

  void tick();
  /// Everybody answered, or the time to answer is over: says how things are.
  void close_tick();

  health_actor::pointer self;
  health_options options;
  std::vector<watched> everyone;
  health_peers peers;
  std::unique_ptr<health_board> board;
  mono_time next_tick;
  std::uint64_t ticks = 0;
  bool tick_open = false;             ///< Asked, not yet said.
  std::optional<wall_time> closed_at; ///< When the last tick was.
};

/// Asks `everyone` each interval, says in one line and one stream entry how they are when all have answered
/// or the time to is over, and tells the supervisor who missed two ticks in a row.
health_actor::behavior_type health_behavior(self_ptr<health_actor, health_state> self, health_options options,
                                            std::vector<watched> everyone, health_peers peers);

} // namespace breakwater
