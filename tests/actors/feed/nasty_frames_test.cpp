#include "tests/actors/feed/dialect_fixture.hpp"

#include <boost/test/data/test_case.hpp>

#include <ostream>

// What could come over any connection, whatever the exchange.

namespace breakwater::test {
namespace {

/// A good frame with two places to put something: "#" between two fields, "$" for the price that it closes
/// at.
struct sample {
  exchange which;
  const char* frame;

  [[nodiscard]] std::string with(const std::string& field, const std::string& price = "2.5") const {
    std::string text;
    for (const char* c = frame; *c; ++c)
      if (*c == '#')
        text += field;
      else if (*c == '$')
        text += price;
      else
        text += *c;
    return text;
  }
};
std::ostream& operator<<(std::ostream& out, const sample& x) { return out << to_string(x.which); }

const sample samples[] = {
    {exchange::binance,
     R"({"stream":"btcusdt@kline_1m",#"data":{"e":"kline",#"E":1767571202345,"s":"BTCUSDT","k":{"t":1767571200000,"i":"1m",#"o":"2","h":"3","l":"1","c":$,"v":"7","x":false}}})"},
    {exchange::bybit,
     R"({"topic":"kline.1.BTCUSDT",#"data":[{"start":1767571200000,"interval":"1",#"open":"2","close":$,"high":"3","low":"1","volume":"7","confirm":false,"timestamp":1767571202345}],"ts":1767571202345,"type":"snapshot"})"},
    {exchange::okx,
     R"({"arg":{"channel":"candle1m",#"instId":"BTC-USDT"},#"data":[["1767571200000","2","3","1",$,"7","9","9","0"]]})"},
    {exchange::kraken,
     R"({"channel":"ohlc","type":"update",#"data":[{"symbol":"BTC/USDT","open":2,"high":3,#"low":1,"close":$,"volume":7,"interval_begin":"2026-01-05T00:00:00Z","interval":1}],"timestamp":"2026-01-05T00:00:02Z"})"},
    {exchange::coinbase,
     R"({"type":"match",#"product_id":"BTC-USDT","trade_id":5,"size":"7","price":$,#"time":"2026-01-05T00:00:02Z"})"},
};

BOOST_AUTO_TEST_SUITE(nasty_frames)

BOOST_DATA_TEST_CASE(what_is_not_asked_for_is_skipped, samples, one) {
  const std::string nested = std::string(900, '[') + std::string(900, ']');
  const std::string fields[] = {
      "",
      R"("extra":{"a":[1,2,{"e":"trade","k":null}],"topic":"tickers.X"},)",
      R"("connection_id":18446744073709551615,"huge":123456789012345678901234567890,)",
      R"("A":"x","quote":"a \" } ] \\",)",
      R"("":"","":"","x":1,"x":2,)",
      " \n\t \r\n ",
      R"("nested":)" + nested + ",",
      R"("long":")" + std::string(300000, 'x') + R"(",)",
      "\"text\":\"\xe2\x82\xac\",",
  };
  for (const auto& field : fields) BOOST_TEST_CONTEXT(field.substr(0, 60)) {
      dialect_fixture of{one.which};
      BOOST_TEST(of.read(one.with(field)) == "candles 1");
      BOOST_TEST_REQUIRE(of.candles.size() == 1u);
      BOOST_TEST(of.candles[0].close == 2.5);
      BOOST_TEST(of.candles[0].volume == 7);
      BOOST_TEST(of.candles[0].start_s == 1767571200);
    }
}

BOOST_DATA_TEST_CASE(a_price_is_a_number_bare_or_in_quotes, samples, one) {
  struct row {
    const char* text;
    double value; ///< 0: it is none.
  };
  constexpr row rows[] = {
      {"2.5", 2.5},
      {R"("2.5")", 2.5},
      {R"("2.50000000")", 2.5},
      {"25e-1", 2.5},
      {R"("0.1")", 0.1},
      {R"("0.30000000000000004")", 0.30000000000000004},
      {"1.7976931348623157e308", 1.7976931348623157e308},
      {R"("123456789.123456789123456789")", 123456789.12345679},
      {"0.000000000000000000000000000001", 1e-30},
      {"1e-400", 0},
      {"1e400", 0},
      {R"("")", 0},
      {R"(" 2.5")", 0},
      {R"("2,5")", 0},
      {R"("0x10")", 0},
      {R"("2.5 USD")", 0},
      {R"("\u0032.5")", 0},
      {R"("inf")", 0},
      {R"("nan")", 0},
      {R"("-2.5")", 0},
      {"-2.5", 0},
      {"0", 0},
      {"null", 0},
      {"true", 0},
      {"[]", 0},
      {"{}", 0},
      {R"({"price":"2.5"})", 0},
      {R"(["2.5"])", 0},
  };
  for (const auto& x : rows) BOOST_TEST_CONTEXT(x.text) {
      dialect_fixture of{one.which};
      const auto got = of.read(one.with("", x.text));
      if (x.value > 0) {
        BOOST_TEST(got == "candles 1");
        BOOST_TEST(of.candles.at(0).close == x.value);
      } else {
        BOOST_TEST(got.starts_with("field_malformed: "), got);
        BOOST_TEST(of.candles.empty());
      }
    }
}

BOOST_DATA_TEST_CASE(a_broken_frame_leaves_nothing_behind, samples, one) {
  const auto good = one.with("");
  const std::string tails[] = {"}", "]", "x", good, ",", "\"", std::string(1, '\0')};
  dialect_fixture of{one.which};
  for (const auto& tail : tails) BOOST_TEST_CONTEXT(tail) {
      BOOST_TEST(of.read(good + tail) == "frame_not_json");
    }
  BOOST_TEST(of.read("[" + good + "]").starts_with("frame_unknown: "));
  BOOST_TEST(of.read("\"" + std::string(100000, 'x') + "\"").starts_with("frame_unknown: "));
  BOOST_TEST(of.read(std::string(100000, '[')) == "frame_not_json");
  BOOST_TEST(of.read(std::string(100000, '{')) == "frame_not_json");
  BOOST_TEST(of.read("{\"\xff\":1}") == "frame_not_json");
  for (const char* rest :
       {"", " ", "\n", "{", "}", "[", "{\"", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "\x01"})
    BOOST_TEST(of.read(rest) == "frame_not_json", rest);
  BOOST_TEST(of.candles.empty());
  BOOST_TEST(of.read(good) == "candles 1"); // and nothing that came before confuses what comes next
}

BOOST_DATA_TEST_CASE(cut_anywhere_a_frame_is_no_frame, samples, one) {
  dialect_fixture of{one.which};
  const auto good = one.with(R"("extra":[1,{"a":"b"}],)");
  for (std::size_t length = 0; length < good.size(); ++length) BOOST_TEST_CONTEXT(good.substr(0, length)) {
      BOOST_TEST(of.read(good.substr(0, length)) == "frame_not_json");
    }
  BOOST_TEST(of.candles.empty());
}

BOOST_DATA_TEST_CASE(a_sample_of_what_is_unknown_is_short, samples, one) {
  dialect_fixture of{one.which};
  const auto said = of.read(R"({"unheard":")" + std::string(100000, 'x') + R"("})");
  BOOST_TEST(said.starts_with(R"(frame_unknown: {"unheard":"xxx)"));
  BOOST_TEST(said.size() < 250u);
}

BOOST_DATA_TEST_CASE(memory_is_asked_for_once, samples, one) {
  dialect_fixture of{one.which};
  const auto good = one.with("");
  of.candles.reserve(2);
  BOOST_TEST(of.read(good) == "candles 1");
  const auto* where = of.candles.data();
  for (int i = 0; i < 100; ++i) {
    of.candles.clear();
    (void)of.speaks->read(good, of.received_at, of.candles);
  }
  BOOST_TEST(of.candles.data() == where);
}

BOOST_AUTO_TEST_CASE(a_name_said_again_behind_the_data_takes_them_back) {
  dialect_fixture bybit{exchange::bybit};
  const std::string row =
      R"({"start":1767571200000,"open":"2","close":"2","high":"3","low":"1","volume":"7","confirm":false})";
  BOOST_TEST(bybit.read(R"({"topic":"kline.1.BTCUSDT","data":[)" + row + R"(],"topic":"tickers.BTCUSDT"})") ==
             "other tickers");
  BOOST_TEST(bybit.candles.empty());
  dialect_fixture okx{exchange::okx};
  BOOST_TEST(
      okx.read(
          R"({"arg":{"channel":"candle1m","instId":"BTC-USDT"},"data":[["1767571200000","2","3","1","2","7","9","9","0"]],"event":"unsubscribe"})") ==
      "answer");
  BOOST_TEST(okx.candles.empty());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater::test
