#include "actors/feed/clock_offset.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

namespace breakwater {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct sample {
  seconds at;        ///< On our monotonic clock.
  milliseconds late; ///< Receipt less event time.
};

struct row {
  const char* what;
  std::vector<sample> noted;
  seconds asked_at;
  const char* told; ///< "least most samples", or "nothing".
};

std::ostream& operator<<(std::ostream& out, const row& x) { return out << x.what; }

mono_time mono(seconds at) { return mono_time{} + 1000s + at; }

std::string told(const clock_offset& clocks, seconds at) {
  const auto all = clocks.over_last_minute(mono(at));
  if (!all) return "nothing";
  return std::to_string(all->least.count()) + " " + std::to_string(all->most.count()) + " " +
         std::to_string(all->samples);
}

BOOST_AUTO_TEST_SUITE(clock_offset_suite)

BOOST_AUTO_TEST_CASE(tells_the_least_and_the_most_of_the_last_minute) {
  const row table[] = {
      {"nothing was noted", {}, 0s, "nothing"},
      {"one sample is both", {{0s, 35ms}}, 0s, "35 35 1"},
      {"queues add", {{0s, 35ms}, {1s, 420ms}, {2s, 60ms}}, 3s, "35 420 3"},
      {"our clock is behind", {{0s, -1500ms}, {1s, -1480ms}}, 1s, "-1500 -1480 2"},
      {"slices are taken together", {{0s, 9ms}, {12s, 5ms}, {31s, 7ms}, {59s, 6ms}}, 59s, "5 9 4"},
      {"what is a minute old counts no more", {{0s, 1ms}, {30s, 5ms}, {60s, 9ms}}, 60s, "5 9 2"},
      {"a slice is used again", {{0s, 1ms}, {61s, 7ms}, {62s, 8ms}}, 62s, "7 8 2"},
      {"after a minute of silence nothing is known", {{0s, 1ms}, {9s, 2ms}}, 60s, "nothing"},
      {"hours later neither", {{0s, 1ms}}, 7200s, "nothing"},
      {"the clock was set right, and a minute later that is all it is",
       {{0s, 3600000ms}, {5s, 40ms}, {70s, 41ms}},
       70s,
       "41 41 1"},
  };
  for (const auto& x : table) BOOST_TEST_CONTEXT(x) {
      clock_offset clocks;
      for (const auto& y : x.noted) {
        const auto event_at = wall_time_from_ms(1767571200000) + y.at;
        clocks.note(event_at, event_at + y.late, mono(y.at));
      }
      BOOST_TEST(told(clocks, x.asked_at) == x.told);
    }
}

BOOST_AUTO_TEST_CASE(a_frame_without_a_time_is_no_sample) {
  clock_offset clocks;
  clocks.note({}, wall_time_from_ms(1767571200000), mono(0s));
  BOOST_TEST(told(clocks, 0s) == "nothing");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater
