#include "tests/support/process_fixture.hpp"
#include "tests/support/simulated_world.hpp"

#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace breakwater::test {
namespace {

using namespace std::chrono_literals;

/// A sanitizer makes two hours long.
#ifdef __SANITIZE_ADDRESS__
constexpr auto market_time = 30min;
#else
constexpr auto market_time = 120min;
#endif

const std::vector<std::string> symbols{"BTCUSDT", "ETHUSDT", "DOGEUSDT"};

std::string value(const entry_fields& fields, const std::string& name) {
  for (const auto& [key, text] : fields)
    if (key == name) return text;
  return {};
}

struct market_fixture : process_fixture {
  std::shared_ptr<simulated_world> world = std::make_shared<simulated_world>(time, options());

  static simulator_options options() {
    simulator_options how;
    how.seed = 7;
    how.symbols = symbols;
    how.interval = 1s;
    how.quiet_minutes = 1; // of ten, at Kraken and Coinbase
    // Who is cut is refused for a while when he comes again, and then not understood.
    how.faults = {{.what = fault::cut, .after = 3min, .every = 12min},
                  {.what = fault::rate_limit, .after = 3min, .every = 12min, .lasts = 10s},
                  {.what = fault::wrong_acknowledgement, .after = 190s, .every = 12min, .lasts = 15s}};
    return how;
  }

  market_fixture() {
    sockets = world;
    past = world;
    what.symbols.list = symbols;
    what.feeds.publish_raw = true;
    what.feeds.raw_maxlen = what.aggregator.maxlen = what.feeds.quality_maxlen = 10'000'000;
    what.feeds.quality_stream = "quality";
    what.feeds.fill_within = 1h;
    what.aggregator.emit = emit_mode::interval;
    what.aggregator.emit_interval = 1s;
    for (auto x : all_exchanges) {
      auto& feed = what.feeds.of[index_of(x)];
      feed.enabled = true;
      feed.url = simulated_world::url(x);
      feed.rest_url = "http://simulated";
    }
  }
  ~market_fixture() { end_actors(); }

  using minute = std::tuple<std::string, std::string, std::int64_t>; ///< Exchange, symbol, start in epoch s.

  /// The newest state of each candle in the raw stream; says what stands there twice.
  std::map<minute, entry_fields> candles() {
    std::map<minute, entry_fields> newest;
    std::map<minute, std::map<std::string, unsigned>> seen;
    for (const auto& entry : redis->records(what.aggregator.raw_stream)) {
      const minute of{value(entry, "exchange"), value(entry, "symbol"),
                      std::stoll(value(entry, "timestamp"))};
      std::string state;
      for (const auto& [name, text] : entry) state += text + " ";
      // Twice it may stand there: this stream has no mark for the close of a candle.
      BOOST_TEST(++seen[of][state] <= 2u, "came again: " << state);
      newest[of] = entry;
    }
    return newest;
  }

  /// Every minute of every exchange from `from_s` to before `to_s` is there as it was at its end.
  std::size_t check_no_minute_is_missing(std::int64_t from_s, std::int64_t to_s) {
    const auto told = candles();
    std::size_t wrong = 0, right = 0, unfinished = 0;
    for (auto x : all_exchanges)
      for (const auto& symbol : symbols)
        for (auto start = from_s; start < to_s; start += 60) {
          const auto is = told.find({to_string(x), symbol, start});
          const auto should = world->truth(x, symbol, start);
          if (should.trades == 0) {
            // Kraken's past candles tell such a minute, too, with no volume.
            BOOST_TEST((is == told.end() || std::stod(value(is->second, "volume")) == 0),
                       "a candle with trades that nobody made: " << to_string(x) << " " << symbol << " "
                                                                 << start);
            continue;
          }
          // Bybit prints six decimals of a volume.
          const auto same = [&](const char* name, double number) {
            return std::abs(std::stod(value(is->second, name)) - number) <= 1e-9 * number + 5.1e-7;
          };
          if (is != told.end() && same("open", should.open) && same("high", should.high) &&
              same("low", should.low) && same("close", should.close) && same("volume", should.volume)) {
            ++right;
            continue;
          }
          // Kraken marks no close and is silent without trades: when it falls silent at the end of a minute,
          // with the connection alive, nobody can tell.
          if (x == exchange::kraken && is != told.end() && same("open", should.open) &&
              std::stod(value(is->second, "volume")) < should.volume) {
            ++unfinished;
            continue;
          }
          if (++wrong > 10) continue;
          BOOST_ERROR(to_string(x) << " " << symbol << " " << to_rfc3339(wall_time_from_ms(start * 1000))
                                   << (is == told.end()
                                           ? " is missing"
                                           : " is not what it was: volume " + value(is->second, "volume") +
                                                 " close " + value(is->second, "close"))
                                   << ", should be volume " << should.volume << " close " << should.close);
        }
    BOOST_TEST(wrong == 0u);
    // There are two silences in ten minutes, and each meets the end of one minute at most.
    BOOST_TEST_MESSAGE(unfinished << " minutes of Kraken ended in a silence");
    BOOST_TEST(unfinished <= symbols.size() * static_cast<std::size_t>(market_time / 5min));
    return right;
  }

  /// Every gap that was marked ended, and what ended one was filled.
  void check_markers_are_true() {
    std::map<std::pair<std::string, std::string>, std::vector<entry_fields>> open;
    std::map<std::string, std::size_t> count;
    for (const auto& marker : redis->records("quality")) {
      const auto kind = value(marker, "kind");
      ++count[kind];
      const std::pair of{value(marker, "exchange"), value(marker, "symbol")};
      if (kind == "gap") open[of].push_back(marker);
      if (kind == "recovered")
        std::erase_if(open[of], [&](const entry_fields& gap) {
          return value(gap, "from") == value(marker, "from") && value(gap, "to") == value(marker, "to");
        });
      BOOST_TEST(value(marker, "from") <= value(marker, "to"));
      BOOST_TEST(!value(marker, "cause").empty());
    }
    for (const auto& [of, gaps] : open)
      for (const auto& gap : gaps)
        BOOST_ERROR(of.first << " " << of.second << " has a gap that never ended: " << value(gap, "from")
                             << " to " << value(gap, "to") << ": " << value(gap, "cause"));
    for (const char* kind : {"gap", "recovered", "resync", "stale"})
      BOOST_TEST_MESSAGE(kind << ": " << count[kind] << " markers");
    BOOST_TEST(count["gap"] > 0u);
    BOOST_TEST(count["recovered"] > 0u);
  }
};

BOOST_FIXTURE_TEST_SUITE(two_hours_of_market_suite, market_fixture)

BOOST_AUTO_TEST_CASE(with_every_fault_no_minute_is_missing_none_is_doubled_and_the_markers_are_true) {
  starts();
  wait(90s); // the first minute of all is heard in part
  world->misbehaves(10min);
  wait(market_time);
  const auto faults = world->faults();
  world->behaves();
  wait(5min);
  constexpr std::int64_t from_s = 1767571200 + 60;
  const auto to_s = epoch_ms(wall_now()) / 60000 * 60 - 60;
  const auto minutes = check_no_minute_is_missing(from_s, to_s);
  BOOST_TEST_MESSAGE(minutes << " minutes of five exchanges are as they were, over " << world->connects()
                             << " connects and " << world->requests() << " requests for past candles");
  check_markers_are_true();
  for (std::size_t i = 0; i < fault_count; ++i) {
    BOOST_TEST_MESSAGE(to_string(static_cast<fault>(i)) << ": " << faults[i] << " times");
    BOOST_TEST(faults[i] > 0u, to_string(static_cast<fault>(i)) << " happened");
  }
  // What was merged of it: every minute of every symbol, with all five exchanges in the end.
  std::map<std::pair<std::string, std::int64_t>, std::string> merged;
  for (const auto& record : published())
    merged[{value(record, "symbol"), std::stoll(value(record, "timestamp"))}] =
        value(record, "num_exchanges");
  std::size_t poor = 0;
  for (const auto& symbol : symbols)
    for (auto start = from_s; start < to_s; start += 60)
      if (merged[{symbol, start}].empty())
        BOOST_ERROR("no record of " << symbol << " " << to_rfc3339(wall_time_from_ms(start * 1000)));
      else if (merged[{symbol, start}] != "5")
        ++poor;
  BOOST_TEST_MESSAGE(poor << " minutes were told without all five");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater::test
