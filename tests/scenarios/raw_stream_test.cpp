#include "actors/aggregator/merge_window.hpp"
#include "actors/aggregator/number.hpp"
#include "tests/support/process_fixture.hpp"

#include <cstdlib>
#include <random>
#include <set>

using namespace breakwater;
using namespace breakwater::test;

namespace {

/// Candles come out of a Redis stream that somebody else writes.
struct raw_fixture : process_fixture {
  raw_fixture() {
    what.aggregator.source = candle_source::raw_stream;
    what.supervisor.max_restarts = 1000;
    what.symbols.list = {"BTCUSDT", "ETHUSDT"};
  }

  std::vector<candle> written; ///< Every entry, in order.

  const std::string& raw() const { return what.aggregator.raw_stream; }
  /// Somebody writes the next candle: all exchanges and symbols in turn, each at a price never heard before.
  void writes() {
    constexpr std::array writers{exchange::binance, exchange::bybit, exchange::okx};
    const auto n = written.size();
    candle c;
    c.from = writers[n % writers.size()];
    c.symbol = what.symbols.list[n / writers.size() % what.symbols.list.size()];
    c.start_s = epoch_ms(wall_now()) / 60000 * 60;
    c.open = c.high = c.low = c.close = 100 + static_cast<double>(n + 1) / 10000;
    c.volume = 1;
    const auto text = [](double value) { return std::string{number_text{}.of(value)}; };
    const auto id = redis->somebody_adds(raw(), {{"exchange", to_string(c.from)},
                                                 {"symbol", c.symbol},
                                                 {"timestamp", std::to_string(c.start_s)},
                                                 {"open", text(c.open)},
                                                 {"high", text(c.high)},
                                                 {"low", text(c.low)},
                                                 {"close", text(c.close)},
                                                 {"volume", "1"}});
    c.event_at = wall_time_from_ms(static_cast<std::int64_t>(id.ms));
    written.push_back(std::move(c));
  }
  void entries_flow(milliseconds time_span, milliseconds every = 50ms) {
    const auto until = now() + time_span;
    while (now() < until) {
      writes();
      wait(every);
    }
  }
  /// What those entries make of an aggregator that sees them all, each once and in order.
  static std::vector<std::string> made_of(const std::vector<candle>& entries,
                                          const aggregator_settings& rules) {
    merge_window window{rules};
    std::vector<merged> told;
    for (const auto& entry : entries) window.take(entry, told);
    std::vector<std::string> texts;
    for (const auto& m : told) {
      entry_fields fields{{"symbol", m.symbol}, {"timestamp", std::to_string(m.start_s)}};
      number_text number;
      for (auto x : all_exchanges)
        if (m.prices[index_of(x)])
          fields.emplace_back(std::string{to_string(x)} + "_price", number.of(*m.prices[index_of(x)]));
      texts.push_back(summary_of(fields));
    }
    return texts;
  }
  void check_every_entry_is_merged_once() {
    check_accepted_is_published();
    check_same(made_of(written, what.aggregator));
    BOOST_TEST(number(all.raw_reader, "trimmed_unread") == 0u);
  }
  void check_same(const std::vector<std::string>& wanted) {
    std::vector<std::string> got;
    for (const auto& record : published()) got.push_back(summary_of(record));
    BOOST_TEST(got.size() == wanted.size());
    for (std::size_t i = 0; i < std::min(got.size(), wanted.size()); ++i) {
      BOOST_TEST(got[i] == wanted[i], "record " << i << " is " << got[i] << ", should be " << wanted[i]);
      if (got[i] != wanted[i]) break;
    }
  }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(every_entry_of_the_raw_stream_is_merged_once, raw_fixture) {
  entries_flow(10s); // before anybody reads
  starts();
  entries_flow(3min);
  wait(1s);
  check_every_entry_is_merged_once();
  BOOST_TEST(published().size() > 3000u);
  BOOST_TEST(all.feeds.empty());
  BOOST_TEST(redis->connected() == 2u); // for commands and for the raw stream
  BOOST_TEST((level(all.raw_reader) == health_level::ok));
  BOOST_TEST((level(all.aggregator) == health_level::ok));
}

BOOST_FIXTURE_TEST_CASE(no_entry_is_lost_or_doubled_when_an_actor_ends, raw_fixture) {
  starts();
  for (const auto* name : {"aggregator", "raw_reader", "publisher", "redis", "aggregator", "raw_reader"}) {
    entries_flow(2s, 7ms);
    kill(name);
    entries_flow(2s, 7ms);
  }
  wait(10s);
  check_every_entry_is_merged_once();
}

BOOST_FIXTURE_TEST_CASE(what_an_aggregator_lost_is_read_again_although_nothing_new_comes, raw_fixture) {
  starts();
  entries_flow(1s);
  spool->disk_error = "no space left on device"; // what is merged now is not kept
  writes();
  writes();
  wait(20ms);
  kill("aggregator");
  spool->disk_error.clear();
  wait(10s);
  check_every_entry_is_merged_once();
}

BOOST_FIXTURE_TEST_CASE(another_process_goes_on_where_the_last_one_ended, raw_fixture) {
  starts();
  for (int i = 0; i < 10; ++i) {
    entries_flow(1s, 20ms);
    crashes_and_starts();
  }
  entries_flow(2s);
  wait(5s);
  check_every_entry_is_merged_once();
}

BOOST_FIXTURE_TEST_CASE(minutes_held_for_the_interval_survive_the_process, raw_fixture) {
  what.aggregator.emit = emit_mode::interval;
  what.aggregator.emit_interval = 500ms;
  starts();
  for (int i = 0; i < 10; ++i) {
    entries_flow(1s, 30ms);
    wait(i * 37ms);
    crashes_and_starts();
    wait(i * 53ms);
  }
  wait(5s);
  check_accepted_is_published();
  // The newest record of each minute tells the newest prices.
  std::map<std::string, std::string> newest, wanted;
  const auto key_of = [](const std::string& text) {
    return text.substr(0, text.find(' ', text.find(' ') + 1));
  };
  for (const auto& record : published()) newest[key_of(summary_of(record))] = summary_of(record);
  auto rules = what.aggregator;
  rules.emit = emit_mode::update;
  for (const auto& text : made_of(written, rules)) wanted[key_of(text)] = text;
  BOOST_TEST((newest == wanted));
}

BOOST_FIXTURE_TEST_CASE(entries_wait_while_redis_is_away, raw_fixture) {
  starts();
  entries_flow(2s);
  redis->goes_away();
  wait(5min);
  redis->comes_back();
  entries_flow(40s);
  wait(1min);
  check_every_entry_is_merged_once();
}

BOOST_FIXTURE_TEST_CASE(a_spool_without_room_stops_the_reading, raw_fixture) {
  what.spool.max_bytes = 64 * 1024;
  what.breaker_redis.mode = breaker_mode::off; // else it stops the reading first
  starts();
  entries_flow(1s);
  redis->refuses_writes("OOM command not allowed when used memory > 'maxmemory'.");
  for (int i = 0; i < 30'000; ++i) { // more than may wait in the aggregator
    writes();
    if (i % 100 == 0) wait(10ms);
  }
  wait(1min);
  BOOST_TEST((level(all.publisher) == health_level::critical));
  BOOST_TEST(number(all.raw_reader, "candles") < 20'000u);
  redis->refuses_writes("");
  wait(1min);
  check_every_entry_is_merged_once();
}

BOOST_FIXTURE_TEST_CASE(entries_trimmed_before_they_were_read_are_a_counted_hole, raw_fixture) {
  starts();
  entries_flow(10s);
  redis->goes_away();
  const auto before = written.size();
  for (int i = 0; i < 500; ++i) writes();
  redis->trims(raw(), 100);
  redis->comes_back();
  wait(1min);
  BOOST_TEST(fact(all.raw_reader, "trimmed_unread") == "400");
  BOOST_TEST(fact(all.raw_reader, "holes") == "1");
  check_accepted_is_published();
  auto seen = written;
  seen.erase(seen.begin() + static_cast<std::ptrdiff_t>(before), seen.end() - 100);
  check_same(made_of(seen, what.aggregator));
  crashes_and_starts();
  wait(5s);
  BOOST_TEST(fact(all.raw_reader, "trimmed_unread") == "400"); // kept with the position
}

BOOST_FIXTURE_TEST_CASE(a_raw_stream_that_came_back_older_is_read_again_and_nothing_is_doubled, raw_fixture) {
  starts();
  entries_flow(10s);
  redis->saves();
  entries_flow(10s);
  wait(1s);
  redis->goes_away();
  redis->comes_back_older();
  wait(30s);
  entries_flow(10s);
  wait(1min);
  check_every_entry_is_merged_once();
  crashes_and_starts();
  entries_flow(5s);
  wait(5s);
  check_every_entry_is_merged_once();
}

BOOST_FIXTURE_TEST_CASE(a_raw_stream_that_was_deleted_is_read_on_when_it_is_written_again, raw_fixture) {
  starts();
  entries_flow(10s);
  wait(1s);
  redis->loses_key(raw());
  wait(3s);
  entries_flow(10s);
  wait(5s);
  check_every_entry_is_merged_once();
}

BOOST_FIXTURE_TEST_CASE(a_key_of_the_wrong_type_is_said_and_read_once_it_is_mended, raw_fixture) {
  redis->has_a_string(raw());
  starts();
  wait(1min);
  BOOST_TEST((level(all.raw_reader) == health_level::critical));
  redis->loses_key(raw());
  entries_flow(10s);
  wait(5s);
  check_every_entry_is_merged_once();
}

BOOST_FIXTURE_TEST_CASE(a_redis_before_7_is_read_too, raw_fixture) {
  redis->is_older_than_7();
  starts();
  entries_flow(10s);
  crashes_and_starts();
  entries_flow(10s);
  wait(5s);
  check_every_entry_is_merged_once();
}

// feeds.publish_raw.

BOOST_FIXTURE_TEST_CASE(candles_of_the_feeds_go_to_the_raw_stream_too, process_fixture) {
  what.feeds.publish_raw = true;
  starts();
  candles_flow(30s);
  wait(2s);
  check_all_is_published();
  const auto entries = redis->records(what.aggregator.raw_stream);
  BOOST_TEST(entries.size() >= 300u);
  BOOST_TEST((entries == spools.at(what.aggregator.raw_stream)->accepted));
  BOOST_TEST(entries.front().front().first == "exchange");
  BOOST_TEST(!all.raw_writer);
  BOOST_TEST(!all.raw_reader);
}

BOOST_FIXTURE_TEST_CASE(the_raw_stream_can_be_written_and_read_by_one_process, process_fixture) {
  what.feeds.publish_raw = true;
  what.aggregator.source = candle_source::raw_stream;
  starts();
  BOOST_TEST(bool{all.raw_writer});
  candles_flow(30s);
  wait(2s);
  check_all_is_published(); // by way of the raw stream
  redis->breaks_connections();
  candles_flow(10s);
  wait(10s);
  BOOST_TEST((redis->records(what.aggregator.raw_stream) == spools.at(what.aggregator.raw_stream)->accepted));
  check_newest_is_published();
}

// Everything together.

namespace {

struct raw_misfortune : raw_fixture {
  explicit raw_misfortune(unsigned seed) : dice(seed) {
    if (little_room) what.spool.max_bytes = 100'000;
    starts();
  }

  std::mt19937 dice;
  /// Then nothing is retained while much waits, so a Redis that comes back older has a hole for good.
  const bool little_room = one_in(4);
  std::size_t roll(std::size_t below) { return dice() % below; }
  bool one_in(std::size_t chances) { return roll(chances) == 0; }
  milliseconds time_up_to(milliseconds most) {
    return milliseconds{1 + roll(static_cast<std::size_t>(most.count()))};
  }

  void something_happens() {
    switch (roll(14)) {
    case 0: redis->goes_away(); break;
    case 1: redis->comes_back(); break;
    case 2: redis->hangs(); break;
    case 3: redis->resumes(); break;
    case 4: redis->breaks_connections(); break;
    case 5:
      redis->cuts_transactions(1 + roll(3), one_in(2) ? fake_redis::all_commands : roll(12),
                               one_in(2) ? fake_redis::cut::silent : fake_redis::cut::reset);
      break;
    case 6: redis->has_latency(time_up_to(one_in(2) ? 3ms : 800ms)); break;
    case 7:
      redis->refuses_writes(one_in(2) ? "OOM command not allowed when used memory > 'maxmemory'." : "");
      break;
    case 8: one_in(2) ? redis->loads(std::chrono::seconds{roll(20)}) : redis->is_loaded(); break;
    case 9: spool->disk_error = one_in(2) ? "no space left on device" : ""; break;
    case 10:
    case 11: {
      static const std::vector<std::string> names{"redis", "publisher", "aggregator", "raw_reader"};
      kill(names[roll(names.size())]);
      run_steps(roll(20));
      break;
    }
    case 12: crashes_and_starts(); break;
    case 13: redis->intruder_adds(stream()); break;
    }
  }
  void all_is_mended() {
    redis->resumes();
    redis->comes_back();
    redis->cuts_transactions(0, 0, fake_redis::cut::silent);
    redis->has_latency(1ms);
    redis->refuses_writes("");
    redis->is_loaded();
    spool->disk_error.clear();
    wait(5min);
    entries_flow(2s);
    wait(1min);
  }
};

/// A sanitizer takes ten times as long for each.
#ifdef __SANITIZE_ADDRESS__
constexpr unsigned seeds = 20;
#else
constexpr unsigned seeds = 150;
#endif

} // namespace

BOOST_AUTO_TEST_CASE(whatever_goes_wrong_every_entry_of_the_raw_stream_is_merged_once) {
  const auto* only = std::getenv("BREAKWATER_SEED");
  const unsigned first = only ? static_cast<unsigned>(std::atoi(only)) : 1, count = only ? 1 : seeds;
  for (unsigned seed = first; seed < first + count; ++seed) BOOST_TEST_CONTEXT("BREAKWATER_SEED=" << seed) {
      raw_misfortune story{seed};
      for (int i = 0; i < 40; ++i) {
        story.entries_flow(story.time_up_to(story.one_in(5) ? 5s : 1000ms), story.time_up_to(100ms));
        story.something_happens();
      }
      story.all_is_mended();
      story.check_every_entry_is_merged_once();
      BOOST_TEST(story.published().size() > 20u);
      BOOST_TEST(!story.ended);
    }
}
