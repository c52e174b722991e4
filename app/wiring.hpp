#pragma once

#include "actors/bridge/contract_port.hpp"
#include "config/settings.hpp"
#include "messages/actors.hpp"

#include <caf/typed_actor.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace breakwater {

struct audit_port;
struct breaker_store_port;
struct frame_source_port;
struct http_port;
struct log_tail_port;
struct metrics_port;
struct redis_port;
struct rest_port;
struct service_port;
struct spool_port;
struct webhook_port;
struct websocket_port;

/// The outside world: real edges in the process, fakes in the scenarios.
struct edges {
  std::shared_ptr<websocket_port> sockets;
  std::shared_ptr<rest_port> rest; ///< Past candles.
  std::shared_ptr<redis_port> redis;
  /// What is kept for one output stream; the same for the same name.
  std::function<std::shared_ptr<spool_port>(const std::string& stream)> open_spool;
  std::shared_ptr<audit_port> audit;
  std::string (*hash)(std::string_view) = nullptr; ///< The audit chain's: sha256.
  std::shared_ptr<breaker_store_port> breakers;
  contracts_by_name contracts;           ///< Of the bridges.
  std::shared_ptr<log_tail_port> logs;   ///< The position monitor's.
  std::shared_ptr<http_port> http;       ///< nullptr: no API.
  std::shared_ptr<metrics_port> metrics; ///< nullptr: /metrics is not told.
  std::shared_ptr<webhook_port> webhook; ///< nullptr: alerts are posted nowhere.
  std::shared_ptr<service_port> service; ///< nullptr: no service manager wants to know.
  wall_clock clock;
  std::function<std::optional<secret>()> redis_password; ///< As it is now; empty: it never changes.
  std::shared_ptr<frame_source_port>
      recorded;                  ///< Set: these frames are replayed, and no exchange is connected.
  double replay_speed = 0;       ///< Times as fast as recorded; 0: as fast as it goes.
  std::function<void()> on_hang; ///< An actor hangs; must not return.
  std::function<void(const failure&)> on_end; ///< The supervisor ended; errc::none: because it was asked to.
};

/// Stable addresses of everybody: a restart changes none of them.
struct wired {
  supervisor_actor supervisor;
  audit_actor audit;
  breaker_actor breaker; ///< Around Redis calls.
  breaker_actor orders;  ///< For trade intents.
  redis_actor redis;
  publisher_actor publisher;
  publisher_actor raw_publisher; ///< Only with feeds.publish_raw.
  aggregator_actor aggregator;
  /// Only with feeds.publish_raw, when the aggregator reads the raw stream: takes the feeds' candles in its
  /// place.
  aggregator_actor raw_writer;
  raw_reader_actor raw_reader; ///< Only when the aggregator reads the raw stream.
  notices_actor quality;       ///< Only with feeds and feeds.quality_stream.
  universe_actor universe;     ///< Only with feeds and symbols.universe_key.
  std::vector<feed_actor> feeds;
  std::vector<bridge_actor> bridges; ///< In the order of the config file; none when frames are replayed.
  replay_actor replay;               ///< Only when frames are replayed.
  position_monitor_actor position_monitor; ///< Not when frames are replayed.
  health_actor health;
  alerts_actor alerts; ///< None when frames are replayed.
  api_actor api;       ///< Only with edges::http.
};

/// Decides which actors exist, in which order they start and who knows whom; starts them. `system` and what
/// `world` holds outlive them.
wired start_actors(caf::actor_system& system, const settings& what, edges world);

} // namespace breakwater
