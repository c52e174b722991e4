#include "actors/feed/candle_closer.hpp"
#include "actors/feed/dialect.hpp"
#include "actors/feed/frame_file_io.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// Frames recorded from the exchanges. They are not part of this repository; without them there is nothing to
// test here.

namespace breakwater {
namespace {

/// BREAKWATER_CAPTURES names their folder, else it is this one beside the repository.
const std::filesystem::path captures = [] {
  const char* const named = std::getenv("BREAKWATER_CAPTURES");
  return named ? named : "../shared/captures";
}();

bool there() {
  if (std::filesystem::exists(captures)) return true;
  BOOST_TEST_MESSAGE("no captures at " << captures << ": skipped");
  return false;
}

/// What the frames of a file were.
struct tally {
  std::size_t candles = 0, closed = 0, missing = 0, acknowledged = 0, refused = 0, pongs = 0, closing = 0,
              not_ours = 0, unreadable = 0;
  std::map<std::string_view, std::size_t> other; ///< By channel.
  std::string last_problem;

  void count(const frame_content& content) {
    if (const auto* read = std::get_if<candles_read>(&content)) missing += read->trades_missing;
    if (std::holds_alternative<acknowledgement>(content)) ++acknowledged;
    if (std::holds_alternative<refusal>(content)) ++refused;
    if (std::holds_alternative<pong_read>(content)) ++pongs;
    if (std::holds_alternative<closing_announced>(content)) ++closing;
    if (const auto* read = std::get_if<other_read>(&content)) ++other[read->channel];
    if (const auto* why = std::get_if<failure>(&content)) {
      ++(why->code == errc::symbol_unknown ? not_ours : unreadable);
      last_problem = std::string{to_string(why->code)} + " " + why->detail;
    }
  }
  [[nodiscard]] std::string in_words() const {
    std::string text;
    const auto add = [&](std::string_view name, std::size_t number) {
      if (number == 0) return;
      if (!text.empty()) text += ' ';
      ((text += name) += '=') += std::to_string(number);
    };
    add("candles", candles);
    add("closed", closed);
    add("missing", missing);
    add("acknowledged", acknowledged);
    add("refused", refused);
    add("pongs", pongs);
    add("closing", closing);
    for (const auto& [channel, number] : other)
      add("other." + std::string{channel.empty() ? "answers" : channel}, number);
    add("not_ours", not_ours);
    add("unreadable", unreadable);
    return text;
  }
};

struct file_row {
  const char* path;
  exchange which;
  market where;
  const char* content;
};

constexpr auto spot = market::spot;
constexpr auto linear = market::linear;

constexpr file_row files[] = {
    {"binance_spot/kline_1m", exchange::binance, spot, "candles=20 closed=2"},
    {"binance_spot/kline_1m_closed_reencoded", exchange::binance, spot, "candles=60 closed=60"},
    {"binance_spot/single_stream_no_envelope", exchange::binance, spot,
     "candles=1 other.24hrMiniTicker=1 other.bookTicker=1 other.depthUpdate=1 other.trade=1"},
    {"binance_spot/control", exchange::binance, spot, "acknowledged=2 refused=2 closing=2 other.answers=1"},
    {"binance_spot/aggTrade", exchange::binance, spot, "other.aggTrade=31"},
    {"binance_spot/bookTicker", exchange::binance, spot, "other.bookTicker=1581"},
    {"binance_spot/depth_100ms", exchange::binance, spot, "other.depthUpdate=200"},
    {"binance_spot/depth_rest_snapshot", exchange::binance, spot, "other.depth=1"},
    {"binance_spot/other_channels", exchange::binance, spot,
     "other.24hrMiniTicker=1 other.bookTicker=1 other.depth=1"},
    {"binance_spot/ticker_24hr", exchange::binance, spot, "other.24hrTicker=4"},
    {"binance_spot/trade", exchange::binance, spot, "other.trade=1414"},
    {"binance_usdm/kline_1m", exchange::binance, linear, "candles=70 closed=5"},
    {"binance_usdm/control", exchange::binance, linear, "acknowledged=1 refused=2 other.answers=1"},
    {"binance_usdm/aggTrade", exchange::binance, linear, "other.aggTrade=94"},
    {"binance_usdm/bookTicker", exchange::binance, linear, "other.bookTicker=1571"},
    {"binance_usdm/depth_0ms", exchange::binance, linear, "other.depthUpdate=153"},
    {"binance_usdm/depth_rest_snapshot", exchange::binance, linear, "other.depth=1"},
    {"binance_usdm/forceOrder", exchange::binance, linear, "other.forceOrder=3"},
    {"binance_usdm/markPrice", exchange::binance, linear, "other.markPriceUpdate=16"},
    {"binance_usdm/ticker_24hr", exchange::binance, linear, "other.24hrTicker=3"},
    {"binance_usdm/trade", exchange::binance, linear, "other.trade=1477"},
    {"bybit/kline", exchange::bybit, linear, "candles=3 other.kline.5=1 other.kline_lt.5=1"},
    {"bybit/kline_5m_spot_reencoded", exchange::bybit, spot, "other.kline.5=34"},
    {"bybit/control", exchange::bybit, spot, "acknowledged=2 refused=4 pongs=3 other.answers=2"},
    {"bybit/orderbook1", exchange::bybit, spot, "other.orderbook.1=4"},
    {"bybit/orderbook50", exchange::bybit, spot, "other.orderbook.50=13"},
    {"bybit/publicTrade", exchange::bybit, linear, "other.publicTrade=18"},
    {"bybit/publicTrade_reencoded", exchange::bybit, spot, "other.publicTrade=162"},
    {"bybit/tickers_inverse", exchange::bybit, linear, "other.tickers=6"},
    {"bybit/tickers_linear", exchange::bybit, linear, "other.tickers=33"},
    {"bybit/tickers_spot", exchange::bybit, spot, "other.tickers=42"},
    // Futures, options and swaps are no spot symbols, and the other way round.
    {"okx/candle1m", exchange::okx, spot, "candles=8 closed=2 other.candle1D=2 not_ours=5"},
    {"okx/candle1m", exchange::okx, linear, "candles=2 other.candle1D=2 not_ours=11"},
    {"okx/control", exchange::okx, spot, "refused=3 closing=1 other.answers=23 other.channel-conn-count=1"},
    {"okx/bbo-tbt", exchange::okx, spot, "other.bbo-tbt=9"},
    {"okx/books", exchange::okx, spot, "other.books=290"},
    {"okx/funding-rate", exchange::okx, linear, "other.funding-rate=5"},
    {"okx/index-tickers", exchange::okx, linear, "other.index-tickers=4"},
    {"okx/mark-price", exchange::okx, linear, "other.mark-price=4"},
    {"okx/open-interest", exchange::okx, linear, "other.open-interest=4"},
    {"okx/tickers", exchange::okx, spot, "other.tickers=34"},
    {"okx/trades", exchange::okx, spot, "other.trades=102"},
    {"kraken_v2/ohlc", exchange::kraken, spot, "candles=6 other.ohlc-5=1"},
    {"kraken_v2/ohlc_reencoded", exchange::kraken, spot, "candles=269"},
    {"kraken_v2/control", exchange::kraken, spot,
     "acknowledged=1 refused=2 pongs=2 other.answers=6 other.status=2"},
    {"kraken_v2/book", exchange::kraken, spot, "other.book=57"},
    {"kraken_v2/ticker", exchange::kraken, spot, "other.ticker=3"},
    {"kraken_v2/trade", exchange::kraken, spot, "other.trade=2"},
    {"kraken_v2/trade_reencoded", exchange::kraken, spot, "other.trade=400"},
    {"kraken_v1/book-10", exchange::kraken, spot, "other.book-10=15"},
    {"kraken_v1/book-25", exchange::kraken, spot, "other.book-25=3"},
    {"kraken_v1/book-1000", exchange::kraken, spot, "other.book-1000=749"},
    {"kraken_v1/control", exchange::kraken, spot, "refused=2 pongs=25 other.answers=11 other.status=1"},
    {"kraken_v1/ohlc", exchange::kraken, spot, "other.ohlc-1=3 other.ohlc-5=1"},
    {"kraken_v1/ohlc_reencoded", exchange::kraken, spot, "other.ohlc-1=269"},
    {"kraken_v1/spread", exchange::kraken, spot, "other.spread=3"},
    {"kraken_v1/ticker", exchange::kraken, spot, "other.ticker=11"},
    {"kraken_v1/trade", exchange::kraken, spot, "other.trade=10"},
    {"kraken_v1/trade_reencoded", exchange::kraken, spot, "other.trade=400"},
    {"kraken_futures/ticker", exchange::kraken, spot, "other.ticker=3"},
    {"kraken_futures/trade", exchange::kraken, spot, "other.trade=5 other.trade_snapshot=1"},
    {"coinbase_exchange/control", exchange::coinbase, spot, "acknowledged=5 refused=3"},
    {"coinbase_exchange/heartbeat", exchange::coinbase, spot, "pongs=3"},
    {"coinbase_exchange/level2", exchange::coinbase, spot, "other.l2update=1483 other.snapshot=5"},
    {"coinbase_exchange/matches", exchange::coinbase, spot, "candles=77 other.last_match=6 other.match=1"},
    {"coinbase_exchange/ticker", exchange::coinbase, spot, "other.ticker=87"},
    {"coinbase_advanced/candles", exchange::coinbase, spot, "other.candles=3"},
    {"coinbase_advanced/candles_reencoded", exchange::coinbase, spot, "other.candles=45"},
    {"coinbase_advanced/control", exchange::coinbase, spot, "refused=2 pongs=4 other.answers=3"},
    {"coinbase_advanced/l2_data", exchange::coinbase, spot, "other.l2_data=4"},
    {"coinbase_advanced/market_trades", exchange::coinbase, spot, "other.market_trades=4"},
    {"coinbase_advanced/ticker", exchange::coinbase, spot, "other.ticker=2 other.ticker_batch=1"},
};

BOOST_AUTO_TEST_SUITE(captures_suite)

BOOST_AUTO_TEST_CASE(every_recorded_frame_is_what_its_file_says) {
  if (!there()) return;
  for (const auto& row : files) {
    std::ifstream file{captures / (std::string{row.path} + ".jsonl")};
    BOOST_TEST_REQUIRE(file.good(), row.path);
    auto speaks = make_dialect(row.which, row.where, symbol_names::any(row.which, row.where, {}));
    tally seen;
    std::vector<candle> candles;
    for (std::string line; std::getline(file, line);)
      seen.count(speaks->read(line, wall_time_from_ms(1767571200000), candles));
    seen.candles = candles.size();
    for (const auto& x : candles) {
      seen.closed += x.closed;
      BOOST_TEST(x.start_s % 60 == 0);
      BOOST_TEST(x.low <= x.high); // samples in the documentation open below their low
    }
    BOOST_TEST_CONTEXT(row.path << ", last problem: " << seen.last_problem) {
      BOOST_TEST(seen.in_words() == row.content);
    }
  }
}

BOOST_AUTO_TEST_CASE(every_file_is_in_the_table) {
  if (!there()) return;
  std::set<std::string> known;
  for (const auto& row : files) known.insert(row.path + std::string{".jsonl"});
  for (const auto& entry : std::filesystem::recursive_directory_iterator{captures}) {
    const auto path = std::filesystem::relative(entry.path(), captures);
    if (path.extension() == ".jsonl" && !path.string().starts_with("cross/"))
      BOOST_TEST(known.contains(path.string()), path);
  }
}

BOOST_AUTO_TEST_CASE(prices_are_the_nearest_doubles_of_what_was_printed) {
  if (!there()) return;
  auto speaks = make_dialect(exchange::kraken, spot, symbol_names::any(exchange::kraken, spot, {}));
  std::ifstream file{captures / "kraken_v2/ohlc.jsonl"};
  std::string line;
  std::getline(file, line);
  std::vector<candle> candles;
  (void)speaks->read(line, {}, candles);
  BOOST_TEST_REQUIRE(candles.size() == 1u);
  BOOST_TEST(candles[0].open == 77499.9);
  BOOST_TEST(candles[0].volume == 0.58051276);
  BOOST_TEST(candles[0].start_s == 1789061700);
  BOOST_TEST(epoch_ms(candles[0].event_at) == 1789061752114);
}

BOOST_AUTO_TEST_CASE(recordings_of_several_exchanges_replay_whole) {
  if (!there()) return;
  struct row {
    const char* path;
    std::size_t frames;
    const char* content;
  };
  constexpr row rows[] = {
      {"cross/minute-candles.jsonl", 912, "candles=748 closed=270 acknowledged=7 pongs=21 other.candles=136"},
      {"cross/minute-candles-true.jsonl", 145, "candles=90 closed=89 other.candles=55"},
  };
  for (const auto& row : rows) {
    auto source = frame_file_io::open(captures / row.path);
    BOOST_TEST_REQUIRE(static_cast<bool>(source));
    std::array<std::unique_ptr<dialect>, exchange_count> speaks;
    for (auto which : all_exchanges)
      speaks[index_of(which)] = make_dialect(which, spot, symbol_names::any(which, spot, {}));
    tally seen;
    std::size_t frames = 0;
    candle_closer closer;
    recorded_frames got;
    while (!got.at_end) {
      (*source)->next(100, got);
      BOOST_TEST(got.skipped.empty());
      for (const auto& frame : got.frames) {
        ++frames;
        auto& one = speaks[index_of(frame.from)];
        std::vector<candle> candles, closed;
        closer.advance(frame.received_at, closed);
        seen.count(one->read(frame.text, frame.received_at, candles));
        seen.candles += candles.size();
        for (auto& x : candles)
          if (one->rules().marks_closed)
            seen.closed += x.closed;
          else
            closer.take(std::move(x), closed);
        for (const auto& x : closed) seen.closed += x.closed;
      }
    }
    BOOST_TEST_CONTEXT(row.path << ", last problem: " << seen.last_problem) {
      BOOST_TEST(frames == row.frames);
      BOOST_TEST(seen.in_words() == row.content);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater
