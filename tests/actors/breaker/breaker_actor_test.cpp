#include "actors/breaker/breaker_actor.hpp"

#include "tests/support/actor_fixture.hpp"

#include <map>

namespace breakwater::test {
namespace {

struct breaker_fixture : actor_fixture {
  std::vector<audit_record> audited;
  breaker_actor sut;

  breaker_fixture() {
    auto audit = spawn([this](audit_actor::pointer) -> audit_actor::behavior_type {
      return {[this](const audit_record& record) { audited.push_back(record); },
              [](const health_question&) { return health_answer{}; }};
    });
    sut = spawn(breaker_behavior, std::string{"redis"}, breaker_settings{}, audit, wall());
  }

  permit ask_permit() { return *ask<permit>(sut, permit_request{}); }
  breaker_phase fails(std::uint64_t permit = 0) {
    return ask<breaker_standing>(sut, call_outcome{permit, false, "transport: refused", true})->phase;
  }
  breaker_phase succeeds(std::uint64_t permit) {
    return ask<breaker_standing>(sut, call_outcome{permit, true, "", true})->phase;
  }
  void given_an_open_breaker() {
    for (int i = 0; i < 5; ++i) fails();
  }
  std::map<std::string, std::string> facts() {
    const auto answer = ask<health_answer>(sut, health_question{});
    return {answer->facts.begin(), answer->facts.end()};
  }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(tells_the_reporter_that_it_opened, breaker_fixture) {
  for (int i = 0; i < 4; ++i) BOOST_TEST((fails() == breaker_phase::closed));
  BOOST_TEST((fails() == breaker_phase::open));
  BOOST_TEST(!ask_permit().granted);
}

BOOST_FIXTURE_TEST_CASE(goes_half_open_by_itself_when_nobody_asks, breaker_fixture) {
  given_an_open_breaker();
  wait(60s);
  BOOST_REQUIRE(audited.size() == 2u);
  BOOST_TEST(audited[1].details[2].second == "HALF_OPEN");
}

BOOST_FIXTURE_TEST_CASE(audits_every_move, breaker_fixture) {
  given_an_open_breaker();
  caf::anon_send(sut, dependency_restored{});
  settle();
  BOOST_TEST((succeeds(ask_permit().number) == breaker_phase::closed));
  BOOST_REQUIRE(audited.size() == 3u);
  const auto& opened = audited[0];
  BOOST_TEST(opened.what == "breaker_moved");
  BOOST_TEST(opened.actor == "breaker/redis");
  const std::map<std::string, std::string> details{opened.details.begin(), opened.details.end()};
  BOOST_TEST(details.at("number") == "1");
  BOOST_TEST(details.at("from") == "CLOSED");
  BOOST_TEST(details.at("to") == "OPEN");
  BOOST_TEST(details.at("reason") == "transport: refused");
  BOOST_TEST(details.at("failures") == "5");
  BOOST_TEST(details.at("failure_threshold") == "5");
  BOOST_TEST(details.at("open_for_ms") == "60000");
}

BOOST_FIXTURE_TEST_CASE(health_tells_state_and_statistics, breaker_fixture) {
  BOOST_TEST((ask<health_answer>(sut, health_question{})->level == health_level::ok));
  given_an_open_breaker();
  wait(10s);
  BOOST_TEST((ask<health_answer>(sut, health_question{})->level == health_level::degraded));
  auto told = facts();
  BOOST_TEST(told["state"] == "OPEN");
  BOOST_TEST(told["failure_count"] == "5");
  BOOST_TEST(told["retry_after_ms"] == "50000");
  BOOST_TEST(told["time_open_ms"] == "10000");
  BOOST_TEST(told["last_failure_at"] == "2026-01-05T00:00:00.000Z");
}

} // namespace breakwater::test
