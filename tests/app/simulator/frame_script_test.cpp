#include "app/simulator/frame_script.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <ostream>
#include <string_view>

#include <unistd.h>

using namespace breakwater;

namespace {

struct line_row {
  std::string_view line, key, symbol, text;
};
std::ostream& operator<<(std::ostream& out, const line_row& row) { return out << row.line; }

struct written_file {
  std::string path = (std::filesystem::temp_directory_path() /
                      ("frame_script_test." + std::to_string(::getpid()) + ".jsonl"))
                         .string();
  explicit written_file(std::string_view text) { std::ofstream{path} << text; }
  ~written_file() { std::filesystem::remove(path); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(frame_script_test)

BOOST_AUTO_TEST_CASE(names_the_stream_of_each_frame_and_keeps_its_digits) {
  constexpr line_row rows[] = {
      {R"({"recv_ms":5,"exchange":"binance","frame":{"stream":"btcusdt@kline_1m","data":{"e":"kline","s":"BTCUSDT","k":{"i":"1m","c":"1.10"}}}})",
       "btcusdt@kline_1m", "BTCUSDT", R"({"e":"kline","s":"BTCUSDT","k":{"i":"1m","c":"1.10"}})"},
      {R"({"recv_ms":5,"exchange":"binance","frame":{"e":"kline","s":"BTCUSDT","k":{"i":"1m"}}})",
       "btcusdt@kline_1m", "BTCUSDT", R"({"e":"kline","s":"BTCUSDT","k":{"i":"1m"}})"},
      {R"({"recv_ms":5,"exchange":"bybit","frame":{"topic":"kline.1.BTCUSDT","data":[]}})", "kline.1.BTCUSDT",
       "BTCUSDT", R"({"topic":"kline.1.BTCUSDT","data":[]})"},
      {R"({"frame":{"arg":{"channel":"candle1m","instId":"BTC-USDT-SWAP"},"data":[]} ,"recv_ms":5,"exchange":"okx"})",
       "candle1m:BTC-USDT-SWAP", "BTCUSDT",
       R"({"arg":{"channel":"candle1m","instId":"BTC-USDT-SWAP"},"data":[]})"},
      {R"({"recv_ms":5,"exchange":"kraken","frame":{"channel":"ohlc","data":[{"symbol":"BTC/USD","open":0.00005100,"interval":1}]}})",
       "ohlc:BTC/USD", "BTCUSD",
       R"({"channel":"ohlc","data":[{"symbol":"BTC/USD","open":0.00005100,"interval":1}]})"},
      {R"({"recv_ms":5,"exchange":"coinbase","frame":{"type":"match","trade_id":7,"product_id":"BTC-USD","price":"1.10"}})",
       "matches:BTC-USD", "BTCUSD", R"({"type":"match","trade_id":7,"product_id":"BTC-USD","price":"1.10"})"},
      {R"({"recv_ms":5,"exchange":"coinbase","frame":{"type":"last_match","product_id":"BTC-USD"}})", "", "",
       ""},
      {R"({"recv_ms":5,"exchange":"binance","frame":{"result":null,"id":1}})", "", "", ""},
      {R"({"recv_ms":5,"exchange":"okx","frame":{"event":"subscribe","arg":{"channel":"candle1m","instId":"BTC-USDT"}}})",
       "", "", ""},
      {R"({"recv_ms":5,"exchange":"okx","frame":"pong"})", "", "", ""},
      {R"({"recv_ms":5,"exchange":"coinbase","frame":{"channel":"candles","events":[]}})", "", "", ""},
  };
  for (const auto& row : rows) BOOST_TEST_CONTEXT(row) {
      const auto parsed = parse_scripted_frame(std::string{row.line});
      BOOST_REQUIRE(parsed);
      BOOST_REQUIRE_EQUAL(parsed->has_value(), !row.key.empty());
      if (!*parsed) continue;
      BOOST_TEST((*parsed)->recv_ms == 5);
      BOOST_TEST((*parsed)->key == row.key);
      BOOST_TEST((*parsed)->symbol == row.symbol);
      BOOST_TEST((*parsed)->text == row.text);
    }
}

BOOST_AUTO_TEST_CASE(names_file_and_line_of_the_first_bad_line) {
  constexpr std::pair<std::string_view, std::string_view> rows[] = {
      {"{\"recv_ms\":1", ":3: is not JSON"},
      {"{\"exchange\":\"okx\",\"frame\":{}}", ":3: has no recv_ms"},
      {"{\"recv_ms\":1,\"exchange\":\"nyse\",\"frame\":{}}", ":3: names the unknown exchange 'nyse'"},
      {"{\"recv_ms\":1,\"exchange\":\"okx\"}", ":3: has no frame"}};
  for (const auto& [line, message] : rows) {
    const written_file file{"{\"recv_ms\":1,\"exchange\":\"okx\",\"frame\":\"pong\"}\n\n" +
                            std::string{line} + "\n"};
    const auto read = read_frame_script(file.path);
    BOOST_REQUIRE(!read);
    BOOST_TEST(read.error().detail == file.path + std::string{message});
  }
  BOOST_TEST(read_frame_script("/nowhere/frames.jsonl").error().detail ==
             "/nowhere/frames.jsonl: No such file or directory");
}

BOOST_AUTO_TEST_CASE(orders_frames_by_time_and_counts_what_it_leaves_out) {
  const written_file file{R"({"recv_ms":9,"exchange":"bybit","frame":{"topic":"kline.1.BTCUSDT","data":[]}}
{"recv_ms":1,"exchange":"bybit","frame":{"success":true,"op":"subscribe"}}
{"recv_ms":4,"exchange":"bybit","frame":{"topic":"kline.1.ETHUSDT","data":[]}}
)"};
  const auto read = read_frame_script(file.path);
  BOOST_REQUIRE(read);
  BOOST_TEST(read->skipped == 1u);
  BOOST_REQUIRE_EQUAL(read->frames.size(), 2u);
  BOOST_TEST(read->frames[0].symbol == "ETHUSDT");
}

BOOST_AUTO_TEST_SUITE_END()
