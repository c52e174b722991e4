#include "actors/feed/replay_actor.hpp"
#include "tests/actors/feed/fake_aggregator.hpp"
#include "tests/support/actor_fixture.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace breakwater::test {
namespace {

constexpr std::int64_t begin_ms = 1767571200000;

struct fake_source : frame_source_port {
  struct line {
    exchange from;
    std::int64_t ms;
    std::string text;
  };
  std::vector<line> lines;
  std::vector<skipped_line> skipped;
  std::size_t at = 0;

  void next(std::size_t max, recorded_frames& out) override {
    out = {};
    out.skipped = std::exchange(skipped, {});
    while (at < lines.size() && out.frames.size() < max) {
      const auto& x = lines[at++];
      out.frames.push_back({x.from, wall_time_from_ms(x.ms), x.text});
    }
    out.at_end = at == lines.size();
  }
};

struct replay_fixture : actor_fixture {
  std::shared_ptr<fake_source> source = std::make_shared<fake_source>();
  fake_aggregator fake;
  aggregator_actor aggregator = spawn(fake_aggregator_behavior, &fake);
  replay_actor replay;

  ~replay_fixture() { fake.unanswered.clear(); }

  void binance(std::int64_t ms, int close, int minute = 0, bool closed = false) {
    source->lines.push_back({exchange::binance, begin_ms + ms,
                             R"({"e":"kline","E":1767571202345,"s":"BTCUSDT","k":{"t":)" +
                                 std::to_string(begin_ms + minute * 60000) +
                                 R"(,"i":"1m","o":"1","h":"100","l":"1","c":")" + std::to_string(close) +
                                 R"(","v":"1","x":)" + (closed ? "true" : "false") + "}}"});
  }
  void kraken(std::int64_t ms, int close) {
    source->lines.push_back(
        {exchange::kraken, begin_ms + ms,
         R"({"channel":"ohlc","type":"update","data":[{"symbol":"SOL/USD","open":1,"high":100,"low":1,)"
         R"("volume":1,"interval":1,"interval_begin":"2026-01-05T00:00:00Z","close":)" +
             std::to_string(close) + "}]}"});
  }
  void start(double speed = 0, std::size_t batch = 512) {
    replay_options options;
    options.speed = speed;
    options.batch = batch;
    replay = spawn(replay_behavior, options, aggregator, std::shared_ptr<frame_source_port>{source});
    wait(0ms);
  }
  std::string heard() { return fake.heard(); }
  /// The aggregator answers what it kept waiting.
  void answer_now() {
    caf::anon_send(aggregator, wake{});
    settle();
  }
  health_answer health() { return *ask<health_answer>(replay, health_question{}); }
};

BOOST_FIXTURE_TEST_SUITE(replay_actor_suite, replay_fixture)

BOOST_AUTO_TEST_CASE(recorded_frames_reach_the_aggregator_in_batches_and_the_end_is_told) {
  for (int i = 1; i <= 5; ++i) binance(i, i);
  start(0, 2);
  BOOST_TEST(heard() == "BTCUSDT 1, BTCUSDT 2, BTCUSDT 3, BTCUSDT 4, BTCUSDT 5");
  BOOST_TEST(fake.batches.size() == 3u);
  BOOST_TEST((*ask<drained>(replay, drain_request{})).records == 5u);
  BOOST_TEST(fact(health(), "finished") == "yes");
}

BOOST_AUTO_TEST_CASE(nothing_is_conflated_and_a_busy_aggregator_gets_the_same_batch_again) {
  for (int i = 1; i <= 4; ++i) binance(i, i);
  fake.answer = intake::busy;
  start(0, 2);
  wait(10ms);
  BOOST_TEST(fake.batches.size() > 3u);
  BOOST_TEST(std::all_of(fake.batches.begin(), fake.batches.end(), [](std::size_t n) { return n == 2; }));
  fake.answer = intake::taken;
  wait(2ms);
  BOOST_TEST(heard() == "BTCUSDT 1, BTCUSDT 2, BTCUSDT 3, BTCUSDT 4");
}

BOOST_AUTO_TEST_CASE(the_next_batch_is_parsed_while_an_answer_is_awaited_and_no_more) {
  for (int i = 1; i <= 8; ++i) binance(i, i);
  fake.answers = false;
  start(0, 2);
  BOOST_TEST(fake.batches.size() == 1u);
  BOOST_TEST(fact(health(), "frames") == "4");
  caf::scoped_actor me{sys, true};
  auto pending = me->request(replay, caf::infinite, drain_request{});
  settle();
  BOOST_TEST(!me->has_next_message());
  fake.answers = true;
  answer_now();
  BOOST_TEST_REQUIRE(me->has_next_message());
  pending.receive([](const drained& x) { BOOST_TEST(x.records == 8u); },
                  [](const caf::error&) { BOOST_ERROR("no answer"); });
}

BOOST_AUTO_TEST_CASE(an_aggregator_that_is_away_gets_its_batch_when_it_is_back) {
  binance(1, 1);
  fake.answers = false;
  fake.answer = intake::busy;
  start();
  fake.answers = true;
  fake.answer = intake::taken;
  wait(5002ms);
  BOOST_TEST(heard() == "BTCUSDT 1");
  fake.unanswered.clear();
}

BOOST_AUTO_TEST_CASE(a_restarted_aggregator_gets_the_last_minutes_again) {
  binance(1, 1, 0, true);
  binance(2, 2, 1);
  fake.answers = false;
  start(0, 1);
  fake.incarnation = 1;
  answer_now();
  BOOST_TEST(heard() == "BTCUSDT 1!, BTCUSDT 2");
  fake.incarnation = 2;
  fake.answers = true;
  answer_now();
  BOOST_TEST(heard() == "BTCUSDT 1!, BTCUSDT 2");
}

BOOST_AUTO_TEST_CASE(candles_without_a_mark_close_by_the_time_of_receipt) {
  kraken(1000, 1);
  kraken(2000, 2);
  binance(64999, 3, 1);
  binance(65000, 4, 1); // another exchange's frame tells the time as well
  start();
  BOOST_TEST(heard() == "SOLUSD 1, SOLUSD 2, BTCUSDT 3, SOLUSD 2!, BTCUSDT 4");
}

BOOST_AUTO_TEST_CASE(what_is_of_no_use_is_counted) {
  source->lines.push_back({exchange::coinbase, begin_ms, R"({"type":"match"})"});
  source->lines.push_back({exchange::binance, begin_ms, "nonsense"});
  source->lines.push_back({exchange::okx, begin_ms, "pong"});
  source->skipped.push_back({7, {errc::frame_not_json, "the line is no JSON object"}});
  binance(1, 1);
  start();
  BOOST_TEST(heard() == "BTCUSDT 1");
  const auto answer = health();
  BOOST_TEST(fact(answer, "frames") == "4");
  BOOST_TEST(fact(answer, "unreadable") == "2");
  BOOST_TEST(fact(answer, "other") == "1");
  BOOST_TEST(fact(answer, "skipped") == "1");
  BOOST_TEST(fact(answer, "candles") == "1");
}

BOOST_AUTO_TEST_CASE(with_a_speed_frames_come_when_they_are_due) {
  binance(0, 1);
  binance(1000, 2);
  binance(3000, 3);
  start(2.0);
  BOOST_TEST(heard() == "BTCUSDT 1");
  wait(499ms);
  BOOST_TEST(heard().empty());
  wait(1ms);
  BOOST_TEST(heard() == "BTCUSDT 2");
  wait(1s);
  BOOST_TEST(heard() == "BTCUSDT 3");
  BOOST_TEST(fact(health(), "finished") == "yes");
}

BOOST_AUTO_TEST_CASE(an_empty_recording_ends_at_once) {
  start();
  BOOST_TEST((*ask<drained>(replay, drain_request{})).records == 0u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater::test
