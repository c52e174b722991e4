#include "tests/support/process_fixture.hpp"

using namespace breakwater;
using namespace breakwater::test;

BOOST_FIXTURE_TEST_CASE(while_the_spool_is_full_feeds_conflate_and_nothing_accepted_is_lost,
                        process_fixture) {
  what.spool.max_bytes = 256 * 1024;
  starts();
  candles_flow(10s);
  redis->goes_away();
  candles_flow(30min, 50ms);
  BOOST_TEST(spool->refused > 0u);
  BOOST_TEST(to_string(level(all.publisher)) == "critical");
  BOOST_TEST(spool->size().bytes <= spool->size().max_bytes);
  std::size_t conflated = 0;
  for (const auto& feed : all.feeds) conflated += number(feed, "conflated");
  BOOST_TEST(conflated > 1000u);
  redis->comes_back();
  candles_flow(2min);
  wait(10s);
  check_accepted_is_published();
  BOOST_TEST(to_string(level(all.publisher)) == "ok");
  // What is said from now on is whole again.
  wait(1min);
  const auto from = published().size(), from_expected = expected.size();
  candles_flow(50s);
  wait(5s);
  BOOST_TEST(published().size() - from >= expected.size() - from_expected);
}

BOOST_AUTO_TEST_CASE(an_orderly_stop_leaves_nothing_behind) {
  for (bool redis_is_away : {false, true}) BOOST_TEST_CONTEXT("redis is away: " << redis_is_away) {
      process_fixture story;
      story.starts();
      story.redis->has_latency(300ms);
      if (redis_is_away) story.redis->goes_away();
      story.candles_flow(10s, 10ms);
      if (redis_is_away) story.redis->comes_back();
      for (const auto& feed : story.all.feeds) BOOST_TEST(story.drains(feed).has_value());
      BOOST_TEST(story.drains(story.all.aggregator).has_value());
      const auto published = story.drains(story.all.publisher, 60s);
      BOOST_TEST_REQUIRE(published.has_value());
      BOOST_TEST(published->records == story.expected.size());
      BOOST_TEST(story.stops().has_value());
      story.check_all_is_published();
      BOOST_TEST_REQUIRE(story.ended.has_value());
      BOOST_TEST(to_string(story.ended->code) == "none");
      BOOST_TEST(story.hangs == 0u);
    }
}

BOOST_FIXTURE_TEST_CASE(a_stop_while_redis_is_away_ends_and_keeps_what_waits, process_fixture) {
  starts();
  redis->goes_away();
  candles_flow(10s);
  for (const auto& feed : all.feeds) BOOST_TEST(drains(feed).has_value());
  BOOST_TEST(drains(all.aggregator).has_value());
  BOOST_TEST(!drains(all.publisher, 10s).has_value());
  BOOST_TEST(stops().has_value());
  BOOST_TEST(spool->size().waiting == expected.size());
}

BOOST_FIXTURE_TEST_CASE(health_ticks_each_30_s_and_finds_everybody_well, process_fixture) {
  exchanges_remember();
  starts();
  candles_flow(1h, 1s);
  BOOST_TEST(number(all.health, "ticks") == 120u);
  BOOST_TEST(fact(all.health, "level") == "ok");
  BOOST_TEST(audit->lines.empty());
  redis->goes_away();
  candles_flow(90s, 1s);
  BOOST_TEST(fact(all.health, "level") == "critical");
  redis->comes_back();
  candles_flow(90s, 1s);
  BOOST_TEST(fact(all.health, "level") == "ok");
}

BOOST_FIXTURE_TEST_CASE(health_notices_that_no_candle_arrives, process_fixture) {
  starts();
  candles_flow(1min);
  wait(4min);
  BOOST_TEST(to_string(level(all.aggregator)) == "degraded");
  BOOST_TEST(fact(all.health, "level") == "degraded");
  for (const auto& feed : all.feeds) BOOST_TEST(number(feed, "stale") == 2u);
}
