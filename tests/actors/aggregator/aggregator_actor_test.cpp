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
  return {.candles = std::make_shared<const std::vector<candle>>(std::move(candles))};
}

/// As the exchange tells it after a gap.
candle filled_of(std::string symbol, exchange from, double price, std::int64_t minute) {
  auto c = candle_of(std::move(symbol), from, price, minute);
  c.closed = c.filled = true;
  return c;
}

/// The same, read from a stream: `position` is behind it.
candle_batch read_of(candle_batch batch, std::string after, std::string position) {
  batch.after = std::move(after);
  batch.position = std::move(position);
  return batch;
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
  milliseconds fill_within = 1h;
  std::map<std::string, std::string> kept_parts; ///< Of the checkpoints that were taken.
  std::string kept_position;
  std::vector<std::string> kept_prices; ///< OKX's, of the records that were taken.
  bool spool_is_open = true;
  std::vector<record_batch> raw_asked; ///< What the publisher of the raw stream was offered.
  mood raw_publisher_now = mood::takes;
  publisher_actor publisher = spawn([this](publisher_actor::pointer self) -> publisher_actor::behavior_type {
    return {[this, self](const record_batch& batch) -> caf::result<intake_answer> {
              asked.push_back(batch);
              switch (publisher_now) {
              case mood::takes: keep(batch); return intake_answer{intake::taken, 1};
              case mood::is_busy: return intake_answer{intake::busy, 1};
              case mood::fails: return make_error(failure{errc::crashed, "a bug in the publisher"});
              case mood::is_silent: break;
              }
              unanswered.push_back(self->make_response_promise<intake_answer>());
              return unanswered.back();
            },
            [this](checkpoint_request) -> caf::result<checkpoint_answer> {
              if (!spool_is_open) return make_error(failure{errc::crashed, "not open"});
              return checkpoint_answer{std::make_shared<const checkpoint>(
                  checkpoint{kept_position, {kept_parts.begin(), kept_parts.end()}})};
            },
            [](const spool_event&) {},
            [](const link_up&) {},
            [](const spool_question&) { return spool_report{}; },
            [this](wake what) { // a promise can be kept only by the actor that gave it
              auto promise = unanswered.front();
              unanswered.pop_front();
              promise.deliver(intake_answer{static_cast<intake>(what.number), 1});
            },
            [](drain_request) { return drained{}; },
            [](health_question) { return health_answer{}; }};
  });
  publisher_actor raw_publisher = spawn([this](publisher_actor::pointer) -> publisher_actor::behavior_type {
    return {[this](const record_batch& batch) {
              raw_asked.push_back(batch);
              return intake_answer{raw_publisher_now == mood::takes ? intake::taken : intake::busy, 1};
            },
            [](checkpoint_request) { return checkpoint_answer{std::make_shared<const checkpoint>()}; },
            [](const spool_event&) {},
            [](const link_up&) {},
            [](const spool_question&) { return spool_report{}; },
            [](wake) {},
            [](drain_request) { return drained{}; },
            [](health_question) { return health_answer{}; }};
  });
  aggregator_actor sut;

  void keep(const record_batch& batch) {
    for (std::size_t i = 0; i < batch.records->size(); ++i) {
      const auto record = fields(batch, i);
      if (record.contains("okx_price")) kept_prices.push_back(record.at("okx_price"));
    }
    if (!batch.state) return;
    kept_position = batch.state->position;
    for (const auto& [name, text] : batch.state->parts)
      if (text.empty())
        kept_parts.erase(name);
      else
        kept_parts[name] = text;
  }
  void start(emit_mode how = emit_mode::update) {
    rules.emit = how;
    start_with({publisher, {}});
  }
  void start_with(aggregator_publishers to) {
    sut = spawn(aggregator_behavior, aggregator_options{rules, market::spot, "aggregator", fill_within}, to);
    settle();
  }
  /// Candles come out of a stream.
  void start_reading(emit_mode how = emit_mode::update) {
    rules.source = candle_source::raw_stream;
    start(how);
  }
  void crashes() {
    caf::anon_send_exit(sut, caf::exit_reason::kill);
    settle();
    start_with({publisher, {}});
  }
  std::string position() { return ask<position_answer>(sut, position_request{})->position; }
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

// Filled candles.

BOOST_AUTO_TEST_CASE(a_past_minute_is_told_within_three_seconds_of_its_last_filled_candle) {
  start();
  feed(pair_of("A"));
  feed(pair_of("A", 100, 10));
  asked.clear();
  feed(batch_of({filled_of("A", exchange::binance, 50, 4)}));
  wait(1500ms);
  feed(batch_of({filled_of("A", exchange::bybit, 51, 4)}));
  wait(1500ms);
  feed(batch_of({filled_of("A", exchange::okx, 52, 4)}));
  wait(1900ms);
  BOOST_TEST(asked.empty());
  wait(1100ms);
  BOOST_TEST_REQUIRE(asked.size() == 1u);
  BOOST_TEST(asked[0].records->size() == 1u);
  BOOST_TEST(fields(asked[0]).at("timestamp") == std::to_string(first + 240));
  BOOST_TEST(fields(asked[0]).at("num_exchanges") == "3");
  wait(1min);
  BOOST_TEST(asked.size() == 1u);
  BOOST_TEST(facts().at("filled") == "3");
  feed(batch_of({filled_of("A", exchange::kraken, 52, 4)})); // the next one waits as long
  wait(1900ms);
  BOOST_TEST(asked.size() == 1u);
  wait(1100ms);
  BOOST_TEST_REQUIRE(asked.size() == 2u);
  BOOST_TEST(fields(asked[1]).at("num_exchanges") == "4");
}

BOOST_AUTO_TEST_CASE(draining_does_not_wait_for_more_filled_candles) {
  start();
  feed(pair_of("A", 100, 10));
  feed(batch_of({filled_of("A", exchange::binance, 50, 4), filled_of("A", exchange::bybit, 51, 4)}));
  BOOST_TEST(asked.size() == 1u);
  BOOST_TEST(ask<drained>(sut, drain_request{})->records == 2u);
  BOOST_TEST(asked.size() == 2u);
  BOOST_TEST(kept_prices.empty());
}

BOOST_AUTO_TEST_CASE(fills_of_a_long_outage_leave_room_for_what_happens_now) {
  fill_within = 24h;
  start();
  const std::int64_t minutes = 1400, symbols = 10;
  std::vector<candle> candles;
  for (std::int64_t i = 0; i < symbols; ++i)
    for (auto x : {exchange::binance, exchange::bybit})
      candles.push_back(candle_of("S" + std::to_string(i), x, 100, minutes));
  feed(batch_of(candles));
  for (std::int64_t i = 0; i < symbols; ++i) {
    candles.clear();
    for (auto x : {exchange::binance, exchange::bybit})
      for (std::int64_t m = 0; m < minutes - 2; ++m)
        candles.push_back(filled_of("S" + std::to_string(i), x, 100, m));
    BOOST_TEST((feed(batch_of(candles)) == intake::taken));
  }
  asked.clear();
  wait(60s);
  std::size_t records = 0;
  for (const auto& batch : asked) {
    BOOST_TEST(batch.records->size() <= record_outlet::max_waiting);
    records += batch.records->size();
  }
  BOOST_TEST(records == static_cast<std::size_t>(symbols * (minutes - 2)));
  BOOST_TEST(facts().at("past_minutes") == std::to_string(symbols * (minutes - 2)));
}

BOOST_AUTO_TEST_CASE(fills_wait_while_the_publisher_has_no_room) {
  start();
  feed(pair_of("A", 100, 50));
  publisher_now = mood::is_busy;
  std::vector<candle> many; // of live symbols, as many as may wait
  for (int i = 0; i < 5000; ++i)
    for (auto x : {exchange::binance, exchange::bybit}) many.push_back(candle_of(std::to_string(i), x, 100));
  feed(batch_of({filled_of("A", exchange::binance, 50, 4), filled_of("A", exchange::bybit, 51, 4)}));
  feed(pair_of("B"));
  feed(batch_of(many));
  const auto waiting = facts().at("waiting");
  wait(30s);
  BOOST_TEST(facts().at("waiting") == waiting);
  publisher_now = mood::takes;
  wait(2s);
  BOOST_TEST(fields(asked.back(), asked.back().records->size() - 1).at("timestamp") ==
             std::to_string(first + 240));
}

BOOST_AUTO_TEST_CASE(without_fill_within_past_minutes_are_late) {
  fill_within = 0ms;
  start();
  feed(pair_of("A", 100, 10));
  feed(batch_of({filled_of("A", exchange::binance, 50, 4), filled_of("A", exchange::bybit, 51, 4)}));
  wait(10s);
  BOOST_TEST(asked.size() == 1u);
  BOOST_TEST(facts().at("late") == "2");
  BOOST_TEST(!facts().contains("past_minutes"));
}

BOOST_AUTO_TEST_CASE(fills_of_minutes_that_were_told_are_late_but_nothing_odd) {
  start();
  feed(pair_of("A"));
  feed(pair_of("A", 100, 10));
  feed(batch_of({filled_of("A", exchange::okx, 100, 0), candle_of("A", exchange::okx, 100, 0)}));
  BOOST_TEST(facts().at("late") == "2");
  BOOST_TEST(facts().at("late_filled") == "1");
  wait(10s);
  BOOST_TEST(asked.size() == 2u);
}

// What feeds and people ask.

BOOST_AUTO_TEST_CASE(a_feed_that_begins_is_told_what_is_known_of_its_exchange) {
  start();
  auto closed = candle_of("A", exchange::okx, 100, 3);
  closed.closed = true;
  feed(batch_of({candle_of("A", exchange::okx, 100, 2), closed, candle_of("B", exchange::okx, 100, 1),
                 candle_of("C", exchange::kraken, 100, 1)}));
  const auto told = ask<coverage_answer>(sut, coverage_request{exchange::okx});
  std::map<std::string, candle> newest;
  for (const auto& c : told->newest) newest[c.symbol] = c;
  BOOST_TEST_REQUIRE(newest.size() == 2u);
  BOOST_TEST((newest.at("A").start_s == first + 180 && newest.at("A").closed));
  BOOST_TEST((newest.at("B").start_s == first + 60 && !newest.at("B").closed));
  BOOST_TEST(ask<coverage_answer>(sut, coverage_request{exchange::coinbase})->newest.empty());
}

BOOST_AUTO_TEST_CASE(how_the_prices_agree_is_told_of_all_records) {
  start();
  feed(batch_of({candle_of("A", exchange::binance, 100), candle_of("A", exchange::bybit, 102),
                 candle_of("A", exchange::okx, 200)}));
  feed(batch_of({candle_of("B", exchange::binance, 100), candle_of("B", exchange::okx, 120)}));
  feed(batch_of({filled_of("A", exchange::binance, 100, -10)}));
  const auto told = *ask<merge_report>(sut, merge_question{});
  BOOST_TEST(told.records == 3u);
  BOOST_TEST(told.suspect == 1u);
  BOOST_TEST(told.filled == 1u);
  BOOST_TEST(*told.lead_lag == -2 / 101.0, boost::test_tools::tolerance(1e-12));
  const auto of = [&](exchange x) { return told.exchanges[index_of(x)]; };
  BOOST_TEST((of(exchange::binance).contributed == 3 && of(exchange::binance).excluded == 0));
  BOOST_TEST((of(exchange::okx).contributed == 1 && of(exchange::okx).excluded == 1));
  BOOST_TEST(facts().at("excluded.okx") == "1");
  BOOST_TEST(!facts().contains("excluded.binance"));
  BOOST_TEST(facts().at("suspect") == "1");
}

// Candles out of a stream.

BOOST_AUTO_TEST_CASE(questions_are_answered_of_a_stream_too_but_nothing_of_it_is_filled) {
  start_reading();
  feed(read_of(pair_of("A", 100, 10), "", "p1"));
  feed(read_of(batch_of({filled_of("A", exchange::binance, 50, 4), filled_of("A", exchange::bybit, 51, 4)}),
               "p1", "p2"));
  wait(10s);
  BOOST_TEST(facts().at("late") == "2");
  BOOST_TEST(ask<merge_report>(sut, merge_question{})->records == 1u);
  crashes();
  const auto known = ask<coverage_answer>(sut, coverage_request{exchange::bybit});
  BOOST_TEST_REQUIRE(known->newest.size() == 1u);
  BOOST_TEST(known->newest[0].start_s == first + 600);
}

BOOST_AUTO_TEST_CASE(the_position_and_the_changed_minutes_are_one_batch_with_the_records) {
  start_reading();
  BOOST_TEST(position() == "");
  BOOST_TEST((feed(read_of(pair_of("A"), "", "p1")) == intake::taken));
  BOOST_TEST(position() == "p1");
  BOOST_TEST_REQUIRE(asked.size() == 1u);
  BOOST_TEST_REQUIRE(asked[0].state);
  BOOST_TEST(asked[0].records->size() == 1u);
  BOOST_TEST(asked[0].state->position == "p1");
  BOOST_TEST_REQUIRE(asked[0].state->parts.size() == 1u);
  BOOST_TEST(asked[0].state->parts[0].first == "A " + std::to_string(first));
  feed(read_of(pair_of("B"), "p1", "p2"));
  BOOST_TEST_REQUIRE(asked.size() == 2u);
  BOOST_TEST_REQUIRE(asked[1].state->parts.size() == 1u); // A did not change
  BOOST_TEST(asked[1].state->parts[0].first == "B " + std::to_string(first));
}

BOOST_AUTO_TEST_CASE(without_a_stream_there_is_no_checkpoint) {
  start();
  feed(pair_of("A"));
  BOOST_TEST_REQUIRE(asked.size() == 1u);
  BOOST_TEST(!asked[0].state);
  wait(10s);
  BOOST_TEST(asked.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_batch_that_does_not_follow_on_what_was_merged_is_not_taken) {
  start_reading();
  feed(read_of(pair_of("A"), "", "p1"));
  const auto candles = facts().at("candles");
  BOOST_TEST((feed(read_of(pair_of("A", 101), "", "p1")) == intake::out_of_place));
  BOOST_TEST((feed(read_of(pair_of("A", 101), "p2", "p3")) == intake::out_of_place));
  BOOST_TEST(facts().at("candles") == candles);
  BOOST_TEST(position() == "p1");
  BOOST_TEST((feed(read_of(pair_of("A", 101), "p1", "p2")) == intake::taken));
}

BOOST_AUTO_TEST_CASE(a_position_that_no_record_came_of_is_kept_a_moment_later) {
  start_reading();
  feed(read_of(batch_of({candle_of("A", exchange::okx, 100)}), "", "p1"));
  feed(read_of(batch_of({}), "p1", "p2"));
  BOOST_TEST(asked.empty());
  wait(100ms);
  BOOST_TEST_REQUIRE(asked.size() == 1u);
  BOOST_TEST_REQUIRE(asked[0].records);
  BOOST_TEST(asked[0].records->empty());
  BOOST_TEST(asked[0].state->position == "p2");
  BOOST_TEST(asked[0].state->parts.size() == 1u);
  wait(10s);
  BOOST_TEST(asked.size() == 1u);
}

BOOST_AUTO_TEST_CASE(positions_wait_for_the_answer_like_records_do) {
  start_reading();
  publisher_now = mood::is_silent;
  feed(read_of(pair_of("A"), "", "p1"));
  for (int i = 1; i < 50; ++i) {
    feed(read_of(batch_of({}), "p" + std::to_string(i), "p" + std::to_string(i + 1)));
    wait(20ms);
  }
  BOOST_TEST(asked.size() == 1u);
  answer_oldest(intake::taken);
  BOOST_TEST_REQUIRE(asked.size() == 2u);
  BOOST_TEST(asked[1].state->position == "p50");
}

BOOST_AUTO_TEST_CASE(nothing_is_merged_before_what_was_kept_is_known) {
  spool_is_open = false;
  kept_position = "p7";
  start_reading();
  BOOST_TEST((feed(read_of(pair_of("A"), "", "p1")) == intake::busy));
  BOOST_TEST((health().level == health_level::degraded));
  caf::scoped_actor me{sys, true};
  auto pending = me->request(sut, caf::infinite, position_request{});
  wait(10s);
  BOOST_TEST(!me->has_next_message());
  spool_is_open = true;
  wait(200ms);
  BOOST_TEST_REQUIRE(me->has_next_message());
  pending.receive([](const position_answer& answer) { BOOST_TEST(answer.position == "p7"); },
                  [](const caf::error&) { BOOST_ERROR("no answer"); });
  BOOST_TEST((feed(read_of(pair_of("A"), "p7", "p8")) == intake::taken));
}

BOOST_AUTO_TEST_CASE(a_new_life_goes_on_where_the_kept_one_ended) {
  start_reading();
  feed(read_of(pair_of("A"), "", "p1"));
  publisher_now = mood::is_busy; // what comes now is not kept
  feed(read_of(pair_of("A", 101), "p1", "p2"));
  crashes();
  publisher_now = mood::takes;
  asked.clear();
  BOOST_TEST(position() == "p1");
  BOOST_TEST((feed(read_of(pair_of("A", 102), "p2", "p3")) == intake::out_of_place));
  // One exchange suffices: the other's candle is known from before.
  feed(read_of(batch_of({candle_of("A", exchange::okx, 103)}), "p1", "p2"));
  BOOST_TEST_REQUIRE(asked.size() == 1u);
  const auto record = fields(asked[0]);
  BOOST_TEST(record.at("binance_price") == "100");
  BOOST_TEST(record.at("okx_price") == "103");
}

BOOST_AUTO_TEST_CASE(what_is_read_again_makes_no_record_again) {
  start_reading();
  feed(read_of(pair_of("A"), "", "p1"));
  auto twice = read_of(pair_of("A", 105), "p1", "p2"); // of the same time: it was merged
  twice.again = true;
  feed(twice);
  BOOST_TEST(asked.size() == 1u);
  BOOST_TEST(facts().at("again") == "2");
  BOOST_TEST(position() == "p2");
}

BOOST_AUTO_TEST_CASE(what_is_held_for_the_interval_is_told_by_the_next_life) {
  rules.emit_interval = 1h;
  start_reading(emit_mode::interval);
  feed(read_of(pair_of("A"), "", "p1"));
  feed(read_of(pair_of("B", 5), "p1", "p2"));
  wait(1s);
  BOOST_TEST(asked.size() == 1u);
  BOOST_TEST(asked[0].records->empty());
  rules.emit_interval = 100ms;
  crashes();
  asked.clear();
  wait(100ms);
  BOOST_TEST_REQUIRE(asked.size() == 1u);
  BOOST_TEST(asked[0].records->size() == 2u);
  BOOST_TEST(fields(asked[0], 0).at("symbol") == "A");
  BOOST_TEST(fields(asked[0], 1).at("symbol") == "B");
  crashes(); // and that it was told is known, too
  asked.clear();
  wait(1s);
  BOOST_TEST(asked.empty());
}

BOOST_AUTO_TEST_CASE(minutes_that_cannot_be_read_are_begun_anew) {
  kept_position = "p3";
  kept_parts = {{"A", "nonsense"}};
  start_reading();
  BOOST_TEST(position() == "p3");
  BOOST_TEST((feed(read_of(pair_of("A"), "p3", "p4")) == intake::taken));
  BOOST_TEST(asked.size() == 1u);
}

BOOST_AUTO_TEST_CASE(drained_means_the_position_is_kept) {
  start_reading();
  feed(read_of(batch_of({candle_of("A", exchange::okx, 100)}), "", "p1"));
  BOOST_TEST(asked.empty());
  ask<drained>(sut, drain_request{});
  BOOST_TEST(kept_position == "p1");
}

BOOST_AUTO_TEST_CASE(in_a_storm_of_lives_every_candle_makes_its_record_once) {
  rules.min_exchanges = 1;
  start_reading();
  int tries = 0;
  for (; tries < 3000 && position() != "300"; ++tries) {
    publisher_now = tries % 3 == 0 ? mood::takes : mood::is_busy;
    const auto before = position();
    const auto next = before.empty() ? 1 : std::stoi(before) + 1;
    feed(read_of(batch_of({candle_of("A", exchange::okx, next)}), before, std::to_string(next)));
    wait(tries % 2 == 0 ? 7ms : 0ms);
    if (tries % 5 == 0) crashes();
  }
  publisher_now = mood::takes;
  wait(1s);
  BOOST_TEST(kept_position == "300");
  BOOST_TEST(tries > 310); // some were undone
  BOOST_TEST_REQUIRE(kept_prices.size() == 300u);
  for (int i = 0; i < 300; ++i) BOOST_TEST(kept_prices[static_cast<std::size_t>(i)] == std::to_string(i + 1));
}

// The raw stream.

BOOST_AUTO_TEST_CASE(candles_go_to_the_raw_stream_as_they_are) {
  start_with({publisher, raw_publisher});
  auto c = candle_of("A", exchange::okx, 100.5);
  c.open = 99, c.high = 101.25, c.low = 98, c.volume = 0.5;
  feed(batch_of({c, candle_of("A", exchange::bybit, 7)}));
  BOOST_TEST_REQUIRE(raw_asked.size() == 1u);
  BOOST_TEST_REQUIRE(raw_asked[0].records->size() == 2u);
  BOOST_TEST(!raw_asked[0].state);
  const auto written = fields_of((*raw_asked[0].records)[0]);
  const std::vector<std::pair<std::string, std::string>> wanted{
      {"exchange", "okx"}, {"symbol", "A"},    {"timestamp", std::to_string(first)},
      {"open", "99"},      {"high", "101.25"}, {"low", "98"},
      {"close", "100.5"},  {"volume", "0.5"}};
  BOOST_TEST((written == wanted));
  BOOST_TEST(asked.size() == 1u); // merged, too
}

BOOST_AUTO_TEST_CASE(an_aggregator_without_a_publisher_of_records_writes_only_raw) {
  rules.source = candle_source::raw_stream; // that is the other aggregator's
  start_with({{}, raw_publisher});
  BOOST_TEST((feed(pair_of("A")) == intake::taken));
  BOOST_TEST(raw_asked.size() == 1u);
  BOOST_TEST(asked.empty());
  BOOST_TEST(facts().at("raw_records") == "2");
  BOOST_TEST(!facts().contains("records"));
  BOOST_TEST(ask<coverage_answer>(sut, coverage_request{exchange::binance})->newest.empty());
  BOOST_TEST(ask<merge_report>(sut, merge_question{})->records == 0u);
  BOOST_TEST(ask<drained>(sut, drain_request{})->records == 2u);
  wait(1s);
  BOOST_TEST((health().level == health_level::ok));
  wait(2min);
  BOOST_TEST((health().level == health_level::degraded));
}

BOOST_AUTO_TEST_CASE(feeds_wait_while_either_stream_has_no_room) {
  start_with({publisher, raw_publisher});
  raw_publisher_now = mood::is_busy;
  std::vector<candle> many(1000, candle_of("A", exchange::okx, 1));
  int taken = 0;
  while (taken < 100 && feed(batch_of(many)) == intake::taken) ++taken;
  BOOST_TEST(taken > 1);
  BOOST_TEST(taken < 20);
  const auto waiting = facts().at("raw_waiting");
  BOOST_TEST((feed(batch_of(many)) == intake::busy));
  BOOST_TEST(facts().at("raw_waiting") == waiting);
  raw_publisher_now = mood::takes;
  wait(1s);
  BOOST_TEST((feed(batch_of(many)) == intake::taken));
}

BOOST_AUTO_TEST_CASE(drained_means_both_streams_publishers_took_everything) {
  start_with({publisher, raw_publisher});
  raw_publisher_now = mood::is_busy;
  feed(pair_of("A"));
  caf::scoped_actor me{sys, true};
  auto pending = me->request(sut, caf::infinite, drain_request{});
  wait(1s);
  BOOST_TEST(!me->has_next_message());
  raw_publisher_now = mood::takes;
  wait(100ms);
  BOOST_TEST_REQUIRE(me->has_next_message());
  pending.receive([](const drained& d) { BOOST_TEST(d.records == 3u); },
                  [](const caf::error&) { BOOST_ERROR("no answer"); });
}

BOOST_AUTO_TEST_SUITE_END()
