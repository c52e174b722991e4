#pragma once

#include "messages/alert.hpp"
#include "messages/audit.hpp"
#include "messages/breaker.hpp"
#include "messages/exchange.hpp"
#include "messages/feed.hpp"
#include "messages/health.hpp"
#include "messages/http.hpp"
#include "messages/lifecycle.hpp"
#include "messages/merged.hpp"
#include "messages/position.hpp"
#include "messages/redis.hpp"
#include "messages/spool.hpp"
#include "messages/time.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// What the actors answered, as the JSON that goes out. Times are RFC 3339, UTC, with milliseconds.
namespace breakwater {

using breaker_reports = std::vector<breaker_report>;

/// `reports` holds one named `chosen`.
http_response status_answer(const std::string& chosen, const breaker_reports& reports);
http_response history_answer(const std::string& breaker, const breaker_history& history);
http_response reset_answer(const breaker_reset& order, const breaker_order_answer& answer, wall_time now);
http_response open_answer(const breaker_force_open& order, const breaker_order_answer& answer, wall_time now);
http_response report_answer(const std::string& breaker, const breaker_standing& standing);
http_response audit_answer(const audit_tail& tail);
http_response alerts_answer(const alerts_report& told);
http_response chaos_answer(const chaos_kill& order);
/// The status page, let through by `nonce` alone.
http_response page_answer(const std::string& nonce);
/// Begins an event stream.
http_response events_answer(std::string beginning);
http_response live_answer();
/// What is known of the position monitor, now that it said that it is alive.
http_response heartbeat_answer(const position_report& told);

/// What /health, /health/ready and /api/actors are made of. What could not be had is absent: its actor did
/// not answer in time.
struct health_sources {
  std::optional<health_report> tick; ///< Of the last health tick.
  std::optional<redis_report> redis;
  breaker_reports breakers;
  std::optional<health_answer> publisher;
  std::optional<supervision_report> supervisor;
  std::optional<position_report> position_monitor;
};
struct process_facts {
  std::string version, instance;
  std::chrono::seconds uptime{0};
  wall_time now;
  bool token_needed = false, chaos = false;
};
http_response whole_health_answer(const health_sources& from, const process_facts& about);
/// Ready: records reach Redis.
http_response ready_answer(const health_sources& from);
http_response actors_answer(const health_sources& from);

/// What /api/feeds is made of. Absent: its actor did not answer in time.
struct feed_sources {
  struct feed {
    exchange of = exchange::binance;
    std::optional<feed_report> told;
  };
  std::vector<feed> feeds; ///< Those that were asked.
  std::optional<merge_report> merging;
};
/// 200 if anybody answered. `symbol`: only that one; empty: all of them.
http_response feeds_answer(const feed_sources& from, const std::string& symbol);

/// What /api/spool is made of, in the order of the wiring. Absent: its actor did not answer in time.
using spool_sources = std::vector<std::pair<std::string, std::optional<spool_report>>>;
/// 200 if anybody answered. `sync`: spool.sync.
http_response spool_answer(const spool_sources& from, const std::string& sync);

/// The last merged price of every symbol, or of `symbol`; 404 if that has none yet.
http_response prices_answer(price_answer told, const std::string& symbol);

} // namespace breakwater
