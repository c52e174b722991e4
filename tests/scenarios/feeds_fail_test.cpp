#include "tests/support/process_fixture.hpp"

using namespace breakwater;
using namespace breakwater::test;

namespace {

constexpr std::array followed{exchange::binance, exchange::bybit, exchange::okx, exchange::kraken};

struct flowing : process_fixture {
  flowing() {
    starts();
    candles_flow(15s);
  }
  /// Others than `which` have the connection they began with.
  void check_others_are_untouched(exchange which) {
    for (auto x : followed)
      if (x != which) BOOST_TEST(exchanges->connects(x) == 1u);
  }
};

} // namespace

BOOST_AUTO_TEST_CASE(a_feed_whose_exchange_hangs_up_connects_again_and_others_are_untouched) {
  for (auto which : followed) BOOST_TEST_CONTEXT(to_string(which)) {
      flowing story;
      story.exchanges->cuts(which);
      story.candles_flow(5s);
      BOOST_TEST(story.exchanges->connects(which) == 2u);
      BOOST_TEST(story.exchanges->is_heard(which, "BTCUSDT"));
      BOOST_TEST(story.exchanges->is_heard(which, "ETHUSDT"));
      story.check_others_are_untouched(which);
      story.wait(1s);
      story.check_all_is_published();
    }
}

BOOST_AUTO_TEST_CASE(a_feed_whose_exchange_says_nothing_replaces_the_connection) {
  for (auto which : followed) BOOST_TEST_CONTEXT(to_string(which)) {
      flowing story;
      story.exchanges->falls_silent(which);
      story.candles_flow(90s);
      BOOST_TEST(story.exchanges->connects(which) > 1u);
      story.exchanges->speaks_again(which);
      story.candles_flow(90s);
      BOOST_TEST(story.exchanges->is_heard(which, "BTCUSDT"));
      story.check_others_are_untouched(which);
      story.wait(1s);
      story.check_all_is_published();
    }
}

BOOST_AUTO_TEST_CASE(a_feed_whose_exchange_refuses_tries_for_ever_at_growing_waits) {
  for (auto which : followed) BOOST_TEST_CONTEXT(to_string(which)) {
      flowing story;
      story.exchanges->refuses(which);
      story.exchanges->cuts(which);
      story.candles_flow(30min, 5s);
      BOOST_TEST(story.exchanges->connects(which) > 25u); // one a minute, with jitter
      BOOST_TEST(story.exchanges->connects(which) < 50u);
      story.exchanges->accepts(which);
      story.candles_flow(80s);
      BOOST_TEST(story.exchanges->is_heard(which, "BTCUSDT"));
      story.check_others_are_untouched(which);
      story.wait(1s);
      story.check_all_is_published();
    }
}

BOOST_AUTO_TEST_CASE(a_subscription_that_is_not_acknowledged_is_asked_for_again) {
  for (auto which : followed) BOOST_TEST_CONTEXT(to_string(which)) {
      process_fixture story;
      story.exchanges->overhears_subscriptions(which, 1);
      story.starts();
      BOOST_TEST(!story.exchanges->is_heard(which, "BTCUSDT"));
      story.candles_flow(15s);
      BOOST_TEST(story.exchanges->requests(which) >= 2u);
      BOOST_TEST(story.exchanges->connects(which) == 1u);
      BOOST_TEST(story.exchanges->is_heard(which, "BTCUSDT"));
      story.wait(1s);
      story.check_all_is_published();
    }
}

BOOST_AUTO_TEST_CASE(an_exchange_that_never_acknowledges_is_connected_to_again) {
  for (auto which : followed) BOOST_TEST_CONTEXT(to_string(which)) {
      process_fixture story;
      story.exchanges->overhears_subscriptions(which, 7);
      story.starts();
      story.candles_flow(4min);
      BOOST_TEST(story.exchanges->connects(which) >= 2u);
      BOOST_TEST(story.exchanges->connects(which) <= 5u);
      BOOST_TEST(story.exchanges->is_heard(which, "BTCUSDT"));
      story.wait(1s);
      story.check_all_is_published();
    }
}

BOOST_FIXTURE_TEST_CASE(text_that_is_no_candle_ends_nothing, flowing) {
  for (auto which : followed)
    for (const auto* text :
         {"", "{", "[]", "null", R"({"e":"kline"})", R"({"topic":"kline.1.BTCUSDT"})",
          R"({"arg":{"channel":"candle1m"},"data":[[]]})", R"({"channel":"ohlc","data":[{}]})"})
      exchanges->sends_text(which, text);
  candles_flow(20s);
  for (auto which : followed) BOOST_TEST(exchanges->connects(which) == 1u);
  wait(1s);
  check_all_is_published();
}
