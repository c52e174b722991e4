#include "actors/support/backoff.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

using namespace breakwater;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(waits_double_up_to_the_limit_and_go_on_for_ever) {
  backoff waits{{.initial = 1s, .max = 30s, .jitter = 0}};
  for (const auto expected : {1s, 2s, 4s, 8s, 16s, 30s, 30s}) BOOST_TEST((waits.next() == expected));
  for (int i = 0; i < 100'000; ++i) BOOST_REQUIRE((waits.next() == 30s));
  BOOST_TEST(waits.attempts() == 100'007u);
}

BOOST_AUTO_TEST_CASE(a_reset_starts_from_the_beginning) {
  backoff waits{{.initial = 100ms, .max = 10s, .jitter = 0}};
  (void)waits.next();
  (void)waits.next();
  waits.reset();
  BOOST_TEST(waits.attempts() == 0u);
  BOOST_TEST((waits.next() == 100ms));
  BOOST_TEST((waits.next() == 200ms));
}

BOOST_AUTO_TEST_CASE(the_jitter_stays_within_its_share_and_does_not_build_up) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    backoff waits{{.initial = 1s, .max = 8s, .jitter = 0.2}, seed};
    for (const auto base : {1000, 2000, 4000, 8000, 8000, 8000}) {
      const auto wait = waits.next().count();
      BOOST_TEST(wait >= base * 8 / 10);
      BOOST_TEST(wait <= base * 12 / 10);
    }
  }
}

BOOST_AUTO_TEST_CASE(processes_do_not_come_back_in_step) {
  std::set<std::chrono::milliseconds> first_waits;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) first_waits.insert(backoff{{}, seed}.next());
  BOOST_TEST(first_waits.size() > 25u);
  backoff one{{}, 7}, same{{}, 7};
  for (int i = 0; i < 10; ++i) BOOST_TEST((one.next() == same.next()));
}

BOOST_AUTO_TEST_CASE(an_initial_wait_above_the_limit_is_cut) {
  backoff waits{{.initial = 10s, .max = 2s, .jitter = 0}};
  BOOST_TEST((waits.next() == 2s));
}
