#include "actors/alerts/webhook_port.hpp"
#include "tests/support/process_fixture.hpp"

#include <nlohmann/json.hpp>

using namespace breakwater;
using namespace breakwater::test;

namespace {

/// Takes every alert at once.
struct taking_webhook final : webhook_port {
  std::vector<std::string> told; ///< "raised redis_away", "cleared feed_stale okx" ...

  void post(std::uint64_t number, std::string body, std::function<void(webhook_answered)> sink) override {
    const auto read = nlohmann::json::parse(body);
    const auto subject = read["subject"].get<std::string>();
    told.push_back(read["state"].get<std::string>() + " " + read["rule"].get<std::string>() +
                   (subject.empty() ? "" : " " + subject));
    sink({number, 200, ""});
  }
};

struct watched_process : process_fixture {
  std::shared_ptr<taking_webhook> hook = std::make_shared<taking_webhook>();

  watched_process() {
    what.alerts.stream = "alerts";
    webhook = hook;
    starts();
    exchanges_remember();
  }
  void heartbeat() {
    caf::anon_send(all.position_monitor, position_heartbeat{"10.0.0.7:1"});
    settle();
  }
  position_status position() {
    return ask<position_report>(all.position_monitor, position_question{})->status;
  }
  /// Candles, and a heartbeat of the position monitor each 10 s, which is always HEALTHY.
  void all_goes_on(milliseconds time_span) {
    for (auto left = time_span; left > 0ms; left -= 10s) {
      heartbeat();
      candles_flow(10s, 500ms);
      BOOST_TEST(to_string(position()) == "HEALTHY");
    }
  }
  alerts_report alerts() { return *ask<alerts_report>(all.alerts, alerts_question{}); }
  /// What was told of alerts so far, in order; each is told once.
  std::string told() {
    std::string text;
    for (const auto& one : std::exchange(hook->told, {})) text += (text.empty() ? "" : ", ") + one;
    return text;
  }
  /// The same, as it stands in the stream.
  std::string in_stream() {
    std::string text;
    for (const auto& entry : redis->records("alerts")) {
      std::map<std::string, std::string> of{entry.begin(), entry.end()};
      text += (text.empty() ? "" : ", ") + of["state"] + " " + of["rule"] +
              (of["subject"].empty() ? "" : " " + of["subject"]);
    }
    return text;
  }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(a_quarter_of_an_hour_without_trouble_tells_nothing, watched_process) {
  candles_flow(15min, 500ms);
  BOOST_TEST(told() == "");
  BOOST_TEST(in_stream() == "");
}

BOOST_FIXTURE_TEST_CASE(redis_away_for_a_minute_is_one_alert_that_clears_and_nothing_else_suffers,
                        watched_process) {
  all_goes_on(5min);
  redis->goes_away();
  all_goes_on(1min);
  BOOST_TEST(told() == "raised redis_away");
  BOOST_TEST(alerts().active.size() == 1u);
  redis->comes_back();
  all_goes_on(15min);
  BOOST_TEST(told() == "cleared redis_away");
  BOOST_TEST(in_stream() == "raised redis_away, cleared redis_away");
  BOOST_TEST(audit->count({"alert_raised", "redis_away"}) == 1u);
  BOOST_TEST(audit->count({"alert_cleared", "redis_away"}) == 1u);
  BOOST_TEST(audit->count({"\"alert_"}) == 2u);
  BOOST_TEST(alerts().active.empty());
  BOOST_TEST(alerts().recent.size() == 1u);
  BOOST_TEST(audit->count({"actor_failed"}) == 0u); // nothing restarts
  BOOST_TEST(fact(all.supervisor, "restarts_recently") == "0");
  check_accepted_is_published();
}

BOOST_FIXTURE_TEST_CASE(a_circuit_open_for_more_than_10_minutes_is_an_alert, watched_process) {
  candles_flow(10s);
  redis->goes_away();
  candles_flow(9min, 1s);
  BOOST_TEST(told() == "raised redis_away");
  candles_flow(3min, 1s);
  BOOST_TEST(told() == "raised breaker_open redis");
  redis->comes_back();
  candles_flow(2min, 1s);
  BOOST_TEST(told() == "cleared breaker_open redis, cleared redis_away");
}

BOOST_FIXTURE_TEST_CASE(eleven_reconnects_an_hour_are_an_alert, watched_process) {
  for (int i = 0; i < 10; ++i) {
    candles_flow(30s, 1s);
    redis->breaks_connections();
  }
  candles_flow(30s, 1s);
  BOOST_TEST(told() == "");
  redis->breaks_connections();
  candles_flow(30s, 1s);
  BOOST_TEST(told() == "raised redis_reconnects");
  candles_flow(61min, 2s);
  BOOST_TEST(told() == "cleared redis_reconnects");
}

BOOST_FIXTURE_TEST_CASE(exchanges_that_fall_silent_are_told_with_what_comes_of_it, watched_process) {
  candles_flow(3min, 500ms);
  wait(75s);
  BOOST_TEST(told() == "raised feed_stale binance, raised feed_stale bybit, raised feed_stale okx, "
                       "raised feed_stale kraken");
  wait(1min);
  BOOST_TEST(told() == "raised no_record BTCUSDT, raised no_record ETHUSDT");
  candles_flow(3min, 500ms);
  const auto after = alerts();
  BOOST_TEST(after.active.empty());
  BOOST_TEST(after.recent.size() == 6u);
}

BOOST_FIXTURE_TEST_CASE(heartbeats_that_stop_are_told_after_5_minutes_also_without_redis, watched_process) {
  heartbeat();
  redis->goes_away();
  candles_flow(5min, 1s);
  BOOST_TEST(told() == "raised redis_away");
  candles_flow(10s, 1s);
  BOOST_TEST(told() == "raised position_silent");
  heartbeat();
  candles_flow(20s, 1s);
  BOOST_TEST(told() == "cleared position_silent");
}

BOOST_FIXTURE_TEST_CASE(a_restart_of_the_alerts_actor_tells_what_stands_under_a_new_number, watched_process) {
  candles_flow(10s);
  redis->goes_away();
  candles_flow(30s, 1s);
  BOOST_TEST(told() == "raised redis_away");
  kill("alerts");
  candles_flow(30s, 1s);
  BOOST_TEST(told() == "raised redis_away");
  BOOST_TEST(alerts().active.at(0).number == 2u);
}

BOOST_FIXTURE_TEST_CASE(a_clock_that_differs_from_that_of_redis_is_told, watched_process) {
  redis->clock_is_ahead(2500ms);
  candles_flow(2min, 1s);
  BOOST_TEST(told() == "raised clock_skew");
}
