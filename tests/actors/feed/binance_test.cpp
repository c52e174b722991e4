#include "tests/actors/feed/dialect_fixture.hpp"

namespace breakwater::test {
namespace {

struct binance_fixture : dialect_fixture {
  binance_fixture() : dialect_fixture(exchange::binance) {}
};

const std::string open_candle =
    R"({"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1767571202345,"s":"BTCUSDT","k":{"t":1767571200000,)"
    R"("T":1767571259999,"s":"BTCUSDT","i":"1m","f":1,"L":9,"o":"91000.10000000","c":"91001.30000000",)"
    R"("h":"91002.00000000","l":"90999.90000000","v":"12.34500000","n":9,"x":false,"q":"1.0","V":"2.0","Q":"3.0",)"
    R"("B":"0"}}})";

const std::string closed_candle =
    R"({"k":{"x":true,"V":"7","v":"0.00000001","C":"9","c":"0.00001234","L":1,"l":"0.00001233","H":"5","h":"0.00001240",)"
    R"("O":"4","o":"0.00001235","I":"1h","i":"1m","T":1767571259999,"t":1767571200000},"S":"X","s":"1000PEPEUSDT",)"
    R"("E":1767571260001,"e":"kline"})";

BOOST_FIXTURE_TEST_SUITE(binance, binance_fixture)

BOOST_AUTO_TEST_CASE(an_open_candle_is_read_from_the_envelope) {
  BOOST_TEST_REQUIRE(read(open_candle) == "candles 1");
  const candle expected{"BTCUSDT",  exchange::binance, 1767571200, 91000.1, 91002.0,
                        90999.9,    91001.3,           12.345,     false,   wall_time_from_ms(1767571202345),
                        received_at};
  BOOST_TEST((candles.at(0) == expected));
}

BOOST_AUTO_TEST_CASE(a_closed_candle_is_read_without_envelope_in_any_order_of_keys_that_differ_by_case) {
  BOOST_TEST_REQUIRE(read(closed_candle) == "candles 1");
  const auto& x = candles.at(0);
  BOOST_TEST(x.symbol == "1000PEPEUSDT");
  BOOST_TEST(x.closed);
  BOOST_TEST(x.open == 0.00001235);
  BOOST_TEST(x.high == 0.0000124);
  BOOST_TEST(x.low == 0.00001233);
  BOOST_TEST(x.close == 0.00001234);
  BOOST_TEST(x.volume == 0.00000001);
  BOOST_TEST(epoch_ms(x.event_at) == 1767571260001);
}

BOOST_AUTO_TEST_CASE(times_in_microseconds_are_recognised) {
  BOOST_TEST_REQUIRE(
      read(R"({"e":"kline","E":1767571202345678,"s":"ETHUSDT","k":{"t":1767571200000000,"i":"1m",)"
           R"("o":"1","h":"2","l":"1","c":"2","v":"0","x":true}})") == "candles 1");
  BOOST_TEST(candles.at(0).start_s == 1767571200);
  BOOST_TEST(epoch_ms(candles.at(0).event_at) == 1767571202345);
}

BOOST_AUTO_TEST_CASE(what_is_no_candle_is_told_apart) {
  constexpr frame_row rows[] = {
      {R"({"result":null,"id":12})", "acknowledged 12 "},
      {R"({"id":13,"error":{"code":2,"msg":"Invalid request: no such stream"}})",
       "refused 13 : Invalid request: no such stream"},
      {R"({"code":2,"msg":"Invalid request","id":14})", "refused 14 : Invalid request"},
      {R"({"error":{"code":3,"msg":"Invalid JSON"}})", "refused 0 : Invalid JSON"},
      {R"({"result":["btcusdt@kline_1m"],"id":3})", "answer"},
      {R"({"e":"serverShutdown","E":1767571202345})", "closing"},
      {R"({"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1767571202345}})", "closing"},
      {R"({"e":"trade","E":1,"s":"BTCUSDT","t":1,"p":"1","q":"2","T":1,"m":false,"M":true})", "other trade"},
      {R"({"u":1,"s":"BTCUSDT","b":"1","B":"2","a":"3","A":"4"})", "other bookTicker"},
      {R"({"stream":"btcusdt@depth20","data":{"lastUpdateId":1,"bids":[["1","2"]],"asks":[]}})",
       "other depth"},
      {R"({"stream":"!markPrice@arr","data":[{"e":"markPriceUpdate","s":"BTCUSDT"}]})",
       "other markPriceUpdate"},
      {R"({"e":"kline","E":1,"s":"BTCUSDT","k":{"t":1767571200000,"i":"5m","o":"1","h":"2","l":"1","c":"2","v":"0","x":true}})",
       "other kline_5m"},
      {R"([{"e":"24hrMiniTicker","s":"BTCUSDT"},{"e":"24hrMiniTicker","s":"ETHUSDT"}])",
       "other 24hrMiniTicker"},
      {R"({"e":"kline","E":1,"s":"BTCUSDT","k":{"t":1767571200000,"i":"7m"}})", "other kline"},
      {R"({"error":"too many requests","id":4})", "refused 4 : too many requests"},
      {R"({"result":["btcusdt@kline_1m"],"id":18446744073709551616})", "answer"},
      {R"({"anything":1})", R"(frame_unknown: {"anything":1})"},
      {R"({"e":"newsOfTheDay","s":"BTCUSDT"})", R"(frame_unknown: {"e":"newsOfTheDay","s":"BTCUSDT"})"},
      {R"({"stream":"x","data":{"anything":1}})", R"(frame_unknown: {"stream":"x","data":{"anything":1}})"},
      {R"({"stream":"x","data":[]})", R"(frame_unknown: {"stream":"x","data":[]})"},
      {R"({"anything":nothing})", "frame_not_json"},
      {R"("text")", R"(frame_unknown: "text")"},
      {"17", "frame_unknown: 17"},
      {"pong", "frame_not_json"},
      {"", "frame_not_json"},
      {"[]", "frame_unknown: []"},
      {"[1", "frame_not_json"},
  };
  check(rows);
  BOOST_TEST(candles.empty());
}

BOOST_AUTO_TEST_CASE(a_field_that_cannot_be_read_is_named) {
  constexpr frame_row rows[] = {
      {R"({"e":"kline","E":1,"s":"BTCUSDT"})", "field_missing: k"},
      {R"({"e":"kline","E":1,"s":"BTCUSDT","k":{"t":1767571200000,"i":"1m","o":"1","h":"2","l":"1","v":"0","x":true}})",
       "field_missing: k.c"},
      {R"({"e":"kline","E":1,"s":"BTCUSDT","k":{"t":1767571200000,"i":"1m","o":"1","h":"2","l":"1","c":"","v":"0","x":true}})",
       "field_malformed: k.c"},
      {R"({"e":"kline","E":1,"s":"BTCUSDT","k":{"t":1767571200000,"i":"1m","o":"0","h":"2","l":"1","c":"1","v":"0","x":true}})",
       "field_malformed: k.o"},
      {R"({"e":"kline","E":1,"s":"BTCUSDT","k":{"t":1767571200000,"i":"1m","o":"1","h":"nan","l":"1","c":"1","v":"0","x":true}})",
       "field_malformed: k.h"},
      {R"({"e":"kline","E":1,"s":"BTCUSDT","k":{"t":1767571200001,"i":"1m","o":"1","h":"2","l":"1","c":"1","v":"0","x":true}})",
       "field_malformed: k.t"},
      {R"({"e":"kline","E":1,"s":"BTCUSDT","k":{"t":1767571200000,"i":"1m","o":"1","h":"2","l":null,"c":"1","v":"0","x":true}})",
       "field_malformed: k.l"},
      {R"({"e":"kline","E":1,"s":"BTCUSDT","k":{"t":1767571200000,"i":"1m","o":"1","h":"2","l":"1","c":"1","v":"-1","x":true}})",
       "field_malformed: k.v"},
      {R"({"e":"kline","E":1,"s":"BTCUSDT","k":{"t":1767571200000,"i":"1m","o":"1","h":"2","l":"1","c":"1","v":"0"}})",
       "field_missing: k.x"},
      {R"({"e":"kline","E":1,"k":{"t":1767571200000,"i":"1m","o":"1","h":"2","l":"1","c":"1","v":"0","x":true}})",
       "field_missing: s"},
      {R"({"e":"kline","E":1,"s":"XRPUSDT","k":{"t":1767571200000,"i":"1m","o":"1","h":"2","l":"1","c":"1","v":"0","x":true}})",
       "symbol_unknown: XRPUSDT"},
  };
  check(rows);
  BOOST_TEST(candles.empty());
}

BOOST_AUTO_TEST_CASE(a_frame_that_is_cut_is_never_a_candle) { check_cut(open_candle); }

BOOST_AUTO_TEST_CASE(streams_are_asked_for_in_lower_case) {
  const std::string_view names[] = {"BTCUSDT", "ETHUSDT"};
  BOOST_TEST(speaks->subscribe_text(7, names) ==
             R"({"method":"SUBSCRIBE","params":["btcusdt@kline_1m","ethusdt@kline_1m"],"id":7})");
  BOOST_TEST(speaks->unsubscribe_text(8, names) ==
             R"({"method":"UNSUBSCRIBE","params":["btcusdt@kline_1m","ethusdt@kline_1m"],"id":8})");
}

BOOST_AUTO_TEST_CASE(the_rules_are_those_of_the_market) {
  BOOST_TEST(speaks->rules().url == "wss://stream.binance.com:9443/stream");
  BOOST_TEST(speaks->rules().messages.count < 5u);
  follow(exchange::binance, market::linear);
  BOOST_TEST(speaks->rules().url == "wss://fstream.binance.com/market/stream");
  BOOST_TEST(read(closed_candle) == "candles 1");
}

BOOST_AUTO_TEST_CASE(past_candles_are_asked_for_on_the_address_of_the_market) {
  BOOST_TEST(
      speaks->history_target("BTCUSDT", 1767571020, 1767571140) ==
      "/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=1767571020000&endTime=1767571140000&limit=3");
  BOOST_TEST(speaks->rules().rest_url == "https://api.binance.com");
  follow(exchange::binance, market::linear);
  BOOST_TEST(
      speaks->history_target("BTCUSDT", 1767571140, 1767571140) ==
      "/fapi/v1/klines?symbol=BTCUSDT&interval=1m&startTime=1767571140000&endTime=1767571140000&limit=1");
  BOOST_TEST(speaks->rules().rest_url == "https://fapi.binance.com");
  BOOST_TEST(speaks->rules().minutes_per_history_request < 500u); // from 500 on one weighs more
}

BOOST_AUTO_TEST_CASE(past_candles_are_read) {
  constexpr frame_row rows[] = {
      {R"([[1767571080000,"1","4","0.5","2","3.25",1767571139999,"9",5,"1","1","0"],[1767571140000,"2","3","1","2.5","0.00000001",1767571199999,"9",5,"1","1","0"]])",
       "BTCUSDT 1767571080 1 4 0.5 2 3.25; BTCUSDT 1767571140 2 3 1 2.5 1e-08"},
      // The running minute is none of the past, one that comes twice counts once.
      {R"([[1767571200000,"1","4","0.5","2","3"],[1767571140000,"2","3","1","2.5","1"],[1767571140000,"2","3","1","2.5","1"]])",
       "BTCUSDT 1767571140 2 3 1 2.5 1"},
      {"[]", ""},
      {R"({"code":-1121,"msg":"Invalid symbol."})", "frame_unknown: Invalid symbol."},
      {R"({"code":-1003,"msg":""})", R"(frame_unknown: {"code":-1003,"msg":""})"},
      {R"([[1767571140000,"2","3","1","2.5"]])", "field_missing: row.volume"},
      {R"([[1767571140000,"2","3","1","2.5","1"],["x","2","3","1","2.5","1"]])",
       "field_malformed: row.start"},
      {R"([[1767571140000,"2","0","1","2.5","1"]])", "field_malformed: row.high"},
      {R"([[1767571140000,"2","3","1","2.5","1"])", "frame_not_json"},
      {R"([{"t":1}])", "field_malformed: row"},
      {"<html>502</html>", "frame_not_json"},
  };
  check_past(rows);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater::test
