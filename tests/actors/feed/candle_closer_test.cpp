#include "actors/feed/candle_closer.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

namespace breakwater {
namespace {

constexpr std::int64_t minute = 1767571200;

wall_time at(std::int64_t s, std::int64_t ms = 0) { return wall_time_from_ms(s * 1000 + ms); }

struct closer_fixture {
  candle_closer closer;
  std::vector<candle> out;

  /// What came out since the last call: "BTCUSDT+0 7 open" is the candle of the first minute with close 7.
  std::string heard() {
    std::string text;
    for (const auto& x : out)
      text += (text.empty() ? "" : ", ") + x.symbol + "+" + std::to_string((x.start_s - minute) / 60) + " " +
              std::to_string(static_cast<int>(x.close)) + (x.closed ? " closed" : " open");
    out.clear();
    return text;
  }
  std::string take(const char* symbol, int minutes, double close, std::int64_t second = 0) {
    candle x;
    x.symbol = symbol;
    x.from = exchange::kraken;
    x.start_s = minute + minutes * 60;
    x.open = x.high = x.low = x.close = close;
    x.event_at = x.received_at = at(minute + second);
    closer.take(x, out);
    return heard();
  }
  std::string advance(std::int64_t second, std::int64_t ms = 0) {
    closer.advance(at(minute + second, ms), out);
    return heard();
  }
};

BOOST_FIXTURE_TEST_SUITE(candle_closer_suite, closer_fixture)

BOOST_AUTO_TEST_CASE(the_next_minute_closes_a_candle) {
  BOOST_TEST(take("BTCUSDT", 0, 1, 10) == "BTCUSDT+0 1 open");
  BOOST_TEST(take("BTCUSDT", 0, 2, 20) == "BTCUSDT+0 2 open");
  BOOST_TEST(take("ETHUSDT", 1, 3, 61) == "ETHUSDT+1 3 open"); // another symbol's next minute does not
  BOOST_TEST(take("BTCUSDT", 1, 4, 62) == "BTCUSDT+0 2 closed, BTCUSDT+1 4 open");
}

BOOST_AUTO_TEST_CASE(five_seconds_behind_its_end_a_candle_is_closed) {
  take("BTCUSDT", 0, 1, 10);
  take("ETHUSDT", 0, 2, 11);
  BOOST_TEST((closer.next_close() == at(minute + 65)));
  BOOST_TEST(advance(64, 999).empty());
  BOOST_TEST(advance(65) == "BTCUSDT+0 1 closed, ETHUSDT+0 2 closed");
  BOOST_TEST(advance(70).empty());
  BOOST_TEST(!closer.next_close());
  BOOST_TEST(take("BTCUSDT", 1, 3, 75) == "BTCUSDT+1 3 open"); // not closed a second time
}

BOOST_AUTO_TEST_CASE(what_comes_late_is_closed_from_the_start) {
  take("BTCUSDT", 0, 1, 10);
  advance(65);
  BOOST_TEST(take("BTCUSDT", 0, 2, 66) == "BTCUSDT+0 2 closed");
  take("BTCUSDT", 1, 3, 70);
  BOOST_TEST(take("BTCUSDT", 0, 4, 71) == "BTCUSDT+0 4 closed");
  BOOST_TEST(take("BTCUSDT", 1, 5, 72) == "BTCUSDT+1 5 open");
}

BOOST_AUTO_TEST_CASE(of_a_snapshot_only_the_newest_minute_stays_open) {
  BOOST_TEST(take("BTCUSDT", -3, 1, 10) == "BTCUSDT+-3 1 open");
  BOOST_TEST(take("BTCUSDT", -1, 2, 10) == "BTCUSDT+-3 1 closed, BTCUSDT+-1 2 open");
  BOOST_TEST(take("BTCUSDT", 0, 3, 10) == "BTCUSDT+-1 2 closed, BTCUSDT+0 3 open");
  BOOST_TEST(advance(10).empty());
}

BOOST_AUTO_TEST_CASE(a_snapshot_whose_newest_minute_is_over_is_closed_by_the_time) {
  take("BTCUSDT", -3, 1, 10);
  BOOST_TEST(advance(10) == "BTCUSDT+-3 1 closed");
}

BOOST_AUTO_TEST_CASE(a_closed_candle_says_when_it_was_closed) {
  take("BTCUSDT", 0, 1, 10);
  closer.advance(at(minute + 65), out);
  BOOST_TEST((out.at(0).received_at == at(minute + 65)));
  BOOST_TEST((out.at(0).event_at == at(minute + 10)));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater
