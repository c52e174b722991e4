#include "tests/support/process_fixture.hpp"

using namespace breakwater;
using namespace breakwater::test;

namespace {

struct flowing : process_fixture {
  flowing() {
    starts();
    candles_flow(10s);
  }
  void all_is_published() {
    candles_flow(5s);
    wait(40s);
    check_all_is_published();
  }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(entries_of_somebody_else_between_ours_cost_nothing, flowing) {
  redis->has_latency(50ms);
  for (int i = 0; i < 60; ++i) {
    redis->intruder_adds(stream());
    candles_flow(500ms, 13ms);
  }
  all_is_published();
  BOOST_TEST(redis->length(stream()) == published().size() + 60);
}

// Redis gives the intruder the id that a waiting record of the same millisecond has.
BOOST_FIXTURE_TEST_CASE(an_intruder_who_gets_the_id_of_a_waiting_record_hides_none, flowing) {
  redis->goes_away();
  candles_flow(5s);
  sends(exchange::okx);
  redis->intruder_adds(stream(), spool->stamped.back());
  candles_flow(5s);
  redis->comes_back();
  all_is_published();
}

BOOST_FIXTURE_TEST_CASE(an_intruder_far_ahead_takes_our_records_along, flowing) {
  redis->intruder_adds(stream(), entry_id{static_cast<std::uint64_t>(epoch_ms(wall_now())) + 3'600'000, 7});
  candles_flow(1min);
  all_is_published();
}

// The transaction leaves after an intruder was seen; it arrives when the next connection has seen him, too.
BOOST_FIXTURE_TEST_CASE(a_transaction_late_behind_an_intruder_is_not_doubled, flowing) {
  for (auto late : {6s, 7s, 8s, 12s, 17s}) {
    redis->hangs();
    candles_flow(2s);
    redis->intruder_adds(stream());
    redis->resumes();
    redis->delays_next_transaction(late);
    candles_flow(late - 1s);
    redis->delays_next_transaction(late);
    candles_flow(late + 5s);
  }
  all_is_published();
}

// The intruder's id lies amid those of a transaction that is late, so a part of it could still be applied
// when its records have new ids already.
BOOST_FIXTURE_TEST_CASE(a_transaction_late_around_an_intruder_is_not_applied_in_part, flowing) {
  redis->has_latency(500ms);
  candles_flow(5s, 50ms);
  redis->has_latency(1ms);
  redis->delays_next_transaction(7s);
  const auto connects = redis->connects();
  candles_flow(1s, 50ms);
  redis->delays_next_transaction(4s);
  const auto waiting = spool->stamped.end() - static_cast<std::ptrdiff_t>(spool->size().waiting);
  BOOST_TEST_REQUIRE(spool->size().waiting > 10u);
  redis->intruder_adds(stream(), waiting[4]);
  wait(10s);
  BOOST_TEST(redis->connects() > connects);
  all_is_published();
}

BOOST_FIXTURE_TEST_CASE(somebody_who_writes_all_the_time_slows_us_down_and_stops_nothing, flowing) {
  for (int i = 0; i < 600; ++i) {
    redis->intruder_adds(stream());
    candles_flow(20ms, 10ms);
  }
  all_is_published();
}

BOOST_FIXTURE_TEST_CASE(an_intruder_writes_while_redis_is_away_for_us_only, flowing) {
  redis->is_unreachable(true);
  for (int i = 0; i < 20; ++i) {
    candles_flow(3s);
    redis->intruder_adds(stream());
  }
  redis->is_unreachable(false);
  candles_flow(40s);
  all_is_published();
}
