#include "app/simulator/market.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>

using namespace breakwater;
using namespace std::chrono_literals;

namespace {

constexpr auto minute_start = wall_time_from_ms(1'767'571'200'000); // 2026-01-05T00:00:00Z

struct market_fixture {
  invented_market market{7, {"BTCUSDT", "DOGEUSDT"}};
  invented_market::symbol_id btc = *market.find("BTCUSDT");
  invented_market::symbol_id doge = *market.find("DOGEUSDT");

  invented_candle btc_at(exchange from, std::chrono::milliseconds into) {
    return market.candle(from, btc, epoch_ms(minute_start), minute_start + into);
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(market_test, market_fixture)

BOOST_AUTO_TEST_CASE(lists_only_its_symbols) {
  BOOST_TEST(market.find("BTCUSDT").has_value());
  BOOST_TEST(!market.find("ETHUSDT").has_value());
}

BOOST_AUTO_TEST_CASE(answers_the_same_question_always_the_same_way) {
  invented_market again{7, {"DOGEUSDT", "BTCUSDT"}};
  // One market is asked all the way, the other only at the end.
  for (auto into = 0ms; into < 1min; into += 130ms) btc_at(exchange::okx, into);
  const auto late = btc_at(exchange::okx, 1min);
  BOOST_TEST((again.candle(exchange::okx, *again.find("BTCUSDT"), epoch_ms(minute_start),
                           minute_start + 2min) == late));
  BOOST_TEST((btc_at(exchange::okx, 10s) ==
              again.candle(exchange::okx, 1, epoch_ms(minute_start), minute_start + 10s)));
}

BOOST_AUTO_TEST_CASE(differs_by_seed) {
  invented_market other{8, {"BTCUSDT"}};
  BOOST_TEST(other.candle(exchange::okx, 0, epoch_ms(minute_start), minute_start).open !=
             btc_at(exchange::okx, 0ms).open);
}

BOOST_AUTO_TEST_CASE(grows_a_candle_through_its_minute) {
  auto before = btc_at(exchange::binance, 0ms);
  BOOST_TEST(before.trades == 1u);
  BOOST_TEST(before.open == before.close);
  for (auto into = 1s; into <= 60s; into += 1s) {
    const auto after = btc_at(exchange::binance, into);
    BOOST_TEST(after.open == before.open);
    BOOST_TEST(after.high >= before.high);
    BOOST_TEST(after.low <= before.low);
    BOOST_TEST(after.volume >= before.volume);
    BOOST_TEST(after.trades >= before.trades);
    BOOST_TEST((after.low <= after.close && after.close <= after.high));
    before = after;
  }
  BOOST_TEST(before.trades > 60u);
  BOOST_TEST(before.quote_volume / before.volume >= before.low - 0.01);
  BOOST_TEST(before.quote_volume / before.volume <= before.high + 0.01);
}

BOOST_AUTO_TEST_CASE(keeps_exchanges_close_but_not_equal) {
  int equal = 0;
  for (auto minute = 0; minute < 1000; ++minute) {
    const auto at = minute_start + std::chrono::minutes{minute};
    const auto binance = market.candle(exchange::binance, btc, epoch_ms(at), at + 1min).close;
    const auto kraken = market.candle(exchange::kraken, btc, epoch_ms(at), at + 1min).close;
    equal += binance == kraken;
    BOOST_TEST(std::abs(binance / kraken - 1) < 0.001);
  }
  BOOST_TEST(equal < 10);
}

BOOST_AUTO_TEST_CASE(moves_like_a_market_and_stays_near_its_price) {
  double lowest = 1e9, highest = 0, last = 0, farthest = 0;
  for (auto minute = 0; minute < 3000; ++minute) {
    const auto at = minute_start + std::chrono::minutes{minute * 7};
    const auto close = market.candle(exchange::binance, btc, epoch_ms(at), at + 1min).close;
    if (last > 0) farthest = std::max(farthest, std::abs(close / last - 1));
    lowest = std::min(lowest, close);
    highest = std::max(highest, close);
    last = close;
  }
  BOOST_TEST(highest / lowest > 1.01);
  BOOST_TEST(highest / lowest < 1.4);
  BOOST_TEST(farthest < 0.02);
}

BOOST_AUTO_TEST_CASE(makes_the_candle_of_the_minutes_trades) {
  for (auto x : all_exchanges) BOOST_TEST_CONTEXT(to_string(x)) {
      const auto whole = btc_at(x, 1min);
      invented_candle folded;
      const auto first = invented_market::tick_of(minute_start);
      for (auto tick = first; tick < first + 240; ++tick) {
        const auto trade = market.trade(x, btc, tick);
        if (!trade) continue;
        if (folded.trades++ == 0) folded.open = folded.high = folded.low = trade->price;
        folded.high = std::max(folded.high, trade->price);
        folded.low = std::min(folded.low, trade->price);
        folded.close = trade->price;
        folded.volume += trade->quantity;
        BOOST_TEST((minute_start <= trade->at && trade->at < minute_start + 1min));
      }
      BOOST_TEST(folded.trades == whole.trades);
      BOOST_TEST(folded.open == whole.open);
      BOOST_TEST(folded.high == whole.high);
      BOOST_TEST(folded.low == whole.low);
      BOOST_TEST(folded.close == whole.close);
      BOOST_TEST(std::abs(folded.volume - whole.volume) < 1e-8);
    }
}

BOOST_AUTO_TEST_CASE(keeps_minutes_quiet_at_kraken_and_coinbase_and_counts_trades_on) {
  invented_market quiet{7, {"BTCUSDT"}, 3};
  for (auto x : all_exchanges) BOOST_TEST_CONTEXT(to_string(x)) {
      const bool may_be_quiet = x == exchange::kraken || x == exchange::coinbase;
      int without = 0;
      for (auto at = minute_start; at < minute_start + 100min; at += 1min)
        without += quiet.candle(x, 0, epoch_ms(at), at + 1min).trades == 0;
      BOOST_TEST(without == (may_be_quiet ? 30 : 0));
    }
  // The numbers of Coinbase's trades go on by one, over quiet minutes, too.
  const auto first = invented_market::tick_of(minute_start);
  auto last = quiet.last_trade(exchange::coinbase, 0, minute_start - 1ms).id;
  int trades = 0;
  for (auto tick = first; tick < first + 240 * 100; ++tick)
    if (const auto trade = quiet.trade(exchange::coinbase, 0, tick)) {
      ++trades;
      if (trade->id != ++last) BOOST_FAIL("trade " << trade->id << " instead of " << last);
    }
  BOOST_TEST(trades == 240 * 70);
}

BOOST_AUTO_TEST_CASE(rounds_to_the_price_step_of_the_exchange) {
  BOOST_TEST(market.price_decimals(exchange::binance, btc) == 2);
  BOOST_TEST(market.price_decimals(exchange::kraken, btc) == 1);
  BOOST_TEST(market.price_decimals(exchange::binance, doge) == 5);
  const auto price = btc_at(exchange::kraken, 30s).close * 10;
  BOOST_TEST(std::abs(price - std::round(price)) < 1e-6);
}

BOOST_AUTO_TEST_SUITE_END()
