#pragma once

#include "actors/feed/candle_closer.hpp"
#include "actors/feed/dialect.hpp"
#include "actors/feed/outbox.hpp"
#include "actors/feed/session.hpp"
#include "actors/feed/websocket_port.hpp"
#include "actors/support/actor_base.hpp"
#include "actors/support/timer.hpp"
#include "config/settings.hpp"
#include "messages/actors.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace breakwater {

struct feed_options {
  exchange which = exchange::binance;
  breakwater::market market = breakwater::market::spot;
  std::string url;                              ///< Empty: the exchange's own for the market.
  std::vector<std::string> symbols;             ///< Ours.
  std::map<std::string, std::string> overrides; ///< feeds.<exchange>.symbols.
  milliseconds stale_after{60000};
  wall_clock clock = system_wall_time;
  session_settings connection = {}; ///< stale_after comes from above.
};

struct feed_state {
  static inline const char* name = "feed";

  std::string label; ///< "feed/binance".
  std::string url;
  wall_clock clock;
  std::unique_ptr<dialect> speaks; ///< nullptr: we do not speak with that exchange.
  std::optional<breakwater::session> session;
  candle_closer closer;
  breakwater::outbox outbox;
  std::shared_ptr<websocket_port> sockets;
  std::unique_ptr<websocket> socket;
  aggregator_actor aggregator;
  timer alarm;

  std::vector<candle> read, closed;                       ///< Of the frame at hand; kept for their room.
  std::shared_ptr<const std::vector<candle>> outstanding; ///< Sent, not answered.
  std::optional<mono_time> send_again_at;                 ///< The aggregator had no room, or was away.
  std::uint64_t incarnation = 0;                          ///< The aggregator's; 0: not heard of yet.
  bool draining = false;
  std::vector<caf::typed_response_promise<drained>> drain_promises;

  std::size_t frames = 0, candles = 0, taken = 0, unreadable = 0, other = 0, history = 0;
  std::size_t conflated_told = 0, dropped_told = 0;
  std::optional<mono_time> last_frame_at;
};

/// One exchange's market data: keeps its WebSocket connected and subscribed, and passes its candles on, one
/// batch at a time. While the aggregator has no room the newest state of each minute waits.
feed_actor::behavior_type feed_behavior(self_ptr<feed_actor, feed_state> self, feed_options options,
                                        aggregator_actor aggregator, std::shared_ptr<websocket_port> sockets);

} // namespace breakwater
