#pragma once

#include "actors/raw_reader/raw_input.hpp"
#include "actors/support/actor_base.hpp"
#include "actors/support/backoff.hpp"
#include "actors/support/metrics.hpp"
#include "actors/support/timer.hpp"
#include "messages/actors.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace breakwater {

struct raw_reader_options {
  raw_input::options how;
  wall_clock clock;
};

struct raw_reader_state {
  static inline const char* name = "raw_reader";

  explicit raw_reader_state(raw_reader_actor::pointer owner) : self(owner) {}

  /// What was read and not yet merged is forgotten: the aggregator says where to go on.
  void ask_for_position();
  void ask_again_in(std::chrono::milliseconds wait);
  /// Offers and reads what is due.
  void pump();
  void offer();
  void on_answer(intake answer);
  void read();
  void on_replies(const redis_replies& answer);
  void pause(const failure& why);
  void on_wake(wake which);
  health_answer health() const;

  raw_reader_actor::pointer self;
  raw_reader_options options;
  redis_actor redis;
  aggregator_actor aggregator;
  std::optional<raw_input> core;
  last_success read_it{success::raw_read};
  timer alarm;

  bool positioned = false;        ///< The position is known; while it is asked for, nothing is read.
  std::deque<candle_batch> ready; ///< Read and not yet merged, oldest first: that one is with the aggregator.
  bool offered = false;           ///< The aggregator owes an answer.
  bool reading = false;           ///< Redis owes one.
  std::uint64_t begun = 0;        ///< Times reading began at a position; what was asked before is stale.
  std::optional<mono_time> ask_at, offer_at, read_at;
  std::string why_not = "it was not looked at yet"; ///< Why the stream cannot be read; empty: it can.
  bool looked_at = false, told_why = false, human_needed = false;
  backoff read_waits{{std::chrono::milliseconds{100}, std::chrono::milliseconds{2000}, 0}};
  std::uint64_t candles = 0;
  bool draining = false;
  std::vector<caf::typed_response_promise<drained>> drains;
};

/// Reads candles out of a stream and hands them to the aggregator: one batch unanswered at a time, and the
/// next read ahead. What the aggregator has no room for stays in Redis.
raw_reader_actor::behavior_type raw_reader_behavior(self_ptr<raw_reader_actor, raw_reader_state> self,
                                                    raw_reader_options options, redis_actor redis,
                                                    aggregator_actor aggregator);

} // namespace breakwater
