#include "actors/publisher/delivery.hpp"

#include "tests/actors/publisher/records.hpp"
#include "tests/support/memory_spool.hpp"
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
using test::memory_spool, test::numbered;

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
  std::deque<delivery::step> sent;  ///< By run_ahead, not yet answered.
  std::deque<spool_event> of_spool; ///< Not yet passed on.

  delivery_fixture() {
    redis({"SET", delivery::owner_key(stream), "spool-in-memory"}); // so that the first look is the only one
    begin();
  }

  void begin() {
    delivery::options how;
    how.stream = stream;
    how.batch = 10;
    how.compare_page = 7;
    how.maxlen = 1000000;
    begin(how);
  }
  void begin(const delivery::options& how) {
    sut = std::make_unique<delivery>(how, *spool);
    spool->attach([this](spool_event what) { of_spool.push_back(std::move(what)); });
    hear_spool();
  }
  /// Passes on what the spool said; returns what became of the batch under `ticket`.
  std::optional<intake> hear_spool(std::uint64_t ticket = 0) {
    std::optional<intake> answer;
    while (!of_spool.empty()) {
      const auto what = std::move(of_spool.front());
      of_spool.pop_front();
      const auto about_a_batch = sut->on_spool(what, now, wall);
      if (what.ticket == ticket) answer = about_a_batch;
    }
    return answer;
  }
  intake accept(const record_batch& batch) {
    const auto at_once = sut->accept(batch, wall);
    return at_once.answer ? *at_once.answer : hear_spool(at_once.ticket).value();
  }
  void given_accepted(std::size_t count) {
    BOOST_REQUIRE(accept({7, ++batches, numbered(produced + 1, count)}) == intake::taken);
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
    hear_spool();
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
  BOOST_TEST((accept(batch) == intake::taken));
  BOOST_TEST((accept(batch) == intake::taken));
  BOOST_TEST((accept({8, 1, numbered(4, 1)}) == intake::taken)); // another life of the aggregator
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
  begin(how);
  for (int i = 0; i < 100; ++i) given_accepted(50);
  run();
  const auto length = redis({"XLEN", stream}).integer;
  BOOST_TEST(length >= 100);
  BOOST_TEST(length < 400); // "~": whole nodes of 100 entries
}

BOOST_FIXTURE_TEST_CASE(a_full_spool_is_busy_and_loses_nothing, delivery_fixture) {
  limits.max_bytes = 2000;
  spool = std::make_unique<memory_spool>(limits);
  begin();
  std::size_t taken = 0;
  while (accept({7, taken + 1, numbered(taken + 1, 1)}) == intake::taken) ++taken;
  BOOST_TEST(taken > 3u);
  run();
  BOOST_TEST((accept({7, taken + 1, numbered(taken + 1, 1)}) == intake::taken));
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

BOOST_FIXTURE_TEST_CASE(a_stream_of_nobody_is_claimed, delivery_fixture) {
  redis({"DEL", delivery::owner_key(stream)});
  given_accepted(1);
  run();
  BOOST_TEST(redis({"GET", delivery::owner_key(stream)}).text == "spool-in-memory");
}

BOOST_FIXTURE_TEST_CASE(somebody_elses_stream_gets_nothing_and_its_owner_is_named, delivery_fixture) {
  redis({"SET", delivery::owner_key(stream), "another-spool b"});
  given_accepted(5);
  run();
  BOOST_TEST((sut->state() == delivery::phase::disowned));
  BOOST_TEST(sut->owner() == "another-spool b");
  BOOST_TEST(in_stream().empty());
  given_accepted(5); // they are kept
  for (int i = 0; i < 3; ++i) {
    now = *sut->next_wake();
    run();
  }
  BOOST_TEST(std::count(told.begin(), told.end(), event::publisher_not_owner) == 1);
  redis({"SET", delivery::owner_key(stream), "spool-in-memory"}); // take-over
  now = *sut->next_wake();
  run();
  BOOST_TEST(was_told(event::publisher_owner));
  BOOST_TEST(in_stream() == one_to(10));
}

BOOST_FIXTURE_TEST_CASE(a_claim_taken_away_stops_the_very_next_transaction, delivery_fixture) {
  given_accepted(5);
  run();
  redis({"SET", delivery::owner_key(stream), "another-spool b"});
  given_accepted(5);
  run();
  BOOST_TEST(in_stream() == one_to(5));
  BOOST_TEST((sut->state() == delivery::phase::disowned));
}

BOOST_FIXTURE_TEST_CASE(a_claim_taken_away_shows_also_with_nothing_to_send, delivery_fixture) {
  given_accepted(5);
  run();
  const auto resyncs = sut->counted().resyncs;
  told.clear();
  now += 29s;
  sut->look_if_idle(now);
  BOOST_TEST(run() == 0u);
  now += 1s;
  sut->look_if_idle(now);
  BOOST_TEST(run() == 1u);
  BOOST_TEST((sut->state() == delivery::phase::ready));
  BOOST_TEST(told.empty()); // all is as it was
  BOOST_TEST(sut->counted().resyncs == resyncs);
  redis({"SET", delivery::owner_key(stream), "another-spool b"});
  now += 30s;
  sut->look_if_idle(now);
  run();
  BOOST_TEST((sut->state() == delivery::phase::disowned));
  BOOST_TEST(was_told(event::publisher_not_owner));
}

BOOST_FIXTURE_TEST_CASE(a_claim_lost_with_a_flushed_redis_is_made_again, delivery_fixture) {
  given_accepted(5);
  run();
  redis({"DEL", delivery::owner_key(stream)});
  given_accepted(5);
  run();
  BOOST_TEST(in_stream() == one_to(10));
  BOOST_TEST(redis({"GET", delivery::owner_key(stream)}).text == "spool-in-memory");
}

BOOST_FIXTURE_TEST_CASE(a_claim_that_cannot_be_made_waits_as_its_refusal_says, delivery_fixture) {
  redis({"DEL", delivery::owner_key(stream)});
  redis({"CONFIG", "SET", "maxmemory", "1"});
  given_accepted(5);
  run();
  BOOST_TEST(was_told(event::publisher_refused));
  BOOST_TEST(sut->refusal().starts_with("OOM"));
  redis({"CONFIG", "SET", "maxmemory", "0"});
  now = *sut->next_wake();
  run();
  BOOST_TEST(in_stream() == one_to(5));
}

BOOST_FIXTURE_TEST_CASE(new_ids_that_cannot_be_written_down_are_not_sent, delivery_fixture) {
  given_accepted(5);
  run();
  redis({"XADD", stream, to_string(spool->last().plus(100000)), "who", "intruder"});
  given_accepted(5);
  spool->disk_error = "No space left on device";
  run();
  BOOST_TEST(was_told(event::spool_failed));
  BOOST_TEST(sut->disk_error() == "No space left on device");
  BOOST_TEST(in_stream() == one_to(5) + std::vector<std::string>{"intruder"});
  spool->disk_error.clear();
  now += 1s;
  run();
  BOOST_TEST(was_told(event::spool_works));
  BOOST_TEST((in_stream() == one_to(5) + std::vector<std::string>{"intruder", "6", "7", "8", "9", "10"}));
}

BOOST_FIXTURE_TEST_CASE(a_full_disk_is_busy_and_said_once, delivery_fixture) {
  spool->disk_error = "No space left on device";
  for (int i = 0; i < 3; ++i) BOOST_TEST((accept({7, 1, numbered(1, 1)}) == intake::busy));
  for (const auto& notice : sut->take_notices()) told.push_back(notice.what);
  BOOST_TEST(std::count(told.begin(), told.end(), event::spool_failed) == 1);
  spool->disk_error.clear();
  BOOST_TEST((accept({7, 1, numbered(1, 1)}) == intake::taken));
  BOOST_TEST(sut->disk_error() == "");
  run();
  BOOST_TEST(in_stream() == one_to(1));
}

BOOST_FIXTURE_TEST_CASE(what_was_never_sent_is_not_taken_for_trimmed, delivery_fixture) {
  given_accepted(20);
  run();
  const auto cut_off = [&] { // while we cannot reach Redis
    reconnect();
    redis({"XTRIM", stream, "MAXLEN", "0"});
    redis({"XADD", stream, to_string(spool->last().plus(100000)), "who", "intruder"});
  };
  given_accepted(30);
  cut_off();
  run();
  auto expected = std::vector<std::string>{"intruder"};
  for (int i = 21; i <= 50; ++i) expected.push_back(std::to_string(i));
  BOOST_TEST(in_stream() == expected);
}

BOOST_FIXTURE_TEST_CASE(after_a_crash_not_more_counts_as_trimmed_than_was_added, delivery_fixture) {
  given_accepted(20);
  run();
  given_accepted(1);
  const auto what = sut->next(now);
  BOOST_REQUIRE(what);
  connection->pipeline(*what->what.wire, what->what.count); // 21 is applied, unheard; then we crash
  given_accepted(30);
  redis({"XTRIM", stream, "MAXLEN", "0"});
  redis({"XADD", stream, to_string(spool->last().plus(100000)), "who", "intruder"});
  reconnect();
  begin(); // on what the spool holds
  run();
  auto expected = std::vector<std::string>{"intruder"};
  for (int i = 22; i <= 51; ++i) expected.push_back(std::to_string(i));
  BOOST_TEST(in_stream() == expected);
}

BOOST_FIXTURE_TEST_CASE(an_id_set_onto_one_that_waits_stores_nothing_of_ours, delivery_fixture) {
  given_accepted(5);
  run();
  reconnect();
  given_accepted(5);
  redis({"XSETID", stream, to_string(spool->last())});
  run();
  BOOST_TEST(in_stream() == one_to(10));
}

BOOST_FIXTURE_TEST_CASE(our_newest_entry_deleted_by_somebody_is_not_brought_back, delivery_fixture) {
  given_accepted(5);
  run();
  redis({"XDEL", stream, to_string(spool->last())});
  reconnect();
  run();
  given_accepted(1);
  run();
  BOOST_TEST(in_stream() == one_to(4) + std::vector<std::string>{"6"});
}

BOOST_FIXTURE_TEST_CASE(a_hole_under_somebody_elses_entry_is_told_too, delivery_fixture) {
  limits.retain_bytes = 0;
  spool = std::make_unique<memory_spool>(limits);
  begin();
  given_accepted(20);
  run();
  redis({"FLUSHALL"});
  given_accepted(5);
  redis({"XADD", stream, to_string(spool->last().plus(100000)), "who", "intruder"});
  run();
  BOOST_TEST(was_told(event::publisher_hole));
  BOOST_TEST(sut->counted().holes == 1u);
  BOOST_TEST(in_stream() == (std::vector<std::string>{"intruder", "21", "22", "23", "24", "25"}));
  reconnect();
  run();
  BOOST_TEST(sut->counted().holes == 1u); // the same one
}

BOOST_FIXTURE_TEST_CASE(a_hole_under_somebody_elses_entry_is_told_with_nothing_held_at_all,
                        delivery_fixture) {
  limits.retain_bytes = 0;
  spool = std::make_unique<memory_spool>(limits);
  begin();
  given_accepted(10);
  run();
  redis({"SAVE"});
  given_accepted(10);
  run();
  redis.kill();
  redis.start(); // 1 to 10 are back
  redis({"XADD", stream, to_string(spool->last().plus(100000)), "who", "intruder"});
  reconnect();
  run();
  BOOST_TEST(sut->counted().holes == 1u);
  BOOST_TEST(sut->hole().find("after ") == 0u);
  BOOST_TEST((sut->hole().find(" up to " + to_string(spool->last())) != std::string::npos));
  given_accepted(1);
  run();
  BOOST_TEST(in_stream() ==
             one_to(10) + std::vector<std::string>{"intruder"} + std::vector<std::string>{"21"});
}

namespace {

/// A stream of 100 entries with one consumer group, and a publisher that is behind.
struct readers_fixture : delivery_fixture {
  readers_fixture() {
    delivery::options how;
    how.stream = stream;
    how.batch = 10;
    how.maxlen = 100;
    how.trim_patience = 2s;
    begin(how);
    redis({"XGROUP", "CREATE", stream, "g", "0", "MKSTREAM"});
  }
  std::size_t reads(std::size_t count) {
    const auto got =
        redis({"XREADGROUP", "GROUP", "g", "c", "COUNT", std::to_string(count), "STREAMS", stream, ">"});
    if (got.items.empty()) return 0;
    for (const auto& entry : got.items[0].items[1].items) read.push_back(entry.items[1].items[1].text);
    return got.items[0].items[1].items.size();
  }
  std::vector<std::string> read;
};

} // namespace

BOOST_FIXTURE_TEST_CASE(catching_up_waits_for_a_group_that_reads, readers_fixture) {
  given_accepted(1000);
  for (int i = 0; i < 500 && !sut->idle(); ++i) {
    run();
    reads(7);
    now += 200ms;
  }
  while (reads(100) > 0) {
  }
  BOOST_TEST(sut->idle());
  BOOST_TEST(read == one_to(1000));
  BOOST_TEST(was_told(event::publisher_waits_for_readers));
  BOOST_TEST(!was_told(event::publisher_trimmed_unread));
  BOOST_TEST(sut->counted().trimmed_unread == 0u);
}

BOOST_FIXTURE_TEST_CASE(catching_up_goes_on_without_a_group_that_does_not_read, readers_fixture) {
  given_accepted(1000);
  const auto began = now;
  while (!sut->idle() && now - began < 10s) {
    run();
    now += 100ms;
  }
  BOOST_TEST(sut->idle());
  BOOST_TEST((now - began >= 2s));
  BOOST_TEST((now - began < 4s)); // once, not before every batch
  BOOST_TEST(std::count(told.begin(), told.end(), event::publisher_trimmed_unread) == 1);
  while (reads(100) > 0) {
  }
  BOOST_TEST(sut->counted().trimmed_unread == 1000 - read.size());
  BOOST_TEST(read.back() == "1000");
}

BOOST_FIXTURE_TEST_CASE(a_few_records_wait_for_nobody, readers_fixture) {
  for (int i = 0; i < 50; ++i) {
    given_accepted(5);
    run();
    BOOST_TEST(sut->idle());
  }
  BOOST_TEST(!was_told(event::publisher_waits_for_readers));
}
