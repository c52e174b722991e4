#pragma once

#include "actors/notices/entry_queue.hpp"
#include "actors/support/actor_base.hpp"
#include "actors/support/backoff.hpp"
#include "actors/support/metrics.hpp"
#include "actors/support/timer.hpp"
#include "config/settings.hpp"
#include "messages/actors.hpp"

#include <optional>
#include <string>

namespace breakwater {

struct notices_options {
  std::string name;           ///< "quality", "notices/alerts" ...
  std::string stream;         ///< Not empty.
  std::size_t maxlen = 10000; ///< Entries Redis keeps, about.
};

struct notices_state {
  static inline const char* name = "notices"; ///< Of its kind; options.name tells which it is.

  explicit notices_state(notices_actor::pointer owner) : self(owner) {}

  void add(const std::vector<entry_fields>& entries);
  void send();
  milliseconds wait_after(retry_way how);
  void pause(const std::string& why, milliseconds wait);
  [[nodiscard]] health_answer health() const;

  notices_actor::pointer self;
  notices_options options;
  std::optional<entry_queue> core;
  redis_actor redis;
  bool outstanding = false; ///< A piece is on its way, or its time has not come.
  std::string why_not;      ///< Why nothing is written; empty: it is.
  std::uint64_t dropped_told = 0;
  backoff refusals{{}}; ///< Of pieces that Redis refuses for now.
  last_success written;
  timer wakes;
};

/// Writes entries into a Redis stream, best effort.
notices_actor::behavior_type notices_behavior(self_ptr<notices_actor, notices_state> self,
                                              notices_options options, redis_actor redis);

} // namespace breakwater
