#include "actors/breaker/breaker.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>
#include <ostream>
#include <random>
#include <set>
#include <vector>

namespace breakwater {
std::ostream& boost_test_print_type(std::ostream& out, breaker_phase phase) {
  return out << to_string(phase);
}
namespace {

using namespace std::chrono_literals;
using enum breaker_phase;

constexpr mono_time start{1000h};

/// A breaker, a clock that the test moves, and short words for what callers do.
struct rig {
  breaker_settings settings;
  breaker sut;
  mono_time now = start;

  explicit rig(breaker_settings with = {}) : settings(with), sut("redis", with) {}

  void wait(std::chrono::milliseconds time) { now += time; }
  permit ask() { return sut.ask(now); }
  void succeeds(std::uint64_t permit) { sut.record({permit, true, "", true}, now, wall()); }
  void fails(std::uint64_t permit) { sut.record({permit, false, "transport: reset", true}, now, wall()); }
  void returns(std::uint64_t permit) { sut.record({permit, false, "", false}, now, wall()); }
  void call_fails() { fails(ask().number); }
  void call_succeeds() { succeeds(ask().number); }
  void opens() {
    for (std::size_t i = 0; i < settings.failure_threshold; ++i) call_fails();
    BOOST_REQUIRE(sut.phase() == open);
  }
  breaker_phase phase() {
    sut.advance(now);
    return sut.phase();
  }
  wall_time wall() const {
    return wall_time_from_ms(1767571200000) +
           std::chrono::duration_cast<std::chrono::milliseconds>(now - start);
  }
};

} // namespace

BOOST_AUTO_TEST_CASE(opens_at_the_fifth_failure_in_a_row) {
  rig r;
  for (int i = 0; i < 4; ++i) r.call_fails();
  BOOST_TEST(r.phase() == closed);
  r.call_fails();
  BOOST_TEST(r.phase() == open);
  BOOST_TEST(!r.ask().granted);
}

BOOST_AUTO_TEST_CASE(a_success_clears_the_count) {
  rig r;
  for (int i = 0; i < 4; ++i) r.call_fails();
  r.call_succeeds();
  BOOST_TEST(r.sut.failures() == 0u);
  for (int i = 0; i < 4; ++i) r.call_fails();
  BOOST_TEST(r.phase() == closed);
}

BOOST_AUTO_TEST_CASE(an_outcome_that_decides_nothing_leaves_the_count) {
  rig r;
  for (int i = 0; i < 4; ++i) r.call_fails();
  r.returns(r.ask().number);
  r.call_fails();
  BOOST_TEST(r.phase() == open);
}

BOOST_AUTO_TEST_CASE(failures_without_a_permit_count_like_others) {
  rig r;
  for (int i = 0; i < 5; ++i) r.fails(0);
  BOOST_TEST(r.phase() == open);
}

BOOST_AUTO_TEST_CASE(refused_callers_are_told_why_and_when_to_come_back) {
  rig r;
  r.opens();
  r.wait(20s);
  const auto refused = r.ask();
  BOOST_TEST(refused.number == 0u);
  BOOST_TEST(refused.why == "circuit OPEN: transport: reset");
  BOOST_TEST((refused.retry_after == 40s));
}

BOOST_AUTO_TEST_CASE(goes_half_open_when_asked_after_the_open_time) {
  rig r;
  r.opens();
  r.wait(60s - 1ms);
  BOOST_TEST(!r.ask().granted);
  r.wait(1ms);
  BOOST_TEST(r.ask().granted);
  BOOST_TEST(r.phase() == half_open);
  const auto second = r.ask();
  BOOST_TEST(!second.granted);
  BOOST_TEST((second.retry_after == breaker::ask_again_after));
}

BOOST_AUTO_TEST_CASE(one_success_of_a_probe_closes_it) {
  rig r;
  r.opens();
  r.wait(60s);
  r.call_succeeds();
  BOOST_TEST(r.phase() == closed);
  BOOST_TEST(r.sut.failures() == 0u);
}

BOOST_AUTO_TEST_CASE(every_one_of_several_probes_must_succeed) {
  breaker_settings three;
  three.half_open_probes = 3;
  rig r{three};
  r.opens();
  r.wait(60s);
  const auto a = r.ask(), b = r.ask(), c = r.ask();
  BOOST_TEST((a.granted && b.granted && c.granted && !r.ask().granted));
  r.succeeds(a.number);
  BOOST_TEST(!r.ask().granted);
  r.succeeds(b.number);
  BOOST_TEST(r.phase() == half_open);
  r.succeeds(c.number);
  BOOST_TEST(r.phase() == closed);
}

BOOST_AUTO_TEST_CASE(the_open_time_doubles_with_each_failed_probe_and_starts_anew_once_closed) {
  rig r;
  r.opens();
  for (const auto open_for : {60s, 120s, 240s, 480s, 600s, 600s}) {
    BOOST_TEST_CONTEXT(open_for.count()) {
      BOOST_TEST((r.ask().retry_after == open_for));
      r.wait(open_for);
      r.call_fails();
      BOOST_TEST(r.phase() == open);
    }
  }
  r.wait(600s);
  r.call_succeeds();
  r.opens();
  BOOST_TEST((r.ask().retry_after == 60s));
}

BOOST_AUTO_TEST_CASE(a_lost_probe_returns_by_itself) {
  rig r;
  r.opens();
  r.wait(60s);
  BOOST_TEST(r.ask().granted);
  r.wait(breaker::probe_deadline - 1ms);
  BOOST_TEST(!r.ask().granted);
  r.wait(1ms);
  BOOST_TEST(r.ask().granted);
}

BOOST_AUTO_TEST_CASE(a_probe_handed_back_unused_lets_the_next_one_through) {
  rig r;
  r.opens();
  r.wait(60s);
  r.returns(r.ask().number);
  BOOST_TEST(r.phase() == half_open);
  BOOST_TEST(r.ask().granted);
}

BOOST_AUTO_TEST_CASE(a_restored_dependency_ends_the_open_time) {
  rig r;
  r.opens();
  r.wait(20s);
  r.sut.restored(r.now);
  BOOST_TEST(r.phase() == half_open);
  r.call_succeeds();
  BOOST_TEST(r.phase() == closed);
  r.sut.restored(r.now);
  BOOST_TEST(r.phase() == closed);
}

BOOST_AUTO_TEST_CASE(a_failed_connect_attempt_opens_a_half_open_breaker_again) {
  rig r;
  r.opens();
  r.wait(60s);
  BOOST_TEST(r.phase() == half_open);
  r.fails(0);
  BOOST_TEST(r.phase() == open);
  BOOST_TEST((r.ask().retry_after == 120s));
}

BOOST_AUTO_TEST_CASE(outcomes_of_an_earlier_phase_move_nothing) {
  rig r;
  const auto old = r.ask(), older = r.ask();
  r.opens();
  r.wait(60s);
  const auto probe = r.ask();
  r.fails(old.number);
  BOOST_TEST(r.phase() == half_open);
  r.succeeds(older.number);
  BOOST_TEST(r.phase() == half_open);
  r.succeeds(probe.number);
  BOOST_TEST(r.phase() == closed);
  r.fails(old.number);
  BOOST_TEST(r.sut.failures() == 0u);
}

BOOST_AUTO_TEST_CASE(moves_are_numbered_and_say_the_thresholds_in_force) {
  rig r;
  r.opens();
  r.wait(60s);
  r.call_succeeds();
  const auto moves = r.sut.take_moves();
  BOOST_REQUIRE(moves.size() == 3u);
  BOOST_TEST((moves[0].number == 1 && moves[0].from == closed && moves[0].to == open));
  BOOST_TEST((moves[0].failures == 5 && moves[0].failure_threshold == 5 && moves[0].open_for == 60s));
  BOOST_TEST(moves[0].reason == "transport: reset");
  BOOST_TEST(moves[0].breaker == "redis");
  BOOST_TEST((moves[1].number == 2 && moves[1].from == open && moves[1].to == half_open));
  BOOST_TEST((moves[2].number == 3 && moves[2].from == half_open && moves[2].to == closed));
  BOOST_TEST(r.sut.take_moves().empty());
}

BOOST_AUTO_TEST_CASE(counts_the_time_from_leaving_closed_to_closed_again) {
  rig r;
  r.opens();
  r.wait(60s);
  r.call_succeeds();
  r.wait(1h);
  r.opens();
  r.wait(10s);
  auto seen = r.sut.statistics(r.now);
  BOOST_TEST(seen.times_opened == 2u);
  BOOST_TEST((seen.time_open == 70s));
  BOOST_TEST((seen.longest_open == 60s));
  BOOST_TEST(seen.allowed == 11u);
  BOOST_TEST(seen.successes == 1u);
  BOOST_TEST(seen.failures == 10u);
  r.wait(90s);
  BOOST_TEST((r.sut.statistics(r.now).longest_open == 100s));
}

BOOST_AUTO_TEST_CASE(observing_it_refuses_nothing_and_counts_what_it_would_have) {
  breaker_settings observing;
  observing.mode = breaker_mode::observe;
  rig r{observing};
  r.opens();
  BOOST_TEST(r.ask().granted);
  BOOST_TEST(r.sut.would_block() == 1u);
  BOOST_TEST(r.sut.statistics(r.now).blocked == 0u);
  r.wait(60s);
  const auto probe = r.ask();
  const auto other = r.ask();
  BOOST_TEST((probe.granted && other.granted));
  r.fails(other.number);
  BOOST_TEST(r.phase() == half_open);
  r.succeeds(probe.number);
  BOOST_TEST(r.phase() == closed);
}

BOOST_AUTO_TEST_CASE(off_it_grants_everything_and_stays_closed) {
  breaker_settings off;
  off.mode = breaker_mode::off;
  rig r{off};
  for (int i = 0; i < 100; ++i) r.call_fails();
  BOOST_TEST(r.phase() == closed);
  BOOST_TEST(r.sut.statistics(r.now).failures == 100u);
}

BOOST_AUTO_TEST_CASE(random_callers_never_get_it_stuck) {
  for (const std::size_t probes : {1u, 3u}) {
    breaker_settings with;
    with.half_open_probes = probes;
    rig r{with};
    std::mt19937 random{static_cast<unsigned>(probes)};
    const auto chance = [&](unsigned percent) { return random() % 100 < percent; };
    std::deque<std::uint64_t> out;
    std::uint64_t asked = 0, reported = 0, last_move = 0;
    breaker_phase last = closed;
    bool down = false;
    for (int i = 0; i < 100000; ++i) {
      if (chance(1)) down = !down;
      if (chance(30)) r.wait(std::chrono::milliseconds{random() % 2000});
      if (chance(1)) r.wait(std::chrono::milliseconds{random() % 1000000});
      if (chance(1)) r.sut.restored(r.now);
      const bool due = r.sut.next_wake() && *r.sut.next_wake() <= r.now;
      if (chance(60)) {
        const auto leave = r.ask();
        ++asked;
        BOOST_REQUIRE((leave.granted == (leave.number != 0)));
        BOOST_REQUIRE((leave.granted || (!leave.why.empty() && leave.retry_after > 0ms)));
        BOOST_REQUIRE((!due || r.sut.phase() != open)); // an open time that is over is over when asked
        if (leave.granted && !chance(10)) out.push_back(leave.number); // the others are lost
      } else if (!out.empty() && !chance(10)) {
        const auto number = out.front();
        out.pop_front();
        if (chance(5)) {
          r.returns(number);
        } else {
          ++reported;
          down ? r.fails(number) : r.succeeds(number);
        }
      } else if (down) {
        ++reported;
        r.fails(0);
      }
      BOOST_REQUIRE(r.sut.probes_out() <= probes);
      BOOST_REQUIRE((r.sut.phase() == half_open || r.sut.probes_out() == 0));
      BOOST_REQUIRE((r.sut.phase() != closed || r.sut.failures() < with.failure_threshold));
      for (const auto& move : r.sut.take_moves()) {
        BOOST_REQUIRE(move.number == ++last_move);
        BOOST_REQUIRE(move.from == last);
        BOOST_REQUIRE(((move.from == closed && move.to == open) ||
                       (move.from == open && move.to == half_open) ||
                       (move.from == half_open && (move.to == open || move.to == closed))));
        last = move.to;
      }
      BOOST_REQUIRE(last == r.sut.phase());
      const auto seen = r.sut.statistics(r.now);
      BOOST_REQUIRE(seen.allowed + seen.blocked == asked);
      BOOST_REQUIRE(seen.successes + seen.failures == reported);
      BOOST_REQUIRE((seen.longest_open <= seen.time_open));
      if (i % 1000 == 0) { // whatever state it is in: the longest time later somebody gets through
        auto later = r.sut;
        BOOST_REQUIRE(later.ask(r.now + with.max_open_duration + breaker::probe_deadline).granted);
      }
    }
    BOOST_TEST(last_move > 100u); // it did move about
  }
}

} // namespace breakwater
