#include "app/simulator/rest_venue.hpp"

#include <boost/test/unit_test.hpp>

#include <simdjson.h>

#include <cmath>
#include <initializer_list>
#include <ostream>
#include <vector>

using namespace breakwater;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t start_ms = 1'767'571'200'000; // 2026-01-05T00:00:00Z
constexpr auto now = wall_time_from_ms(start_ms) + 30s;

/// A candle as an answer has it.
struct past_row {
  std::int64_t start_s = 0;
  double open = 0, high = 0, low = 0, close = 0, volume = 0;
};

using json = simdjson::dom::element;

double number_of(json x) {
  if (x.is_string()) return std::stod(std::string{x.get_string().value()});
  return x.get_double().value();
}

struct shop {
  invented_market market;
  rest_venue sut{market};

  explicit shop(int quiet = 0) : market{1, {"BTCUSDT", "DOGEUSDT", "ETHUSDT"}, quiet} {}

  rest_answer ask(std::string_view target, wall_time at = now) {
    BOOST_REQUIRE(rest_venue::owner_of(target));
    return sut.get(target, at);
  }
  /// The rows of an answer, in its order.
  std::vector<past_row> rows(std::string_view target, wall_time at = now) {
    const auto answer = ask(target, at);
    BOOST_TEST(answer.status == 200u);
    simdjson::dom::parser parser;
    json all;
    BOOST_REQUIRE_MESSAGE(!parser.parse(answer.body).get(all), answer.body);
    const auto from = *rest_venue::owner_of(target);
    json list = all;
    if (from == exchange::bybit) list = all["result"]["list"];
    if (from == exchange::okx) list = all["data"];
    if (from == exchange::kraken) list = all["result"].get_object().value().begin().value();
    std::vector<past_row> out;
    for (json row : list.get_array()) {
      std::vector<double> cells;
      for (json cell : row.get_array()) cells.push_back(number_of(cell));
      const auto unit = from == exchange::kraken || from == exchange::coinbase ? 1 : 1000;
      past_row read{
          static_cast<std::int64_t>(cells[0]) / unit, cells[1], cells[2], cells[3], cells[4], cells[5]};
      if (from == exchange::kraken) read.volume = cells[6];
      if (from == exchange::coinbase) read.low = cells[1], read.high = cells[2], read.open = cells[3];
      out.push_back(read);
    }
    return out;
  }
};

struct range_row {
  std::string_view target;
  int first, last; ///< Minutes of the answer's first and last row, from start_ms on.
  std::size_t rows;
};
std::ostream& operator<<(std::ostream& out, const range_row& row) { return out << row.target; }

constexpr range_row ranges[] = {
    // Binance: oldest first; a start goes on from there, an end alone goes back.
    {"/api/v3/klines?symbol=BTCUSDT&interval=1m", -499, 0, 500},
    {"/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=3", -2, 0, 3},
    {"/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=5000", -999, 0, 1000},
    {"/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=5000", -1499, 0, 1500},
    {"/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=1767570600000&limit=4", -10, -7, 4},
    {"/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=1767570600001&endTime=1767570840000", -9, -6, 4},
    {"/api/v3/klines?symbol=BTCUSDT&interval=1m&endTime=1767570600000&limit=3", -12, -10, 3},
    {"/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=1767571260000", 0, 0, 0},
    {"/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=0&endTime=0", -29459520, -29459520, 1},
    // Bybit: newest first, both ends included.
    {"/v5/market/kline?category=spot&symbol=BTCUSDT&interval=1", 0, -199, 200},
    {"/v5/market/kline?category=linear&symbol=BTCUSDT&interval=1&limit=5000", 0, -999, 1000},
    {"/v5/market/kline?category=spot&symbol=BTCUSDT&interval=1&start=1767570600000&end=1767570720000", -8,
     -10, 3},
    {"/v5/market/kline?category=spot&symbol=BTCUSDT&interval=1&start=1767570600000&limit=4", -7, -10, 4},
    {"/v5/market/kline?category=spot&symbol=BTCUSDT&interval=1&end=1767570600000&limit=4", -10, -13, 4},
    // OKX: newest first, both ends excluded.
    {"/api/v5/market/candles?instId=BTC-USDT&bar=1m", 0, -99, 100},
    {"/api/v5/market/candles?instId=BTC-USDT", 0, -99, 100},
    {"/api/v5/market/candles?instId=BTC-USDT&bar=1m&limit=5000", 0, -299, 300},
    {"/api/v5/market/candles?instId=BTC-USDT&bar=1m&after=1767570600000&limit=2", -11, -12, 2},
    {"/api/v5/market/candles?instId=BTC-USDT&bar=1m&before=1767570600000&limit=300", 0, -9, 10},
    {"/api/v5/market/candles?instId=BTC-USDT&bar=1m&before=1767570600000&limit=2", 0, -1, 2},
    {"/api/v5/market/candles?instId=BTC-USDT&bar=1m&after=1767570780000&before=1767570600000", -8, -9, 2},
    {"/api/v5/market/candles?instId=BTC-USDT&bar=1m&after=1767484920000", -1439, -1439,
     1}, // goes back no further
    {"/api/v5/market/history-candles?instId=BTC-USDT&bar=1m&limit=300", -1, -100, 100}, // no running minute
    {"/api/v5/market/history-candles?instId=BTC-USDT&bar=1m&after=1767484860000&limit=2", -1440, -1441, 2},
    // Kraken: oldest first, since excludes, the running minute always, 720 rows.
    {"/0/public/OHLC?pair=XBTUSD&interval=1", -719, 0, 720},
    {"/0/public/OHLC?pair=XBTUSD&since=1767570600", -9, 0, 10},
    {"/0/public/OHLC?pair=XBTUSD&since=1767570599", -10, 0, 11},
    {"/0/public/OHLC?pair=XBTUSD&since=1767571200", 0, 0, 1},
    {"/0/public/OHLC?pair=XBTUSD&since=1777571200", 0, 0, 1},
    {"/0/public/OHLC?pair=XBTUSD&since=99999999999999999", 0, 0, 1},
    // Coinbase: newest first, both ends included, percent-encoded or not, RFC 3339 or epoch seconds.
    {"/products/BTC-USD/candles?granularity=60", 0, -349, 350},
    {"/products/BTC-USD/candles?granularity=60&start=2026-01-04T23:50:00.000Z", 0, -349, 350},
    {"/products/BTC-USD/candles?granularity=60&start=2026-01-04T23:50:00.000Z&end=2026-01-04T23:52:00.000Z",
     -8, -10, 3},
    {"/products/BTC-USD/candles?granularity=60&start=2026-01-04T23%3A50%3A00Z&end=2026-01-04T23%3A52%3A59Z",
     -8, -10, 3},
    {"/products/BTC-USD/candles?start=1767570600&end=1767570720", -8, -10, 3},
    {"/products/BTC-USD/candles?start=1767553200&end=1767571200", 0, -300, 301},
    {"/products/BTC-USD/candles?start=1767571260&end=1767571320", 0, 0, 0},
};

struct refusal_row {
  std::string_view target;
  unsigned status;
  std::string_view body; ///< What it begins with.
};
std::ostream& operator<<(std::ostream& out, const refusal_row& row) { return out << row.target; }

constexpr refusal_row refusals[] = {
    {"/api/v3/klines?symbol=NOPEUSDT&interval=1m", 400, R"({"code":-1121,"msg":"Invalid symbol."})"},
    {"/fapi/v1/klines?symbol=NOPEUSDT&interval=1m", 400, R"({"code":-1121,"msg":"Invalid symbol."})"},
    {"/api/v3/klines?interval=1m", 400, R"({"code":-1102,"msg":"Mandatory parameter 'symbol')"},
    {"/api/v3/klines?symbol=BTCUSDT&interval=7m", 400, R"({"code":-1120,"msg":"Invalid interval."})"},
    {"/v5/market/kline?category=spot&symbol=NOPEUSDT&interval=1", 200,
     R"({"retCode":10001,"retMsg":"Not supported symbols","result":{},)"},
    {"/v5/market/kline?category=x&symbol=BTCUSDT&interval=1", 200, R"({"retCode":10001,)"},
    {"/v5/market/kline?category=spot&symbol=BTCUSDT&interval=7", 200, R"({"retCode":10001,)"},
    {"/api/v5/market/candles?instId=NOPE-USDT&bar=1m", 200, R"({"code":"51001",)"},
    {"/api/v5/market/history-candles?instId=BTCUSDT&bar=1m", 200, R"({"code":"51001",)"},
    {"/api/v5/market/candles?instId=BTC-USDT&bar=7m", 200, R"({"code":"51000",)"},
    {"/0/public/OHLC?pair=NOPEUSD", 200, R"({"error":["EQuery:Unknown asset pair"]})"},
    {"/0/public/OHLC?pair=XBT", 200, R"({"error":["EQuery:Unknown asset pair"]})"},
    {"/0/public/OHLC?pair=XBTUSD&interval=7", 200, R"({"error":["EGeneral:Invalid arguments)"},
    {"/products/NOPE-USD/candles?granularity=60", 404, R"({"message":"NotFound"})"},
    {"/products/BTCUSD/candles?granularity=60", 404, R"({"message":"NotFound"})"},
    {"/products/BTC-USD/candles?granularity=7", 400, R"({"message":"Unsupported granularity"})"},
    {"/products/BTC-USD/candles?granularity=60&start=1767553140&end=1767571200", 400,
     R"({"message":"granularity too small for the requested time range.)"},
    {"/products/BTC-USD/candles?granularity=60&start=1767571200&end=1767571140", 400, R"({"message":)"},
};

} // namespace

BOOST_AUTO_TEST_SUITE(rest_venue_test)

BOOST_AUTO_TEST_CASE(knows_its_addresses) {
  constexpr std::pair<std::string_view, std::string_view> rows[] = {
      {"/api/v3/klines?x", "binance"},
      {"/fapi/v1/klines", "binance"},
      {"/v5/market/kline?x", "bybit"},
      {"/api/v5/market/candles", "okx"},
      {"/api/v5/market/history-candles", "okx"},
      {"/0/public/OHLC", "kraken"},
      {"/products/BTC-USD/candles?granularity=60", "coinbase"},
      {"/products/candles", "-"},
      {"/products//candles", "-"},
      {"/products/BTC-USD/trades", "-"},
      {"/api/v3/depth", "-"},
      {"/", "-"},
  };
  for (const auto& [target, owner] : rows) BOOST_TEST_CONTEXT(target) {
      const auto found = rest_venue::owner_of(target);
      BOOST_TEST((found ? to_string(*found) : "-") == owner);
    }
}

BOOST_AUTO_TEST_CASE(gives_the_minutes_asked_for_in_the_order_of_the_exchange) {
  for (const auto& row : ranges) BOOST_TEST_CONTEXT(row) {
      const auto rows = shop{}.rows(row.target);
      BOOST_TEST(rows.size() == row.rows);
      if (rows.empty()) continue;
      BOOST_TEST(rows.front().start_s == start_ms / 1000 + row.first * 60);
      BOOST_TEST(rows.back().start_s == start_ms / 1000 + row.last * 60);
      for (std::size_t i = 1; i < rows.size(); ++i)
        BOOST_TEST(std::abs(rows[i].start_s - rows[i - 1].start_s) == 60);
    }
}

BOOST_AUTO_TEST_CASE(tells_the_truth_of_the_market) {
  constexpr std::string_view targets[] = {
      "/api/v3/klines?symbol=ETHUSDT&interval=1m&limit=5",
      "/fapi/v1/klines?symbol=ETHUSDT&interval=1m&limit=5",
      "/v5/market/kline?category=spot&symbol=ETHUSDT&interval=1&limit=5",
      "/api/v5/market/candles?instId=ETH-USDT&bar=1m&limit=5",
      "/api/v5/market/history-candles?instId=ETH-USDT&bar=1m&limit=5",
      "/0/public/OHLC?pair=ETHUSD&since=1767570960",
      "/products/ETH-USD/candles?start=1767570960&end=1767571200",
  };
  for (auto target : targets) BOOST_TEST_CONTEXT(target) {
      shop s;
      const auto from = *rest_venue::owner_of(target);
      const auto rows = s.rows(target);
      BOOST_TEST(rows.size() >= 4u);
      for (const auto& row : rows) {
        const auto truth = s.market.candle(from, *s.market.find("ETHUSDT"), row.start_s * 1000, now);
        BOOST_TEST(row.open == truth.open);
        BOOST_TEST(row.high == truth.high);
        BOOST_TEST(row.low == truth.low);
        BOOST_TEST(row.close == truth.close);
        BOOST_TEST(std::abs(row.volume - truth.volume) <= (target.starts_with("/fapi") ? 5e-4 : 1e-8));
      }
    }
}

BOOST_AUTO_TEST_CASE(marks_and_counts_as_okx_does) {
  shop s;
  const auto spot = s.ask("/api/v5/market/candles?instId=BTC-USDT&bar=1m&limit=2").body;
  BOOST_TEST(spot.starts_with(R"({"code":"0","msg":"","data":[["1767571200000",")"));
  BOOST_TEST(spot.find(R"("0"],["1767571140000",")") != std::string::npos); // the running minute
  BOOST_TEST(spot.ends_with(R"("1"]]})"));
  const auto coins = s.rows("/api/v5/market/candles?instId=BTC-USDT&bar=1m&limit=2");
  const auto contracts = s.rows("/api/v5/market/candles?instId=BTC-USDT-SWAP&bar=1m&limit=2");
  BOOST_TEST(contracts[1].volume == coins[1].volume * 100, boost::test_tools::tolerance(0.01));
}

BOOST_AUTO_TEST_CASE(calls_pairs_as_kraken_does) {
  constexpr std::pair<std::string_view, std::string_view> rows[] = {
      {"XBTUSD", "XXBTZUSD"},    {"XBT/USD", "XXBTZUSD"}, {"XXBTZUSD", "XXBTZUSD"}, {"BTCUSD", "XXBTZUSD"},
      {"BTC%2FUSD", "XXBTZUSD"}, {"XBTUSDT", "XBTUSDT"},  {"ETHUSD", "XETHZUSD"},   {"ETHUSDT", "ETHUSDT"},
      {"XDGUSD", "XDGUSD"},      {"DOGEUSDT", "XDGUSDT"}};
  for (const auto& [pair, key] : rows) BOOST_TEST_CONTEXT(pair) {
      const auto body =
          shop{}.ask(std::string{"/0/public/OHLC?interval=1&since=1767571140&pair="}.append(pair)).body;
      BOOST_TEST(
          body.starts_with(std::string{R"({"error":[],"result":{")"}.append(key) + R"(":[[1767571200,")"));
      BOOST_TEST(body.ends_with(R"(]],"last":1767571140}})"));
    }
}

BOOST_AUTO_TEST_CASE(fills_a_quiet_minute_at_kraken_and_leaves_it_out_at_coinbase) {
  shop s{4};
  const auto kraken = s.rows("/0/public/OHLC?pair=XBTUSD&since=1767565200");
  BOOST_TEST(kraken.size() == 100u);
  int quiet = 0;
  for (std::size_t i = 1; i < kraken.size(); ++i) {
    if (kraken[i].volume > 0) continue;
    ++quiet;
    for (auto price : {kraken[i].open, kraken[i].high, kraken[i].low, kraken[i].close})
      BOOST_TEST(price == kraken[i - 1].close);
  }
  BOOST_TEST(quiet >= 38);
  BOOST_TEST(quiet <= 40);
  const auto coinbase = s.rows("/products/BTC-USD/candles?start=1767565200&end=1767571199");
  BOOST_TEST(coinbase.size() == 60u);
}

BOOST_AUTO_TEST_CASE(refuses_as_the_exchange_does) {
  for (const auto& row : refusals) BOOST_TEST_CONTEXT(row) {
      const auto answer = shop{}.ask(row.target);
      BOOST_TEST(answer.status == row.status);
      BOOST_TEST(answer.body.substr(0, row.body.size()) == row.body);
    }
}

BOOST_AUTO_TEST_CASE(limits_requests_as_documented) {
  struct row {
    std::string_view target;
    int most;                       ///< At once.
    std::chrono::milliseconds wait; ///< Until one more is answered.
    unsigned status;
    std::string_view body;
  };
  constexpr row rows[] = {
      {"/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=1", 3000, 30s, 429, R"({"code":-1003,)"},
      {"/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=1", 2400, 30s, 429, R"({"code":-1003,)"},
      {"/fapi/v1/klines?symbol=BTCUSDT&interval=1m&startTime=1767571200000&limit=1500", 240, 30s, 429,
       R"({"code":-1003,)"},
      {"/v5/market/kline?category=spot&symbol=BTCUSDT&interval=1&limit=1", 600, 5s, 200,
       R"({"retCode":10006,)"},
      {"/api/v5/market/candles?instId=BTC-USDT&limit=1", 40, 2s, 429, R"({"code":"50011",)"},
      {"/api/v5/market/history-candles?instId=BTC-USDT&limit=1", 20, 2s, 429, R"({"code":"50011",)"},
      {"/0/public/OHLC?pair=XBTUSD&since=1767571140", 5, 1s, 200,
       R"({"error":["EGeneral:Too many requests"]})"},
      {"/products/BTC-USD/candles?start=1767571200&end=1767571200", 15, 100ms, 429,
       R"({"message":"Public rate limit exceeded"})"},
  };
  for (const auto& [target, most, wait, status, body] : rows) BOOST_TEST_CONTEXT(target) {
      shop s;
      const auto allowed = s.ask(target).body;
      for (int i = 1; i < most; ++i)
        if (s.ask(target).body != allowed) BOOST_FAIL("refused at request " << i + 1);
      const auto refused = s.ask(target);
      BOOST_TEST(refused.status == status);
      BOOST_TEST(refused.body.substr(0, body.size()) == body);
      BOOST_TEST(refused.retry_after_s == (target.find("klines") != target.npos ? 30 : 0));
      BOOST_TEST(s.ask(target, now + wait - 1ms).body.substr(0, body.size()) == body);
      const auto again = s.ask(target, now + wait);
      BOOST_TEST(again.status == 200u);
      BOOST_TEST(again.body.substr(0, body.size()) != body);
    }
}

BOOST_AUTO_TEST_CASE(locks_out_who_goes_on_over_binances_limit) {
  shop s;
  constexpr std::string_view target = "/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=1";
  for (int i = 0; i < 3000; ++i) (void)s.ask(target);
  for (int i = 0; i < 10; ++i) BOOST_TEST(s.ask(target).status == 429u);
  const auto locked = s.ask(target);
  BOOST_TEST(locked.status == 418u);
  BOOST_TEST(locked.retry_after_s == 120);
  BOOST_TEST(s.ask(target, now + 119s).status == 418u);
  BOOST_TEST(s.ask(target, now + 120s).status == 200u);
  // The futures count by themselves.
  BOOST_TEST(s.ask("/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=1").status == 200u);
}

BOOST_AUTO_TEST_CASE(has_no_past_when_candles_come_from_a_file) {
  invented_market market{1, {"BTCUSDT"}};
  rest_venue sut{market, false};
  BOOST_TEST(sut.get("/api/v3/klines?symbol=BTCUSDT&interval=1m", now).body == "[]");
  BOOST_TEST(sut.get("/products/BTC-USD/candles", now).body == "[]");
}

BOOST_AUTO_TEST_SUITE_END()
