#include "actors/support/rate_meter.hpp"

#include <boost/test/unit_test.hpp>

using namespace breakwater;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(the_rate_is_the_mean_of_ten_whole_seconds) {
  rate_meter sut;
  const mono_time begin{1000s};
  for (int s = 0; s < 20; ++s) BOOST_TEST(sut.saw(static_cast<std::uint64_t>(s + 1) * 50, begin + 1s * s));
  BOOST_TEST(sut.per_second(begin + 20s) == 50.0);
  BOOST_TEST(!sut.saw(1000, begin + 20s)); // it did not grow
  BOOST_TEST(sut.per_second(begin + 25s) == 25.0);
  BOOST_TEST(sut.per_second(begin + 31s) == 0.0);
}

BOOST_AUTO_TEST_CASE(a_count_that_falls_grows_from_there) {
  rate_meter sut;
  const mono_time begin{1000s};
  sut.saw(500, begin);
  BOOST_TEST(!sut.saw(100, begin + 1s));
  BOOST_TEST(sut.saw(150, begin + 2s));
  BOOST_TEST(sut.per_second(begin + 3s) == 55.0);
}
