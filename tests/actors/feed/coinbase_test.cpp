#include "tests/actors/feed/dialect_fixture.hpp"

namespace breakwater::test {
namespace {

struct coinbase_fixture : dialect_fixture {
  coinbase_fixture() : dialect_fixture(exchange::coinbase) {}

  static std::string match(std::uint64_t id, const char* price, const char* size, const char* time,
                           const char* type = "match", const char* product = "BTC-USDT") {
    return std::string{R"({"type":")"} + type + R"(","trade_id":)" + std::to_string(id) +
           R"(,"maker_order_id":"a","taker_order_id":"b","side":"sell","size":")" + size + R"(","price":")" +
           price + R"(","product_id":")" + product + R"(","sequence":18446744073709551615,"time":")" + time +
           R"("})";
  }
};

BOOST_FIXTURE_TEST_SUITE(coinbase, coinbase_fixture)

BOOST_AUTO_TEST_CASE(trades_are_folded_into_open_candles) {
  BOOST_TEST_REQUIRE(read(match(5, "91000.10", "0.10000000", "2026-01-05T00:00:02.345678Z")) == "candles 1");
  BOOST_TEST_REQUIRE(read(match(6, "90999.90", "0.20000000", "2026-01-05T00:00:03.000001Z")) == "candles 1");
  const candle expected{"BTCUSDT",  exchange::coinbase,
                        1767571200, 91000.1,
                        91000.1,    90999.9,
                        90999.9,    0.3,
                        false,      wall_time_from_ms(1767571203000),
                        received_at};
  BOOST_TEST((candles.at(1) == expected));
  BOOST_TEST(speaks->rules().counts_trades);
  BOOST_TEST(!speaks->rules().marks_closed);
  BOOST_TEST(!speaks->rules().sends_every_minute);
}

BOOST_AUTO_TEST_CASE(each_product_has_its_own_numbers) {
  BOOST_TEST(read(match(5, "1", "1", "2026-01-05T00:00:02Z")) == "candles 1");
  BOOST_TEST(read(match(900, "2", "1", "2026-01-05T00:00:02Z", "match", "ETH-USDT")) == "candles 1");
  BOOST_TEST(read(match(6, "1", "1", "2026-01-05T00:00:02Z")) == "candles 1");
  BOOST_TEST(candles.at(1).symbol == "ETHUSDT");
}

BOOST_AUTO_TEST_CASE(a_trade_from_before_is_where_the_numbers_begin_and_no_volume) {
  BOOST_TEST(read(match(5, "1", "1", "2026-01-04T20:00:00Z", "last_match")) == "other last_match");
  BOOST_TEST(read(match(7, "1", "1", "2026-01-05T00:00:02Z")) == "candles 1, trades missing");
  BOOST_TEST(candles.at(0).volume == 1);
  BOOST_TEST(read(match(7, "1", "1", "2026-01-05T00:00:02Z")) == "other match"); // over another connection
  BOOST_TEST(read(match(6, "1", "1", "2026-01-05T00:00:01Z")) == "candles 1");
  BOOST_TEST(candles.at(1).volume == 2);
}

BOOST_AUTO_TEST_CASE(a_late_trade_changes_its_own_minute) {
  BOOST_TEST(read(match(1, "1", "1", "2026-01-05T00:00:02Z")) == "candles 1");
  BOOST_TEST(read(match(2, "2", "1", "2026-01-05T00:01:00Z")) == "candles 1");
  BOOST_TEST(read(match(3, "3", "1", "2026-01-05T00:00:59.999999Z")) == "candles 1");
  BOOST_TEST(candles.at(2).start_s == 1767571200);
  BOOST_TEST(candles.at(2).high == 3);
}

BOOST_AUTO_TEST_CASE(what_is_no_trade_is_told_apart) {
  constexpr frame_row rows[] = {
      {R"({"type":"heartbeat","sequence":18446744073709551616,"last_trade_id":20,"product_id":"BTC-USDT","time":"2026-01-05T00:00:00.000000Z"})",
       "pong"},
      {R"({"type":"subscriptions","channels":[{"name":"heartbeat","product_ids":["BTC-USDT","ETH-USDT"],"account_ids":null},{"product_ids":["ETH-USDT","XRP-USDT","BTC-USDT"],"name":"matches"}]})",
       "acknowledged 0 ETHUSDT BTCUSDT "},
      {R"({"type":"subscriptions","channels":[{"name":"level2","product_ids":["BTC-USDT"]}]})",
       "acknowledged 0 "},
      {R"({"type":"subscriptions","channels":[]})", "acknowledged 0 "},
      {R"({"type":"error","message":"Failed to subscribe","reason":"ETH-USDT is not a valid product"})",
       "refused 0 ETHUSDT: Failed to subscribe: ETH-USDT is not a valid product"},
      {R"({"type":"error","message":"Failed to subscribe","reason":"product \"BTC-USDT\" is delisted"})",
       R"(refused 0 BTCUSDT: Failed to subscribe: product \"BTC-USDT\" is delisted)"},
      {R"({"type":"error","message":"FAKE-USD, or ETH-USDT."})", "refused 0 ETHUSDT: FAKE-USD, or ETH-USDT."},
      {R"({"type":"error","message":"Failed to subscribe","reason":"level2 is not a valid channel"})",
       "refused 0 : Failed to subscribe: level2 is not a valid channel"},
      {R"({"type":"error","reason":"-"})", "refused 0 : -"},
      {R"({"type":"error"})", "refused 0 : "},
      {R"({"type":"ticker","product_id":"BTC-USDT","price":"1"})", "other ticker"},
      {R"({"type":"l2update","product_id":"BTC-USDT","changes":[["buy","1","0"]],"time":"2026-01-05T00:00:00Z"})",
       "other l2update"},
      {R"({"type":"snapshot","product_id":"BTC-USDT","bids":[],"asks":[]})", "other snapshot"},
      {R"({"channel":"candles","timestamp":"2026-01-05T00:00:00Z","sequence_num":0,"events":[]})",
       "other candles"},
      {R"({"channel":"heartbeats","sequence_num":1,"events":[{"heartbeat_counter":"3049"}]})", "pong"},
      {R"({"channel":"subscriptions","events":[{"subscriptions":{}}]})", "answer"},
      {R"({"type":"poetry"})", R"(frame_unknown: {"type":"poetry"})"},
      {R"({"channel":"poetry"})", R"(frame_unknown: {"channel":"poetry"})"},
      {R"({"type":"poetry","channel":"candles"})", R"(frame_unknown: {"type":"poetry","channel":"candles"})"},
      {"{}", "frame_unknown: {}"},
      {"[]", "frame_unknown: []"},
      {"pong", "frame_not_json"},
      {"", "frame_not_json"},
  };
  check(rows);
  BOOST_TEST(candles.empty());
}

BOOST_AUTO_TEST_CASE(a_field_that_cannot_be_read_is_named) {
  constexpr frame_row rows[] = {
      {R"({"type":"match","trade_id":1,"size":"1","price":"1","time":"2026-01-05T00:00:00Z"})",
       "field_missing: product_id"},
      {R"({"type":"match","product_id":"","trade_id":1,"size":"1","price":"1","time":"2026-01-05T00:00:00Z"})",
       "field_missing: product_id"},
      {R"({"type":"match","product_id":"XRP-USDT","trade_id":1,"size":"1","price":"1","time":"2026-01-05T00:00:00Z"})",
       "symbol_unknown: XRP-USDT"},
      {R"({"type":"last_match","product_id":"XRP-USDT","trade_id":1,"size":"1","price":"1","time":"2026-01-05T00:00:00Z"})",
       "symbol_unknown: XRP-USDT"},
      {R"({"type":"match","product_id":"BTC-\u0055SDT","trade_id":1,"size":"1","price":"1","time":"2026-01-05T00:00:00Z"})",
       R"(symbol_unknown: BTC-\u0055SDT)"},
      {R"({"type":"match","product_id":"BTC-USDT","size":"1","price":"1","time":"2026-01-05T00:00:00Z"})",
       "field_missing: trade_id"},
      {R"({"type":"match","product_id":"BTC-USDT","trade_id":0,"size":"1","price":"1","time":"2026-01-05T00:00:00Z"})",
       "field_malformed: trade_id"},
      {R"({"type":"match","product_id":"BTC-USDT","trade_id":18446744073709551616,"size":"1","price":"1","time":"2026-01-05T00:00:00Z"})",
       "field_malformed: trade_id"},
      {R"({"type":"match","product_id":"BTC-USDT","trade_id":-1,"size":"1","price":"1","time":"2026-01-05T00:00:00Z"})",
       "field_malformed: trade_id"},
      {R"({"type":"match","product_id":"BTC-USDT","trade_id":1,"size":"1","time":"2026-01-05T00:00:00Z"})",
       "field_missing: price"},
      {R"({"type":"match","product_id":"BTC-USDT","trade_id":1,"size":"1","price":"","time":"2026-01-05T00:00:00Z"})",
       "field_malformed: price"},
      {R"({"type":"match","product_id":"BTC-USDT","trade_id":1,"size":"1","price":"0","time":"2026-01-05T00:00:00Z"})",
       "field_malformed: price"},
      {R"({"type":"match","product_id":"BTC-USDT","trade_id":1,"price":"1","time":"2026-01-05T00:00:00Z"})",
       "field_missing: size"},
      {R"({"type":"match","product_id":"BTC-USDT","trade_id":1,"size":"-1","price":"1","time":"2026-01-05T00:00:00Z"})",
       "field_malformed: size"},
      {R"({"type":"match","product_id":"BTC-USDT","trade_id":1,"size":"1e300","price":"1","time":"2026-01-05T00:00:00Z"})",
       "field_malformed: size"},
      {R"({"type":"match","product_id":"BTC-USDT","trade_id":1,"size":null,"price":"1","time":"2026-01-05T00:00:00Z"})",
       "field_malformed: size"},
      {R"({"type":"match","product_id":"BTC-USDT","trade_id":1,"size":"1","price":"1"})",
       "field_missing: time"},
      {R"({"type":"match","product_id":"BTC-USDT","trade_id":1,"size":"1","price":"1","time":1767571200})",
       "field_malformed: time"},
      {R"({"type":"match","product_id":"BTC-USDT","trade_id":1,"size":"1","price":"1","time":"2026-13-05T00:00:00Z"})",
       "field_malformed: time"},
  };
  check(rows);
  BOOST_TEST(candles.empty());
}

BOOST_AUTO_TEST_CASE(numbers_may_come_bare_and_in_any_order) {
  BOOST_TEST(
      read(
          R"({"time":"2026-01-05T00:00:02Z","size":2,"product_id":"BTC-USDT","price":1e4,"trade_id":"5","type":"match"})") ==
      "candles 1");
  BOOST_TEST(candles.at(0).close == 10000);
  BOOST_TEST(candles.at(0).volume == 2);
}

BOOST_AUTO_TEST_CASE(a_frame_that_is_cut_is_never_a_trade) {
  const auto frame = match(5, "91000.10", "0.1", "2026-01-05T00:00:02.345678Z");
  for (std::size_t length = 0; length < frame.size(); ++length) BOOST_TEST_CONTEXT(frame.substr(0, length)) {
      BOOST_TEST(read(frame.substr(0, length)) == "frame_not_json");
    }
  BOOST_TEST(read(frame + "}") == "frame_not_json");
  BOOST_TEST(candles.empty());
  BOOST_TEST(read(frame) == "candles 1");
}

BOOST_AUTO_TEST_CASE(trades_and_heartbeats_are_asked_for) {
  const std::string_view names[] = {"BTC-USDT", "ETH-USDT"};
  BOOST_TEST(
      speaks->subscribe_text(7, names) ==
      R"({"type":"subscribe","product_ids":["BTC-USDT","ETH-USDT"],"channels":["matches","heartbeat"]})");
  BOOST_TEST(
      speaks->unsubscribe_text(8, names) ==
      R"({"type":"unsubscribe","product_ids":["BTC-USDT","ETH-USDT"],"channels":["matches","heartbeat"]})");
}

BOOST_AUTO_TEST_CASE(past_candles_come_newest_first_with_the_low_before_the_high) {
  BOOST_TEST(speaks->history_target("BTC-USDT", 1767571020, 1767571140) ==
             "/products/BTC-USDT/"
             "candles?granularity=60&start=2026-01-04T23:57:00.000Z&end=2026-01-04T23:59:00.000Z");
  constexpr frame_row rows[] = {
      {"[[1767571200,1,3,2,2.5,9],[1767571140,1,3,2,2.5,0.1],[1767571020,0.5,4,1,1.5,2e-8]]",
       "BTCUSDT 1767571020 1 4 0.5 1.5 2e-08; BTCUSDT 1767571140 2 3 1 2.5 0.1"},
      {"[]", ""},
      {R"({"message":"NotFound"})", "frame_unknown: NotFound"},
      {R"({"message":"Public rate limit exceeded"})", "frame_unknown: Public rate limit exceeded"},
      {"{}", "frame_unknown: {}"},
      {"<html>502</html>", "frame_not_json"},
      {"[[1767571140,1,3,2,2.5,0.1],[1767571080,1,3,2]]", "field_missing: row.close"},
      {"[[1767571140,1,3,2,2.5,0.1],7]", "field_malformed: row"},
      {"[[1767571141,1,3,2,2.5,0.1]]", "field_malformed: row.start"},
      {"[[17675711400000000000000,1,3,2,2.5,0.1]]", "field_malformed: row.start"},
      {"[[1767571140,1,3,2,2.5,0.1]", "frame_not_json"},
      {"", "frame_not_json"},
  };
  check_past(rows);
}

BOOST_AUTO_TEST_CASE(the_rules_stay_below_what_is_documented) {
  const auto& rules = speaks->rules();
  BOOST_TEST(rules.messages_of_all.count < 8u);
  BOOST_TEST(rules.minutes_per_history_request <= 300u);
  BOOST_TEST(rules.one_refused_refuses_all);
  follow(exchange::coinbase, market::linear);
  BOOST_TEST(speaks->rules().url.empty());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater::test
