#include "actors/aggregator/merge_tally.hpp"

#include <boost/test/unit_test.hpp>

using namespace breakwater;
using enum exchange;

namespace {

merged told(std::initializer_list<exchange> present, std::initializer_list<exchange> excluded = {}) {
  merged m;
  for (auto x : present) m.prices[index_of(x)] = 100;
  for (auto x : excluded) m.excluded.set(index_of(x));
  return m;
}

} // namespace

BOOST_AUTO_TEST_CASE(nothing_told_is_nothing_counted) {
  const auto all = merge_tally{}.report();
  BOOST_TEST(all.records == 0u);
  BOOST_TEST(!all.lead_lag.has_value());
}

BOOST_AUTO_TEST_CASE(who_has_a_price_contributed_or_was_left_out) {
  merge_tally sut;
  sut.add(told({binance, bybit}));
  sut.add(told({binance, bybit, okx}, {okx}));
  sut.add(told({binance, bybit, okx, kraken}, {okx, binance}));
  const auto all = sut.report();
  struct row {
    exchange of;
    std::uint64_t contributed, excluded;
  };
  constexpr row rows[] = {{binance, 2, 1}, {bybit, 3, 0}, {okx, 0, 2}, {kraken, 1, 0}, {coinbase, 0, 0}};
  for (const auto& r : rows) BOOST_TEST_CONTEXT(to_string(r.of)) {
      BOOST_TEST(all.exchanges[index_of(r.of)].contributed == r.contributed);
      BOOST_TEST(all.exchanges[index_of(r.of)].excluded == r.excluded);
    }
  BOOST_TEST(all.records == 3u);
  BOOST_TEST(all.suspect == 0u);
}

BOOST_AUTO_TEST_CASE(the_lead_is_the_mean_over_the_records_that_have_one) {
  merge_tally sut;
  auto m = told({binance, bybit});
  m.lead_lag = 0.002;
  m.suspect = true;
  sut.add(m);
  sut.add(told({binance, okx}));
  m.lead_lag = -0.001;
  m.suspect = false;
  sut.add(m);
  BOOST_TEST(sut.report().suspect == 1u);
  BOOST_TEST(*sut.report().lead_lag == 0.0005, boost::test_tools::tolerance(1e-12));
}
