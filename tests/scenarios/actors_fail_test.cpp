#include "tests/support/process_fixture.hpp"

using namespace breakwater;
using namespace breakwater::test;

namespace {

const std::vector<std::string> everybody{"audit",       "breaker/redis",    "redis",      "publisher",
                                         "aggregator",  "feed/binance",     "feed/bybit", "feed/okx",
                                         "feed/kraken", "position_monitor", "health",     "alerts"};

/// A sanitizer makes the stories below long, so it gets every fifth: of each actor others.
#ifdef __SANITIZE_ADDRESS__
constexpr std::size_t stride = 5;
#else
constexpr std::size_t stride = 1;
#endif

} // namespace

// The kill comes while a candle is on its way: behind each of the steps it takes.
BOOST_AUTO_TEST_CASE(an_actor_that_dies_is_restarted_and_what_was_accepted_is_published_once) {
  std::size_t first = 0;
  for (const auto& who : everybody)
    for (std::size_t steps = first++ % stride; steps < 24; steps += stride)
      BOOST_TEST_CONTEXT(who << " dies behind step " << steps) {
        process_fixture story;
        story.starts();
        story.candles_flow(2s);
        candle x;
        x.symbol = "BTCUSDT";
        x.from = exchange::okx;
        x.event_at = story.wall_now();
        x.start_s = epoch_ms(x.event_at) / 60000 * 60;
        x.open = x.high = x.low = x.close = 101;
        story.exchanges->sends(x);
        if (steps % 2 == 0) story.kill(who); // queued before the candle is dealt with
        story.run_steps(steps);
        if (steps % 2 == 1) story.kill(who);
        story.candles_flow(20s);
        story.wait(20s);
        BOOST_TEST(story.audit->count({"actor_failed", "\"actor\":\"" + who + "\"", "killed by [chaos]"}) ==
                   1u);
        BOOST_TEST(story.fact(story.all.supervisor, "alive") == "13/13");
        BOOST_TEST(story.fact(story.all.supervisor, "restarts." + who) == "1");
        story.check_accepted_is_published();
        // Everybody is at work again: what comes now goes through as ever.
        story.wait(1min);
        const auto had = story.published().size();
        story.candles_flow(2s);
        story.wait(1s);
        BOOST_TEST(story.published().size() >= had + 14);
        story.check_accepted_is_published();
        if (!who.starts_with("feed") && who != "aggregator") story.check_newest_is_published();
      }
}

BOOST_FIXTURE_TEST_CASE(an_aggregator_that_dies_learns_the_last_minutes_from_the_feeds_again,
                        process_fixture) {
  starts();
  for (const auto& symbol : what.symbols.list)
    for (auto from : {exchange::binance, exchange::bybit}) sends(from, symbol);
  kill("aggregator");
  wait(1s);
  // What a feed has to say of one symbol brings the others along.
  sends(exchange::binance, "ETHUSDT");
  sends(exchange::bybit, "ETHUSDT");
  sends(exchange::binance, "BTCUSDT");
  wait(1s);
  BOOST_TEST(summary_of(published().back()) == "BTCUSDT 1767571200 100.0007 100.0002 null null null");
  check_accepted_is_published();
  check_newest_is_published();
}

BOOST_FIXTURE_TEST_CASE(everybody_dies_during_an_outage_and_nothing_accepted_is_lost, process_fixture) {
  what.supervisor.max_restarts = 100;
  starts();
  candles_flow(5s);
  redis->goes_away();
  for (const auto& who : everybody) {
    kill(who);
    candles_flow(7s);
  }
  redis->comes_back();
  for (const auto& who : everybody) {
    kill(who);
    candles_flow(7s);
  }
  wait(1min);
  check_accepted_is_published();
}

BOOST_FIXTURE_TEST_CASE(a_process_whose_actors_fail_too_often_ends, process_fixture) {
  what.supervisor.max_restarts = 3;
  starts();
  candles_flow(2s);
  for (int i = 0; i < 3; ++i) {
    kill("aggregator");
    wait(2s);
    BOOST_TEST(!ended);
  }
  kill("feed/okx");
  wait(2s);
  BOOST_TEST_REQUIRE(ended.has_value());
  BOOST_TEST(to_string(ended->code) == "restart_intensity");
  BOOST_TEST(ended->detail == "feed/okx: killed by [chaos]");
  BOOST_TEST(hangs == 0u);
}

BOOST_FIXTURE_TEST_CASE(failures_far_apart_do_not_end_the_process, process_fixture) {
  what.supervisor.max_restarts = 3;
  starts();
  for (int i = 0; i < 30; ++i) {
    kill(everybody[static_cast<std::size_t>(i) % everybody.size()]);
    candles_flow(25s);
  }
  BOOST_TEST(!ended);
  wait(20s);
  check_accepted_is_published();
}

// While much waits a transaction's body is with Redis before its turn; whoever dies then leaves a MULTI open.
BOOST_AUTO_TEST_CASE(an_actor_that_dies_while_much_is_made_good_does_no_harm) {
  for (const auto& who : {"publisher", "redis", "breaker/redis"})
    for (int moment = 0; moment < 20; ++moment) BOOST_TEST_CONTEXT(who << " dies at moment " << moment) {
        process_fixture story;
        story.starts();
        story.redis->goes_away();
        story.candles_flow(70s, 20ms);
        story.redis->has_latency(100ms);
        story.redis->comes_back();
        while (story.published().empty()) story.wait(10ms);
        story.wait(milliseconds{moment * 30});
        story.kill(who);
        story.wait(90s);
        story.check_all_is_published();
        BOOST_TEST(story.circuit() == "CLOSED");
      }
}
