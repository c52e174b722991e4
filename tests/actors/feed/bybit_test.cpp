#include "tests/actors/feed/dialect_fixture.hpp"

namespace breakwater::test {
namespace {

struct bybit_fixture : dialect_fixture {
  bybit_fixture() : dialect_fixture(exchange::bybit) {}
};

const std::string row =
    R"({"start":1767571200000,"end":1767571259999,"interval":"1","open":"91000.1","close":"91001.3","high":"91002",)"
    R"("low":"90999.9","volume":"12.345","turnover":"1","confirm":false,"timestamp":1767571202345})";
const std::string closed_row =
    R"({"confirm":true,"start":1767571140000,"interval":"1","open":"1","close":"2","high":"3","low":"0.5","volume":"0"})";
const std::string frame =
    R"({"topic":"kline.1.BTCUSDT","type":"snapshot","ts":1767571202999,"data":[)" + row + "]}";

BOOST_FIXTURE_TEST_SUITE(bybit, bybit_fixture)

BOOST_AUTO_TEST_CASE(a_candle_is_read) {
  BOOST_TEST_REQUIRE(read(frame) == "candles 1");
  const candle expected{"BTCUSDT",  exchange::bybit, 1767571200, 91000.1, 91002.0,
                        90999.9,    91001.3,         12.345,     false,   wall_time_from_ms(1767571202345),
                        received_at};
  BOOST_TEST((candles.at(0) == expected));
}

BOOST_AUTO_TEST_CASE(a_frame_may_hold_two_rows_and_name_its_topic_last) {
  BOOST_TEST_REQUIRE(read(R"({"data":[)" + closed_row + "," + row +
                          R"(],"ts":1767571202999,"type":"snapshot","topic":"kline.1.ETHUSDT"})") ==
                     "candles 2");
  BOOST_TEST(candles.at(0).symbol == "ETHUSDT");
  BOOST_TEST(candles.at(0).closed);
  BOOST_TEST(epoch_ms(candles.at(0).event_at) == 1767571202999); // the row has no time of its own
  BOOST_TEST(!candles.at(1).closed);
  BOOST_TEST(epoch_ms(candles.at(1).event_at) == 1767571202345);
}

BOOST_AUTO_TEST_CASE(of_a_frame_with_a_bad_row_nothing_is_taken) {
  BOOST_TEST(read(R"({"topic":"kline.1.BTCUSDT","ts":1,"data":[)" + row + R"(,{"start":1767571200000}]})") ==
             "field_missing: open");
  BOOST_TEST(candles.empty());
}

BOOST_AUTO_TEST_CASE(what_is_no_candle_is_told_apart) {
  constexpr frame_row rows[] = {
      {R"({"success":true,"ret_msg":"","conn_id":"c","req_id":"5","op":"subscribe"})", "acknowledged 5 "},
      {R"({"success":true,"ret_msg":"subscribe","conn_id":"c","req_id":"k","op":"subscribe"})",
       "acknowledged 0 "},
      {R"({"success":false,"ret_msg":"error:handler not found,topic:kline.1.NOUSDT","req_id":"6","op":"subscribe"})",
       "refused 6 : error:handler not found,topic:kline.1.NOUSDT"},
      {R"({"success":false,"ret_msg":"error:already subscribed,topic:kline.1.ETHUSDT","req_id":"7","op":"subscribe"})",
       "refused 7 ETHUSDT: error:already subscribed,topic:kline.1.ETHUSDT (stands)"},
      {R"({"success":true,"ret_msg":"pong","conn_id":"c","req_id":"p","op":"ping"})", "pong"},
      {R"({"req_id":"2","op":"pong","args":["1767571202345"],"conn_id":"c"})", "pong"},
      {R"({"success":true,"ret_msg":"pong","conn_id":"c","request":{"op":"ping","args":null}})", "pong"},
      {R"({"success":true,"ret_msg":"","conn_id":"c","req_id":"3","op":"unsubscribe"})", "answer"},
      {R"({"topic":"kline.5.BTCUSDT","type":"snapshot","ts":1,"data":[{"start":1}]})", "other kline.5"},
      {R"({"topic":"kline.7.BTCUSDT","type":"snapshot","ts":1,"data":[{"start":1}]})", "other kline"},
      {R"({"topic":"kline_lt.1.BTCUSDT","type":"snapshot","ts":1,"data":[{"start":1}]})", "other kline_lt.1"},
      {R"({"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1,"data":{"s":"BTCUSDT","b":[],"a":[]}})",
       "other orderbook.50"},
      {R"({"data":[{"i":"1","p":"2"}],"topic":"publicTrade.BTCUSDT","type":"snapshot"})",
       "other publicTrade"},
      {R"({"topic":"system.status","data":[]})", "other system.status"},
      {R"({"topic":"horoscope.BTCUSDT","data":[]})",
       R"(frame_unknown: {"topic":"horoscope.BTCUSDT","data":[]})"},
      {R"({"success":false,"ret_msg":"error:handler not found,topic:kline.1.ETHUSDT","req_id":"8","op":"subscribe"})",
       "refused 8 ETHUSDT: error:handler not found,topic:kline.1.ETHUSDT"},
      {R"({"success":false,"ret_msg":"error:no such topic,topic:kline.1.ETHUSDT","req_id":"9","op":"unsubscribe"})",
       "refused 9 : error:no such topic,topic:kline.1.ETHUSDT"},
      {R"({"success":false,"ret_msg":"error:handler not found,topic:orderbook.1.ETHUSDT","op":"subscribe"})",
       "refused 0 : error:handler not found,topic:orderbook.1.ETHUSDT"},
      {R"({"hello":1})", R"(frame_unknown: {"hello":1})"},
      {"[]", "frame_unknown: []"},
      {"null", "frame_unknown: null"},
      {"{oops", "frame_not_json"},
      {"", "frame_not_json"},
      {R"({"topic":"kline.1.BTCUSDT"})", "field_missing: data"},
      {R"({"topic":"kline.1.BTCUSDT","data":[]})", "field_missing: data[0]"},
      {R"({"topic":"kline.1.BTCUSDT","data":{}})", "field_malformed: data"},
      {R"({"topic":"kline.1.BTCUSDT","data":[3]})", "field_malformed: data[]"},
      {R"({"topic":"kline.1.XRPUSDT","data":[{"start":1767571200000,"open":"1","close":"1","high":"1","low":"1","volume":"1","confirm":true}]})",
       "symbol_unknown: XRPUSDT"},
      {R"({"topic":"kline.1.BTCUSDT","data":[{"start":1767571200000,"open":"1","close":"1,5","high":"1","low":"1","volume":"1","confirm":true}]})",
       "field_malformed: close"},
      {R"({"topic":"kline.1.BTCUSDT","data":[{"start":1767571200000,"open":"1","close":"1","high":"1","low":"1","volume":"1"}]})",
       "field_missing: confirm"},
      {"too many requests", "refused 0 : too many requests"},
  };
  check(rows);
  BOOST_TEST(candles.empty());
}

BOOST_AUTO_TEST_CASE(a_frame_that_is_cut_is_never_a_candle) { check_cut(frame); }

BOOST_AUTO_TEST_CASE(topics_are_asked_for_ten_at_a_time) {
  const std::string_view names[] = {"BTCUSDT", "ETHUSDT"};
  BOOST_TEST(speaks->subscribe_text(7, names) ==
             R"({"req_id":"7","op":"subscribe","args":["kline.1.BTCUSDT","kline.1.ETHUSDT"]})");
  BOOST_TEST(speaks->unsubscribe_text(8, names) ==
             R"({"req_id":"8","op":"unsubscribe","args":["kline.1.BTCUSDT","kline.1.ETHUSDT"]})");
  BOOST_TEST(speaks->rules().symbols_per_request == 10u);
  BOOST_TEST(speaks->rules().ping == R"({"op":"ping"})");
}

BOOST_AUTO_TEST_CASE(past_candles_come_newest_first) {
  BOOST_TEST(speaks->history_target("BTCUSDT", 1767571020, 1767571140) ==
             "/v5/market/"
             "kline?category=spot&symbol=BTCUSDT&interval=1&start=1767571020000&end=1767571140000&limit=3");
  constexpr frame_row rows[] = {
      {R"({"retCode":0,"retMsg":"OK","result":{"category":"spot","symbol":"BTCUSDT","list":[["1767571200000","1","1","1","1","1","1"],["1767571140000","2","3","1","2.5","0.1","9"],["1767571080000","1","4","0.5","2","3","9"]]},"retExtInfo":{},"time":1767571234567})",
       "BTCUSDT 1767571080 1 4 0.5 2 3; BTCUSDT 1767571140 2 3 1 2.5 0.1"},
      {R"({"result":{"list":[]},"retCode":0})", ""},
      {R"({"retCode":10001,"retMsg":"Not supported symbols","result":{},"time":1})",
       "frame_unknown: Not supported symbols"},
      {R"({"retCode":10006,"retMsg":"Too many visits!","result":{"list":[["1767571140000","2","3","1","2.5","0.1","9"]]}})",
       "frame_unknown: Too many visits!"},
      {R"({"retCode":0,"retMsg":"OK","result":{}})", "frame_unknown: OK"},
      {"{}", "frame_unknown: {}"},
      {"[]", "frame_unknown: []"},
      {R"({"retCode":0,"result":{"list":[["1767571140000","2","3","1","","0.1","9"]]}})",
       "field_malformed: row.close"},
      {R"({"retCode":0,"result":{"list":[["1767571140000","2","3","1","2","0.1","9"]]})", "frame_not_json"},
      {"too many visits", "frame_not_json"},
  };
  check_past(rows);
  follow(exchange::bybit, market::linear);
  BOOST_TEST(speaks->history_target("BTCUSDT", 1767571140, 1767571140).find("category=linear&") !=
             std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater::test
