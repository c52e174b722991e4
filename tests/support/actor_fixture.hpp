#pragma once

#include "messages/time.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <chrono>
#include <vector>

namespace breakwater::test {

using namespace std::chrono_literals;

/// One thread, first-in-first-out jobs and a clock that moves only when the test says so.
struct actor_fixture {
  struct config : caf::actor_system_config {
    config() { set("scheduler.policy", caf::atom("testing")); }
  };

  config cfg;
  caf::actor_system sys{cfg};
  caf::scheduler::test_coordinator& scheduler =
      dynamic_cast<caf::scheduler::test_coordinator&>(sys.scheduler());
  caf::detail::test_actor_clock& clock = scheduler.clock();
  std::vector<caf::strong_actor_ptr> started;

  actor_fixture() {
    clock.current_time += 1h; // so that "an hour ago" is a time
    settle();
  }
  /// An actor that is still alive then was leaked (a cycle of handles, a missing exit).
  ~actor_fixture() {
    end_actors();
    clock.cancel_all();
    BOOST_CHECK_EQUAL(sys.registry().running(), 0u);
    sys.await_actors_before_shutdown(false);
  }

  template <class... Ts>
  auto spawn(Ts&&... arguments) {
    auto handle = sys.spawn(std::forward<Ts>(arguments)...);
    started.push_back(caf::actor_cast<caf::strong_actor_ptr>(handle));
    return handle;
  }

  /// Ends every actor the test started. A derived fixture whose members the actors use calls it when it ends.
  void end_actors() {
    for (auto& actor : started) caf::anon_send_exit(actor, caf::exit_reason::kill);
    started.clear();
    settle();
  }

  /// Runs everything that can run at this instant.
  std::size_t settle(std::size_t limit = 100000) {
    std::size_t ran = 0;
    while (ran < limit && scheduler.try_run_once()) ++ran;
    BOOST_CHECK_MESSAGE(ran < limit, "actors never settle");
    return ran;
  }

  /// Lets `time` pass: timers go off in order, one due instant at a time.
  void wait(caf::actor_clock::duration_type time) {
    settle();
    const auto until = clock.now() + time;
    while (!clock.schedule().empty() && clock.schedule().begin()->first <= until) {
      clock.advance_time(std::max(clock.schedule().begin()->first, clock.now()) - clock.now());
      settle();
    }
    clock.advance_time(until - clock.now());
    settle();
  }

  /// The answer to a question, which must come without time passing.
  template <class Reply, class Handle, class... Xs>
  caf::expected<Reply> ask(const Handle& whom, Xs&&... question) {
    caf::scoped_actor me{sys, true};
    caf::expected<Reply> answer{caf::sec::none};
    auto pending = me->request(whom, caf::infinite, std::forward<Xs>(question)...);
    settle();
    BOOST_REQUIRE_MESSAGE(me->has_next_message(), "no answer without advancing time");
    pending.receive([&](Reply& reply) { answer = std::move(reply); },
                    [&](caf::error& error) { answer = std::move(error); });
    return answer;
  }

  mono_time now() const { return clock.now(); }
  /// A wall clock that moves with the virtual time, from 2026-01-05T00:00:00Z.
  wall_clock wall() {
    return [this, start = clock.now()] {
      return wall_time_from_ms(1767571200000) +
             std::chrono::duration_cast<std::chrono::milliseconds>(clock.now() - start);
    };
  }
};

} // namespace breakwater::test
