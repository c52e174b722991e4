#include "actors/alerts/alerts_actor.hpp"

#include "tests/actors/feed/fake_aggregator.hpp"
#include "tests/support/actor_fixture.hpp"
#include "tests/support/scripted_redis.hpp"

#include <nlohmann/json.hpp>

namespace breakwater::test {
namespace {

using json = nlohmann::json;

struct fake_webhook final : webhook_port {
  struct request {
    std::uint64_t number;
    json body;
    std::function<void(webhook_answered)> sink;
  };
  std::vector<request> requests;

  void post(std::uint64_t number, std::string body, std::function<void(webhook_answered)> sink) override {
    requests.push_back({number, json::parse(body), std::move(sink)});
  }
  void answers(unsigned status) { requests.back().sink({requests.back().number, status, "no answer"}); }
};

std::string value(const entry_fields& of, std::string_view name) {
  for (const auto& [key, text] : of)
    if (key == name) return text;
  return "-";
}

/// Alerts among fakes that answer what the test lays out.
struct alerts_fixture : actor_fixture {
  alerts_options options;
  breaker_report breaker;
  redis_report redis;
  position_report position;
  bool redis_answers = true, breaker_answers = true;
  milliseconds redis_clock_ahead{0};
  std::size_t times_asked = 0;
  std::vector<audit_record> audited;
  std::vector<entry_fields> entries; ///< As they go into the stream.
  std::shared_ptr<fake_webhook> webhook = std::make_shared<fake_webhook>();
  std::vector<std::function<void()>> withheld; ///< Keeps the promises nobody fulfils.
  fake_aggregator aggregator;
  alerts_peers peers;
  alerts_actor sut;

  alerts_fixture() {
    options.instance = "a";
    options.clock = wall();
    redis.connected = redis.healthy = true;
    breaker.name = "redis";
    position.status = position_status::healthy;
    peers.breakers = {{"redis", fake_breaker()}};
    peers.redis = fake_redis();
    peers.aggregator = spawn(fake_aggregator_behavior, &aggregator);
    peers.health = spawn([](health_actor::pointer) -> health_actor::behavior_type {
      return {[](const wake&) {}, [](const health_report_request&) { return health_report{}; },
              [](const health_question&) { return health_answer{}; }};
    });
    peers.position = spawn([this](position_monitor_actor::pointer) -> position_monitor_actor::behavior_type {
      return {[](const position_heartbeat&) { return position_report{}; }, [](const log_sightings&) {},
              [this](const position_question&) { return position; }, [](const wake&) {},
              [](const health_question&) { return health_answer{}; }};
    });
    peers.supervisor = spawn([](supervisor_actor::pointer) -> supervisor_actor::behavior_type {
      return {[](stop_request) { return stopped{}; },
              [](const restart_due&) {},
              [](const stop_overdue&) {},
              [](const child_unresponsive&) {},
              [](const supervision_question&) { return supervision_report{}; },
              [](const chaos_kill&) {},
              [](const health_question&) {
                return health_answer{health_level::ok, "", {{"restarts_recently", "0"}}};
              }};
    });
    peers.audit = spawn([this](audit_actor::pointer) -> audit_actor::behavior_type {
      return {[this](const audit_record& what) { audited.push_back(what); },
              [](const audit_order&) { return audit_written{}; },
              [](const audit_tail_request&) { return audit_tail{}; },
              [](const health_question&) { return health_answer{}; }};
    });
    peers.notices = spawn([this](notices_actor::pointer) -> notices_actor::behavior_type {
      return {[](const quality_batch&) {},
              [this](const notice_batch& batch) {
                entries.insert(entries.end(), batch.entries->begin(), batch.entries->end());
              },
              [](const wake&) {}, [](const health_question&) { return health_answer{}; }};
    });
    starts();
  }
  ~alerts_fixture() {
    end_actors();
    withheld.clear();
  }

  void starts() {
    sut = spawn(alerts_behavior, options, peers, std::shared_ptr<webhook_port>{webhook});
    settle();
  }
  breaker_actor fake_breaker() {
    return spawn([this](breaker_actor::pointer self) -> breaker_actor::behavior_type {
      return {[](const permit_request&) { return permit{}; },
              [](const call_outcome&) { return breaker_standing{}; },
              [](const gate_request&) { return permit{}; },
              [](const gate_outcome&) {},
              [](const dependency_restored&) {},
              [this, self](const breaker_question&) -> caf::result<breaker_report> {
                if (breaker_answers) return breaker;
                auto promise = self->make_response_promise<breaker_report>();
                withheld.emplace_back([promise] {});
                return promise;
              },
              [](const breaker_history_request&) { return breaker_history{}; },
              [](const breaker_reset&) { return breaker_order_answer{}; },
              [](const breaker_force_open&) { return breaker_order_answer{}; },
              [](const wake&) {},
              [](const health_question&) { return health_answer{}; }};
    });
  }
  redis_actor fake_redis() {
    return spawn([this](redis_actor::pointer) -> redis_actor::behavior_type {
      return {[this](const redis_commands& what) -> caf::result<redis_replies> {
                BOOST_TEST(*what.wire == "*1\r\n$4\r\nTIME\r\n");
                ++times_asked;
                if (!redis_answers) return make_error(failure{errc::redis_unavailable, "not connected"});
                const auto ms = epoch_ms(options.clock() + redis_clock_ahead);
                redis_reply both;
                both.what = redis_reply::kind::array;
                both.items = {scripted_redis::text(std::to_string(ms / 1000)),
                              scripted_redis::text(std::to_string(ms % 1000 * 1000))};
                return redis_replies{std::make_shared<const std::vector<redis_reply>>(1, both), 1};
              },
              [](const link_event&) {}, [](const wake&) {}, [this](const redis_question&) { return redis; },
              [](const health_question&) { return health_answer{}; }};
    });
  }
  alerts_report report() { return *ask<alerts_report>(sut, alerts_question{}); }
  std::string fact(const std::string& name) {
    return value(ask<health_answer>(sut, health_question{})->facts, name);
  }
};

BOOST_FIXTURE_TEST_SUITE(alerts_actor_suite, alerts_fixture)

BOOST_AUTO_TEST_CASE(where_all_is_well_nothing_is_told) {
  wait(1h);
  BOOST_TEST(audited.empty());
  BOOST_TEST(entries.empty());
  BOOST_TEST(webhook->requests.empty());
  const auto told = report();
  BOOST_TEST((told.active.empty() && told.recent.empty()));
  BOOST_TEST(told.webhook == "ok");
}

BOOST_AUTO_TEST_CASE(an_alert_is_told_everywhere_once_when_it_rises_and_once_when_it_clears) {
  redis.connected = false;
  redis.phase = "backing_off";
  wait(5s);
  BOOST_TEST(report().active.empty());
  wait(5s);
  const auto told = report();
  BOOST_TEST_REQUIRE(told.active.size() == 1u);
  BOOST_TEST(told.active[0].rule == "redis_away");
  BOOST_TEST_REQUIRE(webhook->requests.size() == 1u);
  webhook->answers(200);
  wait(10min);
  BOOST_TEST(webhook->requests.size() == 1u);
  BOOST_TEST_REQUIRE(entries.size() == 1u);
  BOOST_TEST(value(entries[0], "rule") == "redis_away");
  BOOST_TEST(value(entries[0], "subject") == "");
  BOOST_TEST(value(entries[0], "state") == "raised");
  BOOST_TEST(value(entries[0], "level") == "critical");
  BOOST_TEST(value(entries[0], "raised_at") == "2026-01-05T00:00:10.000Z");
  BOOST_TEST(value(entries[0], "cleared_at") == "-");
  BOOST_TEST(value(entries[0], "number") == "1");
  BOOST_TEST(value(entries[0], "instance") == "a");
  BOOST_TEST_REQUIRE(audited.size() == 1u);
  BOOST_TEST(audited[0].what == "alert_raised");
  BOOST_TEST(value(audited[0].details, "rule") == "redis_away");
  BOOST_TEST(webhook->requests[0].body["rule"] == "redis_away");
  BOOST_TEST(webhook->requests[0].body["number"] == 1);

  redis.connected = true;
  wait(10s);
  BOOST_TEST(entries.size() == 1u);
  wait(5s);
  BOOST_TEST_REQUIRE(entries.size() == 2u);
  BOOST_TEST(value(entries[1], "state") == "cleared");
  BOOST_TEST(value(entries[1], "cleared_at") == "2026-01-05T00:10:25.000Z");
  BOOST_TEST(audited.back().what == "alert_cleared");
  BOOST_TEST(report().recent.size() == 1u);
  BOOST_TEST(webhook->requests.back().body["state"] == "cleared");
  BOOST_TEST((fact("active") == "0" && fact("raised") == "1" && fact("cleared") == "1"));
}

BOOST_AUTO_TEST_CASE(who_does_not_answer_holds_up_nothing) {
  breaker_answers = false;
  redis.connected = false;
  wait(12s);
  BOOST_TEST(report().active.size() == 1u);
  const auto told = report().unjudged;
  BOOST_TEST(
      (std::find(told.begin(), told.end(), "breaker_open redis: the breaker did not answer") != told.end()));
}

BOOST_AUTO_TEST_CASE(an_open_breaker_and_a_silent_position_monitor_are_seen) {
  breaker.phase = breaker_phase::open;
  breaker.opened_at = options.clock();
  position.status = position_status::silent;
  wait(5s);
  BOOST_TEST_REQUIRE(entries.size() == 1u);
  BOOST_TEST(value(entries[0], "rule") == "position_silent");
  wait(10min - 5s);
  BOOST_TEST(entries.size() == 1u);
  wait(5s);
  BOOST_TEST_REQUIRE(entries.size() == 2u);
  BOOST_TEST(value(entries[1], "rule") == "breaker_open");
  BOOST_TEST(value(entries[1], "subject") == "redis");
}

BOOST_AUTO_TEST_CASE(redis_is_asked_for_its_time_once_a_minute_and_again_when_it_differs) {
  wait(10min);
  BOOST_TEST(times_asked == 10u);
  redis_clock_ahead = 3s;
  wait(1min + 5s);
  BOOST_TEST_REQUIRE(report().active.size() == 1u);
  BOOST_TEST(report().active[0].text == "our clock is 3000 ms behind Redis's, more than 2000 ms");
  redis_answers = false;
  wait(2min);
  BOOST_TEST(report().active.size() == 1u);
  redis_answers = true;
  redis_clock_ahead = 0s;
  wait(1min + 10s);
  BOOST_TEST(report().active.empty());
}

BOOST_AUTO_TEST_CASE(a_webhook_that_fails_gets_it_again_and_in_order) {
  redis.connected = false;
  wait(10s);
  position.status = position_status::silent;
  wait(5s);
  BOOST_TEST(webhook->requests.size() == 1u); // one at a time
  webhook->answers(503);
  settle();
  BOOST_TEST(report().webhook == "HTTP status 503");
  BOOST_TEST((ask<health_answer>(sut, health_question{})->level == health_level::degraded));
  wait(1250ms);
  BOOST_TEST_REQUIRE(webhook->requests.size() == 2u);
  BOOST_TEST(webhook->requests[1].body["rule"] == "redis_away");
  webhook->answers(200);
  settle();
  BOOST_TEST_REQUIRE(webhook->requests.size() == 3u);
  BOOST_TEST(webhook->requests[2].body["rule"] == "position_silent");
  webhook->answers(200);
  settle();
  BOOST_TEST(report().webhook == "ok");
  BOOST_TEST(fact("webhook_delivered") == "2");
}

BOOST_AUTO_TEST_CASE(another_life_raises_what_stands_once_more_under_a_new_number) {
  redis.connected = false;
  wait(10s);
  caf::anon_send_exit(sut, caf::exit_reason::kill);
  settle();
  starts();
  BOOST_TEST(report().active.empty());
  wait(10s);
  BOOST_TEST_REQUIRE(report().active.size() == 1u);
  BOOST_TEST(report().active[0].number == 2u);
}

BOOST_AUTO_TEST_CASE(without_stream_and_webhook_the_rest_is_told) {
  caf::anon_send_exit(sut, caf::exit_reason::kill);
  peers.notices = notices_actor{};
  webhook = nullptr;
  starts();
  redis.connected = false;
  wait(10s);
  BOOST_TEST(report().active.size() == 1u);
  BOOST_TEST(report().webhook == "off");
  BOOST_TEST(audited.size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater::test
