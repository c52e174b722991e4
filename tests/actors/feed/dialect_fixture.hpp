#pragma once

#include "actors/feed/dialect.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace breakwater::test {

/// What a frame was, in words: "candles 1", "acknowledged 7 BTCUSDT", "refused 7 BTCUSDT: why", "other
/// trade", "field_missing: k.c".
inline std::string in_words(const frame_content& content, std::size_t candles) {
  struct {
    std::size_t count;
    std::string operator()(const candles_read& x) const {
      return "candles " + std::to_string(count) + (x.trades_missing ? ", trades missing" : "");
    }
    std::string operator()(const acknowledgement& x) const {
      auto text = "acknowledged " + std::to_string(x.request) + " " + x.symbol;
      for (const auto& symbol : x.symbols) text += symbol + " ";
      return text;
    }
    std::string operator()(const refusal& x) const {
      return "refused " + std::to_string(x.request) + " " + x.symbol + ": " + x.reason +
             (x.subscribed_already ? " (stands)" : "");
    }
    std::string operator()(const pong_read&) const { return "pong"; }
    std::string operator()(const closing_announced&) const { return "closing"; }
    std::string operator()(const other_read& x) const {
      return x.channel.empty() ? "answer" : "other " + std::string{x.channel};
    }
    std::string operator()(const failure& x) const {
      return x.code == errc::frame_not_json ? "frame_not_json"
                                            : std::string{to_string(x.code)} + ": " + x.detail;
    }
  } words{candles};
  return std::visit(words, content);
}

struct frame_row {
  const char* text;
  const char* meaning;
};

/// A dialect that follows BTCUSDT, ETHUSDT and 1000PEPEUSDT.
struct dialect_fixture {
  wall_time received_at = wall_time_from_ms(1767571234567);
  std::vector<candle> candles;
  std::unique_ptr<dialect> speaks;

  explicit dialect_fixture(exchange which, market where = market::spot) { follow(which, where); }

  void follow(exchange which, market where, const symbol_names::overrides& given = {}) {
    speaks =
        make_dialect(which, where, symbol_names{which, where, {"BTCUSDT", "ETHUSDT", "1000PEPEUSDT"}, given});
  }
  std::string read(std::string_view text) {
    const auto had = candles.size();
    const auto content = speaks->read(text, received_at, candles);
    return in_words(content, candles.size() - had);
  }
  template <std::size_t N>
  void check(const frame_row (&rows)[N]) {
    for (const auto& row : rows) BOOST_TEST_CONTEXT(row.text) {
        BOOST_TEST(read(row.text) == row.meaning);
      }
  }
  /// Past candles in words: "BTCUSDT 1767571140 open high low close volume; ...", or why there are none.
  std::string past(std::string_view body) {
    std::vector<candle> rows(1); // what stands in there before stays
    const auto read = speaks->read_history(body, "BTCUSDT", received_at, rows);
    BOOST_TEST((rows.at(0) == candle{}));
    if (!read) {
      BOOST_TEST(rows.size() == 1u);
      return in_words(read.error(), 0);
    }
    std::ostringstream text;
    for (std::size_t i = 1; i < rows.size(); ++i) {
      const auto& x = rows[i];
      text << (i > 1 ? "; " : "") << x.symbol << ' ' << x.start_s << ' ' << x.open << ' ' << x.high << ' '
           << x.low << ' ' << x.close << ' ' << x.volume;
      BOOST_TEST((x.closed && x.filled));
      BOOST_TEST(epoch_ms(x.event_at) == (x.start_s + 60) * 1000);
      BOOST_TEST((x.received_at == received_at));
    }
    return text.str();
  }
  template <std::size_t N>
  void check_past(const frame_row (&rows)[N]) {
    for (const auto& row : rows) BOOST_TEST_CONTEXT(row.text) {
        BOOST_TEST(past(row.text) == row.meaning);
      }
  }
  /// Cut anywhere, a frame is never read as something else.
  void check_cut(const std::string& frame) {
    BOOST_TEST_REQUIRE(read(frame).starts_with("candles"));
    for (std::size_t length = 0; length < frame.size(); ++length)
      BOOST_TEST_CONTEXT(frame.substr(0, length)) {
        BOOST_TEST(read(frame.substr(0, length)) == "frame_not_json");
      }
    BOOST_TEST(read(frame + "}") == "frame_not_json");
    BOOST_TEST(read(frame).starts_with("candles"));
  }
};

} // namespace breakwater::test
