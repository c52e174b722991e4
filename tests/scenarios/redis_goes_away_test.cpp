#include "tests/support/process_fixture.hpp"

using namespace breakwater;
using namespace breakwater::test;

namespace {

/// Ten seconds of candles are published; then something happens to Redis.
struct flowing : process_fixture {
  flowing() {
    starts();
    candles_flow(10s);
    BOOST_TEST(circuit() == "CLOSED");
  }
  /// Long enough for whatever was wrong to be over: the longest backoff, and a time-out.
  void all_is_well_again() {
    candles_flow(10s);
    wait(45s);
    check_all_is_published();
    BOOST_TEST(circuit() == "CLOSED");
    BOOST_TEST(redis->connected() == 1u);
    BOOST_TEST(to_string(level(all.publisher)) == "ok");
    BOOST_TEST(to_string(level(all.redis)) == "ok");
  }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(no_record_is_lost_or_doubled_while_redis_is_away_for_10_minutes, flowing) {
  redis->goes_away();
  candles_flow(10min, 250ms);
  BOOST_TEST(circuit() == "OPEN");
  BOOST_TEST(spool->size().waiting > 2000u);
  redis->comes_back();
  candles_flow(36s); // the longest wait with its jitter
  BOOST_TEST(circuit() == "CLOSED");
  all_is_well_again();
}

BOOST_FIXTURE_TEST_CASE(no_record_is_lost_or_doubled_while_redis_is_away_for_20_seconds, flowing) {
  redis->goes_away();
  candles_flow(20s, 50ms);
  redis->comes_back();
  all_is_well_again();
}

BOOST_FIXTURE_TEST_CASE(no_record_is_lost_when_redis_is_away_at_the_start, process_fixture) {
  redis->goes_away();
  starts();
  candles_flow(2min);
  BOOST_TEST(published().empty());
  redis->comes_back();
  wait(40s);
  check_all_is_published();
  BOOST_TEST(circuit() == "CLOSED");
}

BOOST_FIXTURE_TEST_CASE(what_is_retained_is_sent_again_when_redis_comes_back_empty, flowing) {
  redis->goes_away();
  candles_flow(15s);
  redis->comes_back_empty();
  all_is_well_again();
  BOOST_TEST(number(all.publisher, "sent_again") > 90u);
}

BOOST_FIXTURE_TEST_CASE(what_redis_forgot_is_sent_again_when_it_comes_back_older, flowing) {
  redis->saves();
  candles_flow(10s);
  const auto had = published().size();
  redis->goes_away();
  candles_flow(15s);
  redis->comes_back_older();
  BOOST_TEST(published().size() < had);
  all_is_well_again();
}

BOOST_FIXTURE_TEST_CASE(redis_comes_back_older_and_older, flowing) {
  redis->saves();
  for (int i = 0; i < 5; ++i) {
    candles_flow(5s);
    redis->goes_away();
    candles_flow(3s);
    redis->comes_back_older();
  }
  all_is_well_again();
}

BOOST_FIXTURE_TEST_CASE(a_hole_is_named_when_redis_is_older_than_what_is_retained, process_fixture) {
  what.spool.retain = 30s;
  starts();
  candles_flow(2min);
  redis->goes_away();
  redis->comes_back_empty();
  candles_flow(20s);
  wait(40s);
  // What was forgotten is gone from Redis; the rest is there, once and in order.
  const auto is = published();
  BOOST_TEST_REQUIRE(is.size() < spool->accepted.size());
  const auto from = spool->accepted.end() - static_cast<std::ptrdiff_t>(is.size());
  BOOST_TEST(std::equal(is.begin(), is.end(), from));
}

BOOST_FIXTURE_TEST_CASE(no_record_is_lost_or_doubled_while_redis_flaps, flowing) {
  for (int i = 0; i < 50; ++i) {
    redis->goes_away();
    candles_flow(3s, 150ms);
    redis->comes_back();
    candles_flow(3s, 150ms);
  }
  all_is_well_again();
}

BOOST_FIXTURE_TEST_CASE(no_record_is_lost_or_doubled_while_connections_break_every_second, flowing) {
  for (int i = 0; i < 120; ++i) {
    redis->breaks_connections();
    candles_flow(1s, 70ms);
  }
  all_is_well_again();
}

BOOST_FIXTURE_TEST_CASE(what_a_stopped_redis_reads_late_is_not_doubled, flowing) {
  for (auto stop_for : {3s, 7s, 20s, 90s}) {
    redis->hangs();
    candles_flow(stop_for, 90ms);
    redis->resumes();
    candles_flow(5s, 90ms);
  }
  wait(30s);
  all_is_well_again();
}

BOOST_FIXTURE_TEST_CASE(no_record_is_lost_or_doubled_while_the_network_is_cut, flowing) {
  for (auto cut_for : {2s, 8s, 120s}) {
    redis->is_unreachable(true);
    candles_flow(cut_for, 90ms);
    redis->is_unreachable(false);
    candles_flow(10s, 90ms);
  }
  wait(30s);
  all_is_well_again();
}

BOOST_FIXTURE_TEST_CASE(a_transaction_that_arrives_behind_its_successors_is_not_doubled, flowing) {
  for (auto late : {4s, 6s, 7s, 11s, 25s}) {
    redis->delays_next_transaction(late);
    candles_flow(late + 5s, 90ms);
  }
  wait(30s);
  all_is_well_again();
}

// A batch is cut behind each of its commands, in both ways: MULTI, XADDs, EXEC, the look behind it (two
// commands), and behind all of them.
BOOST_AUTO_TEST_CASE(answers_are_swallowed_at_every_place_of_a_batch) {
  for (std::size_t place = 0; place < 10; ++place)
    for (auto how : {fake_redis::cut::silent, fake_redis::cut::reset})
      BOOST_TEST_CONTEXT("behind command " << place) {
        flowing story;
        story.redis->has_latency(200ms); // so that several records make a batch
        story.redis->cuts_transactions(2, place, how);
        story.candles_flow(3s, 30ms);
        story.redis->has_latency(1ms);
        story.all_is_well_again();
      }
}

BOOST_FIXTURE_TEST_CASE(answers_are_swallowed_many_times_in_a_row, flowing) {
  for (std::size_t i = 0; i < 12; ++i) {
    redis->cuts_transactions(3, i % 3 == 0 ? fake_redis::all_commands : i, fake_redis::cut::silent);
    candles_flow(40s, 110ms);
  }
  wait(2min);
  all_is_well_again();
}

BOOST_FIXTURE_TEST_CASE(a_long_outage_is_made_good_in_whole_batches, flowing) {
  redis->goes_away();
  candles_flow(100s, 20ms);
  const auto before = redis->transactions();
  redis->comes_back();
  wait(40s);
  // 5,000 records in batches of up to 1,024.
  BOOST_TEST(redis->transactions() - before <= 6u);
  all_is_well_again();
}
