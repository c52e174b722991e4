#include "tests/actors/feed/dialect_fixture.hpp"

namespace breakwater::test {
namespace {

struct okx_fixture : dialect_fixture {
  okx_fixture() : dialect_fixture(exchange::okx) {}
};

const std::string frame =
    R"({"arg":{"channel":"candle1m","instId":"BTC-USDT"},"data":[["1767571200000","91000.1","91002","90999.9","91001.3",)"
    R"("12.345","1123456.7","1123456.7","1"]]})";

BOOST_FIXTURE_TEST_SUITE(okx, okx_fixture)

BOOST_AUTO_TEST_CASE(a_candle_is_read) {
  BOOST_TEST_REQUIRE(read(frame) == "candles 1");
  const candle expected{"BTCUSDT", exchange::okx, 1767571200, 91000.1,     91002.0,    90999.9,
                        91001.3,   12.345,        true,       received_at, received_at};
  BOOST_TEST((candles.at(0) == expected));
}

BOOST_AUTO_TEST_CASE(the_data_may_stand_before_its_channel) {
  BOOST_TEST(
      read(
          R"({"data":[["1767571200000","1","2","0.5","1.5","3","4","4","0"]],"arg":{"instId":"ETH-USDT","channel":"candle1m"}})") ==
      "candles 1");
  BOOST_TEST(candles.at(0).symbol == "ETHUSDT");
  BOOST_TEST(!candles.at(0).closed);
}

BOOST_AUTO_TEST_CASE(a_row_of_old_form_is_not_closed) {
  BOOST_TEST(
      read(
          R"({"arg":{"channel":"candle1m","instId":"BTC-USDT"},"data":[["1767571200000","1","2","0.5","1.5","3","4"]]})") ==
      "candles 1");
  BOOST_TEST(candles.at(0).volume == 3);
  BOOST_TEST(!candles.at(0).closed);
}

BOOST_AUTO_TEST_CASE(the_volume_of_a_swap_is_in_base_currency_not_in_contracts) {
  follow(exchange::okx, market::linear);
  BOOST_TEST(
      read(
          R"({"arg":{"channel":"candle1m","instId":"BTC-USDT-SWAP"},"data":[["1767571200000","1","2","0.5","1.5","4070","40.7","1","1"]]})") ==
      "candles 1");
  BOOST_TEST(candles.at(0).symbol == "BTCUSDT");
  BOOST_TEST(candles.at(0).volume == 40.7);
  BOOST_TEST(read(frame) == "symbol_unknown: BTC-USDT"); // like is merged with like only
}

BOOST_AUTO_TEST_CASE(what_is_no_candle_is_told_apart) {
  constexpr frame_row rows[] = {
      {"pong", "pong"},
      {R"({"id":"4","event":"subscribe","arg":{"channel":"candle1m","instId":"BTC-USDT"},"connId":"a"})",
       "acknowledged 4 BTCUSDT"},
      {R"({"event":"subscribe","arg":{"channel":"trades","instId":"BTC-USDT"}})", "answer"},
      {R"({"event":"unsubscribe","arg":{"channel":"candle1m","instId":"BTC-USDT"}})", "answer"},
      {R"({"id":"9","event":"error","code":"60018","msg":"Wrong URL or channel:candle1m,instId:ETH-USDT doesn't exist. Please use the correct URL.","connId":"a"})",
       "refused 9 ETHUSDT: 60018 Wrong URL or channel:candle1m,instId:ETH-USDT doesn't exist. Please use the "
       "correct URL."},
      {R"({"event":"error","code":"60012","msg":"Invalid request: {\"op\": \"subscribe\", \"args\":[{ \"channel\" : \"candle1m\", \"instId\" : \"BTC-USDT\"}]}"})",
       R"(refused 0 BTCUSDT: 60012 Invalid request: {\"op\": \"subscribe\", \"args\":[{ \"channel\" : \"candle1m\", \"instId\" : \"BTC-USDT\"}]})"},
      {R"({"id":"3","event":"error","code":"60014","msg":"Requests too frequent"})",
       "refused 0 : 60014 Requests too frequent"},
      {R"({"event":"notice","code":"64008","msg":"The connection will soon be closed."})", "closing"},
      {R"({"event":"channel-conn-count","channel":"orders","connCount":"2"})", "other channel-conn-count"},
      {R"({"event":"notice","code":"64000","msg":"Something else."})", "other notice"},
      {R"({"event":"celebration"})", R"(frame_unknown: {"event":"celebration"})"},
      {R"({"arg":{"channel":"mark-price-candle1D","instId":"BTC-USDT"},"data":[["1","2"]]})",
       "other mark-price-candle"},
      {R"({"arg":{"channel":"candle7m","instId":"BTC-USDT"},"data":[["1","2"]]})", "other candle"},
      {R"({"arg":{"channel":"weather","instId":"BTC-USDT"},"data":[]})",
       R"(frame_unknown: {"arg":{"channel":"weather","instId":"BTC-USDT"},"data":[]})"},
      {R"([{"arg":{}}])", R"(frame_unknown: [{"arg":{}}])"},
      {R"({"arg":{"channel":"candle1D","instId":"BTC-USDT"},"data":[["1","2"]]})", "other candle1D"},
      {R"({"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[],"bids":[]}]})",
       "other books"},
      {R"({"data":[]})", R"(frame_unknown: {"data":[]})"},
      {R"({"arg":{"channel":"candle1m"},"data":[["1767571200000","1","2","0.5","1.5","3","4"]]})",
       "field_missing: arg.instId"},
      {R"({"arg":{"channel":"candle1m","instId":"BTC-USDT"},"data":[["1767571200000","1","2"]]})",
       "field_missing: data[3]"},
      {R"({"arg":{"channel":"candle1m","instId":"BTC-USDT"},"data":[["1767571200000","1","2","0.5","x","3","4","4","0"]]})",
       "field_malformed: data[4]"},
      {R"({"arg":{"channel":"candle1m","instId":"BTC-USDT"},"data":[["1767571200000","1","2","0.5","1","3","4","4","yes"]]})",
       "field_malformed: data[8]"},
      {R"({"arg":{"channel":"candle1m","instId":"BTC-USDC"},"data":[["1767571200000","1","2","0.5","1","3","4","4","0"]]})",
       "symbol_unknown: BTC-USDC"},
      {"ping", "frame_not_json"},
  };
  check(rows);
  BOOST_TEST(candles.empty());
}

BOOST_AUTO_TEST_CASE(a_frame_that_is_cut_is_never_a_candle) { check_cut(frame); }

BOOST_AUTO_TEST_CASE(candles_are_asked_for_on_the_business_address) {
  const std::string_view names[] = {"BTC-USDT"};
  BOOST_TEST(speaks->subscribe_text(7, names) ==
             R"({"id":"7","op":"subscribe","args":[{"channel":"candle1m","instId":"BTC-USDT"}]})");
  BOOST_TEST(speaks->unsubscribe_text(8, names) ==
             R"({"id":"8","op":"unsubscribe","args":[{"channel":"candle1m","instId":"BTC-USDT"}]})");
  BOOST_TEST(speaks->rules().url.ends_with("/ws/v5/business"));
  BOOST_TEST(speaks->rules().ping_after < std::chrono::seconds{30});
}

BOOST_AUTO_TEST_CASE(past_candles_say_themselves_which_are_over) {
  // `after` and `before` exclude what they name.
  BOOST_TEST(
      speaks->history_target("BTC-USDT", 1767571020, 1767571140) ==
      "/api/v5/market/candles?instId=BTC-USDT&bar=1m&after=1767571140001&before=1767571019999&limit=3");
  constexpr frame_row rows[] = {
      {R"({"code":"0","msg":"","data":[["1767571140000","2","3","1","2.5","0.1","9","9","1"],["1767571080000","1","4","0.5","2","3","9","9","1"]]})",
       "BTCUSDT 1767571080 1 4 0.5 2 3; BTCUSDT 1767571140 2 3 1 2.5 0.1"},
      {R"({"code":"0","msg":"","data":[["1767571140000","2","3","1","2.5","0.1","9","9","0"]]})", ""},
      {R"({"code":"0","msg":"","data":[]})", ""},
      {R"({"code":"51001","msg":"Instrument ID doesn't exist","data":[]})",
       "frame_unknown: Instrument ID doesn't exist"},
      {R"({"msg":"Too Many Requests","code":"50011"})", "frame_unknown: Too Many Requests"},
      {R"({"data":[]})", R"(frame_unknown: {"data":[]})"},
      {R"({"code":"0","msg":"","data":[["1767571140000","2","3","1"]]})", "field_missing: row.close"},
      {R"({"code":"0","msg":"","data":[["1767571140000","2","3","1","2","0.1","9","9","1"]})",
       "frame_not_json"},
  };
  check_past(rows);
  follow(exchange::okx, market::linear);
  BOOST_TEST(
      past(R"({"code":"0","msg":"","data":[["1767571140000","2","3","1","2.5","4070","40.7","9","1"]]})") ==
      "BTCUSDT 1767571140 2 3 1 2.5 40.7"); // coins, not contracts
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater::test
