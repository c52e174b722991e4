#include "actors/api/answers.hpp"

#include "actors/api/json_answer.hpp"
#include "actors/api/page.hpp"
#include "actors/support/alert_json.hpp"
#include "actors/support/breaker_json.hpp"
#include "actors/support/position_health.hpp"
#include "actors/support/redis_health.hpp"
#include "messages/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <set>
#include <string_view>
#include <utility>

namespace breakwater {
namespace {

using json = nlohmann::ordered_json;

json or_null(const std::string& text) { return text.empty() ? json{} : json(text); }
json or_null(const std::optional<wall_time>& at) { return at ? json(to_rfc3339(*at)) : json{}; }

std::string joined(const std::vector<std::string>& reasons) {
  std::string all;
  for (const auto& reason : reasons) (all += all.empty() ? "" : "; ") += reason;
  return all;
}

json json_of(const breaker_statistics& seen) {
  return {{"allowed_orders", seen.allowed},
          {"blocked_orders", seen.blocked},
          {"would_block_orders", seen.would_block},
          {"successes", seen.successes},
          {"failures", seen.failures},
          {"times_opened", seen.times_opened},
          {"time_open_ms", seen.time_open.count()},
          {"longest_open_ms", seen.longest_open.count()}};
}

json json_of(const breaker_report& told) {
  return {{"name", told.name},
          {"active", told.phase != breaker_phase::closed},
          {"state", to_string(told.phase)},
          {"mode", told.mode},
          {"failure_count", told.failures},
          {"threshold", told.failure_threshold},
          {"last_failure", or_null(told.last_failure_at)},
          {"last_failure_reason", or_null(told.last_failure)},
          {"trigger_reason", or_null(told.trigger)},
          {"opened_at", or_null(told.opened_at)},
          {"retry_at", or_null(told.retry_at)},
          {"can_reset", told.reset_blocked.empty()},
          {"reset_blocked_reason", or_null(joined(told.reset_blocked))},
          {"statistics", json_of(told.statistics)}};
}

json json_of(const breaker_reports& reports) {
  auto all = json::object();
  for (const auto& told : reports) all[told.name] = json_of(told);
  return all;
}

json facts_of(const health_answer& answer) {
  auto facts = json::object();
  for (const auto& [name, value] : answer.facts) facts[name] = value;
  return facts;
}

/// {"level","why", facts...}
json json_of(const health_answer& answer) {
  json told{{"level", to_string(answer.level)}, {"why", or_null(answer.why)}};
  told.update(facts_of(answer));
  return told;
}

std::string fact(const health_answer& answer, std::string_view name) {
  for (const auto& [key, value] : answer.facts)
    if (key == name) return value;
  return {};
}

bool refuses_all(const breaker_report& breaker) {
  return breaker.mode == "enforce" &&
         (breaker.phase == breaker_phase::open || breaker.phase == breaker_phase::forced_open);
}

const breaker_report* find(const breaker_reports& reports, std::string_view name) {
  for (const auto& told : reports)
    if (told.name == name) return &told;
  return nullptr;
}

/// What is asked of the actor itself, and so not taken from the last tick if it answered.
bool is_asked_anew(const health_sources& from, const std::string& part) {
  if (part == "redis") return from.redis.has_value();
  if (part == "publisher") return from.publisher.has_value();
  if (part == "position_monitor") return from.position_monitor.has_value();
  constexpr std::string_view breaker = "breaker/";
  return part.starts_with(breaker) && find(from.breakers, std::string_view{part}.substr(breaker.size()));
}

/// Every part as it is known now: its level, and why it is not ok.
struct finding {
  std::string part;
  health_level level;
  std::string why;
};

std::vector<finding> findings(const health_sources& from) {
  std::vector<finding> all;
  if (!from.tick) {
    all.push_back({"health", health_level::critical, "no answer"});
  } else {
    if (!from.tick->as_of) all.push_back({"health", health_level::degraded, "the first tick is yet to come"});
    for (const auto& part : from.tick->parts)
      if (from.tick->as_of && !is_asked_anew(from, part.name))
        all.push_back({part.name, part.answer.level, part.answer.why});
  }
  if (from.publisher) all.push_back({"publisher", from.publisher->level, from.publisher->why});
  if (from.redis) {
    const auto redis = health_of(*from.redis);
    all.push_back({"redis", redis.level, redis.why});
  } else if (!from.tick || !from.tick->as_of) {
    all.push_back({"redis", health_level::critical, "no answer"});
  }
  if (from.position_monitor) {
    const auto seen = health_of(*from.position_monitor);
    all.push_back({"position_monitor", seen.level, seen.why});
  }
  for (const auto& told : from.breakers)
    if (told.phase != breaker_phase::closed)
      all.push_back({"breaker/" + told.name, health_level::degraded,
                     std::string{"circuit "} + to_string(told.phase) + ": " + told.trigger});
  return all;
}

json redis_manager(const health_sources& from) {
  if (!from.redis)
    return {{"status", "critical"}, {"connected", nullptr}, {"error", "the redis actor did not answer"}};
  const auto& told = *from.redis;
  const auto* circuit = find(from.breakers, "redis");
  const auto waiting = from.publisher ? fact(*from.publisher, "waiting") : std::string{};
  return {{"status", to_string(health_of(told).level)},
          {"connected", told.connected},
          {"healthy", told.healthy},
          {"phase", told.phase},
          {"address", told.address},
          {"circuit_open", circuit ? json(circuit->phase != breaker_phase::closed) : json{}},
          {"circuit_opened_at", circuit ? or_null(circuit->opened_at) : json{}},
          {"connection_attempts", told.connection_attempts},
          {"successful_operations", told.successful_operations},
          {"failed_operations", told.failed_operations},
          {"consecutive_failures", told.consecutive_failures},
          {"reconnects", told.reconnects},
          {"reconnects_last_hour", told.reconnects_last_hour},
          {"last_health_check", or_null(told.last_health_check)},
          {"last_ping_round_trip_us",
           told.last_round_trip.count() > 0 ? json(told.last_round_trip.count()) : json{}},
          {"last_error", or_null(told.last_error)},
          {"last_error_class", or_null(told.last_error_class)},
          {"last_error_time", or_null(told.last_error_time)},
          {"in_flight", told.in_flight},
          {"spool_depth", waiting.empty() ? json{} : json(std::stoull(waiting))}};
}

json or_null(const std::optional<std::chrono::milliseconds>& span) {
  return span ? json(span->count()) : json{};
}

json json_of(const feed_report::symbol& told) {
  return {{"theirs", or_null(told.theirs)},
          {"state", told.state},
          {"reason", or_null(told.reason)},
          {"connection", told.connection > 0 ? json(told.connection) : json{}},
          {"last_data", or_null(told.last_data)},
          {"newest_minute", or_null(told.newest_minute)}};
}

json json_of(const feed_report& told, const std::string& only) {
  auto connections = json::array();
  for (const auto& one : told.connections)
    connections.push_back({{"number", one.number},
                           {"state", one.state},
                           {"symbols", one.symbols},
                           {"age_ms", one.age.count()},
                           {"replacement", one.replacement}});
  auto symbols = json::object();
  // Straight into the container: by name each of thousands would be looked for among all before it.
  auto& rows = static_cast<json::object_t::Container&>(symbols.get_ref<json::object_t&>());
  for (const auto& one : told.symbols)
    if (only.empty() || one.name == only) rows.emplace_back(one.name, json_of(one));
  auto counts = json::object();
  for (const auto& [what, count] : told.counts) counts[what] = count;
  return {{"url", shown_address(told.url)},
          {"connected", told.connected},
          {"connections", std::move(connections)},
          {"symbols", std::move(symbols)},
          {"counts", std::move(counts)},
          {"clock_offset_ms", or_null(told.clock_offset)},
          {"clock_spread_ms", or_null(told.clock_spread)}};
}

json json_of(const merge_report& told) {
  return {{"records", told.records},
          {"filled", told.filled},
          {"suspect", told.suspect},
          {"lead_lag", told.lead_lag ? json(*told.lead_lag) : json{}}};
}

json json_of(const position_report& told) {
  auto sources = json::array();
  for (const auto& source : told.sources)
    sources.push_back({{"name", source.name},
                       {"of", or_null(source.of)},
                       {"last_seen", or_null(source.last_seen)},
                       {"problem", or_null(source.problem)}});
  return {{"status", to_string(told.status)},       {"why", or_null(told.why)},
          {"last_seen", or_null(told.last_seen)},   {"seen_by", or_null(told.seen_by)},
          {"activities", told.activities},          {"errors", told.errors},
          {"last_error", or_null(told.last_error)}, {"last_error_at", or_null(told.last_error_at)},
          {"sources", std::move(sources)}};
}

json json_of(const supervision_report::child& told) {
  return {{"running", told.running},
          {"age_s", std::chrono::duration_cast<std::chrono::seconds>(told.age).count()},
          {"restarts", told.restarts},
          {"last_cause", or_null(told.last_cause)},
          {"last_failed_at", or_null(told.last_failed_at)}};
}

const supervision_report::child* find(const std::optional<supervision_report>& from, std::string_view name) {
  if (!from) return nullptr;
  for (const auto& child : from->children)
    if (child.name == name) return &child;
  return nullptr;
}

json json_of(const spool_report& told) {
  return {{"stream", told.stream},
          {"level", to_string(told.level)},
          {"why", or_null(told.why)},
          {"state", or_null(told.state)},
          {"waiting", told.waiting},
          {"retained", told.retained},
          {"bytes", told.bytes},
          {"max_bytes", told.max_bytes},
          {"dead", told.dead},
          {"accepted", told.accepted},
          {"acknowledged", told.acknowledged},
          {"accepted_per_s", told.accepted_per_s},
          {"acknowledged_per_s", told.acknowledged_per_s},
          {"oldest_waiting", or_null(told.oldest_waiting)},
          {"last_kept", or_null(told.last_kept)},
          {"last_acknowledged", or_null(told.last_acknowledged)},
          {"last_id", or_null(told.last_id)},
          {"uuid", or_null(told.uuid)},
          {"owner", or_null(told.owner)},
          {"transactions", told.transactions},
          {"resyncs", told.resyncs},
          {"refusals", told.refusals},
          {"sent_again", told.sent_again},
          {"holes", told.holes},
          {"trimmed_unread", told.trimmed_unread}};
}

json json_of(const live_price& told) {
  auto by_exchange = json::object();
  auto excluded = json::array();
  for (const auto of : all_exchanges) {
    if (const auto& price = told.prices[index_of(of)]) by_exchange[to_string(of)] = *price;
    if (told.excluded[index_of(of)]) excluded.push_back(to_string(of));
  }
  return {{"symbol", told.symbol},
          {"price", told.price},
          {"deviation", told.deviation},
          {"spread_bps", told.spread_bps},
          {"exchanges", told.contributing},
          {"suspect", told.suspect},
          {"at", to_rfc3339(told.at)},
          {"minute", to_rfc3339(wall_time_from_ms(told.minute_s * 1000))},
          {"by_exchange", std::move(by_exchange)},
          {"excluded", std::move(excluded)}};
}

/// Without an answer its status is not known, and the last health tick says what is wrong with the actor.
json position_monitor(const std::optional<position_report>& told) {
  return told ? json_of(*told) : json{{"status", "UNKNOWN"}, {"why", "its actor did not answer in time"}};
}

/// 409: an order that was not carried out, and how things stand.
http_response refusal(const std::string& error, const breaker_order_answer& answer, const std::string& hint) {
  return json_answer(409, {{"error", error},
                           {"reasons", answer.refused},
                           {"failure_count", answer.report.failures},
                           {"threshold", answer.report.failure_threshold},
                           {"last_failure", or_null(answer.report.last_failure_at)},
                           {"hint", hint}});
}

} // namespace

http_response status_answer(const std::string& chosen, const breaker_reports& reports) {
  return json_answer(200, {{"status", "ok"},
                           {"circuit_breaker", json_of(*find(reports, chosen))},
                           {"breakers", json_of(reports)}});
}

http_response history_answer(const std::string& breaker, const breaker_history& history) {
  auto moves = json::array();
  for (const auto& move : history.moves) moves.push_back(json_of(move));
  const auto count = moves.size();
  return json_answer(
      200, {{"status", "ok"}, {"breaker", breaker}, {"history", std::move(moves)}, {"count", count}});
}

http_response reset_answer(const breaker_reset& order, const breaker_order_answer& answer, wall_time now) {
  if (!answer.done)
    return refusal("the reset was refused", answer,
                   "override=true with a reason resets all the same; it is kept in the audit log");
  return json_answer(200, {{"status", "success"},
                           {"action", "reset"},
                           {"breaker", answer.report.name},
                           {"reason", or_null(order.reason)},
                           {"override_used", order.override},
                           {"timestamp", to_rfc3339(now)}});
}

http_response open_answer(const breaker_force_open& order, const breaker_order_answer& answer,
                          wall_time now) {
  if (!answer.done)
    return refusal("the breaker was not opened", answer, "breaker." + answer.report.name + ".mode decides");
  return json_answer(200, {{"status", "success"},
                           {"action", "open"},
                           {"breaker", answer.report.name},
                           {"reason", order.reason},
                           {"timestamp", to_rfc3339(now)}});
}

http_response report_answer(const std::string& breaker, const breaker_standing& standing) {
  return json_answer(200, {{"status", "success"},
                           {"action", "report"},
                           {"breaker", breaker},
                           {"state", to_string(standing.phase)}});
}

http_response audit_answer(const audit_tail& tail) {
  auto lines = json::array();
  for (const auto& line : tail.lines) {
    auto read = json::parse(line, nullptr, false);
    // A line that is damaged is shown as it is; `breakwater audit verify` says more.
    lines.push_back(read.is_discarded() ? json{{"unreadable", line}} : std::move(read));
  }
  const auto count = lines.size();
  return json_answer(200, {{"status", "ok"}, {"audit", std::move(lines)}, {"count", count}});
}

http_response alerts_answer(const alerts_report& told) {
  const auto all = [](const std::vector<alert>& alerts) {
    auto list = json::array();
    for (const auto& one : alerts) list.push_back(json_of(one));
    return list;
  };
  return json_answer(200, {{"status", "ok"},
                           {"alerts", all(told.active)},
                           {"count", told.active.size()},
                           {"recent", all(told.recent)},
                           {"unjudged", told.unjudged},
                           {"webhook", told.webhook}});
}

http_response chaos_answer(const chaos_kill& order) {
  return json_answer(
      202, {{"status", "accepted"}, {"action", order.hang ? "hang" : "kill"}, {"actor", order.name}});
}

http_response page_answer(const std::string& nonce) {
  constexpr std::string_view mark = "@NONCE@";
  http_response answer;
  auto& page = answer.body = page_text();
  for (std::size_t at = 0; (at = page.find(mark, at)) != std::string::npos;)
    page.replace(at, mark.size(), nonce);
  answer.headers = {{"Content-Type", "text/html; charset=utf-8"},
                    {"Content-Security-Policy",
                     "default-src 'none'; script-src 'nonce-" + nonce + "'; style-src 'nonce-" + nonce +
                         "'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
                         "frame-ancestors 'none'"}};
  return answer;
}

http_response events_answer(std::string beginning) {
  http_response answer;
  answer.headers = {{"Content-Type", "text/event-stream"}};
  answer.body = std::move(beginning);
  answer.streams = true;
  return answer;
}

http_response live_answer() { return json_answer(200, {{"status", "alive"}}); }

http_response heartbeat_answer(const position_report& told) {
  return json_answer(200, {{"status", "ok"}, {"position_monitor", json_of(told)}});
}

http_response whole_health_answer(const health_sources& from, const process_facts& about) {
  auto worst = health_level::ok;
  auto attention = json::array();
  for (const auto& found : findings(from)) {
    worst = std::max(worst, found.level);
    if (found.level != health_level::ok) attention.push_back(found.part + ": " + found.why);
  }
  auto feeds = json::object(), bridges = json::object(), actors = json::object();
  if (from.tick)
    for (const auto& part : from.tick->parts) {
      constexpr std::string_view feed = "feed/", bridge = "bridge/";
      if (part.name.starts_with(feed)) feeds[part.name.substr(feed.size())] = json_of(part.answer);
      if (part.name.starts_with(bridge)) bridges[part.name.substr(bridge.size())] = json_of(part.answer);
      actors[part.name] = {{"level", to_string(part.answer.level)}, {"why", or_null(part.answer.why)}};
    }
  return json_answer(worst == health_level::critical ? 503 : 200,
                     {{"status", to_string(worst)},
                      {"version", about.version},
                      {"instance", about.instance},
                      {"uptime_s", about.uptime.count()},
                      {"now", to_rfc3339(about.now)},
                      {"token_needed", about.token_needed},
                      {"chaos", about.chaos},
                      {"as_of", from.tick ? or_null(from.tick->as_of) : json{}},
                      {"attention", std::move(attention)},
                      {"redis_manager", redis_manager(from)},
                      {"breakers", json_of(from.breakers)},
                      {"feeds", std::move(feeds)},
                      {"spool", from.publisher ? json_of(*from.publisher) : json{}},
                      {"bridges", std::move(bridges)},
                      {"position_monitor", position_monitor(from.position_monitor)},
                      {"actors", std::move(actors)}});
}

http_response ready_answer(const health_sources& from) {
  std::vector<std::string> reasons;
  if (!from.redis)
    reasons.emplace_back("the redis actor did not answer");
  else if (!from.redis->connected)
    reasons.push_back("Redis is not connected (" + from.redis->phase + "): " + from.redis->last_error);
  if (const auto* circuit = find(from.breakers, "redis"); circuit && refuses_all(*circuit))
    reasons.push_back(std::string{"the circuit to Redis is "} + to_string(circuit->phase));
  if (reasons.empty()) return json_answer(200, {{"status", "ready"}});
  return json_answer(503, {{"status", "not_ready"}, {"reasons", reasons}});
}

http_response actors_answer(const health_sources& from) {
  if (!from.tick && !from.supervisor)
    return json_error(503, "neither the health actor nor the supervisor answered",
                      "they are being restarted; ask again");
  auto actors = json::array();
  const auto row = [&](const std::string& name, const health_answer* answer) {
    json told{{"name", name},
              {"level", answer ? json(to_string(answer->level)) : json{}},
              {"why", answer ? or_null(answer->why) : json{}}};
    if (const auto* child = find(from.supervisor, name))
      told.update(json_of(*child));
    else // the supervisor itself is nobody's child: nobody starts it again
      told.update({{"running", nullptr},
                   {"age_s", nullptr},
                   {"restarts", from.supervisor ? json(0) : json{}},
                   {"last_cause", nullptr},
                   {"last_failed_at", nullptr}});
    told["facts"] = answer ? facts_of(*answer) : json::object();
    actors.push_back(std::move(told));
  };
  std::set<std::string_view> told;
  const bool ticked = from.tick && from.tick->as_of; // before that nobody was asked
  if (from.tick)
    for (const auto& part : from.tick->parts)
      row(part.name, ticked ? &part.answer : nullptr), told.insert(part.name);
  if (from.supervisor) // health does not ask itself, nor the API
    for (const auto& child : from.supervisor->children)
      if (!told.contains(child.name)) row(child.name, nullptr);
  json answer{{"status", from.tick && from.supervisor ? "ok" : "incomplete"},
              {"as_of", from.tick ? or_null(from.tick->as_of) : json{}}};
  if (const auto& seen = from.supervisor; seen)
    answer.update({{"restarts_recently", seen->recent},
                   {"max_restarts", seen->most},
                   {"within_s", std::chrono::duration<double>{seen->within}.count()}});
  answer["actors"] = std::move(actors);
  return json_answer(200, answer);
}

http_response feeds_answer(const feed_sources& from, const std::string& symbol) {
  auto feeds = json::object();
  bool all = from.merging.has_value(), any = all;
  for (const auto& [of, told] : from.feeds) {
    all = all && told;
    any = any || told;
    auto& feed = feeds[to_string(of)];
    feed = told ? json_of(*told, symbol) : json{{"error", "the feed did not answer in time"}};
    if (!from.merging) {
      feed["quality"] = nullptr;
      continue;
    }
    const auto& quality = from.merging->exchanges[index_of(of)];
    feed["quality"] = {{"contributed", quality.contributed}, {"excluded", quality.excluded}};
  }
  if (!any)
    return json_error(503, "neither the feeds nor the aggregator answered",
                      "they are being restarted; ask again");
  return json_answer(200, {{"status", all ? "ok" : "incomplete"},
                           {"merged", from.merging ? json_of(*from.merging) : json{}},
                           {"feeds", std::move(feeds)}});
}

http_response spool_answer(const spool_sources& from, const std::string& sync) {
  auto streams = json::array();
  bool all = true, any = false;
  for (const auto& [name, told] : from) {
    all = all && told;
    any = any || told;
    json stream{{"name", name}};
    stream.update(told ? json_of(*told) : json{{"error", "the publisher did not answer in time"}});
    streams.push_back(std::move(stream));
  }
  if (!any) return json_error(503, "no publisher answered", "they are being restarted; ask again");
  return json_answer(
      200, {{"status", all ? "ok" : "incomplete"}, {"sync", sync}, {"streams", std::move(streams)}});
}

http_response prices_answer(price_answer told, const std::string& symbol) {
  if (!symbol.empty() && told.prices.empty())
    return json_error(404, "there is no merged price of " + symbol + " yet",
                      "GET /api/feeds?symbol= tells which exchanges have it");
  std::sort(told.prices.begin(), told.prices.end(),
            [](const live_price& a, const live_price& b) { return a.symbol < b.symbol; });
  auto prices = json::array();
  for (const auto& price : told.prices) prices.push_back(json_of(price));
  const auto count = prices.size();
  return json_answer(200, {{"status", "ok"}, {"count", count}, {"prices", std::move(prices)}});
}

} // namespace breakwater
