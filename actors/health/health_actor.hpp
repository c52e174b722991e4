#pragma once

#include "actors/health/health_board.hpp"
#include "actors/health/service_port.hpp"
#include "actors/health/service_watch.hpp"
#include "actors/support/actor_base.hpp"
#include "actors/support/metrics.hpp"
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
  /// Until everybody answered and nothing was critical, once, it looks so often beside its ticks; 0: never.
  std::chrono::milliseconds look_every{0};
  std::chrono::milliseconds stalled_after = std::chrono::minutes{5}; ///< See service_watch.
  std::shared_ptr<service_port> service{};                           ///< None: nobody wants to know.
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
  /// Asks everybody; a look counts no misses, and is told in no line unless it is the first that finds all
  /// well.
  void look(bool is_tick);
  /// Everybody answered, or the time to answer is over: says how things are.
  void close_look();
  void report();
  void tell_service();

  health_actor::pointer self;
  health_options options;
  std::vector<watched> everyone;
  health_peers peers;
  std::unique_ptr<health_board> board;
  mono_time next_tick;
  std::optional<service_watch> watch; ///< Only with a service.
  std::uint64_t ticks = 0, looks = 0; ///< A tick is a look, too.
  bool look_open = false;             ///< Asked, not yet said.
  bool is_tick = false;               ///< The look that is open, or was last.
  bool was_well = false;              ///< Once.
  std::optional<wall_time> closed_at; ///< When the last tick was.
  last_success ticked{success::health_tick};
  std::vector<latency_histogram> answers; ///< By everyone.
};

/// Asks `everyone` each interval, says in one line and one stream entry how they are when all have answered
/// or the time to is over, and tells the supervisor who missed two ticks in a row. Tells the service manager
/// when the process is ready, that it lives and how it does.
health_actor::behavior_type health_behavior(self_ptr<health_actor, health_state> self, health_options options,
                                            std::vector<watched> everyone, health_peers peers);

} // namespace breakwater
