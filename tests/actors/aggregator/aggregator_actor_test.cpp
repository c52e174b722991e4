#include "actors/aggregator/aggregator_actor.hpp"

#include "tests/support/actor_fixture.hpp"

#include <deque>
#include <map>
#include <string>

using namespace breakwater;
using namespace breakwater::test;

namespace {

constexpr std::int64_t first = 1'767'571'200;

candle candle_of(std::string symbol, exchange from, double price, std::int64_t minute = 0) {
  candle c;
  c.symbol = std::move(symbol);
  c.from = from;
  c.start_s = first + minute * 60;
  c.open = c.high = c.low = c.close = price;
  c.volume = 1;
  c.event_at = c.received_at = wall_time_from_ms(c.start_s * 1000);
  return c;
}

candle_batch batch_of(std::vector<candle> candles) {
  return {std::make_shared<const std::vector<candle>>(std::move(candles))};
}

/// Two exchanges' candles of one symbol: the second makes a record.
candle_batch pair_of(const std::string& symbol, double price = 100, std::int64_t minute = 0) {
  return batch_of({candle_of(symbol, exchange::binance, price, minute),
                   candle_of(symbol, exchange::bybit, price, minute)});
}

struct aggregator_fixture : actor_fixture {
  enum class mood { takes, is_busy, fails, is_silent };

  mood publisher_now = mood::takes;
  std::vector<record_batch> asked; ///< Every batch the publisher was offered.
  std::deque<caf::typed_response_promise<intake_answer>> unanswered;
  aggregator_settings rules;
  publisher_actor publisher = spawn([this](publisher_actor::pointer self) -> publisher_actor::behavior_type {
    return {[this, self](const record_batch& batch) -> caf::result<intake_answer> {
              asked.push_back(batch);
              switch (publisher_now) {
              case mood::takes: return intake_answer{intake::taken, 1};
              case mood::is_busy: return intake_answer{intake::busy, 1};
              case mood::fails: return make_error(failure{errc::crashed, "a bug in the publisher"});
              case mood::is_silent: break;
              }
              unanswered.push_back(self->make_response_promise<intake_answer>());
              return unanswered.back();
            },
            [](const link_up&) {},
            [this](wake what) { // a promise can be kept only by the actor that gave it
              auto promise = unanswered.front();
              unanswered.pop_front();
              promise.deliver(intake_answer{static_cast<intake>(what.number), 1});
            },
            [](drain_request) { return drained{}; }, [](health_question) { return health_answer{}; }};
  });
  aggregator_actor sut;

  void start(emit_mode how = emit_mode::update) {
    rules.emit = how;
    sut = spawn(aggregator_behavior, aggregator_options{rules, market::spot}, publisher);
    settle();
  }
  intake feed(candle_batch batch) { return ask<intake_answer>(sut, std::move(batch))->what; }
  void answer_oldest(intake what) {
    caf::anon_send(publisher, wake{static_cast<std::uint64_t>(what)});
    settle();
  }
  std::map<std::string, std::string> facts() {
    auto answer = *ask<health_answer>(sut, health_question{});
    return {answer.facts.begin(), answer.facts.end()};
  }
  health_answer health() { return *ask<health_answer>(sut, health_question{}); }
  static std::map<std::string, std::string> fields(const record_batch& batch, std::size_t i = 0) {
    auto fields = fields_of((*batch.records)[i]);
    return {fields.begin(), fields.end()};
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(aggregator_actor_, aggregator_fixture)

BOOST_AUTO_TEST_CASE(merged_records_go_to_the_publisher_at_once) {
  start();
  BOOST_TEST((feed(batch_of({candle_of("BTCUSDT", exchange::binance, 100)})) == intake::taken));
  BOOST_TEST(asked.empty());
  BOOST_TEST((feed(batch_of({candle_of("BTCUSDT", exchange::bybit, 102)})) == intake::taken));
  BOOST_TEST_REQUIRE(asked.size() == 1u);
  BOOST_TEST(asked[0].number == 1u);
  BOOST_TEST_REQUIRE(asked[0].records->size() == 1u);
  BOOST_TEST(fields(asked[0]).at("avg_price") == "101");
  BOOST_TEST(fields(asked[0]).at("market") == "spot");
}

BOOST_AUTO_TEST_CASE(a_record_says_when_the_candle_that_caused_it_was_received) {
  start();
  auto cause = candle_of("BTCUSDT", exchange::bybit, 102);
  cause.received_at = wall_time_from_ms(first * 1000 + 77);
  feed(batch_of({candle_of("BTCUSDT", exchange::binance, 100), cause}));
  BOOST_TEST(fields(asked.at(0)).at("ingest_ms") == std::to_string(first * 1000 + 77));
}

BOOST_AUTO_TEST_CASE(one_batch_is_unanswered_at_a_time_and_what_came_meanwhile_follows_together) {
  start();
  publisher_now = mood::is_silent;
  for (const auto* symbol : {"A", "B", "C"}) BOOST_TEST((feed(pair_of(symbol)) == intake::taken));
  BOOST_TEST_REQUIRE(asked.size() == 1u);
  BOOST_TEST(asked[0].records->size() == 1u);
  answer_oldest(intake::taken);
  BOOST_TEST_REQUIRE(asked.size() == 2u);
  BOOST_TEST(asked[1].number == 2u);
  BOOST_TEST(asked[1].producer == asked[0].producer);
  BOOST_TEST(asked[1].records->size() == 2u);
  BOOST_TEST(fields(asked[1], 0).at("symbol") == "B");
  BOOST_TEST(fields(asked[1], 1).at("symbol") == "C");
  answer_oldest(intake::taken);
  BOOST_TEST(asked.size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_busy_publisher_is_offered_the_same_batch_again) {
  start();
  publisher_now = mood::is_busy;
  feed(pair_of("A"));
  BOOST_TEST(asked.size() == 1u);
  feed(pair_of("B")); // more work does not make it ask sooner
  BOOST_TEST(asked.size() == 1u);
  wait(100ms);
  BOOST_TEST(asked.size() > 1u);
  for (const auto& batch : asked) {
    BOOST_TEST(batch.number == 1u);
    BOOST_TEST((batch.records == asked[0].records));
  }
  publisher_now = mood::takes;
  wait(100ms);
  BOOST_TEST(asked.back().number == 2u);
  BOOST_TEST(fields(asked.back()).at("symbol") == "B");
  const auto settled = asked.size();
  wait(60s);
  BOOST_TEST(asked.size() == settled);
}

BOOST_AUTO_TEST_CASE(a_batch_whose_answer_is_an_error_is_sent_again_under_its_number) {
  start();
  publisher_now = mood::fails;
  feed(pair_of("A"));
  wait(1s);
  BOOST_TEST(asked.size() > 2u);
  BOOST_TEST(asked.size() < 20u); // no hot loop
  publisher_now = mood::takes;
  wait(1s);
  for (const auto& batch : asked) BOOST_TEST((batch.number == 1u && batch.producer == asked[0].producer));
  feed(pair_of("B"));
  BOOST_TEST(asked.back().number == 2u);
}

BOOST_AUTO_TEST_CASE(a_batch_that_nobody_answers_is_sent_again_under_its_number) {
  start();
  publisher_now = mood::is_silent;
  feed(pair_of("A"));
  wait(4s);
  BOOST_TEST(asked.size() == 1u);
  publisher_now = mood::takes;
  wait(2s);
  BOOST_TEST_REQUIRE(asked.size() == 2u);
  BOOST_TEST(asked[1].number == 1u);
  BOOST_TEST((asked[1].records == asked[0].records));
  answer_oldest(intake::taken); // the late answer to the first changes nothing
  feed(pair_of("B"));
  BOOST_TEST_REQUIRE(asked.size() == 3u);
  BOOST_TEST(asked[2].number == 2u);
}

BOOST_AUTO_TEST_CASE(feeds_are_told_to_wait_while_the_publisher_has_no_room) {
  start();
  publisher_now = mood::is_busy;
  int taken = 0;
  const auto many = [&] {
    std::vector<candle> candles;
    for (int i = 0; i < 1000; ++i)
      for (auto x : {exchange::binance, exchange::bybit})
        candles.push_back(candle_of(std::to_string(i), x, 100 + taken));
    return batch_of(std::move(candles));
  };
  while (taken < 100 && feed(many()) == intake::taken) ++taken;
  BOOST_TEST(taken > 1);
  BOOST_TEST(taken < 20);
  const auto candles = facts().at("candles");
  BOOST_TEST((feed(many()) == intake::busy));
  BOOST_TEST(facts().at("candles") == candles); // nothing of it was taken
  publisher_now = mood::takes;
  wait(1s);
  BOOST_TEST(facts().at("waiting") == "0");
  BOOST_TEST((feed(many()) == intake::taken));
}

BOOST_AUTO_TEST_CASE(every_life_has_a_name_of_its_own) {
  start();
  const auto before = ask<intake_answer>(sut, pair_of("A"))->incarnation;
  BOOST_TEST(ask<intake_answer>(sut, pair_of("A"))->incarnation == before);
  BOOST_TEST(asked.at(0).producer == before);
  caf::anon_send_exit(sut, caf::exit_reason::kill);
  start();
  const auto after = ask<intake_answer>(sut, pair_of("A"))->incarnation;
  BOOST_TEST(after != before);
  BOOST_TEST(after != 0u);
  BOOST_TEST(asked.back().producer == after);
  BOOST_TEST(asked.back().number == 1u);
}

BOOST_AUTO_TEST_CASE(in_interval_mode_the_newest_of_each_symbol_and_minute_leaves_each_interval) {
  rules.emit_interval = 100ms;
  start(emit_mode::interval);
  for (double price : {100.0, 101.0, 102.0}) feed(pair_of("A", price));
  feed(pair_of("A", 90, 1));
  feed(pair_of("B", 5));
  wait(99ms);
  BOOST_TEST(asked.empty());
  wait(1ms);
  BOOST_TEST_REQUIRE(asked.size() == 1u);
  BOOST_TEST_REQUIRE(asked[0].records->size() == 3u);
  std::map<std::string, std::string> price;
  for (std::size_t i = 0; i < 3; ++i) {
    auto f = fields(asked[0], i);
    price[f.at("symbol") + "@" + f.at("timestamp")] = f.at("avg_price");
  }
  BOOST_TEST(price.at("A@" + std::to_string(first)) == "102");
  BOOST_TEST(price.at("A@" + std::to_string(first + 60)) == "90");
  BOOST_TEST(price.at("B@" + std::to_string(first)) == "5");
  wait(10s);
  BOOST_TEST(asked.size() == 1u); // nothing new, nothing sent
  feed(pair_of("A", 103));
  wait(100ms);
  BOOST_TEST(asked.size() == 2u);
}

BOOST_AUTO_TEST_CASE(in_interval_mode_a_stream_of_changes_leaves_once_an_interval) {
  rules.emit_interval = 100ms;
  start(emit_mode::interval);
  for (int i = 0; i < 1000; ++i) {
    feed(pair_of("A", 100 + i));
    wait(1ms);
  }
  BOOST_TEST(asked.size() >= 9u);
  BOOST_TEST(asked.size() <= 10u);
}

BOOST_AUTO_TEST_CASE(in_interval_mode_the_interval_goes_on_while_the_publisher_is_busy) {
  rules.emit_interval = 100ms;
  start(emit_mode::interval);
  publisher_now = mood::is_busy;
  feed(pair_of("A"));
  wait(150ms);
  feed(pair_of("B"));
  wait(150ms);
  publisher_now = mood::takes;
  wait(50ms);
  BOOST_TEST(asked.back().number == 2u);
  BOOST_TEST(fields(asked.back()).at("symbol") == "B");
}

BOOST_AUTO_TEST_CASE(an_idle_aggregator_is_drained_at_once) {
  start();
  feed(pair_of("A"));
  BOOST_TEST(ask<drained>(sut, drain_request{})->records == 1u);
}

BOOST_AUTO_TEST_CASE(drained_means_the_publisher_took_everything) {
  start();
  publisher_now = mood::is_silent;
  feed(pair_of("A"));
  feed(pair_of("B"));
  caf::scoped_actor me{sys, true};
  auto pending = me->request(sut, caf::infinite, drain_request{});
  settle();
  BOOST_TEST(!me->has_next_message());
  answer_oldest(intake::taken);
  BOOST_TEST(!me->has_next_message()); // the second batch is on its way
  answer_oldest(intake::busy);
  BOOST_TEST(!me->has_next_message());
  wait(10ms);
  answer_oldest(intake::taken);
  BOOST_TEST_REQUIRE(me->has_next_message());
  pending.receive([](const drained& d) { BOOST_TEST(d.records == 2u); },
                  [](const caf::error&) { BOOST_ERROR("no answer"); });
}

BOOST_AUTO_TEST_CASE(draining_does_not_wait_for_the_interval) {
  rules.emit_interval = 1h;
  start(emit_mode::interval);
  feed(pair_of("A"));
  BOOST_TEST(asked.empty());
  BOOST_TEST(ask<drained>(sut, drain_request{})->records == 1u);
  BOOST_TEST(asked.size() == 1u);
}

BOOST_AUTO_TEST_CASE(health_counts_what_went_through) {
  start();
  feed(pair_of("A"));
  feed(pair_of("A"));
  feed(pair_of("A", 100, 5));
  feed(pair_of("A", 100, 0)); // late, both
  const auto all = facts();
  BOOST_TEST(all.at("candles") == "8");
  BOOST_TEST(all.at("records") == "2");
  BOOST_TEST(all.at("symbols") == "1");
  BOOST_TEST(all.at("unchanged") == "2");
  BOOST_TEST(all.at("late") == "2");
  BOOST_TEST(all.at("alone") == "2");
  BOOST_TEST(all.at("waiting") == "0");
}

BOOST_AUTO_TEST_CASE(health_is_judged_by_data_that_arrived_and_left) {
  start();
  BOOST_TEST((health().level == health_level::ok));
  wait(120s);
  BOOST_TEST((health().level == health_level::ok));
  wait(1ms);
  BOOST_TEST((health().level == health_level::degraded));
  BOOST_TEST(health().why == "no candle arrived for 120 s");
  feed(batch_of({candle_of("A", exchange::binance, 100)})); // arrives, but nothing leaves
  BOOST_TEST((health().level == health_level::degraded));
  BOOST_TEST(health().why == "no record left for 120 s");
  feed(pair_of("A", 101));
  BOOST_TEST((health().level == health_level::ok));
  BOOST_TEST(health().why.empty());
  wait(2s);
  BOOST_TEST(facts().at("last_candle_age_ms") == "2000");
  BOOST_TEST(facts().at("last_record_age_ms") == "2000");
}

BOOST_AUTO_TEST_SUITE_END()
