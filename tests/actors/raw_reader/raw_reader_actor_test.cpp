#include "actors/raw_reader/raw_reader_actor.hpp"

#include "tests/actors/raw_reader/raw_stream_model.hpp"
#include "tests/support/actor_fixture.hpp"

#include <deque>
#include <map>
#include <optional>
#include <string>

using namespace breakwater;
using namespace breakwater::test;

namespace {

struct reader_fixture : actor_fixture {
  // Redis.
  raw_stream_model stream;
  bool redis_away = false, redis_silent = false;
  std::string refusal; ///< What every read is answered with, if anything.
  std::size_t looks = 0, waits = 0, tries = 0;
  struct waiting {
    caf::typed_response_promise<redis_replies> promise;
    entry_id after;
  };
  std::optional<waiting> blocked;
  // The aggregator.
  std::string merged_upto;
  std::vector<int> merged; ///< Closes, in the order they came.
  intake answer = intake::taken;
  bool aggregator_fails = false, aggregator_silent = false, knows_position = true;
  std::size_t offers = 0, position_questions = 0;

  redis_actor redis = spawn([this](redis_actor::pointer self) -> redis_actor::behavior_type {
    return {[this, self](const redis_commands& what) -> caf::result<redis_replies> {
              BOOST_TEST((what.lane == redis_lane::raw));
              ++tries;
              if (redis_away)
                return make_error(failure{errc::redis_unavailable, "not connected: backing_off"});
              if (redis_silent) return self->make_response_promise<redis_replies>();
              if (!refusal.empty()) {
                std::vector<redis_reply> replies(what.count, error_reply(refusal));
                return redis_replies{std::make_shared<const std::vector<redis_reply>>(std::move(replies)), 1};
              }
              const auto cursor = cursor_of(*what.wire);
              if (what.count == 4) {
                ++looks;
                return redis_replies{
                    std::make_shared<const std::vector<redis_reply>>(stream.look(cursor, entries_a_read)), 1};
              }
              ++waits;
              if (stream.last > cursor) return woken(cursor);
              BOOST_TEST((what.blocks_for == 1000ms));
              blocked = waiting{self->make_response_promise<redis_replies>(), cursor};
              self->delayed_send(self, 1000ms, wake{waits});
              return blocked->promise;
            },
            [](const link_event&) {},
            [this](wake which) { // the time is up, or (0) an entry came
              if (!blocked || (which.number != 0 && which.number != waits)) return;
              auto promise = blocked->promise;
              const auto after = blocked->after;
              blocked.reset();
              promise.deliver(woken(after));
            },
            [](redis_question) { return redis_report{}; }, [](health_question) { return health_answer{}; }};
  });
  aggregator_actor aggregator =
      spawn([this](aggregator_actor::pointer self) -> aggregator_actor::behavior_type {
        return {[this, self](const candle_batch& batch) -> caf::result<intake_answer> {
                  ++offers;
                  if (aggregator_silent) return self->make_response_promise<intake_answer>();
                  if (aggregator_fails) return make_error(failure{errc::crashed, "a bug in the aggregator"});
                  if (answer == intake::taken && batch.after != merged_upto)
                    return intake_answer{intake::out_of_place, 1};
                  if (answer != intake::taken) return intake_answer{answer, 1};
                  merged_upto = batch.position;
                  for (const auto& c : *batch.candles) merged.push_back(static_cast<int>(c.close));
                  return intake_answer{intake::taken, 1};
                },
                [](coverage_request) { return coverage_answer{}; },
                [](merge_question) { return merge_report{}; },
                [](const price_question&) { return price_answer{}; },
                [this](position_request) -> caf::result<position_answer> {
                  ++position_questions;
                  if (!knows_position) return make_error(failure{errc::crashed, "it is away"});
                  return position_answer{merged_upto};
                },
                [](wake) {},
                [](drain_request) { return drained{}; },
                [](health_question) { return health_answer{}; }};
      });
  std::size_t entries_a_read = 10;
  raw_reader_actor sut;

  void start() {
    raw_reader_options options;
    options.how.stream = "raw";
    options.how.entries_a_read = entries_a_read;
    options.clock = wall();
    sut = spawn(raw_reader_behavior, options, redis, aggregator);
    settle();
  }
  static entry_id cursor_of(const std::string& wire) {
    auto words = wire.substr(wire.find("raw\r\n", wire.find("STREAMS")) + 5);
    words = words.substr(words.find("\r\n") + 2);
    return parse_entry_id(words.substr(0, words.find("\r\n"))).value();
  }
  redis_replies woken(entry_id after) const {
    std::vector<redis_reply> replies{stream.read(after, 1)};
    return {std::make_shared<const std::vector<redis_reply>>(std::move(replies)), 1};
  }
  void add(int from, int upto) {
    for (int i = from; i <= upto; ++i) stream.add(raw_candle("okx", "BTCUSDT", std::to_string(i)));
    caf::anon_send(redis, wake{0});
    settle();
  }
  void check_merged(int upto) {
    BOOST_TEST(merged.size() == static_cast<std::size_t>(upto));
    for (std::size_t i = 0; i < merged.size(); ++i) BOOST_TEST(merged[i] == static_cast<int>(i) + 1);
  }
  health_answer health() { return *ask<health_answer>(sut, health_question{}); }
  std::map<std::string, std::string> facts() {
    auto all = health().facts;
    return {all.begin(), all.end()};
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(raw_reader_actor_, reader_fixture)

BOOST_AUTO_TEST_CASE(it_reads_what_is_there_and_what_comes) {
  add(1, 35);
  start();
  check_merged(35);
  add(36, 37);
  check_merged(37);
  wait(10s);
  add(38, 38);
  check_merged(38);
  BOOST_TEST((health().level == health_level::ok));
  BOOST_TEST(facts().at("candles") == "38");
  BOOST_TEST(facts().at("cursor") == "38-0");
  BOOST_TEST(facts().at("behind") == "0");
}

BOOST_AUTO_TEST_CASE(it_begins_where_the_aggregator_says) {
  add(1, 5);
  merged = {1, 2};
  merged_upto = "1 2-0 2 0-0 0 raw";
  start();
  check_merged(5);
}

BOOST_AUTO_TEST_CASE(nothing_is_read_before_the_position_is_known) {
  add(1, 5);
  knows_position = false;
  start();
  wait(10s);
  BOOST_TEST(tries == 0u);
  BOOST_TEST((health().level == health_level::degraded));
  knows_position = true;
  wait(200ms);
  check_merged(5);
}

BOOST_AUTO_TEST_CASE(one_read_is_made_ahead_while_the_aggregator_has_no_room) {
  add(1, 100);
  answer = intake::busy;
  start();
  wait(1s);
  BOOST_TEST(looks == 2u); // 80 entries wait in Redis
  BOOST_TEST(offers > 10u);
  BOOST_TEST(offers < 400u);
  answer = intake::taken;
  wait(10ms);
  check_merged(100);
}

BOOST_AUTO_TEST_CASE(an_idle_reader_asks_redis_now_and_then) {
  start();
  wait(60s);
  BOOST_TEST(waits >= 59u);
  BOOST_TEST(waits <= 61u);
  BOOST_TEST(looks <= waits + 1);
}

BOOST_AUTO_TEST_CASE(an_aggregator_that_knows_less_is_read_to_again) {
  add(1, 5);
  start();
  check_merged(5);
  merged = {1, 2, 3}; // it began a new life, and what it kept ended there
  merged_upto = "1 3-0 3 0-0 0 raw";
  wait(1100ms); // although nothing comes
  check_merged(5);
  merged = {1, 2, 3};
  merged_upto = "1 3-0 3 0-0 0 raw";
  add(6, 6);
  wait(1100ms);
  check_merged(6);
}

BOOST_AUTO_TEST_CASE(what_was_read_ahead_is_dropped_when_the_aggregator_knows_less) {
  add(1, 100);
  answer = intake::busy;
  start();
  wait(20ms);
  answer = intake::taken;
  wait(5ms); // some of it
  merged = {1, 2, 3};
  merged_upto = "1 3-0 3 0-0 0 raw";
  wait(2s);
  check_merged(100);
}

BOOST_AUTO_TEST_CASE(an_aggregator_that_fails_is_asked_what_it_has) {
  add(1, 30);
  aggregator_fails = true;
  start();
  wait(2s);
  BOOST_TEST(offers < 30u); // no hot loop
  BOOST_TEST(merged.empty());
  aggregator_fails = false;
  wait(200ms);
  check_merged(30);
  aggregator_silent = true;
  add(31, 32);
  wait(4s);
  aggregator_silent = false;
  wait(2s);
  check_merged(32);
}

BOOST_AUTO_TEST_CASE(while_redis_is_away_it_tries_again) {
  add(1, 5);
  redis_away = true;
  start();
  wait(10s);
  BOOST_TEST(tries > 5u);
  BOOST_TEST(tries < 20u);
  BOOST_TEST((health().level == health_level::degraded));
  BOOST_TEST(health().why == "the raw stream is not read: not connected: backing_off");
  redis_away = false;
  wait(2s);
  check_merged(5);
  BOOST_TEST((health().level == health_level::ok));
}

BOOST_AUTO_TEST_CASE(a_read_that_nobody_answers_is_made_again) {
  start();
  redis_silent = true;
  add(1, 5);
  wait(20s);
  redis_silent = false;
  wait(20s);
  check_merged(5);
}

BOOST_AUTO_TEST_CASE(what_only_a_human_can_mend_is_critical_and_tried_slowly) {
  for (const auto* why : {"WRONGTYPE Operation against a key holding the wrong kind of value",
                          "NOPERM this user has no permissions to run the 'xread' command"}) {
    refusal = why;
    tries = 0;
    start();
    wait(60s);
    BOOST_TEST(tries >= 10u);
    BOOST_TEST(tries <= 14u);
    BOOST_TEST((health().level == health_level::critical));
    BOOST_TEST(health().why == std::string{"the raw stream is not read: "} + why);
    refusal.clear();
    wait(5s);
    BOOST_TEST((health().level == health_level::ok));
    caf::anon_send_exit(sut, caf::exit_reason::kill);
  }
}

BOOST_AUTO_TEST_CASE(a_redis_that_loads_is_waited_for) {
  refusal = "LOADING Redis is loading the dataset in memory";
  start();
  wait(10s);
  BOOST_TEST((health().level == health_level::degraded));
  refusal.clear();
  add(1, 3);
  wait(2s);
  check_merged(3);
}

BOOST_AUTO_TEST_CASE(holes_are_in_the_health_facts) {
  add(1, 5);
  start();
  add(6, 6);
  redis_away = true;
  wait(2s);
  add(7, 30);
  stream.trim(20);
  redis_away = false;
  wait(3s);
  BOOST_TEST(facts().at("trimmed_unread") == "14");
  BOOST_TEST(facts().at("holes") == "1");
  BOOST_TEST(merged.back() == 30);
}

BOOST_AUTO_TEST_CASE(draining_hands_over_what_is_read_and_reads_no_more) {
  add(1, 5);
  start();
  BOOST_TEST(ask<drained>(sut, drain_request{})->records == 5u);
  add(6, 9);
  wait(10s);
  check_merged(5);
}

BOOST_AUTO_TEST_CASE(draining_does_not_wait_for_an_aggregator_without_room) {
  add(1, 50);
  answer = intake::busy;
  start();
  wait(5ms);
  BOOST_TEST(ask<drained>(sut, drain_request{})->records == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
