#pragma once

#include "actors/aggregator/merge_window.hpp"
#include "actors/support/actor_base.hpp"
#include "actors/support/timer.hpp"
#include "messages/record.hpp"

#include <map>
#include <memory>
#include <vector>

namespace breakwater {

struct aggregator_options {
  aggregator_settings rules;
  market kind = market::spot;
};

struct aggregator_state {
  static inline const char* name = "aggregator";

  explicit aggregator_state(aggregator_actor::pointer owner) : self(owner) {}

  intake_answer take(const candle_batch& batch);
  void publish(merged what, wall_time ingest_at);
  void flush_interval();
  void send_on();
  void on_answer(const intake_answer& answer);
  void retry_in(milliseconds wait);
  void on_wake(wake which);
  void answer_drains();
  health_answer health() const;

  aggregator_actor::pointer self;
  aggregator_options options;
  publisher_actor publisher;
  std::uint64_t incarnation = 0; ///< Names this life to the publisher and to the feeds.
  std::unique_ptr<merge_window> window;
  std::vector<merged> merged_now; ///< Scratch of take().
  std::shared_ptr<record_list> waiting = std::make_shared<record_list>();
  std::shared_ptr<const record_list> in_flight; ///< Sent, not yet answered (or answered busy).
  bool asked = false;                           ///< A request for in_flight is on its way.
  std::uint64_t number = 0;                     ///< Of the newest batch.
  struct held {
    merged what;
    wall_time ingest_at;
  };
  std::map<std::pair<std::string, std::int64_t>, held>
      interval_held; ///< emit = "interval": newest per symbol and minute.
  std::optional<mono_time> next_flush, retry_at;
  timer alarm;
  std::uint64_t candles = 0, records = 0, late_told = 0;
  mono_time last_candle_at, last_record_at;
  std::vector<caf::typed_response_promise<drained>> drains;
};

/// Merges what the feeds send and hands records to the publisher, one unanswered batch at a time. While the
/// publisher has no room it answers the feeds `busy`, so what waits here stays below `max_waiting` records.
aggregator_actor::behavior_type aggregator_behavior(self_ptr<aggregator_actor, aggregator_state> self,
                                                    aggregator_options options, publisher_actor publisher);

} // namespace breakwater
