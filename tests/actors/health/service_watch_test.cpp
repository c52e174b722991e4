#include "actors/health/service_watch.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace breakwater;
using namespace std::chrono_literals;

namespace {

struct watch_fixture {
  mono_time now{1h};
  service_watch sut{{30s, 5s, 2min}, 90s};
  std::uint64_t waiting = 0, acknowledged = 0, candles = 0, feed_waiting = 0;
  health_level redis = health_level::ok, publisher = health_level::ok, aggregator = health_level::ok;
  std::string attention;

  std::vector<health_report::part> parts() const {
    const auto count = [](const char* name, std::uint64_t value) {
      return std::pair{std::string{name}, std::to_string(value)};
    };
    return {{"redis", {redis, "", {}}},
            {"publisher", {publisher, "", {count("waiting", waiting), count("acknowledged", acknowledged)}}},
            {"aggregator", {aggregator, "", {count("candles", candles)}}},
            {"feed/okx", {health_level::ok, "", {count("waiting", feed_waiting)}}}};
  }
  service_watch::words look(bool everyone = true) {
    now += 30s;
    return sut.after_look(parts(), everyone, attention, now);
  }
  static bool alive(const service_watch::words& says) {
    return says.lines.find("WATCHDOG=1") != std::string::npos;
  }
  /// How many looks of the next ten say that the process lives.
  int alive_of_ten() {
    int alive_looks = 0;
    for (int i = 0; i < 10; ++i) alive_looks += alive(look()) ? 1 : 0;
    return alive_looks;
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(service_watch_, watch_fixture)

BOOST_AUTO_TEST_CASE(the_status_tells_level_rate_and_what_waits) {
  BOOST_TEST(look().lines == "READY=1\nWATCHDOG=1\nSTATUS=ok: 0.0 records/s, 0 waiting");
  acknowledged = 300, waiting = 7;
  BOOST_TEST(look().lines == "WATCHDOG=1\nSTATUS=ok: 10.0 records/s, 7 waiting");
  acknowledged = 100; // the publisher was started again
  redis = health_level::critical, attention = "redis: Redis is away\nREADY=0";
  BOOST_TEST(look().lines ==
             "WATCHDOG=1\nSTATUS=critical: 0.0 records/s, 7 waiting; redis: Redis is away READY=0");
}

BOOST_AUTO_TEST_CASE(a_long_status_is_cut_between_characters) {
  look();
  for (std::size_t shift = 0; shift < 3; ++shift) {
    attention = std::string(shift, 'x');
    while (attention.size() < 2000) attention += "ä€";
    const auto lines = look().lines;
    BOOST_TEST(lines.size() < 450u);
    BOOST_TEST(lines.ends_with("..."));
    const auto last = static_cast<unsigned char>(lines[lines.size() - 4]);
    BOOST_TEST((last == 0xA4 || last == 0xAC)); // of a whole one
  }
}

BOOST_AUTO_TEST_CASE(records_that_wait_and_do_not_move_are_no_sign_of_life) {
  look();
  waiting = 10;
  BOOST_TEST(alive_of_ten() == 3); // at the fourth two minutes have passed
  const auto says = look();
  BOOST_TEST(says.lines == "STATUS=stalled: records wait in the spool, and none reaches Redis");
  BOOST_TEST(says.stalled.empty()); // told once
  acknowledged = 1;
  BOOST_TEST(alive(look()));
}

BOOST_AUTO_TEST_CASE(nothing_is_stalled_that_somebody_gave_a_reason_for) {
  look();
  waiting = 10, feed_waiting = 10;
  publisher = health_level::critical; // Redis, its owner, the disk, a full spool
  BOOST_TEST(alive_of_ten() == 10);
  publisher = health_level::degraded;
  BOOST_TEST(alive_of_ten() == 10);
  publisher = health_level::ok, feed_waiting = 0;
  redis = health_level::critical;
  BOOST_TEST(alive_of_ten() == 10);
}

BOOST_AUTO_TEST_CASE(an_idle_process_lives) {
  look();
  aggregator = health_level::degraded; // no candle arrived for 120 s
  BOOST_TEST(alive_of_ten() == 10);
}

BOOST_AUTO_TEST_CASE(a_slow_one_that_moves_lives) {
  look();
  for (int i = 0; i < 100; ++i) {
    ++waiting, ++acknowledged;
    BOOST_TEST(alive(look()));
  }
}

BOOST_AUTO_TEST_CASE(candles_that_wait_at_a_feed_and_do_not_move_are_no_sign_of_life) {
  look();
  feed_waiting = 3, aggregator = health_level::degraded;
  BOOST_TEST(alive_of_ten() == 3);
  ++candles;
  BOOST_TEST(alive(look()));
}

BOOST_AUTO_TEST_CASE(what_stalls_is_told_once_each_time) {
  look();
  waiting = 1;
  int told = 0;
  for (int i = 0; i < 20; ++i) told += look().stalled.empty() ? 0 : 1;
  BOOST_TEST(told == 1);
  acknowledged = 1;
  look();
  for (int i = 0; i < 20; ++i) told += look().stalled.empty() ? 0 : 1;
  BOOST_TEST(told == 2);
}

BOOST_AUTO_TEST_CASE(a_watchdog_that_no_tick_can_miss_is_too_short) {
  const service_watch::limits how{30s, 5s, 2min};
  BOOST_TEST(!service_watch(how, std::nullopt).too_short().has_value());
  BOOST_TEST(!service_watch(how, 65s).too_short().has_value());
  BOOST_TEST((service_watch(how, 64999ms).too_short() == 65s));
}

BOOST_AUTO_TEST_CASE(a_stop_says_how_long_it_may_take) {
  BOOST_TEST(stopping_lines("draining", 10s) == "STOPPING=1\nEXTEND_TIMEOUT_USEC=15000000\nSTATUS=draining");
}

BOOST_AUTO_TEST_SUITE_END()
