#include "tests/support/process_fixture.hpp"

using namespace breakwater;
using namespace breakwater::test;

namespace {

struct flowing : process_fixture {
  flowing() {
    starts();
    candles_flow(10s);
  }
  void all_is_well_again(milliseconds patience = 45s) {
    candles_flow(10s);
    wait(patience);
    check_all_is_published();
    BOOST_TEST(circuit() == "CLOSED");
    BOOST_TEST(to_string(level(all.publisher)) == "ok");
    BOOST_TEST(to_string(level(all.redis)) == "ok");
  }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(a_redis_that_loads_is_waited_for_and_opens_no_circuit, flowing) {
  redis->goes_away();
  candles_flow(2s);
  redis->loads(60s);
  redis->comes_back();
  const auto connects = redis->connects();
  candles_flow(3min);
  BOOST_TEST(circuit() == "CLOSED");
  BOOST_TEST(audit->count({"breaker_moved"}) == 0u);
  BOOST_TEST(redis->connects() <= connects + 2); // the connection is kept
  BOOST_TEST(redis->pings() < 30u);
  redis->is_loaded();
  all_is_well_again();
}

BOOST_FIXTURE_TEST_CASE(a_redis_without_memory_is_paused_for_and_gets_all_later, flowing) {
  const auto connects = redis->connects();
  redis->refuses_writes("OOM command not allowed when used memory > 'maxmemory'.");
  candles_flow(2min);
  const auto before = redis->commands();
  candles_flow(1min);
  BOOST_TEST(redis->commands() - before < 60u * (1024 + 10)); // a batch each few seconds, no tight loop
  BOOST_TEST(number(all.publisher, "refusals") < 60u);
  redis->refuses_writes("");
  all_is_well_again();
  BOOST_TEST(redis->connects() == connects);
}

BOOST_FIXTURE_TEST_CASE(a_redis_that_cannot_save_is_paused_for_and_gets_all_later, flowing) {
  redis->refuses_writes(
      "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist "
      "to disk.");
  candles_flow(3min);
  BOOST_TEST(number(all.publisher, "refusals") < 80u);
  redis->refuses_writes("");
  all_is_well_again(2min);
}

BOOST_FIXTURE_TEST_CASE(a_redis_that_became_a_replica_is_left_and_dialled_again, flowing) {
  const auto connects = redis->connects();
  redis->refuses_writes("READONLY You can't write against a read only replica.");
  candles_flow(2min);
  BOOST_TEST(redis->connects() > connects + 3);
  BOOST_TEST(redis->connects() < connects + 20);
  redis->refuses_writes("");
  all_is_well_again();
}

BOOST_FIXTURE_TEST_CASE(a_redis_that_wants_a_password_is_not_hammered, flowing) {
  redis->wants_password("secret");
  redis->breaks_connections();
  const auto before = redis->connects();
  candles_flow(10min, 500ms);
  BOOST_TEST(redis->connects() - before <= 21u); // one each 30 s
  BOOST_TEST(redis->connects() - before >= 10u);
  for (const auto& line : audit->lines) BOOST_TEST(line.find("secret") == line.npos);
  redis->wants_password("");
  all_is_well_again(2min);
}

BOOST_FIXTURE_TEST_CASE(a_right_that_is_missing_is_not_hammered_for, flowing) {
  redis->refuses_writes("NOPERM this user has no permissions to run the 'xadd' command");
  candles_flow(10s);
  const auto before = number(all.publisher, "refusals");
  candles_flow(10min, 500ms);
  BOOST_TEST(number(all.publisher, "refusals") - before <= 21u); // one each 30 s
  redis->refuses_writes("");
  all_is_well_again(2min);
}

BOOST_FIXTURE_TEST_CASE(a_redis_with_too_many_clients_is_dialled_again, flowing) {
  redis->turns_away("ERR max number of clients reached");
  redis->breaks_connections();
  candles_flow(2min);
  BOOST_TEST(circuit() == "OPEN");
  redis->turns_away("");
  all_is_well_again();
}

BOOST_FIXTURE_TEST_CASE(the_circuit_opens_after_five_failures_and_one_success_closes_it, flowing) {
  redis->goes_away();
  const auto before = redis->connects();
  while (circuit() == "CLOSED" && redis->connects() < before + 20) wait(100ms);
  BOOST_TEST(redis->connects() - before == 4u); // the connection that broke, and four that were refused
  BOOST_TEST(audit->count({"breaker_moved", R"("to":"OPEN")"}) == 1u);
  BOOST_TEST(to_string(level(all.breaker)) == "degraded");
  // Reconnecting goes on behind it.
  candles_flow(50s);
  BOOST_TEST(circuit() == "OPEN");
  BOOST_TEST(redis->connects() - before >= 5u);
  const auto so_far = redis->connects();
  redis->comes_back();
  while (redis->connects() == so_far) wait(10ms);
  wait(10ms);
  BOOST_TEST(circuit() == "CLOSED"); // not after open_duration: at once
  BOOST_TEST(audit->count({"breaker_moved", R"("to":"HALF_OPEN")"}) >= 1u);
  BOOST_TEST(audit->count({"breaker_moved", R"("to":"CLOSED")"}) == 1u);
  wait(10ms);
  check_all_is_published();
  all_is_well_again();
}

BOOST_FIXTURE_TEST_CASE(a_breaker_that_dies_does_not_block_publishing_for_long, flowing) {
  for (int i = 0; i < 5; ++i) {
    kill("breaker/redis");
    candles_flow(1s, 20ms);
    wait(1s);
    check_all_is_published();
    wait(20s);
  }
  BOOST_TEST(audit->count({"actor_failed", "breaker/redis", "killed by [chaos]"}) == 5u);
  redis->goes_away();
  candles_flow(30s);
  kill("breaker/redis");
  candles_flow(10s);
  redis->comes_back();
  candles_flow(35s);
  wait(2s);
  check_all_is_published();
  all_is_well_again();
}
