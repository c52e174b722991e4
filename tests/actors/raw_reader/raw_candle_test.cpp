#include "actors/raw_reader/raw_candle.hpp"

#include "tests/actors/raw_reader/raw_stream_model.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace breakwater;
using namespace breakwater::test;

namespace {

raw_fields good() {
  return {{"exchange", "okx"}, {"symbol", "BTCUSDT"}, {"timestamp", "1767571200"}, {"open", "95184.25"},
          {"high", "95200"},   {"low", "9.5e4"},      {"close", "95184.77"},       {"volume", "0.125"}};
}

raw_fields with(const std::string& name, const std::string& value) {
  auto fields = good();
  std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.first == name; })->second = value;
  return fields;
}

raw_fields without(const std::string& name) {
  auto fields = good();
  std::erase_if(fields, [&](const auto& f) { return f.first == name; });
  return fields;
}

raw_content read(const raw_fields& fields, candle& out) { return read_raw_candle(fields_reply(fields), out); }

void check_good(const raw_fields& fields) {
  candle out;
  BOOST_TEST((read(fields, out).what == raw_content::kind::candle));
  BOOST_TEST((out.from == exchange::okx));
  BOOST_TEST(out.symbol == "BTCUSDT");
  BOOST_TEST(out.start_s == 1767571200);
  BOOST_TEST(out.open == 95184.25);
  BOOST_TEST(out.high == 95200.0);
  BOOST_TEST(out.low == 95000.0);
  BOOST_TEST(out.close == 95184.77);
  BOOST_TEST(out.volume == 0.125);
  BOOST_TEST(!out.closed);
}

} // namespace

BOOST_AUTO_TEST_CASE(an_entry_is_a_candle) { check_good(good()); }

BOOST_AUTO_TEST_CASE(fields_may_stand_in_any_order_and_others_between_them) {
  auto fields = good();
  std::reverse(fields.begin(), fields.end());
  fields.insert(fields.begin() + 3, {"trades", "17"});
  fields.emplace_back("init", "1");
  check_good(fields);
}

BOOST_AUTO_TEST_CASE(whole_seconds_may_be_written_with_a_fraction) {
  check_good(with("timestamp", "1767571200.0"));
}

BOOST_AUTO_TEST_CASE(the_single_field_init_is_a_marker) {
  candle out;
  BOOST_TEST((read({{"init", "1"}}, out).what == raw_content::kind::marker));
  BOOST_TEST((read({{"inits", "1"}}, out).what == raw_content::kind::unreadable));
  BOOST_TEST((read({{"init", "1"}, {"x", "y"}}, out).what == raw_content::kind::unreadable));
}

BOOST_AUTO_TEST_CASE(what_is_no_candle_is_named) {
  struct row {
    raw_fields fields;
    std::string why;
  };
  const row rows[] = {
      {{}, "exchange is missing"},
      {without("exchange"), "exchange is missing"},
      {without("symbol"), "symbol is missing"},
      {without("timestamp"), "timestamp is missing"},
      {without("close"), "close is missing"},
      {without("volume"), "volume is missing"},
      {with("exchange", "mtgox"), "exchange is unknown"},
      {with("exchange", "OKX"), "exchange is unknown"},
      {with("symbol", ""), "symbol is none of capitals and digits"},
      {with("symbol", "BTC/USDT"), "symbol is none of capitals and digits"},
      {with("symbol", "btcusdt"), "symbol is none of capitals and digits"},
      {with("symbol", "BTC\xc3\x9cUSDT"), "symbol is none of capitals and digits"},
      {with("symbol", std::string(33, 'A')), "symbol is none of capitals and digits"},
      {with("timestamp", "1767571200000"), "timestamp is no number of seconds"},
      {with("timestamp", "-60"), "timestamp is no number of seconds"},
      {with("timestamp", "1767571200.5"), "timestamp is no number of seconds"},
      {with("timestamp", "2026-01-05"), "timestamp is no number of seconds"},
      {with("timestamp", ""), "timestamp is no number of seconds"},
      {with("close", "None"), "close is no price"},
      {with("close", "null"), "close is no price"},
      {with("close", "nan"), "close is no price"},
      {with("close", "inf"), "close is no price"},
      {with("close", "1e999"), "close is no price"},
      {with("close", "0"), "close is no price"},
      {with("close", "-1"), "close is no price"},
      {with("close", "95184.77 "), "close is no price"},
      {with("close", ""), "close is no price"},
      {with("open", "0x10"), "open is no price"},
      {with("high", "-0.1"), "high is no price"},
      {with("low", "+1"), "low is no price"},
      {with("volume", "-1"), "volume is no amount"},
      {with("volume", "None"), "volume is no amount"},
  };
  for (const auto& r : rows) BOOST_TEST_CONTEXT(r.why) {
      candle out;
      const auto got = read(r.fields, out);
      BOOST_TEST((got.what == raw_content::kind::unreadable));
      BOOST_TEST(got.why == r.why);
    }
}

BOOST_AUTO_TEST_CASE(nobody_traded_is_no_mistake) {
  candle out;
  BOOST_TEST((read(with("volume", "0"), out).what == raw_content::kind::candle));
  BOOST_TEST(out.volume == 0.0);
}
