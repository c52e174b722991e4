#include "actors/support/timer.hpp"

#include "actors/support/actor_base.hpp"
#include "tests/support/actor_fixture.hpp"

#include <caf/send.hpp>

#include <memory>
#include <vector>

using namespace breakwater;
using namespace std::chrono_literals;

namespace {

using any_actor = caf::typed_actor<caf::reacts_to<wake>, tells_health>;

/// An actor whose only job is to be woken; HEALTH's interface has what that needs.
struct sleeper_state {
  static inline const char* name = "sleeper";
  timer next;
};

struct timer_fixture : test::actor_fixture {
  mono_time start = now();
  std::vector<std::chrono::milliseconds> due_after; ///< Set in this order when the actor starts.
  std::vector<std::chrono::milliseconds> woken_after;

  void sleep_until_all_are_due() {
    spawn([this](self_ptr<any_actor, sleeper_state> self) -> any_actor::behavior_type {
      for (const auto wait : due_after) self->state.next.set(self, start + wait);
      self->state.next.set(self, std::nullopt);
      return {[this, self](wake which) {
                if (!self->state.next.is_due(which)) return;
                woken_after.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(now() - start));
              },
              [](const health_question&) { return health_answer{}; }};
    });
    wait(1h);
  }
};

using waits = std::vector<std::chrono::milliseconds>;

} // namespace

BOOST_FIXTURE_TEST_CASE(an_actor_is_woken_when_it_is_due, timer_fixture) {
  due_after = {30s};
  sleep_until_all_are_due();
  BOOST_TEST((woken_after == waits{30s}));
}

BOOST_FIXTURE_TEST_CASE(an_earlier_time_replaces_a_later_one, timer_fixture) {
  due_after = {30s, 10s};
  sleep_until_all_are_due();
  BOOST_TEST((woken_after == waits{10s}));
}

BOOST_FIXTURE_TEST_CASE(a_later_time_is_not_set_because_the_actor_will_be_asked_again, timer_fixture) {
  due_after = {10s, 30s};
  sleep_until_all_are_due();
  BOOST_TEST((woken_after == waits{10s}));
}

BOOST_FIXTURE_TEST_CASE(a_time_that_has_passed_means_at_once, timer_fixture) {
  due_after = {-5s};
  sleep_until_all_are_due();
  BOOST_TEST((woken_after == waits{0s}));
}

BOOST_FIXTURE_TEST_CASE(without_a_time_nobody_is_woken, timer_fixture) {
  sleep_until_all_are_due();
  BOOST_TEST(woken_after.empty());
}
