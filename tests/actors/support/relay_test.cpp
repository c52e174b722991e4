#include "actors/support/relay.hpp"

#include "actors/support/actor_base.hpp"
#include "tests/support/actor_fixture.hpp"

#include <caf/actor_cast.hpp>
#include <caf/exit_reason.hpp>

#include <string>

using namespace breakwater;

namespace {

/// Something that answers health questions with its own name.
struct child_state {
  static inline const char* name = "child";
};
watched_actor::behavior_type child(self_ptr<watched_actor, child_state>, std::string who, int* heard) {
  return {[who, heard](const health_question&) {
    ++*heard;
    return health_answer{health_level::ok, who, {}};
  }};
}

struct relay_fixture : test::actor_fixture {
  watched_actor address = make_relay<watched_actor>(sys);
  int heard = 0;

  caf::strong_actor_ptr start(const std::string& who) {
    return caf::actor_cast<caf::strong_actor_ptr>(spawn(child, who, &heard));
  }
  void bind(caf::strong_actor_ptr target) {
    bind_relay(caf::actor_cast<caf::strong_actor_ptr>(address), std::move(target));
  }
  /// Who answers at the address, or the error as text.
  std::string who_answers() {
    auto answer = ask<health_answer>(address, health_question{});
    return answer ? answer->why : sys.render(answer.error());
  }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(a_question_reaches_the_bound_child_and_its_answer_comes_back, relay_fixture) {
  bind(start("first"));
  BOOST_TEST(who_answers() == "first");
}

BOOST_FIXTURE_TEST_CASE(peers_keep_the_address_when_the_child_is_restarted, relay_fixture) {
  const auto first = start("first");
  bind(first);
  BOOST_TEST(who_answers() == "first");
  caf::anon_send_exit(first, caf::exit_reason::kill);
  settle();
  bind(start("second"));
  BOOST_TEST(who_answers() == "second");
}

BOOST_FIXTURE_TEST_CASE(while_nobody_is_bound_a_question_is_answered_at_once_with_an_error, relay_fixture) {
  BOOST_TEST((ask<health_answer>(address, health_question{}).error() == caf::sec::request_receiver_down));
  bind(start("first"));
  bind(nullptr);
  BOOST_TEST((ask<health_answer>(address, health_question{}).error() == caf::sec::request_receiver_down));
  BOOST_TEST(heard == 0);
}

BOOST_FIXTURE_TEST_CASE(while_nobody_is_bound_other_messages_are_dropped, relay_fixture) {
  caf::anon_send(address, health_question{});
  settle();
  bind(start("first"));
  settle();
  BOOST_TEST(heard == 0);
  caf::anon_send(address, health_question{});
  settle();
  BOOST_TEST(heard == 1);
}

BOOST_FIXTURE_TEST_CASE(a_question_to_a_child_that_ended_fails_at_once, relay_fixture) {
  const auto first = start("first");
  bind(first);
  caf::anon_send_exit(first, caf::exit_reason::kill);
  settle();
  BOOST_TEST((ask<health_answer>(address, health_question{}).error() == caf::sec::request_receiver_down));
}

BOOST_FIXTURE_TEST_CASE(an_exit_message_to_the_address_ends_nobody, relay_fixture) {
  bind(start("first"));
  caf::anon_send_exit(address, caf::exit_reason::kill);
  caf::anon_send_exit(address, caf::exit_reason::user_shutdown);
  settle();
  BOOST_TEST(who_answers() == "first");
}

BOOST_FIXTURE_TEST_CASE(each_address_is_its_own, relay_fixture) {
  const auto other = make_relay<watched_actor>(sys);
  bind(start("first"));
  bind_relay(caf::actor_cast<caf::strong_actor_ptr>(other), start("second"));
  BOOST_TEST(who_answers() == "first");
  BOOST_TEST(ask<health_answer>(other, health_question{})->why == "second");
  BOOST_TEST((address != other));
}
