#include "app/simulator/simulated_exchanges.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <ostream>

using namespace breakwater;
using namespace std::chrono_literals;

namespace {

constexpr auto began = wall_time_from_ms(1'767'571'200'000); // 2026-01-05T00:00:00Z

simulator_options options_with(std::string_view fault = {}) {
  simulator_options out;
  if (!fault.empty()) out.faults.push_back(*parse_fault_rule(fault));
  return out;
}

struct limit_row {
  std::string_view target;
  int most;                         ///< At once.
  std::chrono::milliseconds refill; ///< Until one more may come.
};
std::ostream& operator<<(std::ostream& out, const limit_row& row) { return out << row.target; }

} // namespace

BOOST_AUTO_TEST_SUITE(simulated_exchanges_test)

BOOST_AUTO_TEST_CASE(limits_connects_as_documented) {
  constexpr limit_row rows[] = {{"/stream", 300, 5min},
                                {"/v5/public/spot", 500, 5min},
                                {"/coinbase", 20, 125ms},
                                {"/ws/v5/business", 3, 1s},
                                {"/v2", 150, 10min}};
  for (const auto& row : rows) BOOST_TEST_CONTEXT(row) {
      simulated_exchanges sut{options_with(), began};
      for (int i = 0; i < row.most; ++i)
        if (!sut.connect(row.target, began).connection) BOOST_FAIL("refused at connect " << i + 1);
      BOOST_TEST(sut.connect(row.target, began).refusal.status == 429u);
      BOOST_TEST(!sut.connect(row.target, began + row.refill - 1ms).connection);
      BOOST_TEST(sut.connect(row.target, began + row.refill).connection != nullptr);
    }
}

BOOST_AUTO_TEST_CASE(has_nothing_elsewhere) {
  simulated_exchanges sut{options_with(), began};
  BOOST_TEST(sut.connect("/elsewhere", began).refusal.status == 404u);
  BOOST_TEST(!sut.get("/elsewhere", began));
}

BOOST_AUTO_TEST_CASE(prints_a_closed_minute_alike_in_the_stream_and_in_the_past) {
  struct row {
    std::string_view target, subscribe, close_mark, past;
    std::array<std::string_view, 2> labels; ///< Of close and volume in the frame.
  };
  constexpr row rows[] = {
      {"/stream",
       R"({"method":"SUBSCRIBE","params":["btcusdt@kline_1m"],"id":7})",
       R"("x":true)",
       "/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=1767571200000&limit=1",
       {R"("c":)", R"("v":)"}},
      {"/market/stream",
       R"({"method":"SUBSCRIBE","params":["btcusdt@kline_1m"],"id":7})",
       R"("x":true)",
       "/fapi/v1/klines?symbol=BTCUSDT&interval=1m&startTime=1767571200000&limit=1",
       {R"("c":)", R"("v":)"}},
      {"/v5/public/spot",
       R"({"op":"subscribe","args":["kline.1.BTCUSDT"]})",
       R"("confirm":true)",
       "/v5/market/kline?category=spot&symbol=BTCUSDT&interval=1&start=1767571200000&limit=1",
       {R"("close":)", R"("volume":)"}},
  };
  for (const auto& row : rows) BOOST_TEST_CONTEXT(row.target) {
      simulated_exchanges sut{options_with(), began};
      const auto client = sut.connect(row.target, began).connection;
      client->on_text(row.subscribe, began);
      std::string closed;
      for (auto at = began; at < began + 61s; at += 50ms)
        for (const auto& text : client->frames_due(at).texts)
          if (text.find(row.close_mark) != std::string::npos) closed = text;
      BOOST_REQUIRE(!closed.empty());
      const auto past = sut.get(row.past, began + 61s)->body;
      for (auto label : row.labels) {
        const auto at = closed.find(label);
        BOOST_REQUIRE(at != std::string::npos);
        const auto value = closed.substr(at + label.size(), closed.find(',', at) - at - label.size());
        BOOST_TEST_CONTEXT(past) { BOOST_TEST(past.find("," + value) != std::string::npos); }
      }
    }
}

BOOST_AUTO_TEST_CASE(refuses_everything_for_being_too_many_for_a_while) {
  simulated_exchanges sut{options_with("rate_limit,exchange=okx,after=10s,for=5s"), began};
  const auto held = sut.connect("/ws/v5/business", began).connection;
  const auto target = "/api/v5/market/candles?instId=BTC-USDT";
  constexpr std::string_view subscribe =
      R"({"op":"subscribe","args":[{"channel":"candle1m","instId":"BTC-USDT"}]})";
  for (auto at : {9999ms, 15000ms}) {
    BOOST_TEST(sut.connect("/ws/v5/business", began + at).connection != nullptr);
    BOOST_TEST(sut.get(target, began + at)->status == 200u);
  }
  const auto during = began + 12s;
  BOOST_TEST(sut.connect("/ws/v5/business", during).refusal.status == 429u);
  BOOST_TEST(sut.get(target, during)->body.find("50011") != std::string::npos);
  BOOST_TEST(held->on_text(subscribe, during).texts.at(0).find("60014") != std::string::npos);
  BOOST_TEST(held->on_text("ping", during).texts.at(0) == "pong");
  BOOST_TEST(sut.faults_done()[static_cast<std::size_t>(fault::rate_limit)] == 3u);
  // The other exchanges do not mind.
  BOOST_TEST(sut.connect("/v2", during).connection != nullptr);
  BOOST_TEST(sut.get("/0/public/OHLC?pair=XBTUSD", during)->body.find("XXBTZUSD") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(says_when_to_come_back_where_the_exchange_says_so) {
  simulated_exchanges sut{options_with("rate_limit,exchange=binance"), began};
  const auto refused = sut.get("/api/v3/klines?symbol=BTCUSDT&interval=1m", began);
  BOOST_TEST(refused->status == 429u);
  BOOST_TEST(refused->retry_after_s > 0);
}

BOOST_AUTO_TEST_SUITE_END()
