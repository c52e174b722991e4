#include "actors/alerts/alert_rules.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>

namespace breakwater {
namespace {

using namespace std::chrono_literals;

/// Everybody answers, and all is well.
struct rules_fixture {
  moment begin{mono_time{} + 1000h, wall_time_from_ms(1767571200000)};
  moment now = begin;
  alert_limits limits{{}, {}, {}, "redis-cli -p 1", "127.0.0.1:8000"};
  observations seen;
  std::optional<alert_rules> sut;

  rules_fixture() {
    for (const auto* name : {"redis", "orders"}) {
      breaker_report told;
      told.name = name;
      seen.breakers.push_back({name, told});
    }
    seen.redis.emplace();
    seen.redis->connected = seen.redis->healthy = true;
    seen.redis->address = "redis:6379";
    seen.health.emplace();
    seen.prices.emplace();
    seen.position_watched = true;
    seen.position.emplace();
    seen.position->status = position_status::healthy;
    seen.supervisor.emplace();
    seen.supervisor->facts = {{"restarts_recently", "0"}};
    seen.carriers = {
        {"publisher", facts({{"bytes", "0"}, {"max_bytes", "1000"}, {"dead", "0"}, {"trimmed_unread", "0"}})},
        {"bridge/x", facts({{"dead", "0"}, {"trimmed_unread", "0"}})}};
    seen.clock_asked = true;
    seen.clock = observations::clocks{now.wall, now.wall, 0ms};
    feed_report okx;
    okx.of = exchange::okx;
    okx.connected = true;
    seen.feeds = {{exchange::okx, okx}};
    sut.emplace(limits, begin);
  }

  static health_answer facts(std::vector<std::pair<std::string, std::string>> of) {
    return {health_level::ok, "", std::move(of)};
  }
  static void set(std::optional<health_answer>& of, const std::string& name, const std::string& value) {
    for (auto& [key, fact] : of->facts)
      if (key == name) fact = value;
  }
  /// These must have records.
  void needs(std::vector<std::string> symbols) {
    limits.symbols = std::move(symbols);
    sut.emplace(limits, begin);
  }
  /// Both prices are so old.
  void prices_are(milliseconds old, bool suspect = false) {
    seen.prices->prices.clear();
    for (const auto* symbol : {"BTCUSDT", "ETHUSDT"})
      seen.prices->prices.push_back({symbol, 100, now.wall - old, suspect});
  }
  void passes(milliseconds time) {
    now.mono += time;
    now.wall += time;
  }
  judgement judged() { return sut->judge(seen, now); }
  /// What is found: "rule subject"; with a '*' where one look is enough, in brackets what only stands on.
  std::string finds() {
    std::string text;
    for (const auto& one : judged().findings) {
      const auto name = one.rule + (one.subject.empty() ? "" : " " + one.subject) + (one.at_once ? "*" : "");
      text += (text.empty() ? "" : ", ") + (one.holds ? name : "(" + name + ")");
    }
    return text;
  }
  /// All there is to read of the only finding.
  std::string reads() {
    const auto found = judged().findings;
    BOOST_TEST_REQUIRE(found.size() == 1u);
    return std::string{to_string(found[0].level)} + ": " + found[0].text + " -> " + found[0].what_to_do;
  }
  std::string why_not(const std::string& rule, const std::string& subject = {}) {
    const auto all = judged().unjudged;
    const auto at = all.find({rule, subject});
    return at == all.end() ? "" : at->second;
  }
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

BOOST_FIXTURE_TEST_SUITE(alert_rules_suite, rules_fixture)

BOOST_AUTO_TEST_CASE(where_all_is_well_there_is_nothing_to_say) {
  BOOST_TEST(finds() == "");
  const auto what = judged();
  BOOST_TEST(what.unjudged.empty());
}

BOOST_AUTO_TEST_CASE(a_breaker_may_be_open_for_10_minutes_and_no_longer) {
  for (auto phase : {breaker_phase::open, breaker_phase::half_open, breaker_phase::forced_open})
    for (std::size_t which : {0u, 1u}) BOOST_TEST_CONTEXT(to_string(phase) << " " << which) {
        rules_fixture it;
        auto& told = *it.seen.breakers[which].told;
        told.phase = phase;
        told.opened_at = it.now.wall;
        told.trigger = "5 failures";
        it.passes(10min);
        BOOST_TEST(it.finds() == "");
        it.passes(1ms);
        BOOST_TEST(it.finds() == "breaker_open " + told.name + "*");
        const auto text = it.reads();
        BOOST_TEST(has(text, std::string{to_string(phase)}));
        BOOST_TEST(has(text, "for 10 min"));
        BOOST_TEST(has(text, "5 failures"));
        BOOST_TEST(has(text, "breakwater breaker reset --name " + told.name));
        told.phase = breaker_phase::closed;
        told.opened_at.reset();
        BOOST_TEST(it.finds() == "");
      }
}

BOOST_AUTO_TEST_CASE(ten_reconnects_an_hour_are_none_eleven_are_one) {
  const std::pair<std::size_t, const char*> rows[] = {
      {0, ""}, {9, ""}, {10, "(redis_reconnects*)"}, {11, "redis_reconnects*"}, {500, "redis_reconnects*"}};
  for (const auto& [count, expected] : rows) BOOST_TEST_CONTEXT(count) {
      seen.redis->reconnects_last_hour = count;
      BOOST_TEST(finds() == expected);
    }
}

BOOST_AUTO_TEST_CASE(redis_away_denied_and_refusing_are_three_things) {
  struct row {
    bool connected;
    const char* error_class;
    unsigned failures;
    const char* expected;
  };
  const row rows[] = {
      {true, "", 0, ""},
      {true, "transport", 3, ""},
      {true, "configuration", 0, ""}, // some command is forbidden, the connection is not
      {false, "", 0, "redis_away"},
      {false, "transport", 5, "redis_away"},
      {false, "configuration", 1, "redis_denied*"},
      {true, "refusing_writes", 0, ""}, // a write was taken since
      {true, "refusing_writes", 1, "redis_refuses_writes"},
  };
  for (const auto& r : rows) BOOST_TEST_CONTEXT(r.connected << " " << r.error_class << " " << r.failures) {
      seen.redis->connected = r.connected;
      seen.redis->last_error_class = r.error_class;
      seen.redis->consecutive_failures = r.failures;
      BOOST_TEST(finds() == r.expected);
    }
}

BOOST_AUTO_TEST_CASE(a_silent_position_monitor_is_one_alert_and_an_unknown_one_is_said) {
  seen.position->status = position_status::silent;
  seen.position->last_seen = now.wall;
  seen.position->seen_by = "heartbeat";
  seen.position->why = "not seen for 301 s";
  BOOST_TEST(finds() == "position_silent*");
  BOOST_TEST(has(reads(), "2026-01-05T00:00:00.000Z by heartbeat: not seen for 301 s"));
  seen.position->status = position_status::check_needed;
  BOOST_TEST(finds() == "");
  seen.position->status = position_status::unknown;
  seen.position->why = "not seen active since breakwater began, 12 s ago";
  BOOST_TEST(finds() == "");
  BOOST_TEST(why_not("position_silent") == seen.position->why);
  seen.position.reset();
  BOOST_TEST(why_not("position_silent") == "the position_monitor actor did not answer");
  seen.position_watched = false;
  BOOST_TEST(why_not("position_silent") == "nobody watches the position monitor");
}

feed_report::symbol symbol(const std::string& name, std::optional<wall_time> last_data,
                           const std::string& state = "subscribed") {
  feed_report::symbol x;
  x.name = name;
  x.theirs = state == "unnamed" ? "" : name;
  x.state = state;
  x.last_data = last_data;
  return x;
}

BOOST_AUTO_TEST_CASE(a_symbol_may_be_without_data_for_60_seconds) {
  auto& okx = *seen.feeds[0].told;
  okx.symbols = {symbol("BTCUSDT", now.wall), symbol("ETHUSDT", std::nullopt),
                 symbol("NONE", std::nullopt, "unnamed"), symbol("NO", std::nullopt, "refused")};
  BOOST_TEST(finds() == "");
  passes(60s);
  BOOST_TEST(finds() == "");
  passes(1ms);
  BOOST_TEST(finds() == "feed_stale okx*");
  auto text = reads();
  BOOST_TEST(has(text, "okx sends nothing of 2 of 2 symbols for up to 60 s"));
  BOOST_TEST(has(text, ": BTCUSDT, ETHUSDT ->"));
  BOOST_TEST(has(text, "curl -s 'http://127.0.0.1:8000/api/feeds?exchange=okx'"));
  okx.symbols[0].last_data = now.wall;
  okx.connected = false;
  text = reads();
  BOOST_TEST(has(text, "1 of 2"));
  BOOST_TEST(has(text, "(no connection stands)"));
  okx.symbols[1].last_data = now.wall;
  BOOST_TEST(finds() == "");
}

BOOST_AUTO_TEST_CASE(many_stale_symbols_are_one_alert_an_exchange) {
  auto& okx = *seen.feeds[0].told;
  for (int i = 0; i < 800; ++i) okx.symbols.push_back(symbol("S" + std::to_string(i), now.wall - 61s));
  BOOST_TEST(finds() == "feed_stale okx*");
  BOOST_TEST(has(reads(), "800 of 800"));
  BOOST_TEST(has(reads(), "S0, S1, S2, S3, S4 and 795 more"));
}

BOOST_AUTO_TEST_CASE(a_feed_that_does_not_answer_is_not_judged_and_its_symbols_keep_their_time) {
  auto report = *seen.feeds[0].told;
  report.symbols = {symbol("ETHUSDT", std::nullopt)};
  seen.feeds[0].told = report;
  finds();
  passes(40s);
  seen.feeds[0].told.reset();
  BOOST_TEST(why_not("feed_stale", "okx") == "the feed did not answer");
  passes(30s);
  seen.feeds[0].told = report;
  BOOST_TEST(finds() == "feed_stale okx*");
}

BOOST_AUTO_TEST_CASE(a_symbol_may_be_without_a_record_for_120_seconds) {
  needs({"BTCUSDT", "ETHUSDT"});
  prices_are(120s);
  passes(120s);
  BOOST_TEST(finds() == ""); // a fresh process waits so long first, whatever it sees
  passes(1ms);
  prices_are(120s);
  BOOST_TEST(finds() == "");
  prices_are(120s + 1ms);
  BOOST_TEST(finds() == "no_record BTCUSDT*, no_record ETHUSDT*");
  prices_are(1s);
  seen.prices->prices.pop_back();
  BOOST_TEST(finds() == "no_record ETHUSDT*");
  BOOST_TEST(has(reads(), "none since the process began"));
}

BOOST_AUTO_TEST_CASE(the_first_symbols_have_an_alert_each_and_the_others_share_one) {
  std::vector<std::string> symbols;
  for (int i = 0; i < 300; ++i) symbols.push_back("S" + std::to_string(i));
  needs(symbols);
  passes(121s);
  const auto found = judged().findings;
  BOOST_TEST(found.size() == 11u);
  BOOST_TEST(found[10].subject == "other symbols");
  BOOST_TEST(has(found[10].text, "290 further symbols"));
}

BOOST_AUTO_TEST_CASE(suspect_prices_are_told_while_they_are_new) {
  prices_are(1s, true);
  BOOST_TEST(finds() == "suspect_price");
  BOOST_TEST(has(reads(), "in 2 symbols: BTCUSDT, ETHUSDT"));
  prices_are(121s, true);
  BOOST_TEST(finds() == ""); // without new records that is another rule's
}

BOOST_AUTO_TEST_CASE(the_spool_warns_above_half_and_alarms_above_90_percent) {
  struct row {
    const char* bytes;
    const char* expected;
  };
  const row rows[] = {
      {"450", ""},
      {"451", "(spool_filling)"},
      {"500", "(spool_filling)"},
      {"501", "spool_filling"},
      {"810", "spool_filling"},
      {"811", "spool_filling, (spool_nearly_full)"},
      {"900", "spool_filling, (spool_nearly_full)"},
      {"901", "spool_filling, spool_nearly_full"},
      {"1000", "spool_filling, spool_nearly_full"},
  };
  for (const auto& r : rows) BOOST_TEST_CONTEXT(r.bytes) {
      set(seen.carriers[0].told, "bytes", r.bytes);
      BOOST_TEST(finds() == r.expected);
    }
  set(seen.carriers[0].told, "bytes", "501");
  BOOST_TEST(has(reads(), "501 of 1000 bytes (50 %), above 50 %"));
  seen.carriers[0].told.reset();
  BOOST_TEST(why_not("spool_filling") == "no publisher answered");
}

BOOST_AUTO_TEST_CASE(dead_letters_and_unread_entries_stand_for_10_minutes_after_the_last) {
  const std::pair<const char*, const char*> facts[] = {{"dead", "dead_letters"},
                                                       {"trimmed_unread", "trimmed_unread"}};
  for (const auto& [fact, rule] : facts)
    for (std::size_t who : {0u, 1u}) BOOST_TEST_CONTEXT(fact << " " << who) {
        rules_fixture it;
        auto& told = it.seen.carriers[who].told;
        const auto expected = std::string{rule} + " " + it.seen.carriers[who].who + "*";
        BOOST_TEST(it.finds() == "");
        set(told, fact, "3");
        BOOST_TEST(it.finds() == expected);
        BOOST_TEST(has(it.reads(), ": 3 "));
        it.passes(9min);
        set(told, fact, "4");
        BOOST_TEST(has(it.reads(), ": 4 "));
        it.passes(10min - 1ms);
        BOOST_TEST(it.finds() == expected);
        it.passes(1ms);
        BOOST_TEST(it.finds() == "");
        told.reset();
        BOOST_TEST(has(it.why_not(rule, it.seen.carriers[who].who), "did not answer"));
      }
}

BOOST_AUTO_TEST_CASE(what_was_set_aside_in_earlier_runs_is_old_news) {
  set(seen.carriers[0].told, "dead", "7"); // the spool's: over all runs
  BOOST_TEST(finds() == "");
  set(seen.carriers[0].told, "dead", "2"); // somebody saw to five
  BOOST_TEST(finds() == "");
  set(seen.carriers[0].told, "dead", "3");
  BOOST_TEST(finds() == "dead_letters publisher*");
}

BOOST_AUTO_TEST_CASE(a_bridge_counts_from_its_own_beginning) {
  set(seen.carriers[1].told, "dead", "2");
  BOOST_TEST(has(reads(), ": 2 "));
  passes(20min);
  BOOST_TEST(finds() == "");
  set(seen.carriers[1].told, "dead", "1"); // another life of it
  BOOST_TEST(has(reads(), ": 1 "));
}

BOOST_AUTO_TEST_CASE(restarts_are_told_above_half_of_the_limit) {
  const std::pair<const char*, const char*> rows[] = {
      {"4", ""}, {"5", "(restarts*)"}, {"6", "restarts*"}, {"10", "restarts*"}};
  for (const auto& [count, expected] : rows) BOOST_TEST_CONTEXT(count) {
      set(seen.supervisor, "restarts_recently", count);
      BOOST_TEST(finds() == expected);
    }
  seen.supervisor.reset();
  BOOST_TEST(why_not("restarts") == "the supervisor did not answer");
}

BOOST_AUTO_TEST_CASE(clocks_may_differ_by_2_seconds_and_what_the_way_takes) {
  struct row {
    milliseconds ahead, uncertainty;
    const char* expected;
  };
  const row rows[] = {{1800ms, 0ms, ""},
                      {1801ms, 0ms, "(clock_skew)"},
                      {2000ms, 0ms, "(clock_skew)"},
                      {2001ms, 0ms, "clock_skew"},
                      {-2001ms, 0ms, "clock_skew"},
                      {2500ms, 500ms, "(clock_skew)"},
                      {2501ms, 500ms, "clock_skew"},
                      {300ms, 900ms, ""}};
  for (const auto& r : rows) BOOST_TEST_CONTEXT(r.ahead.count() << " " << r.uncertainty.count()) {
      seen.clock = observations::clocks{now.wall - r.ahead, now.wall, r.uncertainty};
      BOOST_TEST(finds() == r.expected);
    }
  seen.clock = observations::clocks{now.wall + 5s, now.wall, 0ms};
  BOOST_TEST(has(reads(), "our clock is 5000 ms behind Redis's"));
  seen.clock.reset();
  BOOST_TEST(why_not("clock_skew") == "Redis did not answer TIME");
  seen.clock_asked = false;
  const auto what = judged();
  BOOST_TEST(what.untouched.contains("clock_skew"));
  BOOST_TEST(!what.unjudged.contains({"clock_skew", ""}));
}

BOOST_AUTO_TEST_CASE(a_critical_actor_is_told_and_each_tick_counts_once) {
  seen.health->as_of = now.wall;
  seen.health->parts = {{"publisher", {health_level::critical, "the spool is full", {}}},
                        {"redis", {health_level::critical, "Redis is away", {}}},
                        {"feed/okx", {health_level::degraded, "stale", {}}}};
  BOOST_TEST(finds() == "actor_critical publisher");
  auto again = judged();
  BOOST_TEST(again.findings.empty());
  BOOST_TEST(again.untouched.contains("actor_critical"));
  seen.health->as_of = now.wall + 30s;
  BOOST_TEST(has(reads(), "publisher is critical: the spool is full"));
  seen.health.reset();
  BOOST_TEST(why_not("actor_critical") == "the health actor did not answer");
}

BOOST_AUTO_TEST_CASE(whoever_does_not_answer_is_not_judged_and_that_is_said) {
  seen = {};
  seen.breakers = {{"redis", std::nullopt}};
  seen.feeds = {{exchange::okx, std::nullopt}};
  seen.carriers = {{"publisher", std::nullopt}};
  seen.position_watched = seen.clock_asked = true;
  const auto what = judged();
  BOOST_TEST(what.findings.empty());
  std::string rules;
  for (const auto& [which, why] : what.unjudged) rules += which.first + " ";
  BOOST_TEST(rules == "actor_critical breaker_open clock_skew dead_letters feed_stale no_record "
                      "position_silent redis_away redis_denied redis_reconnects redis_refuses_writes "
                      "restarts spool_filling spool_nearly_full suspect_price trimmed_unread ");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater
