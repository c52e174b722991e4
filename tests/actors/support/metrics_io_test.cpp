#include "actors/support/metrics_io.hpp"

#include "actors/support/emit.hpp"
#include "actors/support/emit_io.hpp"
#include "actors/support/metrics.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace breakwater;
using namespace std::chrono_literals;

namespace {

/// The registry is that of the process, so each case has a subject of its own.
struct scraped {
  explicit scraped(const metric_families& told = {}) : text(metrics_io{}.text(told)) {}

  /// The sample that begins like this; below 0: there is none.
  double value(const std::string& sample) const {
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with(sample + " ")) return std::stod(line.substr(sample.size() + 1));
    return -1;
  }
  std::map<std::string, int> families() const {
    std::map<std::string, int> count;
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with("# TYPE ")) ++count[line.substr(7, line.find(' ', 7) - 7)];
    return count;
  }

  std::string text;
};

std::string of_answer(const std::string& part, const std::string& actor, const std::string& more = {}) {
  return "breakwater_health_answer_seconds_" + part + "{actor=\"" + actor + "\"" + more + "}";
}

} // namespace

BOOST_AUTO_TEST_CASE(an_observation_falls_into_the_first_bucket_that_holds_it_one_by_one_or_many_at_once) {
  const latency_histogram sut{latency::actor_answer, "one"};
  sut.observe(1ms); // on the boundary
  sut.observe(3ms, 4);
  sut.observe(1h, 2);
  sut.observe(-5ms); // a clock that was set
  sut.observe(7ms, 0);
  const scraped now;
  BOOST_TEST(now.value(of_answer("bucket", "one", ",le=\"0.0005\"")) == 1);
  BOOST_TEST(now.value(of_answer("bucket", "one", ",le=\"0.001\"")) == 2);
  BOOST_TEST(now.value(of_answer("bucket", "one", ",le=\"0.002\"")) == 2);
  BOOST_TEST(now.value(of_answer("bucket", "one", ",le=\"0.005\"")) == 6);
  BOOST_TEST(now.value(of_answer("bucket", "one", ",le=\"5\"")) == 6);
  BOOST_TEST(now.value(of_answer("bucket", "one", ",le=\"+Inf\"")) == 8);
  BOOST_TEST(now.value(of_answer("count", "one")) == 8);
  BOOST_TEST(now.value(of_answer("sum", "one")) == 7200.013, boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(nothing_is_lost_when_many_threads_count) {
  const latency_histogram first{latency::actor_answer, "many"};
  constexpr int threads = 8, each = 2000;
  std::vector<std::thread> all;
  for (int i = 0; i < threads; ++i)
    all.emplace_back([&] {
      const latency_histogram same{latency::actor_answer, "many"}; // of the next life of the actor
      const last_success success{success::feed_data, "many"};
      for (int k = 0; k < each; ++k) {
        (k % 2 == 0 ? first : same).observe(1ms, k % 2 == 0 ? 1 : 3);
        success.now();
        count_event(event::chaos_ordered);
        if (k % 500 == 0) (void)scraped{};
      }
    });
  for (auto& one : all) one.join();
  const scraped now;
  BOOST_TEST(now.value(of_answer("count", "many")) == threads * each * 2);
  BOOST_TEST(now.value("breakwater_events_total{event=\"chaos_ordered\",level=\"warn\"}") >= threads * each);
}

BOOST_AUTO_TEST_CASE(a_success_is_0_until_the_first_and_then_the_time_of_the_last) {
  const last_success sut{success::bridge_read, "route"};
  const std::string sample = "breakwater_bridge_last_read_timestamp_seconds{bridge=\"route\"}";
  BOOST_TEST(scraped{}.value(sample) == 0);
  const auto before = static_cast<double>(epoch_ms(system_wall_time())) / 1000;
  sut.now();
  BOOST_TEST(scraped{}.value(sample) >= before); // to the millisecond: the text has all digits
  BOOST_TEST(scraped{}.value(sample) <= before + 60);
  last_success{}.now();
  latency_histogram{}.observe(1s); // tells nobody, harms nobody
}

BOOST_AUTO_TEST_CASE(an_event_is_counted_whether_or_not_its_line_is_printed) {
  const std::string sample = "breakwater_events_total{event=\"late_candles\",level=\"warn\"}";
  const auto before = scraped{}.value(sample);
  BOOST_TEST(before >= 0); // told from the beginning, so that its increase can be seen
  BOOST_REQUIRE(open_log({.level = log_level::error, .file = "/dev/null"}));
  for (int i = 0; i < 3; ++i) emit("metrics_io_test", event::late_candles, {{"count", 1}});
  BOOST_TEST(scraped{}.value(sample) == before + 3);
  (void)open_log({});
}

BOOST_AUTO_TEST_CASE(what_was_told_and_what_was_measured_are_one_text_with_each_family_once) {
  const latency_histogram measured{latency::redis_ping};
  using kind = metric_family::kind;
  const scraped now{{{"breakwater_a_total", "Help\nwith \\.", kind::counter, {{{{"of", "x\"y\\z"}}, 3}}},
                     {"breakwater_b_seconds", "Help.", kind::gauge, {{{}, 0.25}}},
                     {"breakwater_c", "Nobody has one.", kind::gauge, {}}}};
  BOOST_TEST(now.value(R"(breakwater_a_total{of="x\"y\\z"})") == 3);
  BOOST_TEST(now.value("breakwater_b_seconds") == 0.25);
  BOOST_TEST(now.text.find("breakwater_c") == std::string::npos);
  BOOST_TEST(now.text.find("# TYPE breakwater_a_total counter\n") != std::string::npos);
  BOOST_TEST(now.text.find("# TYPE breakwater_b_seconds gauge\n") != std::string::npos);
  BOOST_TEST(now.text.find("# TYPE breakwater_redis_ping_seconds histogram\n") != std::string::npos);
  for (const auto& [name, count] : now.families()) BOOST_TEST(count == 1, name);
}

BOOST_AUTO_TEST_CASE(the_process_is_told_as_the_operating_system_knows_it) {
  const scraped now;
  const auto wall = static_cast<double>(epoch_ms(system_wall_time())) / 1000;
  BOOST_TEST(now.value("process_resident_memory_bytes") > 1e6);
  BOOST_TEST(now.value("process_virtual_memory_bytes") > now.value("process_resident_memory_bytes"));
  BOOST_TEST(now.value("process_cpu_seconds_total") >= 0);
  BOOST_TEST(now.value("process_threads") >= 1);
  BOOST_TEST(now.value("process_open_fds") >= 3);
  BOOST_TEST(now.value("process_max_fds") >= now.value("process_open_fds"));
  BOOST_TEST(now.value("process_start_time_seconds") > wall - 3600);
  BOOST_TEST(now.value("process_start_time_seconds") < wall + 1);
}
