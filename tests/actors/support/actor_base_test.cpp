#include "actors/support/actor_base.hpp"

#include "actors/support/expects.hpp"
#include "tests/support/actor_fixture.hpp"

#include <caf/actor_cast.hpp>

#include <stdexcept>
#include <string>

using namespace breakwater;

namespace {

enum class trouble { none, throws, throws_an_int, breaks_an_invariant, asks_a_dead_actor };

struct child_state {
  static inline const char* name = "child";
};
watched_actor::behavior_type child(self_ptr<watched_actor, child_state> self, trouble what) {
  return {[self, what](const health_question&) {
    if (what == trouble::throws) throw std::runtime_error("disk on fire");
    if (what == trouble::throws_an_int) throw 42;
    expects(what != trouble::breaks_an_invariant, "ids grow");
    if (what == trouble::asks_a_dead_actor) {
      const auto dead = self->spawn([](caf::event_based_actor* other) { other->quit(); });
      self->request(dead, caf::infinite, health_question{}).then([](const health_answer&) {});
    }
    return health_answer{};
  }};
}

struct base_fixture : test::actor_fixture {
  /// Asks the child, and says why it ended; empty: it lives.
  failure end_after_question(const watched_actor& whom) {
    caf::scoped_actor me{sys, true};
    me->monitor(whom);
    caf::anon_send(whom, health_question{});
    settle();
    failure why;
    if (me->has_next_message()) me->receive([&](caf::down_msg& down) { why = to_failure(down.reason); });
    return why;
  }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(an_exception_ends_the_actor_and_is_told_as_the_cause, base_fixture) {
  const auto why = end_after_question(spawn(child, trouble::throws));
  BOOST_TEST((why.code == errc::crashed));
  BOOST_TEST(why.detail == "disk on fire");
  BOOST_TEST(end_after_question(spawn(child, trouble::throws_an_int)).detail ==
             "an exception of unknown type");
  BOOST_TEST(end_after_question(spawn(child, trouble::breaks_an_invariant)).detail ==
             "expected that ids grow");
}

BOOST_FIXTURE_TEST_CASE(whoever_asked_gets_the_same_cause, base_fixture) {
  const auto answer = ask<health_answer>(spawn(child, trouble::throws), health_question{});
  BOOST_REQUIRE(!answer);
  BOOST_TEST((answer.error() == errc::crashed));
  BOOST_TEST(to_failure(answer.error()).detail == "disk on fire");
}

BOOST_FIXTURE_TEST_CASE(an_error_nobody_handles_does_not_end_the_actor, base_fixture) {
  const auto it = spawn(child, trouble::asks_a_dead_actor);
  BOOST_TEST((end_after_question(it).code == errc::none));
  BOOST_TEST(static_cast<bool>(ask<health_answer>(it, health_question{})));
}

BOOST_FIXTURE_TEST_CASE(an_unknown_message_is_dropped_but_chaos_kills, base_fixture) {
  const auto it = spawn(child, trouble::none);
  caf::anon_send(caf::actor_cast<caf::actor>(it), std::string{"what is this"});
  settle();
  BOOST_TEST(static_cast<bool>(ask<health_answer>(it, health_question{})));

  caf::scoped_actor me{sys, true};
  me->monitor(it);
  caf::anon_send(caf::actor_cast<caf::actor>(it), chaos_kill{"child"});
  settle();
  BOOST_REQUIRE(me->has_next_message());
  me->receive([](caf::down_msg& down) { BOOST_TEST(to_failure(down.reason).detail == "killed by [chaos]"); });
}

BOOST_AUTO_TEST_CASE(a_failure_survives_its_way_through_caf) {
  const auto back = to_failure(make_error(failure{errc::redis_refused, "OOM command not allowed"}));
  BOOST_TEST((back.code == errc::redis_refused));
  BOOST_TEST(back.detail == "OOM command not allowed");
  const auto foreign = to_failure(caf::make_error(caf::sec::request_timeout));
  BOOST_TEST((foreign.code == errc::foreign));
  BOOST_TEST(foreign.detail.find("request_timeout") != std::string::npos, foreign.detail);
}
