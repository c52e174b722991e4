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
       "other status"},
      {R"({"channel":"heartbeat"})", "pong"},
      {R"({"method":"pong","req_id":42,"time_in":"2026-01-05T00:00:00.1Z","time_out":"2026-01-05T00:00:00.1Z"})",
       "pong"},
      {R"({"method":"subscribe","result":{"channel":"ohlc","interval":1,"snapshot":true,"symbol":"BTC/USDT","warnings":["old"]},"success":true,"req_id":5})",
       "acknowledged 5 BTCUSDT"},
      {R"({"method":"subscribe","result":{"channel":"book","depth":10,"symbol":"BTC/USDT"},"success":true})",
       "answer"},
      {R"({"error":"Currency pair not supported ETH/USDT","method":"subscribe","success":false,"symbol":"ETH/USDT","req_id":6})",
       "refused 6 ETHUSDT: Currency pair not supported ETH/USDT"},
      {R"({"error":"Already subscribed","method":"subscribe","success":false,"symbol":"ETH/USDT"})",
       "refused 0 ETHUSDT: Already subscribed (stands)"},
      {R"({"error":"Exceeded msg rate","success":false})", "refused 0 : Exceeded msg rate"},
      {R"({"method":"unsubscribe","result":{"channel":"ohlc","symbol":"BTC/USDT"},"success":true})",
       "answer"},
      {R"({"channel":"ohlc","type":"update","data":[{"symbol":"BTC/USDT","open":1,"high":1,"low":1,"close":1,"volume":1,"interval_begin":"2026-01-05T00:00:00Z","interval":5}]})",
       "other ohlc-5"},
      {R"({"channel":"book","type":"update","data":[{"symbol":"BTC/USDT","bids":[],"asks":[],"checksum":1}]})",
       "other book"},
      {R"({"channel":"poetry","type":"update","data":[]})",
       R"(frame_unknown: {"channel":"poetry","type":"update","data":[]})"},
      {R"({"method":"dance","success":true})", R"(frame_unknown: {"method":"dance","success":true})"},
      {R"({"method":"dance","success":false,"error":"Unsupported method","req_id":8})",
       "refused 8 : Unsupported method"},
      {R"({"type":"update"})", R"(frame_unknown: {"type":"update"})"},
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

BOOST_AUTO_TEST_CASE(version_1_and_the_futures_are_told_apart) {
  constexpr frame_row rows[] = {
      {R"([42,["1767571202.3","1767571260.0","1","2","1","2","1.5","3",1],"ohlc-1","XBT/USDT"])",
       "other ohlc-1"},
      {R"([42,{"a":[["1","2","3"]]},{"b":[["1","2","3"]],"c":"1"},"book-10","XBT/USDT"])", "other book-10"},
      {R"([42,[["1","2","3","b","l",""]],"trade","XBT/USDT"])", "other trade"},
      {R"([42,{},"poetry","XBT/USDT"])", R"(frame_unknown: [42,{},"poetry","XBT/USDT"])"},
      {R"(["trade"])", R"(frame_unknown: ["trade"])"},
      {R"([42,["1"],"trade","XBT/USDT")", "frame_not_json"},
      {R"([42,["1"],"trade","XBT/USDT"]])", "frame_not_json"},
      {"[]", "frame_unknown: []"},
      {R"({"connectionID":18446744073709551615,"event":"systemStatus","status":"online"})", "other status"},
      {R"({"event":"heartbeat"})", "pong"},
      {R"({"event":"pong","reqid":42})", "pong"},
      {R"({"event":"subscriptionStatus","pair":"XBT/USDT","status":"subscribed","channelName":"ohlc-1"})",
       "answer"},
      {R"({"errorMessage":"Currency pair not supported","event":"subscriptionStatus","pair":"ETH/USDT","reqid":7,"status":"error"})",
       "refused 7 ETHUSDT: Currency pair not supported"},
      {R"({"event":"parade"})", R"(frame_unknown: {"event":"parade"})"},
      {R"({"event":"info","version":1})", "other status"},
      {R"({"event":"subscribed","feed":"ticker","product_ids":["PI_XBTUSD"]})", "answer"},
      {R"({"event":"alert","message":"Bad request"})", "refused 0 : Bad request"},
      {R"({"feed":"trade_snapshot","product_id":"PI_XBTUSD","trades":[]})", "other trade_snapshot"},
      {R"({"feed":"ticker","funding_rate":-6.2604214e-11})", "other ticker"},
      {R"({"feed":"poetry"})", R"(frame_unknown: {"feed":"poetry"})"},
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
  BOOST_TEST(
      speaks->unsubscribe_text(8, names) ==
      R"({"method":"unsubscribe","params":{"channel":"ohlc","symbol":["BTC/USDT","ETH/USDT"],"interval":1},"req_id":8})");
  follow(exchange::kraken, market::linear);
  BOOST_TEST(speaks->rules().url.empty());
}

BOOST_AUTO_TEST_CASE(past_candles_are_those_that_the_exchange_calls_committed) {
  BOOST_TEST(speaks->history_target("BTC/USDT", 1767571020, 1767571140) ==
             "/0/public/OHLC?pair=XBTUSDT&interval=1&since=1767571019");
  BOOST_TEST(speaks->history_target("DOGE/BTC", 1767571020, 1767571140) ==
             "/0/public/OHLC?pair=XDGXBT&interval=1&since=1767571019");
  constexpr frame_row rows[] = {
      {R"({"error":[],"result":{"XBTUSDT":[[1767571080,"1","4","0.5","2","1.5","3",7],[1767571140,"2","3","1","2.5","0.0","0.00000000",0],[1767571200,"1","1","1","1","1","1",1]],"last":1767571140}})",
       "BTCUSDT 1767571080 1 4 0.5 2 3; BTCUSDT 1767571140 2 3 1 2.5 0"},
      // Our clock runs ahead: the last row's minute is not over there.
      {R"({"result":{"last":1767571080,"XXBTZUSD":[[1767571080,"1","4","0.5","2","1.5","3",7],[1767571140,"2","3","1","2.5","2","0.1",1]]},"error":[]})",
       "BTCUSDT 1767571080 1 4 0.5 2 3"},
      {R"({"error":[],"result":{"XBTUSDT":[],"last":1767571140}})", ""},
      {R"({"error":["EQuery:Unknown asset pair"]})", "frame_unknown: EQuery:Unknown asset pair"},
      {R"({"error":["EGeneral:Too many requests","EAPI:Rate limit exceeded"],"result":{}})",
       "frame_unknown: EGeneral:Too many requests"},
      {R"({"error":[],"result":{"last":1}})", R"(frame_unknown: {"error":[],"result":{"last":1}})"},
      {R"({"error":[],"result":{"XBTUSDT":[[1767571080,"1","4","0.5","2","1.5"]],"last":1767571140}})",
       "field_missing: row.volume"},
      {R"({"error":[],"result":{"XBTUSDT":[[1767571080,"1","4","0.5","2","1.5","3",7]],"last":1767571140})",
       "frame_not_json"},
  };
  check_past(rows);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater::test
