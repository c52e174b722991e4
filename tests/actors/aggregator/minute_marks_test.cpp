#include "actors/aggregator/minute_marks.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <random>

using namespace breakwater;

namespace {

constexpr std::int64_t first = 1'767'571'200;

} // namespace

BOOST_AUTO_TEST_CASE(a_mark_stays_until_its_minute_is_too_old) {
  minute_marks sut{3};
  sut.move_on(first);
  sut.mark(first);
  sut.mark(first - 120);
  struct row {
    std::int64_t newest, minute;
    bool marked;
  };
  constexpr row rows[] = {
      {0, 0, true},  {0, -1, false}, {0, -2, true},  {0, -3, false},
      {0, 1, false}, {1, 0, true},   {1, -2, false}, {1, 1, false}, // -2 fell out, and 1 took its place
      {0, 0, true},                                                 // time does not go back
      {2, 0, true},  {2, 2, false},  {3, 0, false},  {3, 3, false},
  };
  for (const auto& r : rows) BOOST_TEST_CONTEXT("newest " << r.newest << ", minute " << r.minute) {
      sut.move_on(first + r.newest * 60);
      BOOST_TEST(sut.has(first + r.minute * 60) == r.marked);
    }
}

BOOST_AUTO_TEST_CASE(what_is_out_of_reach_cannot_be_marked) {
  minute_marks sut{3};
  sut.move_on(first);
  for (const auto minute : {-3, -6, 1, 3}) sut.mark(first + minute * 60);
  for (std::int64_t minute = -9; minute < 9; ++minute) BOOST_TEST(!sut.has(first + minute * 60), minute);
}

BOOST_AUTO_TEST_CASE(a_long_jump_forgets_everything) {
  minute_marks sut{5};
  sut.move_on(first);
  for (std::int64_t i = 0; i < 5; ++i) sut.mark(first - i * 60);
  sut.move_on(first + 1'000'000 * 60);
  for (std::int64_t i = 0; i < 5; ++i) BOOST_TEST(!sut.has(first + (1'000'000 - i) * 60));
}

BOOST_AUTO_TEST_CASE(without_room_there_are_no_marks) {
  minute_marks sut;
  sut.move_on(first);
  sut.mark(first);
  BOOST_TEST(!sut.has(first));
}

BOOST_AUTO_TEST_CASE(it_is_like_a_set_of_the_last_minutes) {
  std::mt19937 random{7};
  const auto one_of = [&](unsigned n) { return static_cast<std::int64_t>(random() % n); };
  minute_marks sut{10};
  std::map<std::int64_t, bool> marked;
  std::int64_t newest = first / 60;
  sut.move_on(first);
  for (int i = 0; i < 10000; ++i) {
    if (one_of(3) == 0) sut.move_on((newest += one_of(8) == 0 ? one_of(30) : 1) * 60);
    const auto at = newest - one_of(14);
    if (at > newest - 10 && one_of(2) == 0) marked[at] = true;
    if (marked.contains(at)) sut.mark(at * 60 + one_of(60));
    for (auto m = newest - 12; m <= newest; ++m)
      BOOST_REQUIRE(sut.has(m * 60) == (m > newest - 10 && marked.contains(m)));
  }
}
