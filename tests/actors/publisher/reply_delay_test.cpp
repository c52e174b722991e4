#include "actors/publisher/reply_delay.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace breakwater;
using namespace std::chrono_literals;

namespace {

wall_time at(std::int64_t ms) { return wall_time_from_ms(1767571200000 + ms); }

/// "took ms x records", one after the other.
std::string text(const std::vector<reply_delay::measured>& through) {
  std::string all;
  for (const auto& one : through)
    all += std::to_string(one.took.count()) + "x" + std::to_string(one.records) + " ";
  return all;
}

} // namespace

BOOST_AUTO_TEST_CASE(each_record_takes_as_long_as_the_oldest_frame_of_its_batch) {
  reply_delay delay;
  delay.kept(3, at(0));
  delay.kept(2, at(10));
  BOOST_TEST(text(delay.waits(5, at(20))) == "");
  BOOST_TEST(text(delay.waits(4, at(30))) == "30x1 ");
  BOOST_TEST(text(delay.waits(1, at(40))) == "40x2 30x1 ");
  BOOST_TEST(!delay.idle());
  BOOST_TEST(text(delay.waits(0, at(50))) == "40x1 ");
  BOOST_TEST(delay.idle());
}

BOOST_AUTO_TEST_CASE(what_waited_before_and_what_has_no_time_is_not_measured) {
  reply_delay delay;
  delay.begins_with(2);
  delay.kept(1, std::nullopt);
  delay.kept(1, at(5));
  BOOST_TEST(text(delay.waits(1, at(9))) == "");
  BOOST_TEST(text(delay.waits(0, at(9))) == "4x1 ");
}

BOOST_AUTO_TEST_CASE(what_redis_lost_is_sent_first_and_measured_no_second_time) {
  reply_delay delay;
  delay.kept(2, at(0));
  BOOST_TEST(text(delay.waits(5, at(1))) == ""); // three that were acknowledged wait again
  BOOST_TEST(text(delay.waits(2, at(2))) == "");
  BOOST_TEST(text(delay.waits(0, at(3))) == "3x2 ");
}

BOOST_AUTO_TEST_CASE(a_long_outage_is_kept_in_bounds_with_the_age_of_the_oldest) {
  reply_delay delay;
  for (std::size_t i = 0; i < reply_delay::most_batches + 100; ++i) delay.kept(1, at(std::int64_t(i)));
  const auto through = delay.waits(0, at(10000));
  BOOST_TEST(through.size() == reply_delay::most_batches);
  BOOST_TEST(through.back().records == 101u);
  BOOST_TEST(through.back().took.count() == 10000 - std::int64_t(reply_delay::most_batches) + 1);
}
