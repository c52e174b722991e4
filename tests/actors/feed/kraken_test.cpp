#include "tests/actors/feed/dialect_fixture.hpp"

namespace breakwater::test {
namespace {

struct kraken_fixture : dialect_fixture {
  kraken_fixture() : dialect_fixture(exchange::kraken) {}
};

const std::string frame =
    R"({"channel":"ohlc","type":"update","timestamp":"2026-01-05T00:00:02.345678901Z","data":[{"symbol":"BTC/USDT",)"
    R"("open":91000.1,"high":91002.0,"low":90999.9,"close":91001.3,"trades":3,"volume":0.00005100,"vwap":91001.0,)"
    R"("interval_begin":"2026-01-05T00:00:00.000000000Z","interval":1,"timestamp":"2026-01-05T00:01:00.000000Z"}]})";

BOOST_FIXTURE_TEST_SUITE(kraken, kraken_fixture)

BOOST_AUTO_TEST_CASE(a_candle_is_read_and_never_said_to_be_closed) {
  BOOST_TEST_REQUIRE(read(frame) == "candles 1");
  const candle expected{"BTCUSDT",  exchange::kraken, 1767571200, 91000.1, 91002.0,
                        90999.9,    91001.3,          0.000051,   false,   wall_time_from_ms(1767571202345),
                        received_at};
  BOOST_TEST((candles.at(0) == expected));
  BOOST_TEST(!speaks->rules().marks_closed);
}

BOOST_AUTO_TEST_CASE(a_snapshot_holds_many_rows_and_may_name_its_channel_last) {
  BOOST_TEST(
      read(
          R"({"data":[{"interval":1,"interval_begin":"2026-01-05T00:00:00Z","symbol":"BTC/USDT","open":1,"high":2,"low":1,"close":2,"volume":0},)"
          R"({"interval":1,"interval_begin":"2026-01-05T00:01:00Z","symbol":"ETH/USDT","open":1,"high":2,"low":1,"close":2,"volume":1e-8}],)"
          R"("type":"snapshot","channel":"ohlc"})") == "candles 2");
  BOOST_TEST(candles.at(0).start_s + 60 == candles.at(1).start_s);
  BOOST_TEST(candles.at(1).symbol == "ETHUSDT");
  BOOST_TEST(candles.at(1).volume == 1e-8);
  BOOST_TEST((candles.at(1).event_at == received_at)); // the frame says no time
}

BOOST_AUTO_TEST_CASE(what_is_no_candle_is_told_apart) {
  constexpr frame_row rows[] = {
      {R"({"channel":"status","type":"update","data":[{"version":"2","system":"online","connection_id":18446744073709551615}]})",
       "other"},
      {R"({"channel":"heartbeat"})", "pong"},
      {R"({"method":"pong","req_id":42,"time_in":"2026-01-05T00:00:00.1Z","time_out":"2026-01-05T00:00:00.1Z"})",
       "pong"},
      {R"({"method":"subscribe","result":{"channel":"ohlc","interval":1,"snapshot":true,"symbol":"BTC/USDT","warnings":["old"]},"success":true,"req_id":5})",
       "acknowledged 5 BTCUSDT"},
      {R"({"method":"subscribe","result":{"channel":"book","depth":10,"symbol":"BTC/USDT"},"success":true})",
       "other"},
      {R"({"error":"Currency pair not supported ETH/USDT","method":"subscribe","success":false,"symbol":"ETH/USDT","req_id":6})",
       "refused 6 ETHUSDT: Currency pair not supported ETH/USDT"},
      {R"({"error":"Already subscribed","method":"subscribe","success":false,"symbol":"ETH/USDT"})",
       "refused 0 ETHUSDT: Already subscribed (stands)"},
      {R"({"error":"Exceeded msg rate","success":false})", "refused 0 : Exceeded msg rate"},
      {R"({"method":"unsubscribe","result":{"channel":"ohlc","symbol":"BTC/USDT"},"success":true})", "other"},
      {R"({"channel":"ohlc","type":"update","data":[{"symbol":"BTC/USDT","open":1,"high":1,"low":1,"close":1,"volume":1,"interval_begin":"2026-01-05T00:00:00Z","interval":5}]})",
       "other"},
      {R"({"channel":"book","type":"update","data":[{"symbol":"BTC/USDT","bids":[],"asks":[],"checksum":1}]})",
       "other"},
      {R"({"type":"update"})", "field_missing: channel"},
      {R"({"channel":"ohlc","type":"update"})", "field_missing: data"},
      {R"({"channel":"ohlc","type":"update","data":[]})", "field_missing: data[0]"},
      {R"({"channel":"ohlc","data":[{"symbol":"BTC/USDT","open":1,"high":1,"low":1,"close":1,"volume":1,"interval_begin":"2026-01-05T00:00:00Z"}]})",
       "field_missing: interval"},
      {R"({"channel":"ohlc","data":[{"symbol":"BTC/USDT","open":1,"high":1,"low":1,"close":1,"volume":1,"interval_begin":"yesterday","interval":1}]})",
       "field_malformed: interval_begin"},
      {R"({"channel":"ohlc","data":[{"open":1,"high":1,"low":1,"close":1,"volume":1,"interval_begin":"2026-01-05T00:00:00Z","interval":1}]})",
       "field_missing: symbol"},
      {R"({"channel":"ohlc","data":[{"symbol":"BTC/USD","open":1,"high":1,"low":1,"close":1,"volume":1,"interval_begin":"2026-01-05T00:00:00Z","interval":1}]})",
       "symbol_unknown: BTC/USD"},
      {R"({"channel":"ohlc","data":[{"symbol":"BTC/USDT","open":0,"high":1,"low":1,"close":1,"volume":1,"interval_begin":"2026-01-05T00:00:00Z","interval":1}]})",
       "field_malformed: open"},
  };
  check(rows);
  BOOST_TEST(candles.empty());
}

BOOST_AUTO_TEST_CASE(dollars_count_as_tether_only_where_the_override_says_so) {
  follow(exchange::kraken, market::spot, {{"BTCUSDT", "BTC/USD"}});
  BOOST_TEST(
      read(
          R"({"channel":"ohlc","data":[{"symbol":"BTC/USD","open":1,"high":1,"low":1,"close":1,"volume":1,"interval_begin":"2026-01-05T00:00:00Z","interval":1}]})") ==
      "candles 1");
  BOOST_TEST(candles.at(0).symbol == "BTCUSDT");
}

BOOST_AUTO_TEST_CASE(a_frame_that_is_cut_is_never_a_candle) { check_cut(frame); }

BOOST_AUTO_TEST_CASE(candles_are_asked_for_with_their_past) {
  const std::string_view names[] = {"BTC/USDT", "ETH/USDT"};
  BOOST_TEST(
      speaks->subscribe_text(7, names) ==
      R"({"method":"subscribe","params":{"channel":"ohlc","symbol":["BTC/USDT","ETH/USDT"],"interval":1,"snapshot":true},"req_id":7})");
  follow(exchange::kraken, market::linear);
  BOOST_TEST(speaks->rules().url.empty());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater::test
