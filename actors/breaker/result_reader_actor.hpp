#pragma once

#include "actors/breaker/execution_results.hpp"
#include "actors/support/actor_base.hpp"
#include "actors/support/metrics.hpp"
#include "actors/support/timer.hpp"
#include "config/settings.hpp"
#include "messages/actors.hpp"

#include <optional>
#include <string>
#include <vector>

namespace breakwater {

struct result_reader_state {
  static inline const char* name = "result_reader";

  explicit result_reader_state(result_reader_actor::pointer owner) : self(owner) {}

  void ask_for_cursor();
  void read();
  void tell(std::vector<call_outcome> outcomes, std::size_t next);
  void pause(const std::string& why);
  [[nodiscard]] health_answer health() const;

  result_reader_actor::pointer self;
  std::string stream;
  std::optional<execution_results> core;
  redis_actor redis;
  breaker_actor breaker;
  std::uint64_t results = 0, failures = 0;
  std::string why_not;        ///< Why nothing is read; empty: it is, or failed for the first time.
  bool failed_before = false; ///< The last try did.
  last_success read_it{success::results_read};
  timer wakes;
};

/// Reads the stream of execution results over Redis's connection for blocking reads and tells the breaker
/// each result once: the breaker keeps the cursor together with what it counted, so neither a crash of either
/// nor of the process loses or doubles one. After any failure it asks the breaker where to read on.
result_reader_actor::behavior_type
result_reader_behavior(self_ptr<result_reader_actor, result_reader_state> self, orders_settings what,
                       redis_actor redis, breaker_actor breaker);

} // namespace breakwater
