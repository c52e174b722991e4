#include "actors/aggregator/last_prices.hpp"

#include <boost/test/unit_test.hpp>

using namespace breakwater;
using namespace std::chrono_literals;

namespace {

merged record(const std::string& symbol, std::int64_t start_s, double price, wall_time at = {}) {
  merged told;
  told.symbol = symbol;
  told.start_s = start_s;
  told.mean = price;
  told.ingest_at = at;
  return told;
}

} // namespace

BOOST_AUTO_TEST_CASE(the_newest_minute_of_a_symbol_is_its_price) {
  last_prices sut;
  sut.add(record("BTCUSDT", 60, 100, wall_time{1s}));
  sut.add(record("BTCUSDT", 120, 101, wall_time{2s}));
  sut.add(record("BTCUSDT", 60, 99, wall_time{3s})); // a filled minute
  const auto told = sut.of({"BTCUSDT"}).prices;
  BOOST_REQUIRE(told.size() == 1u);
  BOOST_TEST(told[0].price == 101);
  BOOST_TEST((told[0].at == wall_time{2s}));
  sut.add(record("BTCUSDT", 120, 102));
  BOOST_TEST(sut.of({"BTCUSDT"}).prices.at(0).price == 102);
}

BOOST_AUTO_TEST_CASE(what_is_not_known_is_left_out_and_no_name_means_all) {
  last_prices sut;
  BOOST_TEST(sut.of({}).prices.empty());
  sut.add(record("BTCUSDT", 60, 100));
  sut.add(record("ETHUSDT", 60, 10));
  BOOST_TEST(sut.of({"SOLUSDT"}).prices.empty());
  BOOST_TEST(sut.of({"ETHUSDT", "SOLUSDT"}).prices.size() == 1u);
  BOOST_TEST(sut.of({}).prices.size() == 2u);
}

BOOST_AUTO_TEST_CASE(what_the_price_is_made_of_goes_with_it) {
  last_prices sut;
  auto told = record("BTCUSDT", 60, 100);
  told.deviation = 1.5;
  told.spread_bps = 30;
  told.contributing = 3;
  told.prices[index_of(exchange::okx)] = 99;
  told.excluded.set(index_of(exchange::kraken));
  sut.add(told);
  const auto known = sut.of({}).prices.at(0);
  BOOST_TEST((known.deviation == 1.5 && known.spread_bps == 30 && known.contributing == 3u));
  BOOST_TEST((known.prices == told.prices && known.excluded == told.excluded && known.minute_s == 60));
}
