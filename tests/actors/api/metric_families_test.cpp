#include "actors/api/metric_families.hpp"

#include "actors/support/metrics_io.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

using namespace breakwater;

namespace {

using labels = std::vector<std::pair<std::string, std::string>>;
constexpr auto noon = wall_time_from_ms(1767614400250);

/// The facts of a health tick, each with a number of its own.
std::vector<health_report::part> everybody() {
  const auto part = [](const char* name, std::initializer_list<const char*> facts,
                       health_level level = health_level::ok) {
    health_report::part out{name, {level, "", {}}};
    std::uint64_t number = 10;
    for (const auto* fact : facts) out.answer.facts.emplace_back(fact, std::to_string(++number));
    return out;
  };
  return {
      part("aggregator", {"candles", "symbols", "waiting", "late", "out_of_order", "unchanged", "alone",
                          "over_limit", "late_filled", "past_minutes", "past_dropped", "again"}),
      part("publisher", {"disturbed", "restamped"}, health_level::degraded),
      part("raw_reader",
           {"candles", "entries", "behind", "unreadable", "markers", "holes", "trimmed_unread"}),
      part("bridge/trade-intent", {"delivered", "dead", "duplicates", "held_back", "gone", "late",
                                   "from_side", "price_unchecked", "claimed", "trimmed_unread", "bodiless"}),
      part("result_reader", {"results", "failures"}),
      part("universe", {"symbols", "cut", "odd"}),
      part("quality", {"written", "waiting", "dropped", "refused"}),
      part("notices/alerts", {"written", "waiting", "dropped", "refused"}),
      part("audit", {"lines", "failed"}),
      part("alerts",
           {"raised", "cleared", "unjudged", "webhook_waiting", "webhook_delivered", "webhook_dropped"})};
}

feed_report okx() {
  feed_report told;
  told.of = exchange::okx;
  told.connected = true;
  told.connections.resize(2);
  told.symbols = {{"BTCUSDT", "BTC-USDT", "subscribed", "", 1, noon, {}},
                  {"ETHUSDT", "ETH-USDT", "stale", "", 1, noon - std::chrono::seconds{90}, {}},
                  {"XUSDT", "", "refused", "unknown", 0, {}, {}}};
  for (const auto* count : {"frames", "candles", "unreadable", "other", "conflated", "dropped", "reconnects",
                            "replacements", "repeats", "gaps", "missing_minutes", "filled_minutes",
                            "quiet_minutes", "unfilled_minutes", "other.trades"})
    told.counts.emplace_back(count, told.counts.size() + 1);
  told.clock_offset = std::chrono::milliseconds{-30};
  told.clock_spread = std::chrono::milliseconds{250};
  return told;
}

spool_report stream(const std::string& name) {
  spool_report told;
  told.stream = name;
  told.state = "ready";
  told.waiting = 7, told.retained = 8, told.bytes = 4096, told.max_bytes = 8192, told.dead = 1;
  told.accepted = 100, told.acknowledged = 90, told.sent_again = 3;
  told.oldest_waiting = noon;
  return told;
}

/// Everybody answered, and everything is there.
metric_sources everything() {
  metric_sources from;
  from.tick = health_report{noon, everybody()};
  from.redis = redis_report{};
  from.redis->connected = from.redis->healthy = true;
  from.redis->phase = "ready";
  breaker_report breaker;
  breaker.name = "redis", breaker.mode = "enforce";
  breaker.phase = breaker_phase::open;
  breaker.opened_at = noon;
  breaker.statistics.time_open = std::chrono::milliseconds{1500};
  from.breakers = {breaker};
  from.spool = {stream("normalized"), stream("raw")};
  from.feeds = {okx()};
  from.merging = merge_report{};
  from.merging->records = 50;
  from.merging->exchanges[index_of(exchange::okx)] = {40, 10};
  from.merging->lead_lag = 0.001;
  live_price price;
  price.symbol = "BTCUSDT", price.price = 200, price.deviation = 1, price.spread_bps = 25, price.at = noon;
  price.contributing = 3;
  auto other = price;
  other.symbol = "DOGEUSDT", other.deviation = 20, other.suspect = true;
  from.prices = price_answer{{price, other}};
  from.alerts = alerts_report{};
  for (const auto* subject : {"okx BTCUSDT", "okx ETHUSDT"})
    from.alerts->active.push_back({1, "feed_stale", subject, alert_level::warning, "", "", noon, {}});
  from.supervision =
      supervision_report{{{"redis", true, std::chrono::milliseconds{2500}, 2, "crashed", noon}},
                         2,
                         10,
                         std::chrono::seconds{60}};
  from.position = position_report{};
  from.position->status = position_status::silent;
  from.asked = 14, from.answered = 14;
  return from;
}

const metric_facts about{"1.2.3", "a", {"BTCUSDT", "ETHUSDT"}, 20, 3};

struct told {
  explicit told(const metric_sources& from, const metric_facts& how = about) : all(families_of(from, how)) {}

  const metric_family* find(const std::string& name) const {
    for (const auto& family : all)
      if (family.name == name) return &family;
    return nullptr;
  }
  /// Below 0: there is no such sample (clock offsets aside).
  double value(const std::string& name, const labels& which = {}) const {
    if (const auto* family = find(name))
      for (const auto& sample : family->samples)
        if (sample.labels == which) return sample.value;
    return -1;
  }

  metric_families all;
};

} // namespace

BOOST_AUTO_TEST_CASE(what_was_answered_becomes_metrics_in_base_units) {
  const told now{everything()};
  BOOST_TEST(now.value("breakwater_build_info", {{"version", "1.2.3"}, {"instance", "a"}}) == 1);
  BOOST_TEST(now.value("breakwater_scrape_incomplete") == 0);
  BOOST_TEST(now.value("breakwater_api_requests_total") == 20);
  BOOST_TEST(now.value("breakwater_health_level") == 1);
  BOOST_TEST(now.value("breakwater_health_actor_level", {{"actor", "publisher"}}) == 1);
  BOOST_TEST(now.value("breakwater_breaker_state", {{"breaker", "redis"}, {"state", "OPEN"}}) == 1);
  BOOST_TEST(now.value("breakwater_breaker_state", {{"breaker", "redis"}, {"state", "CLOSED"}}) == 0);
  BOOST_TEST(now.value("breakwater_breaker_open_seconds_total", {{"breaker", "redis"}}) == 1.5);
  BOOST_TEST(now.value("breakwater_breaker_opened_timestamp_seconds", {{"breaker", "redis"}}) ==
             1767614400.25);
  BOOST_TEST(now.value("breakwater_breaker_retry_timestamp_seconds", {{"breaker", "redis"}}) == 0);
  BOOST_TEST(now.value("breakwater_feed_symbols", {{"exchange", "okx"}, {"state", "stale"}}) == 1);
  BOOST_TEST(now.value("breakwater_feed_symbols", {{"exchange", "okx"}, {"state", "asked"}}) == 0);
  BOOST_TEST(now.value("breakwater_feed_oldest_data_timestamp_seconds", {{"exchange", "okx"}}) ==
             1767614310.25);
  BOOST_TEST(now.value("breakwater_feed_clock_offset_seconds", {{"exchange", "okx"}}) == -0.03);
  BOOST_TEST(now.value("breakwater_aggregator_excluded_records_total", {{"exchange", "okx"}}) == 10);
  BOOST_TEST(now.value("breakwater_aggregator_symbol_deviation_ratio", {{"symbol", "BTCUSDT"}}) == 0.005);
  BOOST_TEST(now.value("breakwater_aggregator_symbol_spread_ratio", {{"symbol", "BTCUSDT"}}) == 0.0025);
  BOOST_TEST(now.value("breakwater_aggregator_widest_deviation_ratio") == 0.1);
  BOOST_TEST(now.value("breakwater_aggregator_suspect_symbols") == 1);
  BOOST_TEST(now.value("breakwater_bridge_events_total", {{"bridge", "trade-intent"}, {"outcome", "dead"}}) ==
             12);
  BOOST_TEST(now.value("breakwater_alerts_active", {{"rule", "feed_stale"}, {"level", "warning"}}) == 2);
  BOOST_TEST(now.value("breakwater_alerts_standing", {{"level", "critical"}}) == 0);
  BOOST_TEST(now.value("breakwater_supervisor_actor_restarts_total", {{"actor", "redis"}}) == 2);
  BOOST_TEST(now.value("breakwater_supervisor_actor_age_seconds", {{"actor", "redis"}}) == 2.5);
  BOOST_TEST(now.value("breakwater_position_monitor_state", {{"state", "SILENT"}}) == 1);
}

BOOST_AUTO_TEST_CASE(the_spool_is_told_once_and_its_streams_one_by_one) {
  const told now{everything()};
  BOOST_TEST(now.find("breakwater_spool_used_bytes")->samples.size() == 1u);
  BOOST_TEST(now.value("breakwater_spool_used_bytes") == 4096);
  BOOST_TEST(now.value("breakwater_spool_waiting_records", {{"stream", "raw"}}) == 7);
  // A counter: what Redis lost again must not take anything off it.
  BOOST_TEST(now.value("breakwater_publisher_acknowledged_records_total", {{"stream", "raw"}}) == 93);
  metric_sources opening;
  opening.spool = {spool_report{}};
  BOOST_TEST(!told{opening}.find("breakwater_spool_waiting_records"));
  BOOST_TEST(!told{opening}.find("breakwater_spool_used_bytes"));
}

BOOST_AUTO_TEST_CASE(only_symbols_of_the_list_have_series_of_their_own_and_no_more_than_a_hundred) {
  const told now{everything()};
  BOOST_TEST(now.value("breakwater_aggregator_symbol_exchanges", {{"symbol", "DOGEUSDT"}}) == -1);
  BOOST_TEST(now.find("breakwater_feed_symbol_last_data_timestamp_seconds")->samples.size() == 2u);
  auto many = about;
  metric_sources from;
  from.prices.emplace();
  many.symbols.clear();
  for (int i = 0; i < 300; ++i) {
    many.symbols.push_back("S" + std::to_string(i) + "USDT");
    from.prices->prices.push_back({.symbol = many.symbols.back(), .price = 1, .at = noon});
  }
  const told all{from, many};
  BOOST_TEST(all.find("breakwater_aggregator_symbol_exchanges")->samples.size() == most_symbols);
  BOOST_TEST(all.value("breakwater_aggregator_symbol_exchanges", {{"symbol", "S0USDT"}}) == 0);
}

BOOST_AUTO_TEST_CASE(who_does_not_answer_is_left_out_and_counted) {
  metric_sources from;
  from.asked = 14, from.answered = 2;
  from.tick = health_report{}; // before the first tick nobody is known
  const told now{from};
  BOOST_TEST(now.value("breakwater_scrape_incomplete") == 12);
  BOOST_TEST(now.all.size() == 4u);
}

BOOST_AUTO_TEST_CASE(names_and_types_keep_the_rules) {
  const std::regex name{"breakwater(_[a-z0-9]+)+"};
  std::set<std::string> seen;
  for (const auto& family : told{everything()}.all) BOOST_TEST_CONTEXT(family.name) {
      BOOST_TEST(std::regex_match(family.name, name));
      BOOST_TEST(seen.insert(family.name).second);
      BOOST_TEST(family.help.ends_with('.'));
      BOOST_TEST(family.name.ends_with("_total") == (family.type == metric_family::kind::counter));
      BOOST_TEST(!family.samples.empty());
      std::set<labels> different;
      for (const auto& sample : family.samples) BOOST_TEST(different.insert(sample.labels).second);
    }
}

/// BREAKWATER_WRITE_METRICS=1 writes the list anew.
BOOST_AUTO_TEST_CASE(the_list_in_config_prometheus_is_complete) {
  std::map<std::string, std::string> rows;
  for (const auto& row : measured_metrics())
    rows[row.name] = "| `" + row.name + "` | " + row.type + " | " + row.labels + " | " + row.help + " |";
  for (const auto& family : told{everything()}.all) {
    std::string with;
    for (const auto& [label, value] : family.samples.front().labels)
      (with += with.empty() ? "" : ", ") += label;
    const auto* type = family.type == metric_family::kind::counter ? "counter" : "gauge";
    const bool is_new = rows.emplace(family.name, "| `" + family.name + "` | " + type + " | " + with + " | " +
                                                      family.help + " |")
                            .second;
    BOOST_TEST(is_new, family.name << " is told twice");
  }
  std::string list;
  for (const auto& [name, row] : rows) list += row + "\n";

  const std::string file = "config/prometheus/README.md";
  std::ifstream in{file};
  std::string before, found;
  for (std::string line; std::getline(in, line);) (line.starts_with("| `") ? found : before) += line + "\n";
  in.close();
  if (std::getenv("BREAKWATER_WRITE_METRICS") != nullptr)
    std::ofstream{file} << before << list;
  else
    BOOST_TEST(found == list, file << " is stale; BREAKWATER_WRITE_METRICS=1 and this test write it anew");
}
