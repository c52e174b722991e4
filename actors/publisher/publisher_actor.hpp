#pragma once

#include "actors/publisher/delivery.hpp"
#include "actors/support/actor_base.hpp"
#include "actors/support/timer.hpp"

#include <memory>
#include <vector>

namespace breakwater {

struct publisher_options {
  delivery::options how;
  wall_clock clock;
};

struct publisher_state {
  static inline const char* name = "publisher";

  explicit publisher_state(publisher_actor::pointer owner) : self(owner) {}

  intake_answer take(const record_batch& batch);
  /// Sends what is due, logs what was found, answers who waits for the end.
  void pump();
  health_answer health() const;

  publisher_actor::pointer self;
  publisher_options options;
  redis_actor redis;
  std::shared_ptr<spool_port> spool; ///< Outlives this actor.
  std::unique_ptr<delivery> core;
  timer alarm;
  bool full = false;
  std::vector<caf::typed_response_promise<drained>> drains;
};

/// Keeps every batch in the spool before it answers `taken`, and brings the spool into the stream.
publisher_actor::behavior_type publisher_behavior(self_ptr<publisher_actor, publisher_state> self,
                                                  publisher_options options, redis_actor redis,
                                                  std::shared_ptr<spool_port> spool);

} // namespace breakwater
