#pragma once

#include "actors/quality/marker_queue.hpp"
#include "actors/support/actor_base.hpp"
#include "actors/support/backoff.hpp"
#include "actors/support/timer.hpp"
#include "config/settings.hpp"
#include "messages/actors.hpp"

#include <optional>
#include <string>

namespace breakwater {

struct quality_options {
  std::string stream; ///< Not empty.
  std::size_t maxlen = 10000;
};

struct quality_state {
  static inline const char* name = "quality";

  explicit quality_state(quality_actor::pointer owner) : self(owner) {}

  void send();
  milliseconds wait_after(retry_way how);
  void pause(const std::string& why, milliseconds wait);
  [[nodiscard]] health_answer health() const;

  quality_actor::pointer self;
  std::string stream;
  std::optional<marker_queue> core;
  redis_actor redis;
  bool outstanding = false; ///< A piece is on its way, or its time has not come.
  std::string why_not;      ///< Why nothing is written; empty: it is.
  std::uint64_t dropped_told = 0;
  backoff refusals{{}}; ///< Of pieces that Redis refuses for now.
  timer wakes;
};

/// Writes the feeds' quality markers into a Redis stream, best effort.
quality_actor::behavior_type quality_behavior(self_ptr<quality_actor, quality_state> self,
                                              quality_options options, redis_actor redis);

} // namespace breakwater
