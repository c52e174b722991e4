#include "actors/breaker/breaker_actor.hpp"

#include "tests/support/actor_fixture.hpp"
#include "tests/support/fake_breaker_store.hpp"

#include <map>

namespace breakwater::test {
namespace {

struct breaker_fixture : actor_fixture {
  std::vector<audit_record> audited;
  bool audit_works = true;
  bool audit_is_slow = false;
  caf::typed_response_promise<audit_written> unanswered;
  std::shared_ptr<fake_breaker_store> store = std::make_shared<fake_breaker_store>();
  audit_actor audit;
  std::vector<breaker_turned> turns; ///< What the bridge was told.
  bridge_actor bridge;
  breaker_actor sut;

  breaker_fixture() {
    audit = spawn([this](audit_actor::pointer self) -> audit_actor::behavior_type {
      return {[this](const audit_record& record) {
                if (record.what == "answer now")
                  unanswered.deliver(audit_written{1});
                else
                  audited.push_back(record);
              },
              [this, self](const audit_order& order) -> caf::result<audit_written> {
                auto answer = self->make_response_promise<audit_written>();
                if (audit_is_slow) {
                  unanswered = answer;
                } else if (audit_works) {
                  audited.push_back(order.what);
                  answer.deliver(audit_written{audited.size()});
                } else {
                  answer.deliver(make_error(failure{errc::audit_unwritable, "No space left on device"}));
                }
                return answer;
              },
              [](const audit_tail_request&) { return audit_tail{}; },
              [](const health_question&) { return health_answer{}; }};
    });
    bridge = spawn([this](bridge_actor::pointer) -> bridge_actor::behavior_type {
      return {[this](const breaker_turned& turned) { turns.push_back(turned); }, [](const wake&) {},
              [](const health_question&) { return health_answer{}; }};
    });
    starts();
  }
  ~breaker_fixture() { end_actors(); }

  void starts(breaker_settings settings = {}) {
    sut = spawn(breaker_behavior, breaker_options{"redis", settings, wall()}, audit,
                std::vector<bridge_actor>{bridge}, store);
  }
  void begins_again() {
    caf::anon_send_exit(sut, caf::exit_reason::kill);
    settle();
    starts();
  }
  breaker_report report() { return *ask<breaker_report>(sut, breaker_question{}); }
  breaker_order_answer resets(bool override, const std::string& reason = "mended") {
    return *ask<breaker_order_answer>(sut, breaker_reset{override, reason, "alice", "127.0.0.1:9"});
  }
  breaker_order_answer forces_open() {
    return *ask<breaker_order_answer>(sut, breaker_force_open{"maintenance", "alice", "127.0.0.1:9"});
  }
  /// What the bridge was told since it was last asked: "OPEN holds back, HALF_OPEN".
  std::string told() {
    settle();
    std::string all;
    for (const auto& turn : std::exchange(turns, {}))
      all += (all.empty() ? "" : ", ") + std::string{to_string(turn.phase)} +
             (turn.holds_back ? " holds back" : "");
    return all;
  }
  permit gate(bool reduces_risk) { return *ask<permit>(sut, gate_request{reduces_risk}); }
  void became(const permit& leave, gate_outcome::what how) {
    caf::anon_send(sut, gate_outcome{leave.number, how});
    settle();
  }
  static std::string detail(const audit_record& record, const std::string& key) {
    for (const auto& [name, value] : record.details)
      if (name == key) return value;
    return "none";
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

BOOST_FIXTURE_TEST_CASE(bridges_are_told_of_every_move, breaker_fixture) {
  BOOST_TEST(told() == ""); // it begins closed
  for (int i = 0; i < 4; ++i) fails();
  BOOST_TEST(told() == "");
  fails();
  BOOST_TEST(told() == "OPEN holds back");
  wait(60s); // nobody asks
  BOOST_TEST(told() == "HALF_OPEN");
  fails();
  BOOST_TEST(told() == "OPEN holds back");
  wait(2min);
  succeeds(0);
  BOOST_TEST(told() == "HALF_OPEN, CLOSED");
  forces_open();
  BOOST_TEST(told() == "FORCED_OPEN holds back");
  resets(true);
  BOOST_TEST(told() == "CLOSED");
  resets(true); // no move
  BOOST_TEST(told() == "");
}

BOOST_FIXTURE_TEST_CASE(bridges_are_told_where_it_stands_when_it_begins_not_closed, breaker_fixture) {
  begins_again();
  BOOST_TEST(told() == "");
  given_an_open_breaker();
  told();
  begins_again();
  BOOST_TEST(told() == "OPEN holds back");
  wait(60s);
  told();
  begins_again();
  BOOST_TEST(told() == "HALF_OPEN");
  forces_open();
  told();
  begins_again();
  BOOST_TEST(told() == "FORCED_OPEN holds back");
}

BOOST_FIXTURE_TEST_CASE(observing_it_tells_bridges_to_hold_nothing_back, breaker_fixture) {
  breaker_settings observing;
  observing.mode = breaker_mode::observe;
  starts(observing);
  given_an_open_breaker();
  BOOST_TEST(told() == "OPEN");
  BOOST_TEST(gate(false).granted);
}

BOOST_FIXTURE_TEST_CASE(what_became_of_intents_survives_a_restart, breaker_fixture) {
  using enum gate_outcome::what;
  became(gate(false), passed);
  became(gate(false), unused);
  given_an_open_breaker();
  const auto refused = gate(false);
  BOOST_TEST(!refused.granted);
  became(refused, held);
  became(gate(true), passed);
  begins_again();
  const auto seen = report().statistics;
  BOOST_TEST(seen.allowed == 2u);
  BOOST_TEST(seen.blocked == 1u);
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
  BOOST_TEST(told["retry_at"] == "2026-01-05T00:01:00.000Z");
  BOOST_TEST(told["time_open_ms"] == "10000");
  BOOST_TEST(told["last_failure_at"] == "2026-01-05T00:00:00.000Z");
}

BOOST_FIXTURE_TEST_CASE(an_unsafe_reset_is_refused_with_reasons_and_audited, breaker_fixture) {
  given_an_open_breaker();
  const auto answer = resets(false);
  BOOST_TEST(!answer.done);
  BOOST_TEST(answer.refused.size() == 2u);
  BOOST_TEST((report().phase == breaker_phase::open));
  const auto& written = audited.back();
  BOOST_TEST(written.what == "breaker_reset");
  BOOST_TEST(written.actor == "breaker/redis");
  BOOST_TEST(detail(written, "granted") == "no");
  BOOST_TEST(detail(written, "who") == "alice");
  BOOST_TEST(detail(written, "from") == "127.0.0.1:9");
  BOOST_TEST(detail(written, "refused").find("5 failures within the last 300 s") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(an_override_resets_and_the_audit_has_it_before_the_move, breaker_fixture) {
  given_an_open_breaker();
  const auto answer = resets(true, "Testing");
  BOOST_TEST(answer.done);
  BOOST_TEST((answer.report.phase == breaker_phase::closed));
  BOOST_REQUIRE(audited.size() == 3u); // opened, the order, closed
  BOOST_TEST(audited[1].what == "breaker_reset");
  BOOST_TEST(detail(audited[1], "granted") == "yes");
  BOOST_TEST(detail(audited[1], "override") == "yes");
  BOOST_TEST(detail(audited[2], "reason") == "reset: Testing");
  BOOST_TEST(detail(audited[2], "by") == "alice");
  BOOST_TEST(ask_permit().granted);
}

BOOST_FIXTURE_TEST_CASE(what_the_audit_cannot_write_does_not_happen, breaker_fixture) {
  given_an_open_breaker();
  audit_works = false;
  const auto answer = ask<breaker_order_answer>(sut, breaker_reset{true, "Testing", "alice", "x"});
  BOOST_REQUIRE(!answer);
  BOOST_TEST(static_cast<int>(to_failure(answer.error()).code) == static_cast<int>(errc::audit_unwritable));
  BOOST_TEST((report().phase == breaker_phase::open));
  BOOST_TEST(!ask<breaker_order_answer>(sut, breaker_force_open{"x", "alice", "x"}));
  BOOST_TEST((report().phase == breaker_phase::open));
}

BOOST_FIXTURE_TEST_CASE(an_audit_that_does_not_answer_is_as_one_that_cannot_write, breaker_fixture) {
  given_an_open_breaker();
  audit_is_slow = true;
  caf::scoped_actor me{sys, true};
  auto pending = me->request(sut, caf::infinite, breaker_reset{true, "Testing", "alice", "x"});
  wait(2s);
  BOOST_TEST(!me->has_next_message());
  wait(2s);
  BOOST_REQUIRE(me->has_next_message());
  pending.receive([](const breaker_order_answer&) { BOOST_ERROR("it was carried out"); },
                  [](caf::error& error) { BOOST_TEST((to_failure(error).code == errc::audit_unwritable)); });
  caf::anon_send(audit, audit_record{"answer now", {}, {}}); // too late
  settle();
  BOOST_TEST((report().phase == breaker_phase::open));
  BOOST_TEST(audited.back().what == "breaker_order_abandoned");
  BOOST_TEST(detail(audited.back(), "order") == "breaker_reset");
}

BOOST_FIXTURE_TEST_CASE(opened_by_an_operator_it_stays_open_over_a_restart, breaker_fixture) {
  BOOST_TEST(forces_open().done);
  begins_again();
  wait(24h);
  BOOST_TEST((report().phase == breaker_phase::forced_open));
  BOOST_TEST(!ask_permit().granted);
}

BOOST_FIXTURE_TEST_CASE(with_mode_off_it_cannot_be_opened, breaker_fixture) {
  breaker_settings off;
  off.mode = breaker_mode::off;
  starts(off);
  const auto answer = forces_open();
  BOOST_TEST(!answer.done);
  BOOST_TEST(answer.refused.at(0) == "breaker.redis.mode is off: this breaker never opens");
}

BOOST_FIXTURE_TEST_CASE(state_history_and_statistics_survive_a_restart, breaker_fixture) {
  succeeds(ask_permit().number);
  given_an_open_breaker();
  ask_permit();
  const auto before = report();
  const auto moves = ask<breaker_history>(sut, breaker_history_request{10})->moves;
  begins_again();
  const auto after = report();
  BOOST_TEST((after.phase == breaker_phase::open));
  BOOST_TEST((after.statistics == before.statistics));
  BOOST_TEST(after.statistics.blocked == 1u);
  BOOST_TEST((ask<breaker_history>(sut, breaker_history_request{10})->moves == moves));
  wait(60s); // its timer survived, too
  BOOST_TEST(audited.back().details[2].second == "HALF_OPEN");
}

BOOST_FIXTURE_TEST_CASE(a_state_that_cannot_be_read_is_told_and_it_starts_closed, breaker_fixture) {
  given_an_open_breaker();
  store->state["redis"] = "{\"version\":99}";
  begins_again();
  BOOST_TEST((report().phase == breaker_phase::closed));
}

BOOST_FIXTURE_TEST_CASE(a_store_that_fails_degrades_health_and_nothing_else, breaker_fixture) {
  store->fails = true;
  given_an_open_breaker();
  wait(60s);
  succeeds(ask_permit().number);
  const auto answer = ask<health_answer>(sut, health_question{});
  BOOST_TEST((answer->level == health_level::degraded));
  BOOST_TEST(answer->why == "its state cannot be kept: disk on fire");
  store->fails = false;
  BOOST_TEST((ask<health_answer>(sut, health_question{})->level == health_level::ok));
}

} // namespace breakwater::test
