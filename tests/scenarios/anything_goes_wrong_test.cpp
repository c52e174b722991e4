#include "tests/support/process_fixture.hpp"

#include <cstdlib>
#include <random>

using namespace breakwater;
using namespace breakwater::test;

namespace {

/// Whatever can happen, happens, in an order the seed decides.
struct misfortune : process_fixture {
  explicit misfortune(unsigned seed) : dice(seed) {
    what.supervisor.max_restarts = 1000;
    if (little_room) what.spool.max_bytes = 200'000;
    what.aggregator.emit = one_in(5) ? emit_mode::interval : emit_mode::update;
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
  exchange any_exchange() {
    constexpr std::array followed{exchange::binance, exchange::bybit, exchange::okx, exchange::kraken};
    return followed[roll(followed.size())];
  }
  const std::string& anybody() {
    static const std::vector<std::string> names{"audit",       "breaker/redis", "redis",      "publisher",
                                                "aggregator",  "feed/binance",  "feed/bybit", "feed/okx",
                                                "feed/kraken", "health"};
    return names[roll(names.size())];
  }

  void something_happens() {
    switch (roll(16)) {
    case 0: redis->goes_away(); break;
    case 1: redis->comes_back(); break;
    case 2: redis->hangs(); break;
    case 3: redis->resumes(); break;
    case 4: redis->breaks_connections(); break;
    case 5:
      redis->cuts_transactions(1 + roll(3), one_in(2) ? fake_redis::all_commands : roll(12),
                               one_in(2) ? fake_redis::cut::silent : fake_redis::cut::reset);
      break;
    case 6: redis->delays_next_transaction(time_up_to(20s)); break;
    case 7: redis->has_latency(time_up_to(one_in(2) ? 3ms : 800ms)); break;
    case 8: redis->intruder_adds(stream()); break;
    case 9:
      redis->refuses_writes(one_in(2) ? "OOM command not allowed when used memory > 'maxmemory'." : "");
      break;
    case 10: one_in(2) ? redis->loads(std::chrono::seconds{roll(20)}) : redis->is_loaded(); break;
    case 11: redis->is_unreachable(one_in(2)); break;
    case 12:
    case 13:
      kill(anybody());
      run_steps(roll(20));
      break;
    case 14: exchanges->cuts(any_exchange()); break;
    case 15:
      redis->saves();
      if (!little_room && one_in(2)) {
        candles_flow(time_up_to(5s), 100ms);
        redis->goes_away();
        redis->comes_back_older();
      }
      break;
    }
  }

  void all_is_mended() {
    redis->resumes();
    redis->comes_back();
    redis->cuts_transactions(0, 0, fake_redis::cut::silent);
    redis->has_latency(1ms);
    redis->refuses_writes("");
    redis->is_loaded();
    redis->is_unreachable(false);
    wait(3min);
    candles_flow(5s);
    wait(30s);
  }
};

/// A sanitizer takes ten times as long for each.
#ifdef __SANITIZE_ADDRESS__
constexpr unsigned seeds = 30;
#else
constexpr unsigned seeds = 200;
#endif

} // namespace

BOOST_AUTO_TEST_CASE(whatever_goes_wrong_every_accepted_record_is_published_once_and_in_order) {
  const auto* only = std::getenv("BREAKWATER_SEED");
  const unsigned first = only ? static_cast<unsigned>(std::atoi(only)) : 1, count = only ? 1 : seeds;
  for (unsigned seed = first; seed < first + count; ++seed) BOOST_TEST_CONTEXT("BREAKWATER_SEED=" << seed) {
      misfortune story{seed};
      for (int i = 0; i < 40; ++i) {
        story.candles_flow(story.time_up_to(story.one_in(5) ? 10s : 1500ms), story.time_up_to(150ms));
        story.something_happens();
      }
      story.all_is_mended();
      story.check_accepted_is_published();
      BOOST_TEST(story.spool->accepted.size() > 20u);
      BOOST_TEST(!story.ended);
      BOOST_TEST(story.circuit() == "CLOSED");
    }
}
