#include "tests/support/process_fixture.hpp"

using namespace breakwater;
using namespace breakwater::test;

BOOST_FIXTURE_TEST_CASE(candles_of_four_exchanges_reach_the_stream_merged, process_fixture) {
  starts();
  for (auto from : {exchange::binance, exchange::bybit, exchange::okx, exchange::kraken}) sends(from);
  wait(100ms);
  BOOST_TEST_REQUIRE(published().size() == 3u); // the first one had no company
  BOOST_TEST(summary_of(published().back()) == "BTCUSDT 1767571200 100.0001 100.0002 null 100.0003 100.0004");
  check_all_is_published();
  BOOST_TEST(redis->client_name() == "breakwater:a:publish");
}

BOOST_FIXTURE_TEST_CASE(one_exchange_alone_makes_no_record, process_fixture) {
  starts();
  for (int i = 0; i < 10; ++i) sends(exchange::bybit);
  wait(50s);
  BOOST_TEST(published().empty());
  sends(exchange::bybit);
  sends(exchange::okx);
  wait(1s);
  BOOST_TEST(published().size() == 1u);
  check_all_is_published();
}

BOOST_FIXTURE_TEST_CASE(an_hour_of_candles_reaches_the_stream_in_order, process_fixture) {
  starts();
  candles_flow(1h, 500ms);
  wait(1s);
  BOOST_TEST(published().size() > 7000u);
  check_all_is_published();
  BOOST_TEST(redis->connects() == 1u);
  for (auto from : {exchange::binance, exchange::bybit, exchange::okx, exchange::kraken})
    BOOST_TEST(exchanges->connects(from) == 1u);
}

BOOST_FIXTURE_TEST_CASE(ids_grow_although_the_wall_clock_is_put_back, process_fixture) {
  starts();
  candles_flow(5s);
  wall_clock_jumps(-30s);
  candles_flow(5s);
  wall_clock_jumps(10s);
  candles_flow(5s);
  wait(1s);
  check_all_is_published();
  BOOST_TEST(std::is_sorted(spool->stamped.begin(), spool->stamped.end()));
}
