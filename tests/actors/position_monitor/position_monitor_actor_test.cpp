#include "actors/position_monitor/position_monitor_actor.hpp"

#include "actors/support/emit_io.hpp"
#include "tests/support/actor_fixture.hpp"
#include "tests/support/fake_log_tail.hpp"
#include "tests/support/scripted_redis.hpp"
#include "tests/support/temporary_folder.hpp"

#include <fstream>
#include <sstream>
#include <string>

namespace breakwater::test {
namespace {

struct monitor_fixture : actor_fixture {
  temporary_folder folder;
  position_monitor_settings how;
  wall_clock wall_time = wall();
  scripted_redis script;
  redis_actor redis = spawn(scripted_redis_behavior, &script);
  std::shared_ptr<fake_log_tail> logs = std::make_shared<fake_log_tail>();
  std::shared_ptr<activity> memory;
  position_monitor_actor sut;

  monitor_fixture() {
    tell_repeats(); // an earlier test's lines quiet none of this one
    log_settings log;
    log.file = (folder.path() / "log").string();
    BOOST_REQUIRE(open_log(log));
    how.stream = "positions";
    how.log_file = "/var/log/monitor.log";
  }
  ~monitor_fixture() { end_actors(); }

  void starts() {
    if (!memory) memory = std::make_shared<activity>(how, moment{now(), wall_time()});
    sut = spawn(position_monitor_behavior, position_monitor_options{how, wall_time},
                position_monitor_peers{redis, logs, memory});
    settle();
  }
  /// Ends, and begins again as the supervisor would have it.
  void restarts() {
    caf::anon_send_exit(started.back(), caf::exit_reason::kill);
    settle();
    started.pop_back();
    starts();
  }
  void log_says(log_sightings seen) {
    logs->tell(std::move(seen));
    settle();
  }
  void stream_has(const std::string& id) {
    redis_reply array;
    array.what = redis_reply::kind::array;
    auto entry = array;
    entry.items = {scripted_redis::text(id), array};
    array.items = {entry};
    script.answers.push_back({array});
  }
  std::string id_of_now() { return std::to_string(epoch_ms(wall_time())) + "-0"; }
  position_report report() { return *ask<position_report>(sut, position_question{}); }
  position_report heartbeat() { return *ask<position_report>(sut, position_heartbeat{"127.0.0.1:5"}); }
  health_answer health() { return *ask<health_answer>(sut, health_question{}); }
  /// How many lines of the log hold `text`.
  std::size_t said(const std::string& text) {
    tell_repeats();
    std::ifstream in{folder.path() / "log"};
    std::size_t count = 0;
    for (std::string line; std::getline(in, line);) count += line.find(text) != std::string::npos;
    return count;
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(position_monitor_actor_suite, monitor_fixture)

BOOST_AUTO_TEST_CASE(a_heartbeat_is_answered_with_how_things_stand) {
  how = {};
  starts();
  BOOST_TEST((report().status == position_status::unknown));
  BOOST_TEST((health().level == health_level::ok));
  const auto told = heartbeat();
  BOOST_TEST(
      (told.status == position_status::healthy && told.seen_by == "heartbeat" && told.activities == 1u));
  BOOST_TEST((told.last_seen == wall_time()));
  BOOST_TEST(logs->following == 0); // no log is configured
  wait(1min);
  BOOST_TEST(script.sent.empty()); // and no stream
}

BOOST_AUTO_TEST_CASE(its_log_is_followed_as_configured) {
  how.error_pattern = "Oops";
  starts();
  BOOST_TEST(logs->following == 1);
  BOOST_TEST((logs->source.file == "/var/log/monitor.log" && logs->source.journal_unit.empty()));
  BOOST_TEST((logs->source.activity_pattern == "positionSide=BOTH" && logs->source.error_pattern == "Oops"));
  log_says({2, 1, 0, "Oops 7", {}});
  const auto told = report();
  BOOST_TEST((told.status == position_status::check_needed && told.activities == 2u && told.errors == 1u));
  BOOST_TEST(said("[POSITION-MONITOR] The position monitor logged an error event=position_error count=1 "
                  "reason=\"Oops 7\"") == 1u);
  end_actors();
  BOOST_TEST(logs->following == 0);
}

BOOST_AUTO_TEST_CASE(its_stream_is_asked_each_five_seconds) {
  starts();
  BOOST_TEST(script.sent.empty());
  stream_has(id_of_now());
  wait(1s);
  BOOST_TEST_REQUIRE(script.sent.size() == 1u);
  BOOST_TEST(script.sent[0] == *memory->newest_entry().wire);
  BOOST_TEST((report().seen_by == "stream" && report().activities == 1u));
  stream_has(id_of_now());
  wait(5s);
  BOOST_TEST((script.sent.size() == 2u && report().activities == 2u));
  wait(1min);
  BOOST_TEST(script.sent.size() == 14u);
}

BOOST_AUTO_TEST_CASE(redis_away_is_its_streams_problem_and_nobody_elses) {
  script.away = true;
  starts();
  for (int i = 0; i < 20; ++i) {
    wait(30s);
    BOOST_TEST((heartbeat().status == position_status::healthy));
  }
  BOOST_TEST((health().level == health_level::ok));
  BOOST_TEST(report().sources[0].problem == "not connected");
  BOOST_TEST(said("event=position_stream_unread") == 1u);
  script.away = false;
  stream_has(id_of_now());
  wait(5s);
  BOOST_TEST(report().sources[0].problem.empty());
  BOOST_TEST(said("event=position_source_read source=stream of=positions") == 1u);
}

BOOST_AUTO_TEST_CASE(a_redis_actor_that_never_answers_holds_nothing_up) {
  script.dumb = true;
  starts();
  wait(1min);
  BOOST_TEST(script.sent.size() == 4u); // one question at a time, each given up after 15 s
  BOOST_TEST((heartbeat().status == position_status::healthy));
}

BOOST_AUTO_TEST_CASE(what_counts_against_the_breaker_is_asked_seldom) {
  for (int i = 0; i < 3; ++i) script.answers.push_back({scripted_redis::error("NOPERM no rights")});
  starts();
  wait(1min);
  BOOST_TEST(script.sent.size() == 1u);
  BOOST_TEST(report().sources[0].problem == "NOPERM no rights");
  wait(1min);
  BOOST_TEST(script.sent.size() == 2u);
}

BOOST_AUTO_TEST_CASE(silence_degrades_and_is_said_once_and_so_is_its_end) {
  starts();
  log_says({1, 0, 0, {}, {}});
  wait(5min);
  BOOST_TEST((report().status == position_status::healthy && said("event=position_silent") == 0u));
  wait(5s);
  BOOST_TEST((report().status == position_status::silent && health().level == health_level::degraded));
  BOOST_TEST(health().why.find("SILENT: not seen active for 5 min") == 0u);
  wait(1h);
  BOOST_TEST(said("event=position_silent") == 1u);
  log_says({1, 0, 0, {}, {}});
  BOOST_TEST(said("event=position_seen_again status=HEALTHY seen_by=log") == 1u);
  BOOST_TEST((health().level == health_level::ok));
}

BOOST_AUTO_TEST_CASE(a_log_that_cannot_be_read_is_said_and_the_others_count) {
  starts();
  log_says({0, 0, 0, {}, "/var/log/monitor.log: Permission denied"});
  BOOST_TEST(said("event=position_log_unread log=/var/log/monitor.log") == 1u);
  BOOST_TEST((heartbeat().status == position_status::healthy));
  log_says({});
  BOOST_TEST(said("event=position_source_read source=log") == 1u);
}

BOOST_AUTO_TEST_CASE(its_next_life_knows_what_was_seen) {
  how = {};
  starts();
  heartbeat();
  restarts();
  BOOST_TEST((report().status == position_status::healthy && report().activities == 1u));
  wait(5min + 1s);
  BOOST_TEST((report().status == position_status::silent)); // though this life never saw it
}

BOOST_AUTO_TEST_CASE(health_tells_the_facts) {
  starts();
  heartbeat();
  log_says({0, 1, 3, "APIError", {}});
  const auto told = health();
  const std::vector<std::pair<std::string, std::string>> facts{{"status", "CHECK_NEEDED"},
                                                               {"last_seen", to_rfc3339(wall_time())},
                                                               {"seen_by", "heartbeat"},
                                                               {"activities", "1"},
                                                               {"errors", "1"},
                                                               {"cut_lines", "3"}};
  BOOST_TEST((told.facts == facts));
  BOOST_TEST(told.why == "CHECK_NEEDED: errors in its log, the newest 0 s ago: APIError");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace breakwater::test
