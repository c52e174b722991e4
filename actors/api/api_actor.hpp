#pragma once

#include "actors/api/http_port.hpp"
#include "actors/api/live.hpp"
#include "actors/api/routes.hpp"
#include "actors/support/actor_base.hpp"
#include "actors/support/metrics.hpp"
#include "actors/support/metrics_port.hpp"
#include "actors/support/timer.hpp"
#include "messages/actors.hpp"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace breakwater {

struct api_options {
  std::string listen; ///< "127.0.0.1:8000"
  secret token;
  bool chaos = false;
  std::string version, instance;
  wall_clock clock = system_wall_time;
  http_limits limits{};
  std::string spool_sync{};                ///< "batch", "os".
  std::vector<std::string> symbols{};      ///< symbols.list.
  std::shared_ptr<metrics_port> metrics{}; ///< nullptr: /metrics is not told.
};

/// Whom the API asks. Relays, so that a restart of anybody stales nothing.
struct api_peers {
  std::vector<std::pair<std::string, breaker_actor>> breakers; ///< The first is the default.
  redis_actor redis;
  publisher_actor publisher; ///< Of the merged records.
  health_actor health;
  audit_actor audit;
  supervisor_actor supervisor;
  std::vector<std::string> actors; ///< Everybody's name.
  std::vector<std::pair<exchange, feed_actor>> feeds;
  aggregator_actor aggregator; ///< Who makes the records.
  position_monitor_actor position_monitor;
  alerts_actor alerts{};
  std::vector<std::pair<std::string, publisher_actor>> publishers{}; ///< All of them.
};

struct api_state {
  static inline const char* name = "api";

  explicit api_state(api_actor::pointer owner) : self(owner) {}

  void listen();
  void take(const http_request& request);
  /// Somebody wants to be told live; there are limits.
  void watch(std::uint64_t number, const std::string& last_seen);
  /// Tells who watches how everything stands, as far as it changed, and sees to the next look.
  void look();
  void tell(const live_piece& piece);
  void answer(std::uint64_t number, http_response what);
  void measure(const http_response& what);

  api_actor::pointer self;
  api_options options;
  api_peers peers;
  api_rules rules;
  std::shared_ptr<http_port> port;
  std::unique_ptr<http_listener> listener; ///< nullptr while the port cannot be had.
  std::string why_not;                     ///< Why not.
  mono_time born;
  std::uint64_t requests = 0, refused = 0; ///< Refused: answered with 4xx or 5xx.
  std::unique_ptr<live> told;
  std::set<std::uint64_t> watchers; ///< Requests whose answers go on.
  mono_time next_look, next_market_look;
  std::size_t market_bytes = 0; ///< Of the last look at feeds and prices.
  timer wakes;
  std::map<std::uint64_t, mono_time> asked_at; ///< By the request's number, until it is answered.
  latency_histogram fine{latency::api_request, "2xx"}, client_errors{latency::api_request, "4xx"},
      server_errors{latency::api_request, "5xx"};
};

/// Binds the port, reads requests, asks who knows, answers. Nobody is waited for beyond a deadline. A port
/// that is taken is tried again every few seconds: the data path does not depend on the API.
api_actor::behavior_type api_behavior(self_ptr<api_actor, api_state> self, api_options options,
                                      api_peers peers, std::shared_ptr<http_port> port);

} // namespace breakwater
