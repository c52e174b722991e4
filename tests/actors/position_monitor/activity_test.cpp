#include "actors/position_monitor/activity.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

namespace breakwater::test {
namespace {

using enum position_status;
using kind = redis_reply::kind;

constexpr auto begin_ms = 1767571200000;

/// `at` after the process began.
moment after(milliseconds at) { return {mono_time{1h} + at, wall_time_from_ms(begin_ms) + at}; }

position_monitor_settings with_log() {
  position_monitor_settings how;
  how.log_file = "/var/log/monitor.log";
  return how;
}
position_monitor_settings with_stream() {
  position_monitor_settings how;
  how.stream = "positions";
  return how;
}

redis_reply newest(const std::string& id) {
  redis_reply text{.what = kind::text, .text = id, .items = {}};
  redis_reply entry{.what = kind::array, .text = {}, .items = {text, {}}};
  return {.what = kind::array, .text = {}, .items = {entry}};
}
redis_reply newest(milliseconds made) { return newest(std::to_string(begin_ms + made.count()) + "-0"); }

/// One thing that happens, and the status right behind it.
struct step {
  enum { nothing, heartbeat, active, error, both, entry } what;
  milliseconds at;
  position_status status;
};
std::ostream& operator<<(std::ostream& out, const step& x) {
  return out << "step " << x.what << " at " << x.at.count() << " ms";
}

void play(activity sut, const std::vector<step>& story) {
  for (const auto& s : story) {
    const auto now = after(s.at);
    if (s.what == step::heartbeat) sut.take_heartbeat(now);
    if (s.what == step::active) sut.take_log({1, 0, 0, {}, {}}, now);
    if (s.what == step::error) sut.take_log({0, 1, 0, "APIError", {}}, now);
    if (s.what == step::both) sut.take_log({1, 1, 0, "APIError", {}}, now);
    if (s.what == step::entry) sut.take_stream(newest(s.at), now);
    BOOST_TEST_CONTEXT(s) {
      const auto told = sut.report(now);
      BOOST_TEST(to_string(told.status) == to_string(s.status));
      BOOST_TEST(told.why.empty() == (s.status == healthy));
    }
  }
}

} // namespace

BOOST_AUTO_TEST_CASE(after_five_minutes_and_not_before_it_is_silent) {
  play({with_log(), after(0ms)}, {{step::nothing, 0ms, unknown},
                                  {step::active, 10s, healthy},
                                  {step::nothing, 10s + 5min - 1ms, healthy},
                                  {step::nothing, 10s + 5min, healthy},
                                  {step::nothing, 10s + 5min + 1ms, silent},
                                  {step::active, 20min, healthy}});
}

BOOST_AUTO_TEST_CASE(a_fresh_process_watches_for_as_long_before_it_says_silent) {
  play({with_log(), after(0ms)}, {{step::nothing, 5min, unknown}, {step::nothing, 5min + 1ms, silent}});
  activity sut{with_stream(), after(0ms)};
  sut.take_stream(newest(-2h), after(1s));
  BOOST_TEST((sut.report(after(1s)).status == unknown));
  BOOST_TEST(sut.report(after(1s)).why == "not seen active for 120 min");
  BOOST_TEST((sut.report(after(5min)).status == unknown));
  BOOST_TEST((sut.report(after(5min + 1ms)).status == silent));
  BOOST_TEST(sut.report(after(1s)).activities == 0u); // it was before this process
}

BOOST_AUTO_TEST_CASE(errors_need_a_look_for_five_minutes_whatever_follows) {
  play({with_log(), after(0ms)}, {{step::active, 1s, healthy},
                                  {step::error, 10s, check_needed},
                                  {step::active, 60s, check_needed},
                                  {step::active, 10s + 5min, check_needed},
                                  {step::nothing, 10s + 5min + 1ms, healthy},
                                  {step::both, 10min, check_needed},
                                  {step::nothing, 15min, check_needed},
                                  {step::nothing, 15min + 1ms, silent}});
}

BOOST_AUTO_TEST_CASE(errors_alone_are_no_activity) {
  play({with_log(), after(0ms)}, {{step::error, 1s, check_needed},
                                  {step::error, 5min, check_needed},
                                  {step::error, 5min + 1ms, silent}});
}

BOOST_AUTO_TEST_CASE(any_source_keeps_it_healthy) {
  auto how = with_log();
  how.stream = "positions";
  play({how, after(0ms)}, {{step::entry, 4min, healthy},
                           {step::heartbeat, 8min, healthy},
                           {step::active, 12min, healthy},
                           {step::entry, 16min, healthy},
                           {step::nothing, 21min + 1ms, silent},
                           {step::heartbeat, 22min, healthy}});
}

BOOST_AUTO_TEST_CASE(without_a_source_nothing_is_expected_until_the_first_heartbeat) {
  play({{}, after(0ms)}, {{step::nothing, 24h, unknown},
                          {step::heartbeat, 25h, healthy},
                          {step::nothing, 25h + 5min, healthy},
                          {step::nothing, 25h + 5min + 1ms, silent}});
  activity sut{{}, after(0ms)};
  BOOST_TEST(sut.report(after(0ms)).why.find("no source is configured") == 0u);
}

BOOST_AUTO_TEST_CASE(silent_after_is_what_is_configured) {
  auto how = with_log();
  how.silent_after = 10s;
  play({how, after(0ms)},
       {{step::active, 1s, healthy}, {step::nothing, 11s, healthy}, {step::nothing, 11001ms, silent}});
}

BOOST_AUTO_TEST_CASE(a_new_entry_counts_at_its_time_and_never_in_the_future) {
  activity sut{with_stream(), after(0ms)};
  sut.take_stream(newest(10s), after(60s));
  auto told = sut.report(after(60s));
  BOOST_TEST((told.last_seen == after(10s).wall && told.seen_by == "stream" && told.activities == 1u));
  sut.take_stream(newest(10s), after(65s)); // the same entry
  BOOST_TEST(
      (sut.report(after(65s)).activities == 1u && sut.report(after(65s)).last_seen == after(10s).wall));
  sut.take_stream(newest(24h), after(70s)); // a clock that is ahead
  BOOST_TEST((sut.report(after(70s)).last_seen == after(70s).wall));
  sut.take_stream(newest(24h), after(80s));
  BOOST_TEST((sut.report(after(80s)).last_seen == after(70s).wall));
  sut.take_stream(newest("18446744073709551615-18446744073709551615"), after(90s));
  BOOST_TEST((sut.report(after(90s)).last_seen == after(90s).wall));
  sut.take_stream(newest("1-1"), after(95s)); // the stream was made anew, by hand
  told = sut.report(after(95s));
  BOOST_TEST((told.last_seen == after(90s).wall && told.activities == 3u && told.status == healthy));
}

BOOST_AUTO_TEST_CASE(a_source_that_tells_nothing_says_why_and_costs_the_others_nothing) {
  struct row {
    redis_reply reply;
    const char* problem;
  };
  const row rows[] = {
      {{.what = kind::error, .text = "WRONGTYPE no stream", .items = {}}, "WRONGTYPE no stream"},
      {{.what = kind::array, .text = {}, .items = {}}, "it does not exist or is empty"},
      {newest("nonsense"), "Redis answered XREVRANGE with something that is no entry"},
      {{.what = kind::array, .text = {}, .items = {{}}},
       "Redis answered XREVRANGE with something that is no entry"},
  };
  for (const auto& [reply, problem] : rows) {
    auto how = with_log();
    how.stream = "positions";
    activity sut{how, after(0ms)};
    sut.take_stream(reply, after(1s));
    auto told = sut.report(after(1s));
    BOOST_TEST_REQUIRE(told.sources.size() == 3u);
    BOOST_TEST((told.sources[0].name == "stream" && told.sources[0].of == "positions"));
    BOOST_TEST(told.sources[0].problem == problem);
    BOOST_TEST(told.why.find(std::string{"its stream positions tells nothing: "} + problem) !=
               std::string::npos);
    sut.take_log({1, 0, 0, {}, {}}, after(2s));
    told = sut.report(after(2s));
    BOOST_TEST((told.status == healthy && told.why.empty() && told.sources[0].problem == problem));
    sut.take_stream(newest(3s), after(3s));
    BOOST_TEST(sut.report(after(3s)).sources[0].problem.empty());
  }
}

BOOST_AUTO_TEST_CASE(the_report_tells_everything_that_was_seen) {
  activity sut{with_log(), after(0ms)};
  sut.take_log({3, 2, 1, "APIError 2", {}}, after(1s));
  sut.take_heartbeat(after(2s));
  sut.take_log({0, 0, 0, {}, "gone"}, after(3s));
  const auto told = sut.report(after(62s));
  BOOST_TEST((told.activities == 4u && told.errors == 2u && sut.cut_lines() == 1u));
  BOOST_TEST((told.last_seen == after(2s).wall && told.seen_by == "heartbeat"));
  BOOST_TEST((told.last_error == "APIError 2" && told.last_error_at == after(1s).wall));
  BOOST_TEST(told.why == "errors in its log, the newest 61 s ago: APIError 2");
  BOOST_TEST_REQUIRE(told.sources.size() == 2u);
  BOOST_TEST((told.sources[0].name == "log" && told.sources[0].of == "/var/log/monitor.log"));
  BOOST_TEST((told.sources[0].last_seen == after(1s).wall && told.sources[0].problem == "gone"));
  BOOST_TEST((told.sources[1].name == "heartbeat" && told.sources[1].last_seen == after(2s).wall));
  BOOST_TEST(sut.report(after(10min)).why ==
             "not seen active for 9 min; its last error, 9 min ago: APIError 2; "
             "its log /var/log/monitor.log tells nothing: gone");
}

BOOST_AUTO_TEST_CASE(the_stream_is_asked_for_its_newest_entry) {
  const auto ask = activity{with_stream(), after(0ms)}.newest_entry();
  BOOST_TEST(*ask.wire ==
             "*6\r\n$9\r\nXREVRANGE\r\n$9\r\npositions\r\n$1\r\n+\r\n$1\r\n-\r\n$5\r\nCOUNT\r\n$1\r\n1\r\n");
  BOOST_TEST((ask.count == 1u && ask.lane == redis_lane::commands));
}

} // namespace breakwater::test
