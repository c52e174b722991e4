#include "actors/feed/feed_actor.hpp"
#include "tests/actors/feed/fake_aggregator.hpp"
#include "tests/support/actor_fixture.hpp"

#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace breakwater::test {
namespace {

/// Keeps what the feed does with its sockets, and lets the test be the exchange.
struct fake_sockets : websocket_port {
  struct line {
    std::string url;
    std::uint64_t number = 0;
    std::function<void(socket_event)> sink;
    std::vector<std::string> sent;
    std::size_t consumed = 0;
    bool open = true;
  };
  struct held : websocket {
    line* on;
    explicit held(line* to) : on(to) {}
    ~held() override {
      on->open = false;
      on->sink = nullptr;
    }
    void send(std::string text) override { on->sent.push_back(std::move(text)); }
    void consumed(std::size_t texts) override { on->consumed += texts; }
  };

  std::deque<line> lines;

  std::unique_ptr<websocket> open(std::string url, std::uint64_t number,
                                  std::function<void(socket_event)> sink) override {
    lines.push_back({std::move(url), number, std::move(sink), {}});
    return std::make_unique<held>(&lines.back());
  }
};

struct feed_fixture : actor_fixture {
  std::shared_ptr<fake_sockets> sockets = std::make_shared<fake_sockets>();
  fake_aggregator fake;
  aggregator_actor aggregator = spawn(fake_aggregator_behavior, &fake);
  feed_actor feed;

  ~feed_fixture() {
    fake.unanswered.clear();
    for (auto& line : sockets->lines) line.sink = nullptr;
  }

  void start(exchange which = exchange::binance, std::vector<std::string> symbols = {"BTCUSDT", "ETHUSDT"}) {
    feed_options options;
    options.which = which;
    options.symbols = std::move(symbols);
    options.clock = wall();
    options.connection.wait.jitter = 0;
    feed = spawn(feed_behavior, options, aggregator, std::shared_ptr<websocket_port>{sockets});
    settle();
  }
  fake_sockets::line& line() { return sockets->lines.back(); }
  void happens(decltype(socket_event::what) what) {
    BOOST_TEST_REQUIRE(static_cast<bool>(line().sink), "the socket is closed");
    line().sink({line().number, std::move(what)});
    settle();
  }
  void opened() { happens(socket_opened{}); }
  void text(std::string content) {
    happens(socket_text{std::move(content), wall_time_from_ms(1767571200000)});
  }
  void kline(const std::string& symbol, int close, bool closed = false, int minute = 0) {
    text(R"({"e":"kline","E":1767571202345,"s":")" + symbol + R"(","k":{"t":)" +
         std::to_string(1767571200000 + minute * 60000) + R"(,"i":"1m","o":"1","h":"100","l":"1","c":")" +
         std::to_string(close) + R"(","v":"1","x":)" + (closed ? "true" : "false") + "}}");
  }
  void ohlc(int close, const char* minute) {
    text(
        R"({"channel":"ohlc","type":"update","data":[{"symbol":"BTC/USDT","open":1,"high":100,"low":1,"close":)" +
        std::to_string(close) + R"(,"volume":1,"interval":1,"interval_begin":")" + minute + R"("}]})");
  }
  /// The aggregator answers what it kept waiting.
  void answer_now() {
    caf::anon_send(aggregator, wake{});
    settle();
  }
  health_answer health() { return *ask<health_answer>(feed, health_question{}); }
};

BOOST_FIXTURE_TEST_SUITE(feed_actor_suite, feed_fixture)

BOOST_AUTO_TEST_CASE(it_connects_subscribes_and_passes_candles_on) {
  start();
  BOOST_TEST(line().url == "wss://stream.binance.com:9443/stream");
  BOOST_TEST(health().why == "not connected");
  opened();
  BOOST_TEST_REQUIRE(line().sent.size() == 1u);
  BOOST_TEST(line().sent[0] ==
             R"({"method":"SUBSCRIBE","params":["btcusdt@kline_1m","ethusdt@kline_1m"],"id":1})");
  text(R"({"result":null,"id":1})");
  kline("BTCUSDT", 7);
  kline("ETHUSDT", 8, true);
  BOOST_TEST(fake.heard() == "BTCUSDT 7, ETHUSDT 8!");
  BOOST_TEST(line().consumed == 3u);
  const auto answer = health();
  BOOST_TEST((answer.level == health_level::ok));
  BOOST_TEST(fact(answer, "connected") == "yes");
  BOOST_TEST(fact(answer, "symbols") == "2/2");
  BOOST_TEST(fact(answer, "frames") == "3");
  BOOST_TEST(fact(answer, "candles") == "2");
}

BOOST_AUTO_TEST_CASE(one_batch_is_on_its_way_at_a_time_and_what_comes_meanwhile_is_conflated) {
  start();
  opened();
  fake.answers = false;
  kline("BTCUSDT", 1);
  kline("BTCUSDT", 2, true);
  kline("BTCUSDT", 3);
  kline("ETHUSDT", 4);
  BOOST_TEST(fake.batches.size() == 1u);
  fake.answers = true;
  answer_now();
  BOOST_TEST(fake.heard() == "BTCUSDT 1, BTCUSDT 3!, ETHUSDT 4");
  BOOST_TEST(fact(health(), "conflated") == "1");
}

BOOST_AUTO_TEST_CASE(a_busy_aggregator_gets_the_newest_state_fifty_milliseconds_later) {
  start();
  opened();
  fake.answer = intake::busy;
  kline("BTCUSDT", 1, true);
  kline("ETHUSDT", 2);
  kline("BTCUSDT", 3);
  BOOST_TEST(fake.batches.size() == 1u);
  fake.answer = intake::taken;
  wait(49ms);
  BOOST_TEST(fake.batches.size() == 1u);
  wait(1ms);
  BOOST_TEST(fake.heard() == "BTCUSDT 3!, ETHUSDT 2");
}

BOOST_AUTO_TEST_CASE(an_aggregator_that_does_not_answer_is_asked_again) {
  start();
  opened();
  fake.answers = false;
  fake.answer = intake::busy; // it takes nothing, and dies with it
  kline("BTCUSDT", 1);
  fake.answers = true;
  fake.answer = intake::taken;
  wait(5050ms);
  BOOST_TEST(fake.heard() == "BTCUSDT 1");
  fake.unanswered.clear();
}

BOOST_AUTO_TEST_CASE(a_restarted_aggregator_gets_the_last_minutes_again) {
  start();
  opened();
  kline("BTCUSDT", 1, true, 0);
  kline("BTCUSDT", 2, false, 1);
  BOOST_TEST(fake.heard() == "BTCUSDT 1!, BTCUSDT 2");
  fake.incarnation = 2;
  kline("ETHUSDT", 3, false, 1);
  BOOST_TEST(fake.heard() == "ETHUSDT 3, BTCUSDT 1!, BTCUSDT 2, ETHUSDT 3");
}

BOOST_AUTO_TEST_CASE(a_lost_connection_is_replaced_after_the_wait) {
  start();
  opened();
  happens(socket_closed{"reset"});
  BOOST_TEST(!line().open);
  BOOST_TEST(fact(health(), "connected") == "no");
  wait(999ms);
  BOOST_TEST(sockets->lines.size() == 1u);
  wait(1ms);
  BOOST_TEST(sockets->lines.size() == 2u);
  opened();
  BOOST_TEST(line().sent.size() == 1u);
  BOOST_TEST(fact(health(), "reconnects") == "1");
}

BOOST_AUTO_TEST_CASE(a_silent_connection_is_replaced_and_pings_are_a_sign_of_life) {
  start();
  opened();
  kline("BTCUSDT", 1);
  kline("ETHUSDT", 1);
  wait(59s);
  happens(socket_alive{});
  wait(59s);
  BOOST_TEST(line().open);
  BOOST_TEST(fact(health(), "stale") == "2");
  BOOST_TEST((health().level == health_level::degraded));
  wait(1s);
  BOOST_TEST(!sockets->lines.front().open);
}

BOOST_AUTO_TEST_CASE(pings_in_the_exchanges_own_words_go_out) {
  start(exchange::okx);
  opened();
  text(R"({"event":"subscribe","arg":{"channel":"candle1m","instId":"BTC-USDT"}})");
  text(R"({"event":"subscribe","arg":{"channel":"candle1m","instId":"ETH-USDT"}})");
  const auto before = line().sent.size();
  wait(20s);
  BOOST_TEST_REQUIRE(line().sent.size() == before + 1);
  BOOST_TEST(line().sent.back() == "ping");
  text("pong");
  BOOST_TEST(fact(health(), "unreadable") == "0");
}

BOOST_AUTO_TEST_CASE(an_announced_close_is_answered_by_a_new_connection) {
  start();
  opened();
  text(R"({"result":null,"id":1})");
  wait(20s);
  text(R"({"e":"serverShutdown","E":1})");
  BOOST_TEST(sockets->lines.size() == 2u);
  BOOST_TEST(!sockets->lines.front().open);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_is_counted_and_ends_nothing) {
  start();
  opened();
  text("nonsense");
  kline("XRPUSDT", 1);
  text(R"({"e":"trade","s":"BTCUSDT"})");
  kline("BTCUSDT", 5);
  BOOST_TEST(fake.heard() == "BTCUSDT 5");
  BOOST_TEST(fact(health(), "unreadable") == "2");
  BOOST_TEST(fact(health(), "other") == "1");
}

BOOST_AUTO_TEST_CASE(a_minute_far_ahead_of_our_clock_is_dropped_and_counted) {
  start();
  opened();
  kline("BTCUSDT", 7, false, 2); // two minutes ahead: clocks differ
  kline("BTCUSDT", 8, false, 3);
  BOOST_TEST(fake.heard() == "BTCUSDT 7");
  BOOST_TEST(fact(health(), "unreadable") == "1");
}

BOOST_AUTO_TEST_CASE(a_refused_symbol_is_seen_in_health) {
  start(exchange::kraken);
  opened();
  text(R"({"error":"no such pair","method":"subscribe","success":false,"symbol":"ETH/USDT"})");
  ohlc(1, "2026-01-05T00:00:00Z");
  BOOST_TEST(health().why == "1 symbols refused");
  BOOST_TEST(fact(health(), "symbols") == "1/2");
}

BOOST_AUTO_TEST_CASE(where_no_candle_is_marked_closed_the_time_closes_it) {
  start(exchange::kraken, {"BTCUSDT"});
  opened();
  ohlc(1, "2026-01-05T00:00:00Z"); // the wall clock of the test began then
  BOOST_TEST(fake.heard() == "BTCUSDT 1");
  wait(64s);
  BOOST_TEST(fake.heard().empty());
  wait(1s);
  BOOST_TEST(fake.heard() == "BTCUSDT 1!");
}

BOOST_AUTO_TEST_CASE(the_distant_past_of_a_snapshot_is_left_out) {
  start(exchange::kraken, {"BTCUSDT"});
  opened();
  std::string rows;
  for (int i = 10; i < 20; ++i)
    rows += std::string{rows.empty() ? "" : ","} +
            R"({"symbol":"BTC/USDT","open":1,"high":100,"low":1,"close":)" + std::to_string(i) +
            R"(,"volume":1,"interval":1,"interval_begin":"2026-01-04T23:)" + std::to_string(i + 40) +
            R"(:00Z"})";
  text(R"({"channel":"ohlc","type":"snapshot","data":[)" + rows + "]}");
  wait(1s);
  BOOST_TEST(fake.heard() == "BTCUSDT 17!, BTCUSDT 18!, BTCUSDT 19");
}

BOOST_AUTO_TEST_CASE(draining_closes_the_socket_and_answers_when_everything_is_passed_on) {
  start();
  opened();
  fake.answers = false;
  kline("BTCUSDT", 1);
  kline("BTCUSDT", 2);
  caf::scoped_actor me{sys, true};
  auto pending = me->request(feed, caf::infinite, drain_request{});
  settle();
  BOOST_TEST(!line().open);
  BOOST_TEST(!me->has_next_message());
  fake.answers = true;
  answer_now();
  BOOST_TEST_REQUIRE(me->has_next_message());
  pending.receive([](const drained& x) { BOOST_TEST(x.records == 2u); },
                  [](const caf::error&) { BOOST_ERROR("no answer"); });
  BOOST_TEST(fake.heard() == "BTCUSDT 1, BTCUSDT 2");
  wait(5min); // and it stays that way
  BOOST_TEST(sockets->lines.size() == 1u);
  BOOST_TEST((*ask<drained>(feed, drain_request{})).records == 2u);
}

BOOST_AUTO_TEST_CASE(an_exchange_without_that_market_is_said_and_drains) {
  start(exchange::coinbase);
  BOOST_TEST(sockets->lines.empty());
  BOOST_TEST((health().level == health_level::degraded));
  BOOST_TEST((*ask<drained>(feed, drain_request{})).records == 0u);
}

BOOST_AUTO_TEST_CASE(its_end_closes_the_socket) {
  start();
  opened();
  caf::anon_send_exit(feed, caf::exit_reason::kill);
  settle();
  BOOST_TEST(!line().open);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater::test
