#include "actors/publisher/delivery.hpp"

#include "actors/publisher/memory_spool.hpp"
#include "tests/actors/publisher/records.hpp"
#include "tests/support/private_redis.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <deque>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

using namespace breakwater;
using namespace std::chrono_literals;
using test::numbered;

namespace {

constexpr const char* stream = "quantum:stream:test";

/// A delivery that speaks with a real redis-server, step by step.
struct delivery_fixture {
  test::private_redis redis;
  std::unique_ptr<test::redis_client> connection = std::make_unique<test::redis_client>(redis.socket_path());
  connection_number number = 1;
  spool_settings limits;
  std::unique_ptr<memory_spool> spool = std::make_unique<memory_spool>(limits);
  std::unique_ptr<delivery> sut;
  mono_time now{1h};
  wall_time wall = system_wall_time();
  std::size_t produced = 0;
  std::uint64_t batches = 0;
  std::vector<event> told;
  std::deque<delivery::step> sent; ///< By run_ahead, not yet answered.

  delivery_fixture() { begin(); }

  void begin() {
    delivery::options how;
    how.stream = stream;
    how.batch = 10;
    how.compare_page = 7;
    how.maxlen = 1000000;
    sut = std::make_unique<delivery>(how, *spool);
  }
  void given_accepted(std::size_t count) {
    BOOST_REQUIRE(sut->accept({7, ++batches, numbered(produced + 1, count)}, wall) == intake::taken);
    produced += count;
  }
  /// Sends what is due and gives the reply back, until nothing is due; `max` steps at most.
  std::size_t run(std::size_t max = 1000) {
    std::size_t steps = 0;
    while (steps < max) {
      const auto step = sut->next(now);
      if (!step) break;
      ++steps;
      answer(*step);
    }
    return steps;
  }
  /// The same, but everything that may be sent is asked for before the oldest is answered.
  void run_ahead(std::size_t answers = 1000) {
    for (std::size_t i = 0; i < answers; ++i) {
      while (auto step = sut->next(now)) sent.push_back(std::move(*step));
      if (sent.empty()) return;
      const auto oldest = std::move(sent.front());
      sent.pop_front();
      answer(oldest);
    }
  }
  void answer(const delivery::step& step) {
    const auto& what = step.what;
    if (what.only_on != any_connection && what.only_on != number)
      return sut->on_failure(step.ticket, {errc::redis_connection_changed, ""}, now);
    auto replies =
        std::make_shared<const std::vector<redis_reply>>(connection->pipeline(*what.wire, what.count));
    sut->on_replies(step.ticket, {replies, number}, now, wall);
    for (const auto& notice : sut->take_notices()) told.push_back(notice.what);
  }
  void is_lost(const delivery::step& step) {
    sut->on_failure(step.ticket, {errc::redis_unavailable, "connection lost"}, now);
  }
  void reconnect() {
    connection = std::make_unique<test::redis_client>(redis.socket_path());
    ++number;
    sut->on_link_up();
  }
  /// The numbers in the stream, in its order; what is not ours shows as its own value.
  std::vector<std::string> in_stream() {
    std::vector<std::string> values;
    for (const auto& entry : redis({"XRANGE", stream, "-", "+"}).items)
      values.push_back(entry.items[1].items[1].text);
    return values;
  }
  bool was_told(event what) const { return std::count(told.begin(), told.end(), what) > 0; }
};

std::vector<std::string> one_to(std::size_t last) {
  std::vector<std::string> numbers;
  for (std::size_t i = 1; i <= last; ++i) numbers.push_back(std::to_string(i));
  return numbers;
}

template <class T>
std::vector<T> operator+(std::vector<T> a, const std::vector<T>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

} // namespace

BOOST_FIXTURE_TEST_CASE(an_empty_stream_gets_every_record_once_in_order, delivery_fixture) {
  given_accepted(25);
  given_accepted(3);
  run();
  BOOST_TEST(in_stream() == one_to(28));
  BOOST_TEST(sut->idle());
  BOOST_TEST(sut->counted().acknowledged == 28u);
  BOOST_TEST(sut->counted().transactions == 3u); // 10, 10, 8
  given_accepted(1);
  BOOST_TEST(run() == 1u); // in step: one transaction, no look before it
  BOOST_TEST(in_stream() == one_to(29));
}

BOOST_FIXTURE_TEST_CASE(a_batch_sent_twice_under_its_number_is_taken_once, delivery_fixture) {
  const record_batch batch{7, 1, numbered(1, 3)};
  BOOST_TEST((sut->accept(batch, wall) == intake::taken));
  BOOST_TEST((sut->accept(batch, wall) == intake::taken));
  BOOST_TEST((sut->accept({8, 1, numbered(4, 1)}, wall) == intake::taken)); // another life of the aggregator
  run();
  BOOST_TEST(in_stream() == one_to(4));
}

BOOST_FIXTURE_TEST_CASE(a_second_life_appends_above_what_the_first_left, delivery_fixture) {
  given_accepted(5);
  run();
  const auto last = parse_entry_id(redis({"XINFO", "STREAM", stream}).items[7].text); // last-generated-id
  spool = std::make_unique<memory_spool>(limits);
  wall -= 1h; // and the clock was set back meanwhile
  begin();
  given_accepted(5);
  run();
  BOOST_TEST(in_stream() == one_to(10));
  BOOST_TEST((last && spool->last() > *last));
}

BOOST_FIXTURE_TEST_CASE(a_reply_lost_behind_an_applied_transaction_doubles_nothing, delivery_fixture) {
  given_accepted(25);
  run(2); // the look and the first transaction
  const auto what = sut->next(now);
  BOOST_REQUIRE(what);
  connection->pipeline(*what->what.wire, what->what.count); // Redis applied it, but nobody hears of it
  is_lost(*what);
  BOOST_TEST(!sut->next(now)); // waits to be told, or a second
  reconnect();
  run();
  BOOST_TEST(in_stream() == one_to(25));
  BOOST_TEST(sut->counted().restamped == 0u);
}

BOOST_FIXTURE_TEST_CASE(a_transaction_lost_on_its_way_is_sent_again, delivery_fixture) {
  given_accepted(25);
  run(2);
  const auto what = sut->next(now);
  BOOST_REQUIRE(what);
  is_lost(*what);
  reconnect();
  run();
  BOOST_TEST(in_stream() == one_to(25));
}

BOOST_FIXTURE_TEST_CASE(asks_again_after_a_second_even_if_nobody_says_the_link_is_up, delivery_fixture) {
  const auto what = sut->next(now);
  BOOST_REQUIRE(what);
  is_lost(*what);
  BOOST_TEST((sut->next_wake() == now + 1s));
  now += 999ms;
  BOOST_TEST(!sut->next(now));
  now += 1ms;
  BOOST_TEST(sut->next(now).has_value());
}

BOOST_FIXTURE_TEST_CASE(a_restarted_redis_that_forgot_everything_gets_what_is_retained_again,
                        delivery_fixture) {
  given_accepted(25);
  run();
  redis.kill();
  given_accepted(5);
  is_lost(*sut->next(now));
  redis.start();
  reconnect();
  run();
  BOOST_TEST(in_stream() == one_to(30));
  BOOST_TEST(was_told(event::publisher_sends_again));
  BOOST_TEST(!was_told(event::publisher_hole));
  BOOST_TEST(sut->counted().sent_again == 25u);
}

BOOST_FIXTURE_TEST_CASE(a_redis_older_than_it_was_gets_only_what_it_lost, delivery_fixture) {
  given_accepted(10);
  run();
  redis({"SAVE"});
  given_accepted(15);
  run();
  redis.kill();
  redis.start(); // reads the snapshot
  reconnect();
  BOOST_REQUIRE(in_stream() == one_to(10));
  run();
  BOOST_TEST(in_stream() == one_to(25));
  BOOST_TEST(sut->counted().sent_again == 15u);
  BOOST_TEST(sut->counted().acknowledged == 25u);
}

BOOST_FIXTURE_TEST_CASE(records_that_ran_without_their_refused_multi_leave_no_hole_behind, delivery_fixture) {
  given_accepted(5);
  run();
  given_accepted(4);
  auto step = sut->next(now);
  BOOST_REQUIRE(step);
  auto wire = *step->what.wire; // MULTI and the first XADD are refused; the others are stored, one by one
  wire.replace(wire.find("MULTI"), 5, "MULTX").replace(wire.find("XADD"), 4, "XADX");
  step->what.wire = std::make_shared<const std::string>(wire);
  answer(*step);
  BOOST_TEST(in_stream().size() == 8u);
  now += 31s;
  run();
  BOOST_TEST(in_stream() == (one_to(5) + std::vector<std::string>{"7", "8", "9", "6"}));
  BOOST_TEST(was_told(event::publisher_restamped));
  BOOST_TEST(!was_told(event::publisher_intruder));
  BOOST_TEST(sut->counted().acknowledged == 9u);
}

BOOST_AUTO_TEST_CASE(a_redis_older_than_what_is_retained_is_a_hole_that_is_told) {
  delivery_fixture f;
  f.limits.retain_bytes = 1; // nothing is retained
  f.spool = std::make_unique<memory_spool>(f.limits);
  f.begin();
  f.given_accepted(20);
  f.run();
  f.redis({"FLUSHALL"});
  f.given_accepted(5);
  f.run();
  BOOST_TEST(f.was_told(event::publisher_hole));
  BOOST_TEST(f.in_stream() == (std::vector<std::string>{"21", "22", "23", "24", "25"}));
}

BOOST_FIXTURE_TEST_CASE(flushing_redis_in_between_is_noticed_at_the_next_transaction, delivery_fixture) {
  given_accepted(10);
  run();
  redis({"FLUSHALL"});
  given_accepted(5);
  run();
  BOOST_TEST(in_stream() == one_to(15));
  BOOST_TEST(sut->counted().disturbed == 1u);
}

BOOST_FIXTURE_TEST_CASE(another_writers_entry_costs_no_record_and_doubles_none, delivery_fixture) {
  given_accepted(15);
  run();
  redis({"XADD", stream, to_string(spool->last().plus(100000)), "who", "intruder"});
  given_accepted(15); // stamped below the intruder's id
  run();
  BOOST_TEST(in_stream() == one_to(15) + std::vector<std::string>{"intruder"} + [] {
    auto rest = one_to(30);
    rest.erase(rest.begin(), rest.begin() + 15);
    return rest;
  }());
  BOOST_TEST(was_told(event::publisher_intruder));
  BOOST_TEST(sut->counted().restamped == 15u);
  given_accepted(1);
  BOOST_TEST(run() == 1u);
}

BOOST_FIXTURE_TEST_CASE(an_intruder_during_an_ambiguous_loss_costs_no_record_and_doubles_none,
                        delivery_fixture) {
  given_accepted(30);
  run(2); // look, 1..10
  const auto what = sut->next(now);
  connection->pipeline(*what->what.wire, what->what.count); // 11..20 are applied, unheard
  is_lost(*what);
  redis({"XADD", stream, to_string(spool->last().plus(5)), "who", "intruder"});
  reconnect();
  run();
  auto expected = one_to(30);
  expected.insert(expected.begin() + 20, "intruder");
  BOOST_TEST(in_stream() == expected);
}

BOOST_FIXTURE_TEST_CASE(an_entry_with_our_id_but_other_fields_is_not_ours, delivery_fixture) {
  given_accepted(3);
  BOOST_REQUIRE(run(1) == 1u);
  const auto held = spool->read({}, 1).front().first;
  redis({"XADD", stream, to_string(held), "n", "intruder"});
  redis({"XADD", stream, to_string(held.plus(50)), "n", "intruder"});
  run();
  BOOST_TEST(in_stream() == (std::vector<std::string>{"intruder", "intruder", "1", "2", "3"}));
}

BOOST_FIXTURE_TEST_CASE(xsetid_above_us_is_stepped_over, delivery_fixture) {
  given_accepted(5);
  run();
  redis({"XSETID", stream, to_string(spool->last().plus(1000000))});
  given_accepted(5);
  run();
  BOOST_TEST(in_stream() == one_to(10));
}

BOOST_FIXTURE_TEST_CASE(trimming_by_somebody_else_resends_nothing, delivery_fixture) {
  given_accepted(20);
  run();
  redis({"XTRIM", stream, "MAXLEN", "=", "5"});
  redis({"XADD", stream, to_string(spool->last().plus(100)), "who", "intruder"});
  given_accepted(5);
  run();
  BOOST_TEST(in_stream() == (std::vector<std::string>{"16", "17", "18", "19", "20", "intruder", "21", "22",
                                                      "23", "24", "25"}));
}

BOOST_FIXTURE_TEST_CASE(a_deleted_stream_that_an_intruder_began_anew_gets_everything_waiting,
                        delivery_fixture) {
  BOOST_REQUIRE(run() == 1u);
  given_accepted(5);
  redis({"DEL", stream});
  redis({"XADD", stream, to_string(spool->last().plus(100)), "who", "intruder"});
  run();
  BOOST_TEST(in_stream() == std::vector<std::string>{"intruder"} + one_to(5));
}

BOOST_FIXTURE_TEST_CASE(out_of_memory_pauses_and_leaves_no_hole, delivery_fixture) {
  given_accepted(10);
  run();
  redis({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
  redis({"CONFIG", "SET", "maxmemory", "1"});
  given_accepted(20);
  run();
  BOOST_TEST(in_stream() == one_to(10));
  BOOST_TEST(was_told(event::publisher_refused));
  const auto first_wait = *sut->next_wake() - now;
  BOOST_TEST((first_wait >= 160ms && first_wait <= 240ms));
  now += first_wait;
  run();
  BOOST_TEST((*sut->next_wake() - now > first_wait)); // waits longer each time
  redis({"CONFIG", "SET", "maxmemory", "0"});
  now += 10s;
  run();
  BOOST_TEST(in_stream() == one_to(30));
  BOOST_TEST(sut->idle());
}

BOOST_FIXTURE_TEST_CASE(too_few_replicas_pauses_and_leaves_no_hole, delivery_fixture) {
  given_accepted(10);
  run();
  redis({"CONFIG", "SET", "min-replicas-to-write", "1"});
  given_accepted(10);
  run();
  BOOST_TEST(in_stream() == one_to(10));
  redis({"CONFIG", "SET", "min-replicas-to-write", "0"});
  now += 10s;
  run();
  BOOST_TEST(in_stream() == one_to(20));
}

BOOST_FIXTURE_TEST_CASE(a_key_of_the_wrong_type_halts_the_stream_until_it_is_mended, delivery_fixture) {
  redis({"SET", stream, "not a stream"});
  given_accepted(5);
  run();
  BOOST_TEST(was_told(event::publisher_halted));
  BOOST_TEST((sut->state() == delivery::phase::unsynced || sut->state() == delivery::phase::halted));
  BOOST_TEST((sut->state() == delivery::phase::halted));
  redis({"DEL", stream});
  BOOST_TEST((*sut->next_wake() == now + 30s));
  now += 30s;
  run();
  BOOST_TEST(in_stream() == one_to(5));
}

BOOST_FIXTURE_TEST_CASE(the_stream_is_bounded, delivery_fixture) {
  delivery::options how;
  how.stream = stream;
  how.maxlen = 100;
  sut = std::make_unique<delivery>(how, *spool);
  for (int i = 0; i < 100; ++i) given_accepted(50);
  run();
  const auto length = redis({"XLEN", stream}).integer;
  BOOST_TEST(length >= 100);
  BOOST_TEST(length < 400); // "~": whole nodes of 100 entries
}

BOOST_FIXTURE_TEST_CASE(a_full_spool_is_busy_and_loses_nothing, delivery_fixture) {
  limits.memory_bytes = 2000;
  spool = std::make_unique<memory_spool>(limits);
  begin();
  std::size_t taken = 0;
  while (sut->accept({7, taken + 1, numbered(taken + 1, 1)}, wall) == intake::taken) ++taken;
  BOOST_TEST(taken > 3u);
  run();
  BOOST_TEST((sut->accept({7, taken + 1, numbered(taken + 1, 1)}, wall) == intake::taken));
  run();
  BOOST_TEST(in_stream() == one_to(taken + 1));
}

BOOST_FIXTURE_TEST_CASE(a_body_goes_ahead_of_its_commit_when_many_records_wait, delivery_fixture) {
  given_accepted(45);
  run_ahead();
  BOOST_TEST(in_stream() == one_to(45));
  BOOST_TEST(sut->counted().transactions == 5u);
  BOOST_TEST(sut->idle());
  given_accepted(3); // few: one transaction in one piece
  BOOST_TEST(run() == 1u);
  BOOST_TEST(in_stream() == one_to(48));
}

BOOST_FIXTURE_TEST_CASE(another_writer_makes_void_what_went_ahead, delivery_fixture) {
  given_accepted(45);
  run_ahead(2); // look; 1..10 committed, 11..20 ahead
  redis({"XADD", stream, to_string(spool->last().plus(100)), "who", "intruder"});
  run_ahead();
  auto expected = one_to(45);
  expected.insert(expected.begin() + 10, "intruder");
  BOOST_TEST(in_stream() == expected);
}

BOOST_FIXTURE_TEST_CASE(out_of_memory_between_body_and_commit_leaves_no_hole, delivery_fixture) {
  given_accepted(45);
  run_ahead(2);
  redis({"CONFIG", "SET", "maxmemory", "1"});
  run_ahead();
  redis({"CONFIG", "SET", "maxmemory", "0"});
  const auto stored = in_stream();
  BOOST_TEST(stored == one_to(stored.size()));
  BOOST_TEST(stored.size() < 45u);
  for (int i = 0; i < 20; ++i) {
    now += 10s;
    run_ahead();
  }
  BOOST_TEST(in_stream() == one_to(45));
}

BOOST_FIXTURE_TEST_CASE(a_connection_lost_with_a_body_ahead_loses_and_doubles_nothing, delivery_fixture) {
  for (std::size_t answered = 1; answered < 12; ++answered) {
    given_accepted(45);
    run_ahead(answered);
    for (const auto& step : std::exchange(sent, {})) is_lost(step); // all of it, at once
    reconnect();
    run_ahead();
    BOOST_TEST(in_stream() == one_to(produced));
  }
}

BOOST_FIXTURE_TEST_CASE(a_multi_left_open_on_a_connection_that_stands_is_discarded, delivery_fixture) {
  given_accepted(45);
  run_ahead(3); // look; 1..10 committed; the body of 11..20 is with Redis
  for (const auto& step : std::exchange(sent, {}))
    is_lost(step); // refused on this side: the connection stands
  now += 1s;
  run_ahead();
  BOOST_TEST(in_stream() == one_to(45));
}

BOOST_FIXTURE_TEST_CASE(somebody_who_writes_between_all_our_steps_stops_nothing, delivery_fixture) {
  given_accepted(60);
  run();
  given_accepted(60);
  std::size_t intruders = 0;
  for (int i = 0; i < 400 && !sut->idle(); ++i) {
    run(2); // a look or a comparison, and a step more
    if (i % 3 == 0) redis({"XADD", stream, "*", "who", "intruder"}), ++intruders;
    wall += 1ms;
  }
  BOOST_TEST(intruders > 2u);
  BOOST_TEST(sut->idle());
  auto stored = in_stream();
  std::erase(stored, "intruder");
  BOOST_TEST(stored == one_to(120));
}

BOOST_FIXTURE_TEST_CASE(an_older_redis_with_an_intruder_on_top_gets_everything_it_lost, delivery_fixture) {
  given_accepted(10);
  run();
  redis({"SAVE"});
  given_accepted(15);
  run();
  redis.kill();
  redis.start(); // 1 to 10 are back; what was acknowledged last is not
  redis({"XADD", stream, to_string(spool->last().plus(100)), "who", "intruder"});
  reconnect();
  run();
  auto stored = in_stream();
  std::erase(stored, "intruder");
  BOOST_TEST(stored == one_to(25));
}
