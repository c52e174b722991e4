#include "actors/feed/outbox.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

namespace breakwater {
namespace {

candle make(const char* symbol, int minute, double close, bool closed = false) {
  candle x;
  x.symbol = symbol;
  x.start_s = 1767571200 + minute * 60;
  x.open = x.high = x.low = x.close = close;
  x.closed = closed;
  return x;
}

/// "BTC+0 7" is the open candle of the first minute with close 7; "!" marks a closed one.
std::string in_words(const std::vector<candle>& some) {
  std::string text;
  for (const auto& x : some)
    text += (text.empty() ? "" : ", ") + x.symbol + "+" + std::to_string((x.start_s - 1767571200) / 60) +
            " " + std::to_string(static_cast<int>(x.close)) + (x.closed ? "!" : "");
  return text;
}

struct outbox_fixture {
  outbox box;
  std::string take(std::size_t max = 100) { return in_words(box.take(max)); }
};

BOOST_FIXTURE_TEST_SUITE(outbox_suite, outbox_fixture)

BOOST_AUTO_TEST_CASE(candles_leave_in_the_order_their_minutes_came) {
  box.put(make("BTC", 0, 1));
  box.put(make("ETH", 0, 2));
  box.put(make("BTC", 1, 3));
  BOOST_TEST(take(2) == "BTC+0 1, ETH+0 2");
  BOOST_TEST(take() == "BTC+1 3");
  BOOST_TEST(box.empty());
  BOOST_TEST(take().empty());
}

BOOST_AUTO_TEST_CASE(the_newest_state_of_a_minute_wins_and_keeps_its_place) {
  box.put(make("BTC", 0, 1));
  box.put(make("ETH", 0, 2));
  box.put(make("BTC", 0, 3));
  BOOST_TEST(box.conflated() == 1u);
  BOOST_TEST(take() == "BTC+0 3, ETH+0 2");
}

BOOST_AUTO_TEST_CASE(once_closed_a_minute_stays_closed) {
  box.put(make("BTC", 0, 1, true));
  box.put(make("BTC", 0, 2));
  BOOST_TEST(take() == "BTC+0 2!");
  box.put(make("BTC", 0, 3)); // after it was sent, too
  BOOST_TEST(take() == "BTC+0 3!");
  box.put(make("BTC", 1, 4));
  BOOST_TEST(take() == "BTC+1 4");
}

BOOST_AUTO_TEST_CASE(a_batch_that_was_not_taken_waits_in_front_but_for_what_was_replaced) {
  box.put(make("BTC", 0, 1));
  box.put(make("ETH", 0, 2, true));
  const auto batch = box.take(100);
  box.put(make("SOL", 0, 3));
  box.put(make("BTC", 0, 4));
  box.give_back(batch);
  BOOST_TEST(box.conflated() == 1u);
  BOOST_TEST(take() == "BTC+0 4, ETH+0 2!, SOL+0 3");
}

BOOST_AUTO_TEST_CASE(a_close_mark_given_back_is_not_lost_to_a_newer_state) {
  box.put(make("BTC", 0, 1, true));
  const auto batch = box.take(100);
  box.put(make("BTC", 0, 2));
  box.give_back(batch);
  BOOST_TEST(take() == "BTC+0 2!");
}

BOOST_AUTO_TEST_CASE(at_the_bound_the_oldest_minute_goes) {
  box = outbox{3};
  box.put(make("BTC", 1, 1));
  box.put(make("ETH", 0, 2));
  box.put(make("BTC", 2, 3));
  box.put(make("BTC", 3, 4));
  BOOST_TEST(box.dropped() == 1u);
  BOOST_TEST(box.size() == 3u);
  BOOST_TEST(take() == "BTC+1 1, BTC+2 3, BTC+3 4");
}

BOOST_AUTO_TEST_CASE(what_is_given_back_respects_the_bound) {
  box = outbox{2};
  box.put(make("BTC", 0, 1));
  const auto batch = box.take(100);
  box.put(make("BTC", 1, 2));
  box.put(make("BTC", 2, 3));
  box.give_back(batch);
  BOOST_TEST(box.dropped() == 1u);
  BOOST_TEST(take() == "BTC+1 2, BTC+2 3");
}

BOOST_AUTO_TEST_CASE(a_refill_brings_the_last_three_minutes_of_each_symbol_again) {
  for (int i = 0; i < 5; ++i) box.put(make("BTC", i, i, i < 4));
  box.put(make("ETH", 4, 9));
  (void)box.take(100);
  box.put(make("ETH", 4, 10));
  box.refill();
  BOOST_TEST(take() == "ETH+4 10, BTC+2 2!, BTC+3 3!, BTC+4 4");
}

BOOST_AUTO_TEST_CASE(a_late_state_finds_its_minute_among_the_recent_ones) {
  recent_candles recent;
  recent.note(make("BTC", 2, 1));
  recent.note(make("BTC", 0, 2));
  recent.note(make("BTC", 1, 3));
  BOOST_TEST(in_words(recent.all()) == "BTC+0 2, BTC+1 3, BTC+2 1");
  recent.note(make("BTC", -1, 4)); // older than all that are kept
  recent.note(make("BTC", 3, 5));
  BOOST_TEST(in_words(recent.all()) == "BTC+1 3, BTC+2 1, BTC+3 5");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater
