#include "app/simulator/venue.hpp"

#include <boost/test/unit_test.hpp>

#include <initializer_list>
#include <ostream>

using namespace breakwater;
using namespace std::chrono_literals;

namespace {

constexpr auto minute_start = wall_time_from_ms(1'767'571'200'000); // 2026-01-05T00:00:00Z

/// A client of one venue, in a time of its own.
struct visit {
  invented_market market;
  wall_time now = minute_start + 10s;
  std::unique_ptr<venue> sut;
  std::vector<std::string> greeting;

  explicit visit(std::string_view target, bool invents = true, int quiet = 0)
      : market{1, {"BTCUSDT", "ETHUSDT"}, quiet} {
    const auto address = parse_venue_address(target);
    BOOST_REQUIRE(address);
    sut = venue::make(*address, market, 3, 250ms, invents);
    greeting = sut->on_open(now).texts;
  }

  venue_reaction say(std::string_view text) { return sut->on_text(text, now); }
  std::string answer(std::string_view text) {
    std::string all;
    for (const auto& each : say(text).texts) all.append(all.empty() ? "" : "\n").append(each);
    return all;
  }

  /// Everything sent while `time` passes, in the steps a server takes.
  std::vector<std::string> wait(std::chrono::milliseconds time) {
    std::vector<std::string> texts;
    for (const auto until = now + time; now < until;) {
      now += 50ms;
      auto out = sut->frames_due(now);
      cut = out.cut.empty() ? cut : out.cut;
      texts.insert(texts.end(), out.texts.begin(), out.texts.end());
    }
    return texts;
  }
  std::string cut;
};

std::size_t count(const std::vector<std::string>& texts, std::initializer_list<std::string_view> parts) {
  std::size_t found = 0;
  for (const auto& text : texts) {
    bool all = true;
    for (auto part : parts) all = all && text.find(part) != std::string::npos;
    found += all;
  }
  return found;
}

/// The price behind `label` in a text, quoted or not.
double price_in(const std::string& text, std::string_view label) {
  const auto at = text.find(label);
  BOOST_REQUIRE_MESSAGE(at != std::string::npos, text);
  auto rest = text.substr(at + label.size());
  if (rest.front() == '"') rest.erase(0, 1);
  return std::stod(rest);
}

struct address_row {
  std::string_view target;
  std::string_view expected; ///< "-": refused.
};
std::ostream& operator<<(std::ostream& out, const address_row& row) { return out << row.target; }

std::string describe(const std::optional<venue_address>& address) {
  if (!address) return "-";
  std::string text = to_string(address->from);
  text += address->kind == market::spot ? " spot" : " linear";
  if (!address->envelope) text += " bare";
  if (!address->candles) text += " silent";
  for (const auto& stream : address->streams) text += " " + stream;
  return text;
}

struct exchange_row {
  std::string_view exchange, target, subscribe, candle, closed;
  std::string_view key_minute_0, key_minute_1; ///< The candle's start as the frame writes it.
};
std::ostream& operator<<(std::ostream& out, const exchange_row& row) { return out << row.exchange; }

constexpr exchange_row exchanges[] = {
    {"binance", "/stream", R"({"method":"SUBSCRIBE","params":["btcusdt@kline_1m"],"id":7})",
     R"({"stream":"btcusdt@kline_1m","data":{"e":"kline","E":)", R"("x":true)", R"("t":1767571200000)",
     R"("t":1767571260000)"},
    {"binance bare", "/ws", R"({"method":"SUBSCRIBE","params":["btcusdt@kline_1m"],"id":7})",
     R"({"e":"kline","E":)", R"("x":true)", R"("t":1767571200000)", R"("t":1767571260000)"},
    {"bybit", "/v5/public/spot", R"({"req_id":"r","op":"subscribe","args":["kline.1.BTCUSDT"]})",
     R"({"topic":"kline.1.BTCUSDT","type":"snapshot","ts":)", R"("confirm":true)", R"("start":1767571200000)",
     R"("start":1767571260000)"},
    {"okx", "/ws/v5/business", R"({"op":"subscribe","args":[{"channel":"candle1m","instId":"BTC-USDT"}]})",
     R"({"arg":{"channel":"candle1m","instId":"BTC-USDT"},"data":[["17675712)", R"("1"]]})",
     R"([["1767571200000")", R"([["1767571260000")"},
};

} // namespace

BOOST_AUTO_TEST_SUITE(venue_test)

BOOST_AUTO_TEST_CASE(chooses_the_exchange_by_the_path_of_the_real_urls) {
  constexpr address_row rows[] = {
      {"/stream", "binance spot"},
      {"/stream?streams=btcusdt@kline_1m/ethusdt@kline_1m", "binance spot btcusdt@kline_1m ethusdt@kline_1m"},
      {"/stream?timeUnit=x&streams=btcusdt@trade&y=z", "binance spot btcusdt@trade"},
      {"/ws", "binance spot bare"},
      {"/ws/btcusdt@kline_1m", "binance spot bare btcusdt@kline_1m"},
      {"/market/stream", "binance linear"},
      {"/market/ws", "binance linear bare"},
      {"/public/stream", "binance linear silent"},
      {"/v5/public/spot", "bybit spot"},
      {"/v5/public/linear", "bybit linear"},
      {"/ws/v5/business", "okx spot"},
      {"/ws/v5/public", "okx spot silent"},
      {"/v2", "kraken spot"},
      {"/coinbase", "coinbase spot"},
      {"/", "-"},
      {"/streams", "-"},
      {"/stream/x", "-"},
      {"/wss", "-"},
      {"/v5/public/inverse", "-"},
  };
  for (const auto& row : rows) BOOST_TEST_CONTEXT(row) {
      BOOST_TEST(describe(parse_venue_address(row.target)) == row.expected);
    }
  for (auto x : all_exchanges) {
    const auto reached = parse_venue_address(venue_path(x, market::spot));
    BOOST_REQUIRE(reached);
    BOOST_TEST(to_string(reached->from) == to_string(x));
    BOOST_TEST(reached->candles);
  }
}

BOOST_AUTO_TEST_CASE(sends_candles_of_subscribed_symbols_and_marks_the_closed_one_once) {
  for (const auto& row : exchanges) {
    BOOST_TEST_CONTEXT(row) {
      visit v{row.target};
      BOOST_TEST(v.wait(2s).empty());
      const auto answer = v.say(row.subscribe);
      BOOST_TEST(answer.granted == 1u);
      BOOST_TEST(answer.refused == 0u);

      const auto first = v.wait(40s); // up to 10 s before the minute ends
      BOOST_TEST(first.size() > 30u);
      BOOST_TEST(count(first, {row.candle, row.key_minute_0}) == first.size());
      BOOST_TEST(count(first, {row.closed}) == 0u);

      const auto turn = v.wait(30s);
      BOOST_TEST(count(turn, {row.closed}) == 1u);
      BOOST_TEST(count(turn, {row.closed, row.key_minute_0}) == 1u);
      BOOST_TEST(count(turn, {row.key_minute_1}) > 10u);
      BOOST_TEST(count(turn, {"ETH"}) == 0u);
      BOOST_TEST(count(turn, {"eth"}) == 0u);
    }
  }
}

BOOST_AUTO_TEST_CASE(stops_sending_what_is_unsubscribed_and_says_so) {
  struct row {
    std::string_view target, subscribe, unsubscribe, answer;
  };
  constexpr row rows[] = {
      {"/stream", R"({"method":"SUBSCRIBE","params":["btcusdt@kline_1m","ethusdt@kline_1m"],"id":7})",
       R"({"method":"UNSUBSCRIBE","params":["btcusdt@kline_1m"],"id":8})", R"({"result":null,"id":8})"},
      {"/market/stream", R"({"method":"SUBSCRIBE","params":["btcusdt@kline_1m","ethusdt@kline_1m"],"id":7})",
       R"({"method":"UNSUBSCRIBE","params":["btcusdt@kline_1m"],"id":8})", R"({"result":null,"id":8})"},
      {"/v5/public/spot", R"({"op":"subscribe","args":["kline.1.BTCUSDT","kline.1.ETHUSDT"]})",
       R"({"req_id":"u","op":"unsubscribe","args":["kline.1.BTCUSDT"]})",
       R"("req_id":"u","op":"unsubscribe"})"},
      {"/v5/public/linear", R"({"op":"subscribe","args":["kline.1.BTCUSDT","kline.1.ETHUSDT"]})",
       R"({"req_id":"u","op":"unsubscribe","args":["kline.1.BTCUSDT"]})", R"({"success":true,"ret_msg":"",)"},
      {"/ws/v5/business",
       R"({"op":"subscribe","args":[{"channel":"candle1m","instId":"BTC-USDT"},{"channel":"candle1m","instId":"ETH-USDT"}]})",
       R"({"id":"u","op":"unsubscribe","args":[{"channel":"candle1m","instId":"BTC-USDT"}]})",
       R"({"id":"u","event":"unsubscribe","arg":{"channel":"candle1m","instId":"BTC-USDT"},"connId":)"},
      {"/v2", R"({"method":"subscribe","params":{"channel":"ohlc","symbol":["BTC/USDT","ETH/USDT"]}})",
       R"({"method":"unsubscribe","params":{"channel":"ohlc","symbol":["BTC/USDT"],"interval":1},"req_id":9})",
       R"({"method":"unsubscribe","result":{"channel":"ohlc","interval":1,"symbol":"BTC/USDT"},"success":true,)"},
      {"/coinbase",
       R"({"type":"subscribe","product_ids":["BTC-USDT","ETH-USDT"],"channels":["matches","heartbeat"]})",
       R"({"type":"unsubscribe","product_ids":["BTC-USDT"],"channels":["matches","heartbeat"]})",
       R"({"type":"subscriptions","channels":[{"name":"heartbeat","product_ids":["ETH-USDT"],"account_ids":null},{"name":"matches","product_ids":["ETH-USDT"],"account_ids":null}]})"},
  };
  for (const auto& [target, subscribe, unsubscribe, answer] : rows) BOOST_TEST_CONTEXT(target) {
      visit v{target};
      v.say(subscribe);
      const auto both = v.wait(2s);
      BOOST_TEST(count(both, {"BTC"}) + count(both, {"btc"}) > 0u);
      const auto out = v.say(unsubscribe);
      BOOST_TEST(out.refused == 0u);
      BOOST_TEST(count(out.texts, {answer}) == 1u);
      const auto left = v.wait(2s);
      BOOST_TEST(count(left, {"BTC"}) + count(left, {"btc"}) == 0u);
      BOOST_TEST(count(left, {"ETH"}) + count(left, {"eth"}) > 0u);
    }
}

BOOST_AUTO_TEST_CASE(binance_prints_eight_decimals_and_the_fields_of_the_real_frame) {
  visit v{"/stream"};
  v.say(exchanges[0].subscribe);
  const auto frame = v.wait(1s).front();
  for (std::string_view part : {R"("s":"BTCUSDT","k":{"t":)", R"("T":1767571259999)", R"("i":"1m","f":)",
                                R"("n":)", R"("V":")", R"("B":"0"}}})"})
    BOOST_TEST_CONTEXT(frame) { BOOST_TEST(frame.find(part) != std::string::npos); }
  const auto close = frame.substr(frame.find(R"("c":")") + 5);
  BOOST_TEST(close.substr(0, close.find('"')).size() - close.find('.') == 9u);
}

BOOST_AUTO_TEST_CASE(binance_answers_as_documented) {
  constexpr std::pair<std::string_view, std::string_view> rows[] = {
      {R"({"method":"SUBSCRIBE","params":["btcusdt@kline_1m"],"id":1})", R"({"result":null,"id":1})"},
      {R"({"method":"LIST_SUBSCRIPTIONS","id":"x"})", R"({"result":["btcusdt@kline_1m"],"id":"x"})"},
      {R"({"method":"SUBSCRIBE","params":["btcusdt"],"id":1})",
       R"({"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":1})"},
      {R"({"method":"SUBSCRIBE","params":["nopeusdt@kline_1m"],"id":2})", R"({"result":null,"id":2})"},
      {"nonsense", R"({"error":{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}})"},
  };
  visit v{"/stream"};
  for (const auto& [request, answer] : rows) {
    v.now += 1s;
    BOOST_TEST(v.answer(request) == answer);
  }
}

BOOST_AUTO_TEST_CASE(binance_acknowledges_an_unknown_symbol_and_stays_silent) {
  for (std::string_view stream : {"nopeusdt@kline_1m", "BTCUSDT@kline_1m", "btcusdt@trade"}) {
    visit v{"/stream"};
    BOOST_TEST(
        v.say(std::string{R"({"method":"SUBSCRIBE","id":1,"params":[")"}.append(stream) + "\"]}").granted ==
        1u);
    BOOST_TEST(v.wait(70s).empty());
  }
}

BOOST_AUTO_TEST_CASE(binance_on_the_wrong_futures_path_acknowledges_and_stays_silent) {
  visit v{"/public/stream"};
  BOOST_TEST(v.say(exchanges[0].subscribe).granted == 1u);
  BOOST_TEST(v.wait(70s).empty());
}

BOOST_AUTO_TEST_CASE(binance_hangs_up_at_the_sixth_message_within_a_second) {
  visit v{"/stream"};
  for (int i = 0; i < 4; ++i) BOOST_TEST(v.say(R"({"method":"LIST_SUBSCRIPTIONS","id":1})").cut.empty());
  BOOST_TEST(v.sut->on_control(v.now).cut.empty()); // a pong counts too
  v.now += 999ms;
  BOOST_TEST(!v.say(R"({"method":"LIST_SUBSCRIPTIONS","id":1})").cut.empty());

  visit paced{"/stream"};
  for (int i = 0; i < 50; ++i, paced.now += 200ms)
    BOOST_TEST(paced.say(R"({"method":"LIST_SUBSCRIPTIONS","id":1})").cut.empty());
}

BOOST_AUTO_TEST_CASE(binance_takes_at_most_1024_streams) {
  const auto request = [](int from, int streams) {
    std::string params;
    for (int i = from; i < from + streams; ++i)
      params += std::string{params.empty() ? "\"s" : ",\"s"} + std::to_string(i) + "usdt@kline_1m\"";
    return std::string{R"({"method":"SUBSCRIBE","id":1,"params":[)"} + params + "]}";
  };
  visit v{"/stream"};
  BOOST_TEST(v.say(request(0, 1024)).granted == 1024u);
  BOOST_TEST(v.say(request(2000, 1)).refused == 1u);
}

BOOST_AUTO_TEST_CASE(bybit_answers_as_recorded) {
  visit v{"/v5/public/spot"};
  const auto has = [](const std::string& text, std::initializer_list<std::string_view> parts) {
    for (auto part : parts) BOOST_TEST_CONTEXT(text) {
        BOOST_TEST(text.find(part) != std::string::npos);
      }
  };
  has(v.answer(R"({"req_id":"1","op":"subscribe","args":["kline.1.BTCUSDT"]})"),
      {R"({"success":true,"ret_msg":"subscribe","conn_id":")", R"("req_id":"1","op":"subscribe"})"});
  has(v.answer(R"({"req_id":"p","op":"ping"})"), {R"("success":true,"ret_msg":"pong")", R"("op":"ping")"});
  has(v.answer(R"({"op":"subscribe","args":["kline.1.BTCUSDT"]})"),
      {R"("success":false,"ret_msg":"error:already subscribed,topic:kline.1.BTCUSDT")"});
  has(v.answer(R"({"op":"dance"})"), {R"({"success":false,"ret_msg":"error:invalid op")"});
  BOOST_TEST(v.answer("nonsense").front() != '{');
  visit linear{"/v5/public/linear"};
  has(linear.answer(R"({"op":"subscribe","args":["kline.1.BTCUSDT"]})"),
      {R"({"success":true,"ret_msg":"",)"});
}

BOOST_AUTO_TEST_CASE(bybit_refuses_a_whole_request_for_one_unknown_symbol) {
  visit v{"/v5/public/spot"};
  const auto out = v.say(R"({"req_id":"e1","op":"subscribe","args":["kline.1.BTCUSDT","kline.1.NOPEUSDT"]})");
  BOOST_TEST(out.granted == 0u);
  BOOST_TEST(out.refused == 1u);
  BOOST_TEST(count(out.texts, {R"("ret_msg":"error:handler not found,topic:kline.1.NOPEUSDT")"}) == 1u);
  BOOST_TEST(v.wait(2s).empty());
}

BOOST_AUTO_TEST_CASE(bybit_takes_at_most_ten_args_on_spot) {
  std::string args = R"("kline.1.BTCUSDT")";
  for (auto interval : {"3", "5", "15", "30", "60", "120", "240", "360", "720", "D"})
    args += std::string{R"(,"kline.)"} + interval + R"(.BTCUSDT")";
  const auto request = std::string{R"({"op":"subscribe","args":[)"} + args + "]}";
  BOOST_TEST(visit{"/v5/public/spot"}.say(request).refused == 1u);
  BOOST_TEST(visit{"/v5/public/linear"}.say(request).granted == 11u);
}

BOOST_AUTO_TEST_CASE(bybit_sometimes_joins_the_closed_row_and_the_new_one) {
  visit v{"/v5/public/linear"};
  v.say(exchanges[2].subscribe);
  const auto texts = v.wait(30min);
  const auto closes = count(texts, {R"("confirm":true)"});
  const auto joined = count(texts, {R"("confirm":true)", R"("confirm":false)"});
  BOOST_TEST(closes == 30u);
  BOOST_TEST(joined > 3u);
  BOOST_TEST(joined < 20u);
}

BOOST_AUTO_TEST_CASE(okx_answers_as_recorded) {
  visit v{"/ws/v5/business"};
  const auto ack =
      v.answer(R"({"id":"a","op":"subscribe","args":[{"channel":"candle1m","instId":"BTC-USDT"}]})");
  BOOST_TEST(ack.starts_with(
      R"({"id":"a","event":"subscribe","arg":{"channel":"candle1m","instId":"BTC-USDT"},"connId":")"));
  BOOST_TEST(v.answer("ping") == "pong");
  const auto mixed = v.say(
      R"({"op":"subscribe","args":[{"channel":"candle1m","instId":"NOPE-USDT"},{"channel":"candle1m","instId":"ETH-USDT"}]})");
  BOOST_TEST(mixed.granted == 1u);
  BOOST_TEST(mixed.refused == 1u);
  BOOST_TEST(
      count(
          mixed.texts,
          {R"({"event":"error","code":"60018","msg":"Wrong URL or channel:candle1m,instId:NOPE-USDT doesn't exist.)"}) ==
      1u);
  BOOST_TEST(count({v.answer(R"({"op":"dance"})")},
                   {R"({"event":"error","code":"60012","msg":"Invalid request: {\"op\":\"dance\"}")"}) == 1u);
}

BOOST_AUTO_TEST_CASE(okx_has_candles_on_the_business_address_only) {
  visit v{"/ws/v5/public"};
  const auto out = v.say(exchanges[3].subscribe);
  BOOST_TEST(out.granted == 0u);
  BOOST_TEST(count(out.texts, {R"("code":"60018")"}) == 1u);
}

BOOST_AUTO_TEST_CASE(okx_counts_contracts_on_swaps) {
  visit v{"/ws/v5/business"};
  v.say(R"({"op":"subscribe","args":[{"channel":"candle1m","instId":"BTC-USDT-SWAP"}]})");
  const auto frame = v.wait(5s).back();
  std::vector<double> cells;
  for (auto at = frame.find("[["); (at = frame.find('"', at + 1)) != std::string::npos && cells.size() < 9;) {
    cells.push_back(std::stod(frame.substr(at + 1)));
    at = frame.find('"', at + 1);
  }
  BOOST_REQUIRE_EQUAL(cells.size(), 9u);
  BOOST_TEST(cells[5] == cells[6] * 100, boost::test_tools::tolerance(0.05));
  BOOST_TEST(cells[7] == cells[6] * cells[4], boost::test_tools::tolerance(0.01));
}

BOOST_AUTO_TEST_CASE(okx_confirms_the_old_minute_before_the_new_one) {
  visit v{"/ws/v5/business"};
  v.say(exchanges[3].subscribe);
  const auto texts = v.wait(1min);
  std::size_t at = 0;
  while (at < texts.size() && texts[at].find(R"("1"]])") == std::string::npos) ++at;
  BOOST_REQUIRE(at + 1 < texts.size());
  BOOST_TEST(texts[at + 1].find("1767571260000") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(okx_limits_requests_and_cuts_idle_connections) {
  visit v{"/ws/v5/business"};
  for (int i = 0; i < 480; ++i) BOOST_TEST(v.say(exchanges[3].subscribe).refused == 0u);
  BOOST_TEST(count(v.say(exchanges[3].subscribe).texts, {R"("code":"60014")"}) == 1u);

  visit idle{"/ws/v5/business"};
  idle.wait(29s);
  BOOST_TEST(idle.cut.empty());
  idle.say("ping");
  idle.wait(29s);
  BOOST_TEST(idle.cut.empty());
  idle.wait(2s);
  BOOST_TEST(idle.cut == "idle");
}

BOOST_AUTO_TEST_CASE(kraken_greets_with_an_id_beyond_63_bits) {
  visit v{"/v2"};
  BOOST_REQUIRE_EQUAL(v.greeting.size(), 1u);
  const std::string label = R"("connection_id":)";
  BOOST_REQUIRE(v.greeting[0].starts_with(R"({"channel":"status","type":"update")"));
  BOOST_TEST(std::stoull(v.greeting[0].substr(v.greeting[0].find(label) + label.size())) > (1ull << 63));
}

BOOST_AUTO_TEST_CASE(kraken_acknowledges_each_symbol_and_sends_past_candles) {
  visit v{"/v2"};
  const auto out = v.say(
      R"({"method":"subscribe","params":{"channel":"ohlc","symbol":["BTC/USD","ETH/USDT","XBT/USD"],"interval":1},"req_id":5})");
  BOOST_TEST(out.granted == 2u);
  BOOST_TEST(out.refused == 1u);
  BOOST_TEST(out.data.size() == 2u);
  BOOST_TEST(
      count(
          out.texts,
          {R"({"method":"subscribe","result":{"channel":"ohlc","interval":1,"snapshot":true,"symbol":"BTC/USD","warnings":["timestamp is deprecated, use interval_begin"]},"success":true,"time_in":"2026-01-05T00:00:10.000130Z")",
           R"("req_id":5})"}) == 1u);
  BOOST_TEST(
      count(
          out.texts,
          {R"({"error":"Currency pair not supported XBT/USD","method":"subscribe","success":false,"symbol":"XBT/USD")"}) ==
      1u);
  BOOST_TEST(count(out.texts, {R"({"channel":"ohlc","type":"snapshot")",
                               R"("interval_begin":"2026-01-04T23:50:00.000000000Z")",
                               R"("interval_begin":"2026-01-05T00:00:00.000000000Z")"}) == 2u);
}

BOOST_AUTO_TEST_CASE(kraken_updates_with_json_numbers_no_close_mark_and_heartbeats) {
  visit v{"/v2"};
  BOOST_TEST(v.wait(3s).empty()); // no heartbeat before a subscription
  v.say(R"({"method":"subscribe","params":{"channel":"ohlc","symbol":["BTC/USDT"],"snapshot":false}})");
  const auto texts = v.wait(60s);
  BOOST_TEST(count(texts, {R"({"channel":"heartbeat"})"}) >= 55u);
  BOOST_TEST(count(texts, {R"("type":"update")", "00:00:00.000000000Z"}) > 30u);
  BOOST_TEST(count(texts, {R"("type":"update")", "00:01:00.000000000Z\",\"interval\":1"}) > 5u);
  BOOST_TEST(count(texts, {"confirm"}) == 0u);
  const auto& last = texts.back().find("ohlc") != std::string::npos ? texts.back() : texts[texts.size() - 2];
  const auto open = last.substr(last.find(R"("open":)") + 7);
  BOOST_TEST(open.substr(0, open.find(',')).size() - open.find('.') == 2u); // one decimal, unquoted
}

BOOST_AUTO_TEST_CASE(kraken_answers_pings_and_limits_messages) {
  visit v{"/v2"};
  BOOST_TEST(v.answer(R"({"method":"ping","req_id":42})")
                 .starts_with(R"({"method":"pong","req_id":42,"time_in":")"));
  for (int i = 0; i < 19; ++i) v.say(R"({"method":"ping"})");
  BOOST_TEST(count(v.say(R"({"method":"ping"})").texts, {R"({"error":"Exceeded msg rate")"}) == 1u);
}

BOOST_AUTO_TEST_CASE(coinbase_answers_as_documented) {
  constexpr std::pair<std::string_view, std::string_view> rows[] = {
      {"nonsense", R"({"type":"error","message":"Malformed JSON"})"},
      {R"({"type":"dance"})",
       R"({"type":"error","message":"Type has to be either subscribe or unsubscribe"})"},
      {R"({"type":"subscribe","product_ids":["BTC-USD","FAKE-USD"],"channels":["matches"]})",
       R"({"type":"error","message":"Failed to subscribe","reason":"FAKE-USD is not a valid product"})"},
      {R"({"type":"subscribe","product_ids":["BTC-USD"],"channels":["candles"]})",
       R"({"type":"error","message":"Failed to subscribe","reason":"candles is not a valid channel"})"},
      {R"({"type":"subscribe","product_ids":["BTC-USD"]})",
       R"({"type":"error","message":"Failed to subscribe","reason":"channels are needed"})"},
      {R"({"type":"subscribe","channels":["matches"]})",
       R"({"type":"error","message":"Failed to subscribe","reason":"product_ids are needed"})"},
      {R"({"type":"subscribe","product_ids":["BTC-USD"],"channels":["heartbeat"]})",
       R"({"type":"subscriptions","channels":[{"name":"heartbeat","product_ids":["BTC-USD"],"account_ids":null}]})"},
      {R"({"type":"subscribe","channels":[{"name":"ticker","product_ids":["ETH-USD"]}]})",
       R"({"type":"subscriptions","channels":[{"name":"heartbeat","product_ids":["BTC-USD"],"account_ids":null},{"name":"ticker","product_ids":["ETH-USD"],"account_ids":null}]})"},
      {R"({"type":"unsubscribe","channels":["ticker"]})",
       R"({"type":"subscriptions","channels":[{"name":"heartbeat","product_ids":["BTC-USD"],"account_ids":null}]})"},
      {R"({"type":"unsubscribe","channels":["heartbeat"]})", R"({"type":"subscriptions","channels":[]})"},
  };
  visit v{"/coinbase"};
  for (const auto& [request, answer] : rows) BOOST_TEST(v.answer(request) == answer);
}

BOOST_AUTO_TEST_CASE(coinbase_sends_trades_that_make_the_candle_of_the_minute) {
  visit v{"/coinbase"};
  const auto answers =
      v.say(R"({"type":"subscribe","product_ids":["BTC-USD"],"channels":["matches","heartbeat"]})");
  BOOST_TEST(answers.granted == 1u);
  BOOST_REQUIRE_EQUAL(answers.texts.size(), 2u);
  BOOST_TEST(answers.texts[0].starts_with(R"({"type":"last_match","trade_id":)"));
  auto number = price_in(answers.texts[0], R"("trade_id":)");
  auto sequence = price_in(answers.texts[0], R"("sequence":)");

  v.wait(50s); // to the end of the minute
  const auto texts = v.wait(60s);
  double open = 0, high = 0, low = 1e9, close = 0, volume = 0;
  number = 0;
  for (const auto& text : texts) {
    if (text.starts_with(R"({"type":"heartbeat")")) {
      // It speaks of no trade that was not sent.
      if (number > 0) BOOST_TEST(price_in(text, R"("last_trade_id":)") == number);
      continue;
    }
    BOOST_REQUIRE(text.starts_with(R"({"type":"match","trade_id":)"));
    if (number > 0) BOOST_TEST(price_in(text, R"("trade_id":)") == number + 1);
    number = price_in(text, R"("trade_id":)");
    BOOST_TEST(price_in(text, R"("sequence":)") > sequence);
    sequence = price_in(text, R"("sequence":)");
    if (text.find(R"("time":"2026-01-05T00:01:)") == std::string::npos) continue;
    const auto price = price_in(text, R"("price":)");
    open = open > 0 ? open : price;
    high = std::max(high, price);
    low = std::min(low, price);
    close = price;
    volume += price_in(text, R"("size":)");
  }
  BOOST_TEST(count(texts, {R"("type":"heartbeat")"}) >= 59u);
  BOOST_TEST(count(texts, {R"("time":"2026-01-05T00:01:30.250114Z")"}) == 1u); // microseconds
  const auto truth = v.market.candle(exchange::coinbase, 0, epoch_ms(minute_start + 1min), v.now + 1min);
  // The last quarter of a second comes with the next look at the clock.
  for (const auto& text : v.wait(1s)) {
    if (text.find(R"("match")") == std::string::npos ||
        text.find(R"("time":"2026-01-05T00:01:)") == std::string::npos)
      continue;
    close = price_in(text, R"("price":)");
    high = std::max(high, close);
    low = std::min(low, close);
    volume += price_in(text, R"("size":)");
  }
  BOOST_TEST(open == truth.open);
  BOOST_TEST(high == truth.high);
  BOOST_TEST(low == truth.low);
  BOOST_TEST(close == truth.close);
  BOOST_TEST(volume == truth.volume, boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(coinbase_keeps_nobody_who_subscribes_to_nothing) {
  visit v{"/coinbase"};
  v.wait(4900ms);
  BOOST_TEST(v.cut.empty());
  v.wait(200ms);
  BOOST_TEST(v.cut == "idle");
  visit subscribed{"/coinbase"};
  subscribed.say(R"({"type":"subscribe","product_ids":["BTC-USD"],"channels":["heartbeat"]})");
  subscribed.wait(60s);
  BOOST_TEST(subscribed.cut.empty());
}

BOOST_AUTO_TEST_CASE(coinbase_hangs_up_at_the_hundred_and_first_message_within_a_second) {
  visit v{"/coinbase"};
  for (int i = 0; i < 100; ++i) BOOST_TEST(v.say(R"({"type":"dance"})").cut.empty());
  BOOST_TEST(!v.say(R"({"type":"dance"})").cut.empty());
}

BOOST_AUTO_TEST_CASE(kraken_and_coinbase_say_nothing_in_a_quiet_minute) {
  constexpr std::pair<std::string_view, std::string_view> rows[] = {
      {"/v2", R"({"method":"subscribe","params":{"channel":"ohlc","symbol":["BTC/USDT"],"snapshot":false}})"},
      {"/coinbase", R"({"type":"subscribe","product_ids":["BTC-USDT"],"channels":["matches"]})"}};
  for (const auto& [target, subscribe] : rows) BOOST_TEST_CONTEXT(target) {
      visit v{target, true, 4};
      v.say(subscribe);
      v.wait(590s); // of each ten minutes there are four
      int quiet = 0;
      for (int minute = 0; minute < 20; ++minute) {
        v.wait(1s); // the end of the minute before
        const auto texts = v.wait(58s);
        v.wait(1s);
        quiet += count(texts, {"match"}) + count(texts, {"ohlc"}) == 0;
      }
      BOOST_TEST(quiet == 8);
    }
}

BOOST_AUTO_TEST_CASE(refuses_subscriptions_in_another_mood) {
  struct row {
    std::string_view target, subscribe, over_limit, out_of_order;
  };
  constexpr row rows[] = {
      {"/stream", R"({"method":"SUBSCRIBE","params":["btcusdt@kline_1m"],"id":7})", "cut",
       R"({"error":{"code":1,"msg":"Internal error"},"id":7})"},
      {"/v5/public/spot", R"({"req_id":"r","op":"subscribe","args":["kline.1.BTCUSDT"]})",
       R"("success":true)", // no such limit is documented
       R"("req_id":"r","op":"subscribe"})"},
      {"/ws/v5/business",
       R"({"id":"r","op":"subscribe","args":[{"channel":"candle1m","instId":"BTC-USDT"}]})",
       R"({"id":"r","event":"error","code":"60014","msg":"Requests too frequent")",
       R"({"id":"r","event":"error","code":"63999")"},
      {"/v2",
       R"({"method":"subscribe","params":{"channel":"ohlc","symbol":["BTC/USDT"],"snapshot":false},"req_id":5})",
       R"({"error":"Exceeded msg rate","method":"subscribe","success":false,)",
       R"({"error":"Service unavailable","method":"subscribe","success":false,"symbol":"BTC/USDT",)"},
      {"/coinbase", R"({"type":"subscribe","product_ids":["BTC-USDT"],"channels":["matches"]})", "cut",
       R"({"type":"error","message":"Failed to subscribe","reason":"internal error"})"},
  };
  for (const auto& row : rows) BOOST_TEST_CONTEXT(row.target) {
      visit v{row.target};
      const auto refused = v.sut->on_text(row.subscribe, v.now, mood::out_of_order);
      BOOST_TEST(count(refused.texts, {row.out_of_order}) == 1u);
      BOOST_TEST(refused.granted == 0u);
      BOOST_TEST(v.wait(2s).empty());
      const auto limited = v.sut->on_text(row.subscribe, v.now, mood::over_limit);
      if (row.over_limit == "cut")
        BOOST_TEST(!limited.cut.empty());
      else
        BOOST_TEST(count(limited.texts, {row.over_limit}) == 1u);
      BOOST_TEST(v.say(row.subscribe).cut.empty()); // the mood is over
    }
}

BOOST_AUTO_TEST_CASE(tells_when_to_ask_again) {
  constexpr std::pair<std::string_view, std::string_view> rows[] = {
      {"/v2", R"({"method":"subscribe","params":{"channel":"ohlc","symbol":["BTC/USDT","ETH/USDT"]}})"},
      {"/coinbase",
       R"({"type":"subscribe","product_ids":["BTC-USD","ETH-USD"],"channels":["matches","heartbeat"]})"},
      {"/stream", R"({"method":"SUBSCRIBE","params":["btcusdt@kline_1m","ethusdt@kline_1m"],"id":7})"},
      {"/ws/v5/business", R"({"op":"subscribe","args":[{"channel":"candle1m","instId":"BTC-USDT"}]})"}};
  for (const auto& [target, subscribe] : rows) BOOST_TEST_CONTEXT(target) {
      visit often{target}, when_due{target};
      often.say(subscribe);
      when_due.say(subscribe);
      auto all = often.wait(90s);
      std::vector<std::string> told;
      while (when_due.sut->next_due() <= often.now) {
        BOOST_REQUIRE((when_due.sut->next_due() > when_due.now || told.empty()));
        when_due.now = std::max(when_due.now, when_due.sut->next_due());
        const auto out = when_due.sut->frames_due(when_due.now);
        told.insert(told.end(), out.texts.begin(), out.texts.end());
      }
      BOOST_TEST(told.size() * 10 >= all.size() * 9);
      BOOST_TEST((when_due.sut->next_due() <= often.now + 1s));
    }
}

BOOST_AUTO_TEST_CASE(exchanges_agree_about_the_price) {
  constexpr std::pair<std::size_t, std::string_view> rows[] = {{0, R"("c":)"}, {2, R"("close":)"}};
  std::vector<double> prices;
  for (const auto& [index, label] : rows) {
    visit v{exchanges[index].target};
    v.say(exchanges[index].subscribe);
    prices.push_back(price_in(v.wait(5s).back(), label));
  }
  BOOST_TEST(prices[0] == prices[1], boost::test_tools::tolerance(0.002));
}

BOOST_AUTO_TEST_CASE(scripted_frames_reach_subscribers_only_in_their_form) {
  const scripted_frame frame{1, exchange::binance, "btcusdt@kline_1m", "BTCUSDT",
                             R"({"e":"kline","s":"BTCUSDT"})"};
  visit wrapped{"/stream", false};
  BOOST_TEST(wrapped.sut->on_scripted(frame, wrapped.now).texts.empty());
  wrapped.say(exchanges[0].subscribe);
  BOOST_TEST(wrapped.wait(5s).empty()); // nothing invented
  BOOST_TEST(wrapped.sut->on_scripted(frame, wrapped.now).texts.at(0) ==
             R"({"stream":"btcusdt@kline_1m","data":{"e":"kline","s":"BTCUSDT"}})");
  visit bare{"/ws/btcusdt@kline_1m", false};
  BOOST_TEST(bare.sut->on_scripted(frame, bare.now).texts.at(0) == frame.text);
  visit other{"/v2", false};
  BOOST_TEST(other.sut->on_scripted(frame, other.now).texts.empty());
}

BOOST_AUTO_TEST_SUITE_END()
