#pragma once

#include "actors/support/actor_base.hpp"
#include "actors/support/events.hpp"
#include "actors/support/metrics.hpp"
#include "actors/support/timer.hpp"
#include "actors/universe/universe_list.hpp"
#include "config/settings.hpp"
#include "messages/actors.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace breakwater {

struct universe_state {
  static inline const char* name = "universe";

  explicit universe_state(universe_actor::pointer owner) : self(owner) {}

  void read();
  void take(const redis_reply& reply);
  void wait(event what, const std::string& why, milliseconds pause);
  void publish();
  [[nodiscard]] health_answer health() const;

  universe_actor::pointer self;
  std::string key;
  std::optional<universe_list> core;
  redis_actor redis;
  std::vector<feed_actor> feeds;
  std::shared_ptr<const std::vector<std::string>> followed;
  std::size_t odd = 0, cut = 0; ///< Of the last value.
  std::string why_not;          ///< Why the key could not be used when it was read last; empty: it was.
  bool was_read = false;
  last_success read_it{success::universe_read};
  timer wakes;
};

/// Reads symbols.universe_key each minute and tells the feeds when other symbols are to be followed. What is
/// followed stays while the key is absent or unreadable, or Redis is away.
universe_actor::behavior_type universe_behavior(self_ptr<universe_actor, universe_state> self,
                                                symbols_settings what, redis_actor redis,
                                                std::vector<feed_actor> feeds);

} // namespace breakwater
