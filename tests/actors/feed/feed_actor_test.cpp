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

/// Keeps what the feed asks for, and lets the test answer.
struct fake_rest : rest_port {
  struct request {
    std::string url;
    std::uint64_t number = 0;
    std::function<void(fetched)> sink;
  };
  std::deque<request> requests;

  void get(std::string url, std::uint64_t number, std::function<void(fetched)> sink) override {
    requests.push_back({std::move(url), number, std::move(sink)});
  }
};

/// What the feed says of its data.
struct heard_markers {
  std::vector<quality_marker> all;

  [[nodiscard]] std::string heard() {
    std::string text;
    for (const auto& x : all)
      text += (text.empty() ? "" : ", ") + std::string{to_string(x.kind)} + " " + x.symbol + " " +
              to_rfc3339(x.from).substr(11, 8) + "-" + to_rfc3339(x.to).substr(11, 8);
    all.clear();
    return text;
  }
};

notices_actor::behavior_type fake_quality(notices_actor::pointer, heard_markers* to) {
  return {
      [to](const quality_batch& batch) {
        to->all.insert(to->all.end(), batch.markers->begin(), batch.markers->end());
      },
      [](const notice_batch&) {},
      [](const wake&) {},
      [](const health_question&) { return health_answer{}; },
  };
}

universe_actor::behavior_type fake_universe(universe_actor::pointer,
                                            const std::vector<std::string>* symbols) {
  return {
      [](const wake&) {},
      [symbols](const followed_symbols_question&) {
        return followed_symbols{std::make_shared<const std::vector<std::string>>(*symbols)};
      },
      [](const health_question&) { return health_answer{}; },
  };
}

struct feed_fixture : actor_fixture {
  std::shared_ptr<fake_sockets> sockets = std::make_shared<fake_sockets>();
  fake_aggregator fake;
  aggregator_actor aggregator = spawn(fake_aggregator_behavior, &fake);
  std::shared_ptr<fake_rest> rest = std::make_shared<fake_rest>();
  heard_markers markers;
  notices_actor quality = spawn(fake_quality, &markers);
  std::vector<std::string> universe_symbols;
  universe_actor universe;
  feed_actor feed;
  milliseconds later{0}; ///< The wall clock goes so much ahead of the test's time.

  ~feed_fixture() {
    fake.unanswered.clear();
    for (auto& line : sockets->lines) line.sink = nullptr;
    rest->requests.clear();
  }

  void start(exchange which = exchange::binance, std::vector<std::string> symbols = {"BTCUSDT", "ETHUSDT"},
             market where = market::spot) {
    feed_options options;
    options.market = where;
    options.which = which;
    options.symbols = std::move(symbols);
    options.clock = [this, real = wall()] { return real() + later; };
    options.connection.wait.jitter = 0;
    options.continuity.wait.jitter = 0;
    feed = spawn(feed_behavior, options, feed_peers{aggregator, quality, universe},
                 std::shared_ptr<websocket_port>{sockets}, std::shared_ptr<rest_port>{rest});
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
  /// The exchange answers the oldest request for past candles.
  void answers(std::string body, int status = 200) {
    BOOST_TEST_REQUIRE(!rest->requests.empty());
    auto asked = std::move(rest->requests.front());
    rest->requests.pop_front();
    fetched what;
    what.number = asked.number;
    what.status = status;
    what.body = std::move(body);
    what.received_at = wall()() + later;
    asked.sink(std::move(what));
    settle();
  }
  static std::string kline_row(int close, int minute) {
    const auto start = 1767571200000 + minute * 60000;
    return "[" + std::to_string(start) + R"(,"1","100","1",")" + std::to_string(close) + R"(","1",)" +
           std::to_string(start + 59999) + R"(,"1",1,"1","1","0"])";
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
  kline("BTCUSDT", 2);
  kline("BTCUSDT", 3, true);
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
  kline("BTCUSDT", 1);
  kline("ETHUSDT", 2);
  kline("BTCUSDT", 3, true);
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
  BOOST_TEST_REQUIRE(sockets->lines.size() == 2u);
  BOOST_TEST(sockets->lines.front().open); // until the new one has everything
  opened();
  kline("BTCUSDT", 1);
  BOOST_TEST(sockets->lines.front().open);
  kline("ETHUSDT", 2);
  BOOST_TEST(!sockets->lines.front().open);
  BOOST_TEST(fake.heard() == "BTCUSDT 1, ETHUSDT 2");
  BOOST_TEST(fact(health(), "replacements") == "1");
}

BOOST_AUTO_TEST_CASE(while_one_connection_replaces_another_nothing_is_passed_on_twice) {
  start(exchange::binance, {"BTCUSDT"});
  opened();
  kline("BTCUSDT", 7);
  wait(20s);
  text(R"({"e":"serverShutdown","E":1})");
  opened();
  auto& old = sockets->lines.front();
  const auto again =
      R"({"e":"kline","E":1767571202345,"s":"BTCUSDT","k":{"t":1767571200000,"i":"1m","o":"1",)"
      R"("h":"100","l":"1","c":"9","v":"2","x":false}})";
  old.sink({old.number, socket_text{again, wall()()}});
  settle();
  text(again); // the same from the new connection, which then takes over
  BOOST_TEST(!old.open);
  BOOST_TEST(fake.heard() == "BTCUSDT 7, BTCUSDT 9");
  BOOST_TEST(fact(health(), "repeats") == "1");
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

BOOST_AUTO_TEST_CASE(a_symbol_of_the_universe_may_be_refused) {
  universe_symbols = {"BTCUSDT", "SOLUSDT"};
  universe = spawn(fake_universe, &universe_symbols);
  start(exchange::kraken, {"BTCUSDT"});
  opened();
  text(R"({"error":"no such pair","method":"subscribe","success":false,"symbol":"SOL/USDT"})");
  ohlc(1, "2026-01-05T00:00:00Z");
  BOOST_TEST((health().level == health_level::ok));
  BOOST_TEST(fact(health(), "refused") == "1");
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
  BOOST_TEST(fake.heard() == "BTCUSDT 18!, BTCUSDT 19");
}

BOOST_AUTO_TEST_CASE(missed_minutes_are_asked_for_filled_and_marked) {
  start(exchange::binance, {"BTCUSDT"});
  opened();
  kline("BTCUSDT", 1, true, 0);
  wait(10s);
  happens(socket_closed{"reset"});
  wait(1s);
  opened();
  later = 3min;
  kline("BTCUSDT", 4, false, 3);
  BOOST_TEST(fake.heard() == "BTCUSDT 1!, BTCUSDT 4");
  wait(5s);
  BOOST_TEST_REQUIRE(rest->requests.size() == 1u);
  const auto& url = rest->requests.front().url;
  BOOST_TEST(url.starts_with("https://api.binance.com/"), url);
  BOOST_TEST(url.find("BTCUSDT") != url.npos, url);
  answers("[" + kline_row(2, 1) + "," + kline_row(3, 2) + "]");
  BOOST_TEST(fake.heard() == "BTCUSDT 2!, BTCUSDT 3!");
  BOOST_TEST(fact(health(), "filled_minutes") == "2");
  const auto said = markers.heard();
  BOOST_TEST(said.find("gap BTCUSDT 00:01:00-00:0") != said.npos, said);
  BOOST_TEST(said.find("recovered BTCUSDT 00:01:00-00:0") != said.npos, said);
}

BOOST_AUTO_TEST_CASE(an_answer_that_is_none_is_asked_for_again) {
  start(exchange::binance, {"BTCUSDT"});
  opened();
  kline("BTCUSDT", 1, true, 0);
  later = 3min;
  kline("BTCUSDT", 3, false, 2);
  wait(5s);
  answers(R"({"code":-1121,"msg":"Invalid symbol."})", 400);
  wait(5s);
  answers("[" + kline_row(2, 1) + "]");
  BOOST_TEST(fake.heard() == "BTCUSDT 1!, BTCUSDT 3, BTCUSDT 2!");
}

BOOST_AUTO_TEST_CASE(a_stale_symbol_and_its_end_are_marked) {
  start(exchange::binance, {"BTCUSDT", "ETHUSDT"});
  opened();
  kline("BTCUSDT", 1);
  kline("ETHUSDT", 1);
  wait(30s);
  kline("BTCUSDT", 2);
  wait(30s);
  BOOST_TEST(markers.heard() == "stale ETHUSDT 00:00:00-00:01:00");
  wait(10s);
  kline("ETHUSDT", 2);
  BOOST_TEST(markers.heard() == "recovered ETHUSDT 00:00:00-00:01:10"); // since its last data
}

BOOST_AUTO_TEST_CASE(what_the_aggregator_has_of_an_earlier_life_is_gone_on_from) {
  candle known;
  known.symbol = "BTCUSDT";
  known.start_s = 1767571200;
  known.closed = true;
  fake.known = {known};
  start(exchange::binance, {"BTCUSDT"});
  opened();
  later = 3min;
  kline("BTCUSDT", 3, false, 2);
  wait(5s);
  BOOST_TEST_REQUIRE(rest->requests.size() == 1u); // the minute between
  answers("[" + kline_row(2, 1) + "]");
  BOOST_TEST(fake.heard() == "BTCUSDT 3, BTCUSDT 2!");
}

BOOST_AUTO_TEST_CASE(it_follows_what_the_universe_says) {
  universe_symbols = {"BTCUSDT", "SOLUSDT"};
  universe = spawn(fake_universe, &universe_symbols);
  start(exchange::binance, {"BTCUSDT"});
  opened();
  BOOST_TEST(line().sent.back() ==
             R"({"method":"SUBSCRIBE","params":["btcusdt@kline_1m","solusdt@kline_1m"],"id":1})");
  caf::anon_send(feed, followed_symbols{std::make_shared<const std::vector<std::string>>(
                           std::vector<std::string>{"BTCUSDT", "XRPUSDT"})});
  settle();
  wait(1s);
  BOOST_TEST_REQUIRE(line().sent.size() == 3u);
  BOOST_TEST(line().sent[1].find(R"("UNSUBSCRIBE","params":["solusdt@kline_1m"])") != std::string::npos);
  BOOST_TEST(line().sent[2].find(R"("SUBSCRIBE","params":["xrpusdt@kline_1m"])") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(people_see_connections_symbols_and_the_clocks_offset) {
  start();
  opened();
  kline("BTCUSDT", 1); // two seconds ahead of receipt
  text(R"({"e":"trade","s":"BTCUSDT"})");
  const auto told = *ask<feed_report>(feed, feed_question{});
  BOOST_TEST(told.connected);
  BOOST_TEST_REQUIRE(told.connections.size() == 1u);
  BOOST_TEST(told.connections[0].state == "open");
  BOOST_TEST_REQUIRE(told.symbols.size() == 2u);
  BOOST_TEST(told.symbols[0].name == "BTCUSDT");
  BOOST_TEST(told.symbols[0].state == "subscribed");
  BOOST_TEST(to_rfc3339(told.symbols[0].newest_minute.value()) == "2026-01-05T00:00:00.000Z");
  BOOST_TEST(told.symbols[1].state == "asked");
  BOOST_TEST(told.clock_offset.value().count() == -2345);
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
  start(exchange::kraken, {"BTCUSDT"}, market::linear);
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
