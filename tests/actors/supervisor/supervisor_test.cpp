#include "actors/supervisor/supervisor_actor.hpp"

#include "actors/support/relay.hpp"
#include "tests/support/actor_fixture.hpp"

#include <map>
#include <memory>
#include <stdexcept>
#include <string>

using namespace breakwater;
using namespace breakwater::test;

namespace {

using journal = std::vector<std::string>;

/// A child with any interface; what it is told makes it fail.
using any_child = caf::typed_actor<caf::reacts_to<wake>, tells_health>;
constexpr wake fail{1}, end_by_itself{2}, work{3};

struct any_child_state {
  static inline const char* name = "child";
};

any_child::behavior_type any_child_behavior(self_ptr<any_child, any_child_state> self, std::string name,
                                            std::shared_ptr<journal> says, bool ignores_exit) {
  says->push_back("start " + name);
  self->attach_functor([=](const caf::error&) { says->push_back("end " + name); });
  if (ignores_exit) self->set_exit_handler([](caf::exit_msg&) {}); // as a hanging handler would
  return {[=](wake what) {
            if (what.number == fail.number) throw std::runtime_error(name + " has a bug");
            if (what.number == end_by_itself.number) self->quit();
            if (what.number == work.number) says->push_back("work " + name);
          },
          [](health_question) { return health_answer{}; }};
}

struct fake_audit_state {
  static inline const char* name = "audit";
};

struct supervisor_fixture : actor_fixture {
  std::shared_ptr<journal> says =
      std::make_shared<journal>(); ///< Outlives the actors, which write to it at their end.
  std::vector<audit_record> audited;
  int hangs = 0;
  supervisor_options options;
  std::map<std::string, any_child> peer; ///< By name: the relay that peers hold.
  std::vector<child_spec> specs;
  supervisor_actor sut;

  supervisor_fixture() {
    options.audit = spawn([this](audit_actor::pointer) -> audit_actor::behavior_type {
      return {[this](const audit_record& record) { audited.push_back(record); },
              [](const audit_order&) { return audit_written{}; },
              [](const audit_tail_request&) { return audit_tail{}; },
              [](health_question) { return health_answer{}; }};
    });
    options.on_hang = [this] { ++hangs; };
  }

  /// `failing_starts`: so often the start function throws before a child comes to be.
  void has(const std::string& name, int failing_starts = 0, bool ignores_exit = false) {
    peer[name] = make_relay<any_child>(sys);
    auto left = std::make_shared<int>(failing_starts);
    specs.push_back(child(name, peer[name], [=, this](caf::actor_system&) -> any_child {
      if ((*left)-- > 0) throw std::runtime_error(name + " cannot start");
      return spawn(any_child_behavior, name, says, ignores_exit);
    }));
  }
  void has_all(std::initializer_list<const char*> names) {
    for (const auto* name : names) has(name);
  }
  void supervise(restart_strategy how = restart_strategy::one_for_one) {
    options.strategy = how;
    sut = spawn(supervisor_behavior, specs, options);
    settle();
  }
  void tell(const std::string& name, wake what) {
    caf::anon_send(peer[name], what);
    settle();
  }
  bool lives(const std::string& name) {
    return static_cast<bool>(ask<health_answer>(peer[name], health_question{}));
  }
  /// What happened since it was last asked.
  std::string story() {
    std::string all;
    for (const auto& one : *says) all += (all.empty() ? "" : ", ") + one;
    says->clear();
    return all;
  }
  static std::string detail(const audit_record& record, const std::string& key) {
    for (const auto& [k, v] : record.details)
      if (k == key) return v;
    return "-";
  }
  /// How the supervisor ended; it must have.
  failure cause_of_end() {
    caf::scoped_actor me{sys, true};
    me->monitor(sut);
    settle();
    BOOST_TEST_REQUIRE(me->has_next_message(), "the supervisor lives");
    failure why;
    me->receive([&](const caf::down_msg& down) { why = down.reason ? to_failure(down.reason) : failure{}; });
    return why;
  }
  /// Asks it to stop; true once it has answered.
  bool stop() { return static_cast<bool>(ask<stopped>(sut, stop_request{})); }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(supervisor_, supervisor_fixture)

BOOST_AUTO_TEST_CASE(children_start_in_order) {
  has_all({"a", "b", "c"});
  supervise();
  BOOST_TEST(story() == "start a, start b, start c");
  for (const auto* name : {"a", "b", "c"}) BOOST_TEST(lives(name));
  const auto health = *ask<health_answer>(sut, health_question{});
  BOOST_TEST((health.level == health_level::ok));
  BOOST_TEST(health.facts.at(0).second == "3/3");
}

BOOST_AUTO_TEST_CASE(a_failed_child_is_restarted_after_the_wait_and_its_peers_reach_it_again) {
  has_all({"a", "b", "c"});
  supervise();
  story();
  tell("b", fail);
  BOOST_TEST(story() == "end b");
  BOOST_TEST(!lives("b")); // a request is answered at once with an error
  BOOST_TEST(lives("a"));
  BOOST_TEST(lives("c"));
  auto health = *ask<health_answer>(sut, health_question{});
  BOOST_TEST((health.level == health_level::degraded));
  BOOST_TEST(health.facts.at(0).second == "2/3");
  wait(99ms);
  BOOST_TEST(story() == "");
  wait(1ms);
  BOOST_TEST(story() == "start b"); // and nobody else
  BOOST_TEST(lives("b"));
  health = *ask<health_answer>(sut, health_question{});
  BOOST_TEST((health.level == health_level::ok));
  BOOST_TEST((health.facts.back() == std::pair<std::string, std::string>{"restarts.b", "1"}));
}

BOOST_AUTO_TEST_CASE(the_cause_of_a_restart_is_audited) {
  has_all({"a"});
  supervise();
  tell("a", fail);
  BOOST_TEST_REQUIRE(audited.size() == 1u);
  BOOST_TEST(audited[0].what == "actor_failed");
  BOOST_TEST(audited[0].actor == "a");
  BOOST_TEST(detail(audited[0], "errc") == "crashed");
  BOOST_TEST(detail(audited[0], "reason") == "a has a bug");
  BOOST_TEST(detail(audited[0], "restarts") == "1");
  BOOST_TEST(detail(audited[0], "wait_ms") == "100");
}

BOOST_AUTO_TEST_CASE(waits_grow_while_a_child_keeps_failing) {
  has_all({"a"});
  supervise();
  for (const auto* wait_ms : {"100", "200", "400"}) {
    tell("a", fail);
    BOOST_TEST(detail(audited.back(), "wait_ms") == wait_ms);
    wait(milliseconds{std::stoi(wait_ms)});
    BOOST_TEST(lives("a"));
  }
}

BOOST_AUTO_TEST_CASE(a_child_that_ends_by_itself_is_restarted) {
  has_all({"a"});
  supervise();
  tell("a", end_by_itself);
  BOOST_TEST(!lives("a"));
  BOOST_TEST(detail(audited.at(0), "reason") == "it ended by itself");
  wait(100ms);
  BOOST_TEST(lives("a"));
}

BOOST_AUTO_TEST_CASE(two_children_that_fail_together_are_both_restarted) {
  has_all({"a", "b", "c"});
  supervise();
  story();
  caf::anon_send(peer["a"], fail);
  caf::anon_send(peer["c"], fail);
  wait(100ms);
  BOOST_TEST(story() == "end a, end c, start a, start c");
}

BOOST_AUTO_TEST_CASE(a_start_that_throws_is_tried_again_and_the_others_are_not_kept_waiting) {
  has("a");
  has("b", 2);
  has("c");
  supervise();
  BOOST_TEST(story() == "start a, start c");
  BOOST_TEST(detail(audited.at(0), "reason") == "b cannot start");
  BOOST_TEST(detail(audited.at(0), "errc") == "crashed");
  BOOST_TEST(!lives("b"));
  wait(100ms + 200ms);
  BOOST_TEST(story() == "start b");
  BOOST_TEST(lives("b"));
}

BOOST_AUTO_TEST_CASE(too_many_failures_stop_everybody_and_end_the_supervisor) {
  options.limits.max_restarts = 2;
  has_all({"a", "b", "c"});
  supervise();
  tell("a", fail);
  wait(100ms);
  tell("c", fail);
  wait(100ms);
  story();
  tell("b", fail);
  BOOST_TEST(story() == "end b, end c, end a");
  BOOST_TEST_REQUIRE(audited.size() == 4u); // three failures, and that it gave up
  BOOST_TEST(detail(audited[2], "wait_ms") == "never");
  BOOST_TEST(audited[3].what == "restarts_exhausted");
  const auto why = cause_of_end();
  BOOST_TEST((why.code == errc::restart_intensity));
  BOOST_TEST(why.detail == "b: b has a bug");
  wait(1h);
  BOOST_TEST(story() == "");
}

BOOST_AUTO_TEST_CASE(failures_far_apart_are_not_too_many) {
  options.limits.max_restarts = 2;
  has_all({"a"});
  supervise();
  for (int i = 0; i < 20; ++i) {
    tell("a", fail);
    wait(31s);
    BOOST_TEST(lives("a"));
  }
}

BOOST_AUTO_TEST_CASE(nobody_is_started_any_more_once_the_first_start_gave_up) {
  for (auto how : {restart_strategy::one_for_one, restart_strategy::rest_for_one}) {
    options.limits.max_restarts = 0;
    specs.clear();
    has("a");
    has("b", 1);
    has("c");
    supervise(how);
    BOOST_TEST(story() == "start a, end a");
    BOOST_TEST((cause_of_end().code == errc::restart_intensity));
  }
}

BOOST_AUTO_TEST_CASE(rest_for_one_stops_the_later_ones_in_reverse_and_starts_them_in_order) {
  has_all({"a", "b", "c", "d"});
  supervise(restart_strategy::rest_for_one);
  story();
  tell("b", fail);
  BOOST_TEST(story() == "end b, end d, end c");
  BOOST_TEST(lives("a"));
  wait(99ms);
  BOOST_TEST(story() == "");
  wait(1ms);
  BOOST_TEST(story() == "start b, start c, start d");
  for (const auto* name : {"a", "b", "c", "d"}) BOOST_TEST(lives(name));
  BOOST_TEST(audited.size() == 1u); // the others did not fail
}

BOOST_AUTO_TEST_CASE(in_rest_for_one_an_earlier_failure_takes_over_a_waiting_restart) {
  has_all({"a", "b", "c"});
  supervise(restart_strategy::rest_for_one);
  story();
  tell("c", fail);
  wait(50ms);
  tell("a", fail);
  BOOST_TEST(story() == "end c, end a, end b");
  wait(60ms);
  BOOST_TEST(story() == ""); // the restart that waited for c alone is off
  wait(40ms);
  BOOST_TEST(story() == "start a, start b, start c");
}

BOOST_AUTO_TEST_CASE(in_rest_for_one_a_start_that_throws_holds_up_the_later_ones) {
  has("a");
  has("b", 1);
  has("c");
  supervise(restart_strategy::rest_for_one);
  BOOST_TEST(story() == "start a");
  wait(100ms);
  BOOST_TEST(story() == "start b, start c");
}

BOOST_AUTO_TEST_CASE(a_failure_of_the_audit_itself_is_audited_once_it_is_back) {
  const auto audit = make_relay<audit_actor>(sys);
  specs.push_back(child("audit", audit, [this](caf::actor_system&) -> audit_actor {
    return spawn([this](self_ptr<audit_actor, fake_audit_state>) -> audit_actor::behavior_type {
      return {[this](const audit_record& record) { audited.push_back(record); },
              [](const audit_order&) { return audit_written{}; },
              [](const audit_tail_request&) { return audit_tail{}; },
              [](health_question) { return health_answer{}; }};
    });
  }));
  has("a");
  options.audit = audit;
  supervise();
  caf::anon_send(sut, chaos_kill{"audit"});
  settle();
  tell("a", fail); // while the audit is away
  BOOST_TEST(audited.empty());
  wait(100ms);
  BOOST_TEST_REQUIRE(audited.size() == 2u);
  BOOST_TEST(audited[0].actor == "audit");
  BOOST_TEST(detail(audited[0], "reason") == "killed by [chaos]");
  BOOST_TEST(audited[1].actor == "a");
}

BOOST_AUTO_TEST_CASE(a_stop_ends_all_in_reverse_and_is_answered_after_the_last) {
  has_all({"a", "b", "c"});
  supervise();
  story();
  BOOST_TEST(stop());
  BOOST_TEST(story() == "end c, end b, end a");
  BOOST_TEST((cause_of_end().code == errc::none));
  BOOST_TEST(audited.empty());
  BOOST_TEST(hangs == 0);
  wait(1h);
  BOOST_TEST(story() == "");
}

BOOST_AUTO_TEST_CASE(a_child_finishes_what_it_was_given_before_the_stop) {
  has_all({"a"});
  supervise();
  story();
  for (int i = 0; i < 3; ++i) caf::anon_send(peer["a"], work);
  BOOST_TEST(stop());
  BOOST_TEST(story() == "work a, work a, work a, end a");
}

BOOST_AUTO_TEST_CASE(a_stop_does_not_wait_for_a_restart) {
  has_all({"a", "b"});
  supervise();
  tell("b", fail);
  story();
  BOOST_TEST(stop());
  BOOST_TEST(story() == "end a");
  wait(1h);
  BOOST_TEST(story() == "");
}

BOOST_AUTO_TEST_CASE(two_who_ask_for_a_stop_are_both_answered) {
  has_all({"a", "b"});
  supervise();
  caf::scoped_actor first{sys, true}, second{sys, true};
  auto first_pending = first->request(sut, caf::infinite, stop_request{});
  auto second_pending = second->request(sut, caf::infinite, stop_request{});
  settle();
  for (auto* me : {&first, &second}) BOOST_TEST_REQUIRE((*me)->has_next_message());
  int answers = 0;
  const auto count = [&](const stopped&) { ++answers; };
  const auto complain = [](const caf::error&) { BOOST_ERROR("no answer"); };
  first_pending.receive(count, complain);
  second_pending.receive(count, complain);
  BOOST_TEST(answers == 2);
}

BOOST_AUTO_TEST_CASE(a_child_that_overstays_its_grace_is_a_hang) {
  has("a");
  has("b", 0, true);
  supervise();
  caf::anon_send(sut, stop_request{});
  wait(5s - 1ms);
  BOOST_TEST(hangs == 0);
  wait(1ms);
  BOOST_TEST(hangs == 1);
}

BOOST_AUTO_TEST_CASE(an_unresponsive_child_is_ended_ahead_of_its_backlog_and_restarted) {
  has_all({"a", "b"});
  supervise();
  story();
  caf::anon_send(sut, child_unresponsive{"a"}); // it runs first, when the work is in the mailbox already
  for (int i = 0; i < 100; ++i) caf::anon_send(peer["a"], work);
  settle();
  BOOST_TEST(says->size() < 50u);
  BOOST_TEST(says->back() == "end a");
  BOOST_TEST(detail(audited.at(0), "errc") == "unresponsive");
  BOOST_TEST(detail(audited.at(0), "reason") == "did not answer two health ticks");
  story();
  wait(100ms);
  BOOST_TEST(story() == "start a");
  BOOST_TEST(lives("a"));
  wait(1min);
  BOOST_TEST(hangs == 0);
}

BOOST_AUTO_TEST_CASE(an_unresponsive_child_that_does_not_go_is_a_hang_however_often_it_is_told) {
  options.limits.grace = 2min; // longer than health takes to say it again
  has("a", 0, true);
  supervise();
  for (int i = 0; i < 4; ++i) {
    BOOST_TEST(hangs == (i < 2 ? 0 : 1));
    caf::anon_send(sut, child_unresponsive{"a"});
    wait(1min);
  }
}

BOOST_AUTO_TEST_CASE(an_unresponsive_child_that_is_away_already_is_left_alone) {
  has_all({"a"});
  supervise();
  tell("a", fail);
  caf::anon_send(sut, child_unresponsive{"a"});
  caf::anon_send(sut, child_unresponsive{"nobody"});
  wait(1min);
  BOOST_TEST(hangs == 0);
  BOOST_TEST(audited.size() == 1u);
  BOOST_TEST(lives("a"));
}

BOOST_AUTO_TEST_CASE(chaos_ends_the_named_child_as_a_bug_would) {
  has_all({"a", "b"});
  supervise();
  story();
  caf::anon_send(sut, chaos_kill{"b"});
  settle();
  BOOST_TEST(story() == "end b");
  BOOST_TEST(audited.at(0).actor == "b");
  BOOST_TEST(detail(audited.at(0), "errc") == "crashed");
  BOOST_TEST(detail(audited.at(0), "reason") == "killed by [chaos]");
  wait(100ms);
  BOOST_TEST(story() == "start b");
}

BOOST_AUTO_TEST_CASE(a_supervisor_that_is_killed_leaves_no_orphans) {
  has_all({"a", "b"});
  supervise();
  started.clear(); // so that nobody else ends them
  started.push_back(caf::actor_cast<caf::strong_actor_ptr>(options.audit));
  caf::anon_send_exit(sut, caf::exit_reason::kill);
  settle();
  BOOST_TEST(!lives("a"));
  BOOST_TEST(!lives("b"));
}

BOOST_AUTO_TEST_CASE(it_reports_who_runs_and_what_ended_whom) {
  options.clock = wall();
  has_all({"a", "b"});
  supervise();
  wait(3s);
  const auto failed_at = options.clock();
  tell("b", fail);
  auto told = *ask<supervision_report>(sut, supervision_question{});
  BOOST_REQUIRE(told.children.size() == 2u);
  BOOST_TEST((told.children[0].name == "a" && told.children[0].running && told.children[0].age == 3s));
  BOOST_TEST((told.children[0].restarts == 0u && told.children[0].last_cause.empty()));
  BOOST_TEST((told.children[1].name == "b" && !told.children[1].running && told.children[1].restarts == 1u));
  BOOST_TEST(told.children[1].last_cause == "crashed: b has a bug");
  BOOST_TEST((told.children[1].last_failed_at == failed_at));
  BOOST_TEST((told.recent == 1u && told.most == options.limits.max_restarts));
  wait(1s);
  told = *ask<supervision_report>(sut, supervision_question{});
  BOOST_TEST((told.children[1].running && told.children[1].last_cause == "crashed: b has a bug"));
}

BOOST_AUTO_TEST_SUITE_END()
