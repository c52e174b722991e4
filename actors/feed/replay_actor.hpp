#pragma once

#include "actors/feed/candle_closer.hpp"
#include "actors/feed/dialect.hpp"
#include "actors/feed/frame_source_port.hpp"
#include "actors/feed/outbox.hpp"
#include "actors/support/actor_base.hpp"
#include "actors/support/timer.hpp"
#include "config/settings.hpp"
#include "messages/actors.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace breakwater {

struct replay_options {
  breakwater::market market = breakwater::market::spot;
  std::array<std::map<std::string, std::string>, exchange_count>
      overrides;           ///< By index_of(exchange): ours -> theirs.
  double speed = 0;        ///< Times as fast as recorded; 0: as fast as it goes.
  std::size_t batch = 512; ///< Frames a candle_batch is made of at most.
};

struct replay_state {
  static inline const char* name = "replay";

  replay_options options;
  std::shared_ptr<frame_source_port> source;
  aggregator_actor aggregator;
  std::array<std::unique_ptr<dialect>, exchange_count> speaks;
  std::array<std::optional<candle_closer>, exchange_count> closers; ///< Of those that mark no closed candle.
  std::array<recent_candles, exchange_count> recent;
  timer alarm;

  recorded_frames read;                                          ///< The frames at hand ...
  std::size_t next = 0;                                          ///< ... and the first not yet looked at.
  std::shared_ptr<const std::vector<candle>> ready, outstanding; ///< Parsed ahead; sent, not answered.
  std::optional<mono_time> resume_at; ///< The aggregator had no room, or the next frame is not due.
  bool waits_for_room = false;
  std::optional<wall_time> first_received_at;
  wall_time replayed_until{};
  mono_time began_at{};
  std::uint64_t incarnation = 0;
  bool finished = false;
  std::vector<caf::typed_response_promise<drained>> drain_promises;

  std::size_t frames = 0, candles = 0, taken = 0, skipped = 0, unreadable = 0, other = 0;
};

/// Recorded frames through the exchanges' own dialects to the aggregator. Nothing is conflated: a batch that
/// is not taken is sent again.
replay_actor::behavior_type replay_behavior(self_ptr<replay_actor, replay_state> self, replay_options options,
                                            aggregator_actor aggregator,
                                            std::shared_ptr<frame_source_port> source);

} // namespace breakwater
