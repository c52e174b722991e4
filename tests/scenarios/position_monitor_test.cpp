#include "tests/support/process_fixture.hpp"

using namespace breakwater;
using namespace breakwater::test;

namespace {

constexpr const char* positions = "quantum:stream:positions";

/// The process with a position monitor that writes a stream and a log.
struct monitored_fixture : process_fixture {
  monitored_fixture() {
    what.position_monitor.stream = positions;
    what.position_monitor.log_file = "/var/log/position-monitor.log";
  }
  ~monitored_fixture() { end_actors(); }

  void log_says(log_sightings seen) {
    logs->tell(std::move(seen));
    settle();
  }
  void heartbeat() {
    const auto told = ask<position_report>(all.position_monitor, position_heartbeat{"127.0.0.1:5"});
    BOOST_TEST_REQUIRE(bool{told});
  }
  position_report report() { return *ask<position_report>(all.position_monitor, position_question{}); }
  std::string status() { return to_string(report().status); }
  /// Nobody was restarted but those that are named.
  void check_restarts(std::size_t count) {
    BOOST_TEST(audit->count({"actor_failed"}) == count);
    BOOST_TEST((!ended && hangs == 0u));
  }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(heartbeats_keep_it_healthy_while_redis_is_down, monitored_fixture) {
  starts();
  redis->somebody_adds(positions, {{"positionSide", "BOTH"}});
  candles_flow(10s);
  BOOST_TEST((status() == "HEALTHY" && report().seen_by == "stream"));
  redis->goes_away();
  for (int minute = 0; minute < 20; ++minute) {
    heartbeat();
    candles_flow(1min, 1s);
    BOOST_TEST(status() == "HEALTHY");
    BOOST_TEST((level(all.position_monitor) == health_level::ok));
  }
  BOOST_TEST(!report().sources[0].problem.empty());
  BOOST_TEST((level(all.redis) == health_level::critical && circuit() != "CLOSED"));
  redis->comes_back();
  candles_flow(5min, 1s);
  BOOST_TEST(report().sources[0].problem.empty());
  check_restarts(0);
  check_accepted_is_published();
  check_newest_is_published();
}

BOOST_FIXTURE_TEST_CASE(its_log_keeps_it_healthy_while_redis_is_down_and_tells_errors, monitored_fixture) {
  starts();
  redis->goes_away();
  for (int minute = 0; minute < 10; ++minute) {
    log_says({1, 0, 0, {}, {}});
    wait(1min);
    BOOST_TEST(status() == "HEALTHY");
  }
  log_says({0, 1, 0, "APIError(code=-1003)", {}});
  BOOST_TEST((status() == "CHECK_NEEDED" && level(all.position_monitor) == health_level::degraded));
  log_says({1, 0, 0, {}, {}});
  wait(5min);
  BOOST_TEST(status() == "CHECK_NEEDED");
  wait(1ms);
  BOOST_TEST(status() == "SILENT"); // the error and the last activity are both of five minutes ago
  log_says({1, 0, 0, {}, {}});
  BOOST_TEST(status() == "HEALTHY");
  check_restarts(0);
}

BOOST_FIXTURE_TEST_CASE(with_redis_and_its_only_source_away_it_is_silent_after_five_minutes,
                        monitored_fixture) {
  what.position_monitor.log_file.clear();
  starts();
  redis->somebody_adds(positions, {{"positionSide", "BOTH"}});
  wait(5s);
  BOOST_TEST(status() == "HEALTHY");
  redis->goes_away();
  const auto seen = *report().last_seen;
  while (wall_now() < seen + 5min) {
    BOOST_TEST(status() == "HEALTHY");
    wait(100ms);
  }
  wait(100ms);
  BOOST_TEST(status() == "SILENT");
  BOOST_TEST(report().why.find("its stream quantum:stream:positions tells nothing") != std::string::npos);
  redis->comes_back();
  redis->somebody_adds(positions, {{"positionSide", "BOTH"}});
  wait(3min); // the circuit is closed again by then
  BOOST_TEST(status() == "HEALTHY");
  check_restarts(0);
}

BOOST_FIXTURE_TEST_CASE(its_actor_dies_and_knows_what_it_had_seen, monitored_fixture) {
  what.position_monitor = {};
  starts();
  heartbeat();
  kill("position_monitor");
  wait(10s);
  BOOST_TEST((status() == "HEALTHY" && report().activities == 1u));
  wait(5min);
  BOOST_TEST(status() == "SILENT");
  check_restarts(1);
  crashes_and_starts(); // the process, too: then nothing is expected until the next heartbeat
  BOOST_TEST(status() == "UNKNOWN");
  heartbeat();
  BOOST_TEST(status() == "HEALTHY");
}
