#pragma once

#include "actors/publisher/delivery.hpp"
#include "actors/publisher/reply_delay.hpp"
#include "actors/support/actor_base.hpp"
#include "actors/support/metrics.hpp"
#include "actors/support/rate_meter.hpp"
#include "actors/support/timer.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace breakwater {

struct publisher_options {
  std::string name = "publisher"; ///< In logs and health.
  delivery::options how;
  wall_clock clock;
};

struct publisher_state {
  static inline const char* name = "publisher";

  explicit publisher_state(publisher_actor::pointer owner) : self(owner) {}

  caf::result<intake_answer> take(const record_batch& batch);
  void on_spool(const spool_event& told);
  void answer_checkpoints();
  /// Sends what is due, logs what was found, answers who waits for the end.
  void pump();
  /// After anything that may have had records kept or acknowledged.
  void measure();
  health_answer health() const;
  spool_report report() const;

  publisher_actor::pointer self;
  publisher_options options;
  redis_actor redis;
  std::shared_ptr<spool_port> spool; ///< Outlives this actor.
  std::unique_ptr<delivery> core;
  timer alarm;
  bool opened = false; ///< The spool is.
  bool full = false;
  rate_meter accepting, acknowledging; ///< Records.
  std::optional<wall_time> last_kept, last_acknowledged;
  /// A batch that the spool is at.
  struct intake_call {
    caf::typed_response_promise<intake_answer> promise;
    std::size_t records = 0;
    std::optional<wall_time> received_at;
  };
  std::map<std::uint64_t, intake_call> answers; ///< By the spool's ticket.
  reply_delay delay;
  last_success record_kept, record_published;
  latency_histogram frame_to_reply;
  std::vector<caf::typed_response_promise<checkpoint_answer>> checkpoints; ///< Asked, not yet answered.
  std::vector<caf::typed_response_promise<drained>> drains;
};

/// Answers `taken` once the spool has a batch on disk, and brings the spool into the stream.
publisher_actor::behavior_type publisher_behavior(self_ptr<publisher_actor, publisher_state> self,
                                                  publisher_options options, redis_actor redis,
                                                  std::shared_ptr<spool_port> spool);

} // namespace breakwater
