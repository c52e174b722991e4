#pragma once

#include "actors/feed/candle_closer.hpp"
#include "actors/feed/clock_offset.hpp"
#include "actors/feed/continuity.hpp"
#include "actors/feed/dialect.hpp"
#include "actors/feed/outbox.hpp"
#include "actors/feed/rest_port.hpp"
#include "actors/feed/session.hpp"
#include "actors/feed/websocket_port.hpp"
#include "actors/support/actor_base.hpp"
#include "actors/support/metrics.hpp"
#include "actors/support/timer.hpp"
#include "config/settings.hpp"
#include "messages/actors.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace breakwater {

struct feed_options {
  exchange which = exchange::binance;
  breakwater::market market = breakwater::market::spot;
  std::string url;                              ///< Empty: the exchange's own for the market.
  std::string rest_url;                         ///< Likewise.
  std::vector<std::string> symbols;             ///< Ours; the universe may add others.
  std::map<std::string, std::string> overrides; ///< feeds.<exchange>.symbols.
  milliseconds stale_after{60000};
  milliseconds fill_within{3600000};
  wall_clock clock = system_wall_time;
  session_settings connection = {};    ///< stale_after comes from above.
  continuity_settings continuity = {}; ///< fill_within likewise.
};

/// Whom a feed speaks with.
struct feed_peers {
  aggregator_actor aggregator{};
  notices_actor quality{};   ///< None: markers are only logged.
  universe_actor universe{}; ///< None: options.symbols are all there is.
};

struct feed_state {
  static inline const char* name = "feed";

  std::string label; ///< "feed/binance".
  std::string url, rest_url;
  feed_options options;
  feed_peers peers;
  std::unique_ptr<dialect> speaks;
  std::optional<breakwater::session> session;
  std::optional<breakwater::continuity> continuity;
  candle_closer closer;
  breakwater::outbox outbox;
  breakwater::clock_offset clock_offset;
  std::shared_ptr<websocket_port> sockets;
  std::map<std::uint64_t, std::unique_ptr<websocket>> open;
  std::shared_ptr<rest_port> rest;
  std::map<std::uint64_t, ask_candles> asked; ///< Past candles, by the request's number.
  timer alarm;

  std::vector<candle> read, closed;                       ///< Of the frame at hand; kept for their room.
  std::vector<quality_marker> markers;                    ///< Of what is at hand.
  std::shared_ptr<const std::vector<candle>> outstanding; ///< Sent, not answered.
  std::optional<mono_time> send_again_at;                 ///< The aggregator had no room, or was away.
  std::uint64_t incarnation = 0;                          ///< The aggregator's; 0: not heard of yet.
  bool draining = false;
  std::vector<caf::typed_response_promise<drained>> drain_promises;

  std::uint64_t frames = 0, candles = 0, taken = 0, unreadable = 0;
  /// Frames of other channels, by the exchange's name for them.
  std::map<std::string_view, std::uint64_t> other;
  std::size_t conflated_told = 0, dropped_told = 0;
  std::optional<mono_time> last_frame_at;
  last_success data_came, past_came;
};

/// One exchange's market data: keeps its WebSockets connected and subscribed, fills what was missed, and
/// passes the candles on, one batch at a time. While the aggregator has no room the newest state of each
/// minute waits.
feed_actor::behavior_type feed_behavior(self_ptr<feed_actor, feed_state> self, feed_options options,
                                        feed_peers peers, std::shared_ptr<websocket_port> sockets,
                                        std::shared_ptr<rest_port> rest);

} // namespace breakwater
