#include "actors/feed/symbol_names.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

namespace breakwater {
namespace {

BOOST_AUTO_TEST_SUITE(symbol_names_suite)

BOOST_AUTO_TEST_CASE(base_and_quote_are_joined_whatever_stood_between) {
  struct row {
    const char *name, *canonical;
  };
  constexpr row rows[] = {
      {"BTC-USDT", "BTCUSDT"},
      {"BTC/USDT", "BTCUSDT"},
      {"btcusdt", "BTCUSDT"},
      {"XBT/USDT", "BTCUSDT"},
      {"XBTUSDT", "BTCUSDT"},
      {"XDG/USD", "DOGEUSD"},
      {"ETH/XBT", "ETHBTC"},
      {"ETHXBT", "ETHBTC"},
      {"1000PEPEUSDT", "1000PEPEUSDT"},
      {"BTC-USD", "BTCUSD"},
      {"BTC_USDT", "BTCUSDT"},
      {"BTC-USD-220624", ""},
      {"BTC-", ""},
      {"/USD", ""},
      {"\xc3\xa4-USDT", ""},
      {"", ""},
      {"BTC USDT", ""},
  };
  for (const auto& x : rows) BOOST_TEST_CONTEXT(x.name) {
      BOOST_TEST(canonical_symbol(x.name) == x.canonical);
    }
}

BOOST_AUTO_TEST_CASE(each_exchange_has_its_own_spelling) {
  struct row {
    exchange which;
    market where;
    const char *ours, *theirs;
  };
  constexpr row rows[] = {
      {exchange::binance, market::spot, "BTCUSDT", "BTCUSDT"},
      {exchange::bybit, market::linear, "1000PEPEUSDT", "1000PEPEUSDT"},
      {exchange::okx, market::spot, "BTCUSDT", "BTC-USDT"},
      {exchange::okx, market::linear, "BTCUSDT", "BTC-USDT-SWAP"},
      {exchange::kraken, market::spot, "BTCUSDT", "BTC/USDT"},
      {exchange::kraken, market::spot, "DOGEUSD", "DOGE/USD"},
      {exchange::kraken, market::spot, "USDCUSDT", "USDC/USDT"},
      {exchange::okx, market::spot, "DOTUSD", "DOT-USD"},
      {exchange::okx, market::spot, "ETHBTC", "ETH-BTC"},
      {exchange::coinbase, market::spot, "ETHUSD", "ETH-USD"},
      {exchange::okx, market::spot, "BTCXYZ", ""},
      {exchange::okx, market::spot, "USDT", ""},
  };
  for (const auto& x : rows) BOOST_TEST_CONTEXT(to_string(x.which) << " " << x.ours) {
      BOOST_TEST(exchange_symbol(x.which, x.where, x.ours).value_or("") == x.theirs);
    }
}

BOOST_AUTO_TEST_CASE(only_what_is_on_the_list_is_known) {
  symbol_names names{exchange::okx, market::spot, {"BTCUSDT", "btc-usdt", "ETHUSDT"}, {}};
  BOOST_TEST(names.entries().size() == 2u);
  BOOST_TEST_REQUIRE(names.ours("ETH-USDT"));
  BOOST_TEST(*names.ours("ETH-USDT") == "ETHUSDT");
  BOOST_TEST(!names.ours("SOL-USDT"));
  BOOST_TEST(!names.ours("ETHUSDT"));
}

BOOST_AUTO_TEST_CASE(an_override_replaces_the_rule) {
  symbol_names names{exchange::kraken,
                     market::spot,
                     {"BTCUSDT", "ETHUSDT"},
                     {{"BTCUSDT", "BTC/USD"}, {"SOLUSDT", "SOL/USD"}}};
  BOOST_TEST(*names.ours("BTC/USD") == "BTCUSDT");
  BOOST_TEST(!names.ours("BTC/USDT"));
  BOOST_TEST(!names.ours("SOL/USD")); // an override asks for nothing
}

BOOST_AUTO_TEST_CASE(two_of_ours_cannot_be_one_of_theirs) {
  symbol_names names{
      exchange::kraken, market::spot, {"BTCUSD", "BTCUSDT", "NOQUOTE", "?"}, {{"BTCUSDT", "BTC/USD"}}};
  BOOST_TEST(*names.ours("BTC/USD") == "BTCUSDT");
  BOOST_TEST_REQUIRE(names.left_out().size() == 3u);
  BOOST_TEST(names.left_out()[0].ours == "BTCUSD");
  BOOST_TEST(names.left_out()[1].ours == "NOQUOTE");
  BOOST_TEST(names.left_out()[2].ours == "?");
}

BOOST_AUTO_TEST_CASE(a_name_that_was_made_here_is_what_it_is_made_of) {
  for (const char* name : {"BTC-USDT", "XBT/USD", "DOGE-BTCXBT", "xdg_eur", "1000PEPEUSDT"})
    BOOST_TEST(canonical_symbol(canonical_symbol(name)) == canonical_symbol(name), name);
}

BOOST_AUTO_TEST_CASE(more_symbols_are_learnt_and_what_stands_stays_where_it_is) {
  symbol_names names{exchange::okx, market::spot, {"BTCUSDT"}, {{"DOGEUSDT", "XDG-USDT"}}};
  const auto* first = &names.entries()[0].theirs;
  BOOST_TEST(!names.learn("ETH/USDT"));
  BOOST_TEST(!names.learn("dogeusdt"));
  BOOST_TEST(!names.learn("BTCUSDT")); // known
  for (int i = 0; i < 1000; ++i) BOOST_TEST_REQUIRE(!names.learn("C" + std::to_string(i) + "USDT"));
  BOOST_TEST(first == &names.entries()[0].theirs);
  BOOST_TEST(names.place_of("ETHUSDT").value() == 1u);
  BOOST_TEST(names.entries()[2].theirs == "XDG-USDT");
  BOOST_TEST(*names.ours("ETH-USDT") == "ETHUSDT");
  BOOST_TEST(!names.place_of("XRPUSDT"));
  BOOST_TEST(names.learn("NOQUOTE")->reason.find("feeds.okx.symbols") != std::string::npos);
  BOOST_TEST(names.learn("?")->ours == "?");
  BOOST_TEST(names.left_out().empty()); // those are the constructor's
}

BOOST_AUTO_TEST_CASE(for_replay_any_symbol_of_the_market_is_known) {
  auto spot = symbol_names::any(exchange::okx, market::spot, {{"BTCUSDT", "BTC-USD"}});
  BOOST_TEST(*spot.ours("SOL-USDC") == "SOLUSDC");
  BOOST_TEST(*spot.ours("SOL-USDC") == "SOLUSDC");
  BOOST_TEST(*spot.ours("BTC-USD") == "BTCUSDT");
  BOOST_TEST(!spot.ours("BTC-USDT-SWAP"));
  BOOST_TEST(!spot.ours("BTC-USD-220624-50000-C"));
  auto linear = symbol_names::any(exchange::okx, market::linear, {});
  BOOST_TEST(*linear.ours("BTC-USDT-SWAP") == "BTCUSDT");
  BOOST_TEST(!linear.ours("BTC-USDT"));
  BOOST_TEST(!linear.ours("BTC-USD-220624"));
  auto binance = symbol_names::any(exchange::binance, market::linear, {});
  BOOST_TEST(*binance.ours("MOBBUSD") == "MOBBUSD");
  BOOST_TEST(!binance.ours("BTCUSDT_240628"));
}

BOOST_AUTO_TEST_CASE(names_without_end_do_not_fill_the_memory) {
  auto names = symbol_names::any(exchange::binance, market::spot, {});
  for (int i = 0; i < 30000; ++i) (void)names.ours(std::to_string(i) + "XUSDT");
  BOOST_TEST(names.entries().size() == 20000u);
  BOOST_TEST(!names.ours("YUSDT"));
  BOOST_TEST(names.ours("1XUSDT"));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater
