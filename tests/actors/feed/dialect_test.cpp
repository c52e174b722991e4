#include "tests/actors/feed/dialect_fixture.hpp"

#include <algorithm>
#include <chrono>

// What holds for every exchange's dialect.

namespace breakwater::test {
namespace {

using namespace std::chrono_literals;

constexpr auto spot = market::spot;
constexpr auto linear = market::linear;

/// What the exchange documents, or what is known to be safe where it does not. 0: no limit is known.
struct documented {
  exchange which;
  market where;
  double messages_a_second;        ///< Ours on one connection, pongs among them.
  double subscriptions_an_hour;    ///< Ours on one connection.
  double messages_of_all_a_second; ///< Of one address.
  double connects_a_minute;
  std::size_t streams_of_one, symbols_of_a_request, request_bytes, argument_bytes_of_one;
  std::chrono::milliseconds life, cut_when_quiet;
  double history_requests_a_minute;
  std::size_t history_minutes;
};
constexpr documented limits[] = {
    {exchange::binance, spot, 5, 0, 0, 60, 1024, 0, 4096, 0, 24h, 60s, 3000, 1000},
    {exchange::binance, linear, 10, 0, 0, 60, 1024, 0, 4096, 0, 24h, 600s, 1200, 499},
    {exchange::bybit, spot, 0, 0, 0, 100, 0, 10, 0, 21000, 0s, 600s, 7200, 1000},
    {exchange::bybit, linear, 0, 0, 0, 100, 0, 0, 0, 21000, 0s, 600s, 7200, 1000},
    {exchange::okx, spot, 0, 480, 0, 180, 0, 0, 4096, 65536, 0s, 30s, 1200, 300},
    {exchange::okx, linear, 0, 480, 0, 180, 0, 0, 4096, 65536, 0s, 30s, 1200, 300},
    {exchange::kraken, spot, 20, 0, 0, 15, 0, 0, 0, 0, 0s, 60s, 60, 720},
    {exchange::coinbase, spot, 100, 0, 8, 480, 0, 0, 0, 0, 0s, 0s, 600, 300},
};

double in(std::chrono::milliseconds span, const rate& x) {
  return static_cast<double>(x.count) * static_cast<double>(span.count()) /
         static_cast<double>(x.per.count());
}

/// As long as names get.
std::string longest_name(exchange which, market where, std::size_t number) {
  const auto base = "1000000COIN" + std::to_string(1000 + number);
  return exchange_symbol(which, where, base + "USDT").value();
}

BOOST_AUTO_TEST_SUITE(dialects)

BOOST_AUTO_TEST_CASE(the_rules_stay_on_the_safe_side_of_what_is_documented) {
  for (const auto& x : limits)
    BOOST_TEST_CONTEXT(to_string(x.which) << (x.where == spot ? " spot" : " linear")) {
      dialect_fixture of{x.which, x.where};
      const auto& rules = of.speaks->rules();
      const auto below = [](double ours, double theirs) {
        return theirs == 0 || (ours > 0 && ours < theirs);
      };
      BOOST_TEST(rules.url.starts_with("wss://"));
      BOOST_TEST(rules.rest_url.starts_with("https://"));
      BOOST_TEST(!rules.rest_url.ends_with("/"));
      BOOST_TEST(below(in(1s, rules.messages), x.messages_a_second));
      BOOST_TEST(below(in(1h, rules.requests_of_one), x.subscriptions_an_hour));
      BOOST_TEST(below(in(1s, rules.messages_of_all), x.messages_of_all_a_second));
      BOOST_TEST(below(in(1min, rules.connects), x.connects_a_minute));
      BOOST_TEST(below(in(1min, rules.history_requests), x.history_requests_a_minute + 0.001));
      BOOST_TEST(rules.minutes_per_history_request <= x.history_minutes);
      BOOST_TEST((x.streams_of_one == 0 || rules.symbols_per_connection < x.streams_of_one));
      BOOST_TEST((x.symbols_of_a_request == 0 || rules.symbols_per_request <= x.symbols_of_a_request));
      BOOST_TEST((x.life == 0s ? rules.replace_after == 0s
                               : rules.replace_after <= x.life - 20min && rules.replace_after > x.life / 2));
      if (!rules.ping.empty()) BOOST_TEST((rules.ping_after < x.cut_when_quiet));
      BOOST_TEST((rules.ping.empty() || rules.ping_after < rules.dead_after));
      BOOST_TEST((rules.counts_trades == (x.which == exchange::coinbase)));
      BOOST_TEST(rules.sends_every_minute == rules.marks_closed);

      std::vector<std::string> names;
      std::vector<std::string_view> views;
      for (std::size_t i = 0; i < rules.symbols_per_request; ++i)
        names.push_back(longest_name(x.which, x.where, i));
      for (const auto& name : names) views.push_back(name);
      const auto request = of.speaks->subscribe_text(4000000000, views);
      BOOST_TEST((x.request_bytes == 0 || request.size() < x.request_bytes), request.size());
      const auto one = of.speaks->subscribe_text(1, std::span{views}.first(1)),
                 two = of.speaks->subscribe_text(1, std::span{views}.first(2));
      // An argument: two of them are longer than one by it, a comma and, on Bybit, its quotes, which do not
      // count.
      const auto argument = two.size() - one.size() - (x.which == exchange::bybit ? 3 : 1);
      if (x.argument_bytes_of_one > 0)
        BOOST_TEST((argument * rules.symbols_per_connection < x.argument_bytes_of_one ||
                    (rules.name_bytes_per_connection > 0 &&
                     rules.name_bytes_per_connection < x.argument_bytes_of_one)));
    }
}

BOOST_AUTO_TEST_CASE(kraken_and_coinbase_have_spot_markets_only_here) {
  for (auto which : {exchange::kraken, exchange::coinbase})
    BOOST_TEST(dialect_fixture(which, linear).speaks->rules().url.empty());
}

BOOST_AUTO_TEST_CASE(requests_are_json_and_name_each_symbol_once) {
  for (const auto& x : limits)
    BOOST_TEST_CONTEXT(to_string(x.which) << (x.where == spot ? " spot" : " linear")) {
      dialect_fixture of{x.which, x.where};
      std::vector<std::string_view> theirs;
      for (const auto& entry : of.speaks->names().entries()) theirs.push_back(entry.theirs);
      BOOST_TEST_REQUIRE(theirs.size() == 3u);
      for (const auto& text :
           {of.speaks->subscribe_text(12345, theirs), of.speaks->unsubscribe_text(12346, theirs)}) {
        // Read back as a frame, a request is JSON of no form that the exchange sends.
        const auto said = of.read(text);
        BOOST_TEST(!said.starts_with("frame_not_json"), said);
        for (auto name : theirs) {
          std::string spelt{name};
          if (x.which == exchange::binance)
            std::transform(spelt.begin(), spelt.end(), spelt.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
          const auto at = text.find(spelt);
          BOOST_TEST(at != text.npos, spelt << " in " << text);
          BOOST_TEST(text.find(spelt, at + 1) == text.npos);
        }
        BOOST_TEST((x.which == exchange::coinbase || text.find("1234") != text.npos));
      }
    }
}

BOOST_AUTO_TEST_CASE(a_symbol_learnt_later_is_read_like_the_others) {
  struct row {
    exchange which;
    const char* frame;
  };
  constexpr row rows[] = {
      {exchange::binance,
       R"({"e":"kline","E":1,"s":"XRPUSDT","k":{"t":1767571200000,"i":"1m","o":"1","h":"2","l":"1","c":"1","v":"0","x":true}})"},
      {exchange::bybit,
       R"({"topic":"kline.1.XRPUSDT","data":[{"start":1767571200000,"open":"1","close":"1","high":"1","low":"1","volume":"1","confirm":true}]})"},
      {exchange::okx,
       R"({"arg":{"channel":"candle1m","instId":"XRP-USDT"},"data":[["1767571200000","1","2","0.5","1.5","3","4","4","0"]]})"},
      {exchange::kraken,
       R"({"channel":"ohlc","data":[{"symbol":"XRP/USDT","open":1,"high":1,"low":1,"close":1,"volume":1,"interval_begin":"2026-01-05T00:00:00Z","interval":1}]})"},
      {exchange::coinbase,
       R"({"type":"match","product_id":"XRP-USDT","trade_id":1,"size":"1","price":"1","time":"2026-01-05T00:00:00Z"})"},
  };
  for (const auto& x : rows) BOOST_TEST_CONTEXT(to_string(x.which)) {
      dialect_fixture of{x.which};
      BOOST_TEST(of.read(x.frame).starts_with("symbol_unknown: XRP"));
      BOOST_TEST(!of.speaks->learn("XRPUSDT"));
      BOOST_TEST(of.read(x.frame) == "candles 1");
      BOOST_TEST(of.candles.at(0).symbol == "XRPUSDT");
      BOOST_TEST(of.speaks->names().entries()[3].ours == "XRPUSDT");
    }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater::test
