#pragma once

#include "actors/alerts/alert_rules.hpp"
#include "actors/alerts/alert_state.hpp"
#include "actors/alerts/webhook_port.hpp"
#include "actors/alerts/webhook_queue.hpp"
#include "actors/support/actor_base.hpp"
#include "actors/support/metrics.hpp"
#include "actors/support/timer.hpp"
#include "messages/actors.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace breakwater {

struct alerts_options {
  alert_limits limits;
  std::string instance; ///< Told with each alert: several processes may share a stream.
  wall_clock clock = system_wall_time;
  /// The number of the last alert, kept over the lives of this actor in one process.
  std::shared_ptr<std::uint64_t> last_number = std::make_shared<std::uint64_t>(0);
};

/// Whom ALERTS asks, and whom it tells. Relays, so that a restart of anybody stales nothing.
struct alerts_peers {
  std::vector<std::pair<std::string, breaker_actor>> breakers;
  redis_actor redis;
  health_actor health;
  std::vector<std::pair<exchange, feed_actor>> feeds;
  aggregator_actor aggregator;
  position_monitor_actor position; ///< None: nobody watches the position monitor.
  supervisor_actor supervisor;
  std::vector<std::pair<std::string, watched_actor>> carriers; ///< Publishers, bridges, the raw reader.
  audit_actor audit;
  notices_actor notices; ///< None: alerts go into no stream.
};

struct alerts_state {
  static inline const char* name = "alerts";

  explicit alerts_state(alerts_actor::pointer owner) : self(owner) {}

  void look();
  void close_look(const observations& seen);
  void tell(const alert& what);
  void send_webhook();
  [[nodiscard]] std::string webhook_says() const;
  [[nodiscard]] alerts_report report() const;
  [[nodiscard]] health_answer health() const;
  [[nodiscard]] moment now() const { return {self->clock().now(), options.clock()}; }

  alerts_actor::pointer self;
  alerts_options options;
  alerts_peers peers;
  std::optional<alert_rules> rules;
  std::optional<alert_state> core;
  mono_time next_look;
  bool looking = false; ///< Answers to the last look are yet to come.
  std::optional<mono_time> clock_asked_at;
  std::vector<std::string> unjudged;     ///< At the last look.
  std::uint64_t raised = 0, cleared = 0; ///< In this life.
  std::shared_ptr<webhook_port> webhook; ///< nullptr: there is none.
  webhook_queue posts;
  std::uint64_t dropped_told = 0, given_up_told = 0;
  last_success looked{success::alerts_look}, clock_compared{success::clock_compared}, posted;
  timer wakes; ///< For the webhook; a look has a number of its own.
};

/// Every alerts.interval asks everybody how things are, each with a deadline, judges, and tells what has
/// changed: log, audit log, stream and webhook. Nobody is waited for, and none of these waits for another.
///
/// A restart, of this actor or of the process, judges anew: what still stands is raised once more, under a
/// new number, and what ended meanwhile is not told as cleared.
alerts_actor::behavior_type alerts_behavior(self_ptr<alerts_actor, alerts_state> self, alerts_options options,
                                            alerts_peers peers, std::shared_ptr<webhook_port> webhook);

} // namespace breakwater
