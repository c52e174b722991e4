#include "actors/supervisor/restart_policy.hpp"

#include <boost/test/unit_test.hpp>

#include <optional>

using namespace breakwater;

namespace {

/// A failure and what is to follow; all times count from one start.
struct step {
  milliseconds born, now;
  std::optional<milliseconds> wait; ///< nullopt: give up.
  std::size_t recent;
};
constexpr std::optional<milliseconds> give_up;
constexpr mono_time start{std::chrono::hours{1}};

void play(restart_policy sut, std::initializer_list<step> story) {
  for (const auto& s : story)
    BOOST_TEST_CONTEXT("born " << s.born.count() << " ms, failed " << s.now.count() << " ms") {
      const auto wait = sut.failed(0, start + s.born, start + s.now);
      BOOST_TEST(wait.has_value() == s.wait.has_value());
      if (wait && s.wait) BOOST_TEST(wait->count() == s.wait->count());
      BOOST_TEST(sut.recent(start + s.now) == s.recent);
    }
}

supervisor_settings limits(std::size_t max_restarts) {
  supervisor_settings x;
  x.restart_initial = 100ms;
  x.restart_max = 1s;
  x.max_restarts = max_restarts;
  x.within = 60s;
  return x;
}

} // namespace

BOOST_AUTO_TEST_CASE(the_wait_doubles_up_to_its_limit) {
  play({limits(100), 1}, {{0ms, 0ms, 100ms, 1},
                          {100ms, 100ms, 200ms, 2},
                          {300ms, 300ms, 400ms, 3},
                          {700ms, 700ms, 800ms, 4},
                          {1500ms, 1500ms, 1000ms, 5},
                          {2500ms, 2500ms, 1000ms, 6}});
}

BOOST_AUTO_TEST_CASE(a_child_that_held_starts_from_the_shortest_wait_again) {
  play({limits(100), 1}, {{0s, 1s, 100ms, 1},
                          {1s, 61s, 200ms, 2}, // 60 s do not count as held, and 1 s is just within 60 s
                          {61s, 121s + 1ms, 100ms, 1}, // 60 s and a little do
                          {122s, 123s, 200ms, 2}});
}

BOOST_AUTO_TEST_CASE(more_failures_within_the_window_than_allowed_are_too_many) {
  play({limits(3), 1}, {{0s, 0s, 100ms, 1}, {1s, 1s, 200ms, 2}, {2s, 2s, 400ms, 3}, {3s, 3s, give_up, 4}});
}

BOOST_AUTO_TEST_CASE(a_failure_leaves_the_window_just_after_its_end) {
  play({limits(2), 1},
       {{0s, 0s, 100ms, 1}, {1s, 1s, 200ms, 2}, {1s, 60s, give_up, 3}}); // the first still counts
  play({limits(2), 1}, {{0s, 0s, 100ms, 1}, {1s, 1s, 200ms, 2}, {1s, 60s + 1ms, 400ms, 2}});
}

BOOST_AUTO_TEST_CASE(no_restart_at_all_can_be_asked_for) { play({limits(0), 1}, {{0s, 0s, give_up, 1}}); }

BOOST_AUTO_TEST_CASE(the_waits_of_children_are_their_own_but_their_failures_count_together) {
  restart_policy sut{limits(3), 3};
  BOOST_TEST((sut.failed(0, start, start) == 100ms));
  BOOST_TEST((sut.failed(0, start, start) == 200ms));
  BOOST_TEST((sut.failed(2, start, start) == 100ms));
  BOOST_TEST(!sut.failed(1, start, start).has_value());
}

BOOST_AUTO_TEST_CASE(time_alone_empties_the_window) {
  restart_policy sut{limits(10), 1};
  static_cast<void>(sut.failed(0, start, start));
  static_cast<void>(sut.failed(0, start, start + 10s));
  BOOST_TEST(sut.recent(start + 60s) == 2u);
  BOOST_TEST(sut.recent(start + 60s + 1ms) == 1u);
  BOOST_TEST(sut.recent(start + 71s) == 0u);
}
