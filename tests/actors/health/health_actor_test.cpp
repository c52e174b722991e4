#include "actors/health/health_actor.hpp"

#include "actors/support/emit_io.hpp"
#include "tests/support/actor_fixture.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

using namespace breakwater;
using namespace breakwater::test;

namespace {

using any_actor = caf::typed_actor<caf::reacts_to<wake>, tells_health>;

/// Health writes a line each tick; a day of them helps nobody.
struct quiet_log {
  quiet_log() {
    log_settings quiet;
    quiet.level = log_level::error;
    BOOST_TEST_REQUIRE(static_cast<bool>(open_log(quiet)));
  }
};
BOOST_TEST_GLOBAL_FIXTURE(quiet_log);

/// A service manager that writes down what it is told, and when.
struct fake_service final : service_port {
  std::optional<std::chrono::microseconds> waits;
  std::vector<std::string> heard;

  [[nodiscard]] std::optional<std::chrono::microseconds> watchdog() const override { return waits; }
  void tell(const std::string& lines) override { heard.push_back(lines); }
  [[nodiscard]] std::size_t count(const std::string& what) const {
    return static_cast<std::size_t>(std::count_if(
        heard.begin(), heard.end(), [&](const auto& lines) { return lines.find(what) != lines.npos; }));
  }
};

struct health_fixture : actor_fixture {
  /// An actor that is asked how it is.
  struct part {
    bool answers = true;
    health_level level = health_level::ok;
    std::vector<mono_time> asked_at;
    std::vector<caf::typed_response_promise<health_answer>> owed;
    any_actor who; ///< Woken, it gives the first answer it owes.
  };

  health_settings settings;
  std::map<std::string, part> parts;
  std::vector<watched> everyone;
  std::vector<entry_fields> entries;     ///< As they go into the stream.
  std::vector<std::string> unresponsive; ///< As the supervisor was told.
  mono_time began = now();
  std::chrono::milliseconds look_every{0};
  std::shared_ptr<fake_service> service;
  health_actor sut;

  void watches(const std::string& name) {
    auto& of = parts[name];
    of.who = spawn([this, &of](any_actor::pointer self) -> any_actor::behavior_type {
      return {[&of](wake) { of.owed.front().deliver(health_answer{}); }, // too late by now
              [this, &of, self](health_question) -> caf::result<health_answer> {
                of.asked_at.push_back(now());
                if (of.answers) return health_answer{of.level, "", {}};
                of.owed.push_back(self->make_response_promise<health_answer>());
                return of.owed.back();
              }};
    });
    everyone.push_back({name, of.who});
  }
  void start() {
    auto supervisor = spawn([this](supervisor_actor::pointer) -> supervisor_actor::behavior_type {
      return {[](stop_request) { return stopped{}; },
              [](const restart_due&) {},
              [](const stop_overdue&) {},
              [this](const child_unresponsive& who) { unresponsive.push_back(who.name); },
              [](const supervision_question&) { return supervision_report{}; },
              [](const chaos_kill&) {},
              [](health_question) { return health_answer{}; }};
    });
    began = now();
    auto notices = spawn([this](notices_actor::pointer) -> notices_actor::behavior_type {
      return {[](const quality_batch&) {},
              [this](const notice_batch& batch) {
                entries.insert(entries.end(), batch.entries->begin(), batch.entries->end());
              },
              [](const wake&) {}, [](health_question) { return health_answer{}; }};
    });
    health_options options{settings, "a", "1.2.3", wall()};
    options.look_every = look_every;
    options.service = service;
    sut = spawn(health_behavior, options, everyone, health_peers{supervisor, notices});
    settle();
  }
  void start_as_service() {
    service = std::make_shared<fake_service>();
    look_every = 1s;
    start();
  }
  std::string level() { return ask<health_answer>(sut, health_question{})->facts.at(1).second; }
  std::string ticks() { return ask<health_answer>(sut, health_question{})->facts.at(0).second; }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(health_actor_, health_fixture)

BOOST_AUTO_TEST_CASE(everyone_is_asked_every_30_s_for_a_day) {
  watches("a");
  watches("b");
  start();
  wait(24h);
  for (const auto& [name, of] : parts) BOOST_TEST_CONTEXT(name) {
      BOOST_TEST_REQUIRE(of.asked_at.size() == 2880u);
      for (std::size_t i = 0; i < of.asked_at.size(); ++i)
        BOOST_TEST_REQUIRE((of.asked_at[i] == began + (i + 1) * 30s));
    }
  BOOST_TEST(ticks() == "2880");
  BOOST_TEST(unresponsive.empty());
  BOOST_TEST(level() == "ok");
}

BOOST_AUTO_TEST_CASE(the_report_is_that_of_the_last_tick_and_comes_at_once) {
  watches("a");
  watches("b");
  parts["b"].answers = false;
  start();
  auto told = *ask<health_report>(sut, health_report_request{});
  BOOST_TEST(!told.as_of);
  BOOST_TEST(told.parts.size() == 2u);
  wait(35s);
  told = *ask<health_report>(sut, health_report_request{});
  BOOST_TEST_REQUIRE(told.as_of.has_value());
  BOOST_TEST(to_rfc3339(*told.as_of) == "2026-01-05T00:00:35.000Z");
  BOOST_TEST((told.parts[0].name == "a" && told.parts[0].answer.level == health_level::ok));
  BOOST_TEST(
      (told.parts[1].answer.level == health_level::critical && told.parts[1].answer.why == "no answer"));
}

BOOST_AUTO_TEST_CASE(each_tick_is_one_entry_of_the_stream) {
  watches("a");
  watches("b");
  parts["b"].answers = false;
  start();
  wait(35s);
  BOOST_TEST_REQUIRE(entries.size() == 1u);
  BOOST_TEST((entries[0] == entry_fields{{"time", "2026-01-05T00:00:35.000Z"},
                                         {"status", "critical"},
                                         {"instance", "a"},
                                         {"version", "1.2.3"},
                                         {"parts", R"({"a":"ok","b":"critical"})"},
                                         {"why", "b: no answer"}}));
  wait(30s);
  BOOST_TEST(entries.size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_tick_has_its_time_to_answer_also_when_that_is_as_long_as_the_interval) {
  settings.answer_within = settings.interval;
  watches("slow");
  parts["slow"].answers = false;
  start();
  wait(31s);
  for (int i = 0; i < 4; ++i) {
    caf::anon_send(parts["slow"].who, wake{}); // answers a second after it was asked
    settle();
    parts["slow"].owed.erase(parts["slow"].owed.begin());
    BOOST_TEST(level() == "ok");
    wait(30s);
  }
  BOOST_TEST(unresponsive.empty());
}

BOOST_AUTO_TEST_CASE(a_late_tick_does_not_shift_the_later_ones) {
  watches("a");
  start();
  clock.advance_time(70s); // the machine slept
  settle();
  BOOST_TEST(parts["a"].asked_at.size() == 1u); // and is not asked twice for it
  wait(20s);
  BOOST_TEST(parts["a"].asked_at.size() == 2u);
  wait(30s);
  BOOST_TEST_REQUIRE(parts["a"].asked_at.size() == 3u);
  BOOST_TEST((parts["a"].asked_at[2] == began + 120s));
}

BOOST_AUTO_TEST_CASE(the_level_is_that_of_the_worst_and_stands_between_ticks) {
  watches("a");
  watches("b");
  parts["b"].level = health_level::degraded;
  start();
  BOOST_TEST(level() == "critical"); // nobody was asked yet
  wait(30s);
  BOOST_TEST(level() == "degraded");
  parts["b"].level = health_level::ok;
  wait(29s);
  BOOST_TEST(level() == "degraded");
  wait(1s);
  BOOST_TEST(level() == "ok");
}

BOOST_AUTO_TEST_CASE(a_missing_answer_is_critical_when_its_time_is_over) {
  watches("a");
  watches("b");
  start();
  wait(30s);
  parts["b"].answers = false;
  wait(30s + 4999ms);
  BOOST_TEST(level() == "ok");
  wait(1ms);
  BOOST_TEST(level() == "critical");
  BOOST_TEST(unresponsive.empty());
}

BOOST_AUTO_TEST_CASE(the_supervisor_is_told_who_missed_two_ticks) {
  watches("a");
  watches("b");
  parts["b"].answers = false;
  start();
  wait(60s + 4999ms);
  BOOST_TEST(unresponsive.empty());
  wait(1ms);
  BOOST_TEST(unresponsive == std::vector<std::string>{"b"}, boost::test_tools::per_element());
  parts["b"].answers = true;
  wait(10min);
  BOOST_TEST(unresponsive.size() == 1u);
  BOOST_TEST(level() == "ok");
}

BOOST_AUTO_TEST_CASE(an_actor_that_is_gone_is_one_that_does_not_answer) {
  watches("a");
  start();
  wait(35s);
  BOOST_TEST(level() == "ok");
  caf::anon_send_exit(everyone[0].who, caf::exit_reason::kill);
  wait(30s);
  BOOST_TEST(level() == "critical");
  wait(30s);
  BOOST_TEST(unresponsive.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_late_answer_clears) {
  watches("a");
  parts["a"].answers = false;
  start();
  wait(40s);
  BOOST_TEST(level() == "critical");
  caf::anon_send(parts["a"].who, wake{});
  settle();
  BOOST_TEST(level() == "ok");
  wait(25s); // the next tick is missed too, but not the second in a row
  BOOST_TEST(level() == "critical");
  BOOST_TEST(unresponsive.empty());
}

BOOST_AUTO_TEST_CASE(it_looks_soon_after_the_start_and_then_keeps_to_its_ticks) {
  watches("a");
  look_every = 1s;
  start();
  wait(999ms);
  BOOST_TEST(parts["a"].asked_at.empty());
  wait(1ms);
  BOOST_TEST(level() == "ok");
  BOOST_TEST(entries.size() == 1u);
  wait(5min - 1s);
  BOOST_TEST_REQUIRE(parts["a"].asked_at.size() == 11u);
  BOOST_TEST((parts["a"].asked_at[1] == began + 30s && parts["a"].asked_at[10] == began + 300s));
  BOOST_TEST(ticks() == "10");
}

BOOST_AUTO_TEST_CASE(it_looks_each_second_until_all_was_well_once_and_tells_that_once) {
  watches("a");
  parts["a"].level = health_level::critical;
  look_every = 1s;
  start();
  wait(10s);
  BOOST_TEST(parts["a"].asked_at.size() == 10u);
  BOOST_TEST(entries.empty());
  parts["a"].level = health_level::degraded;
  wait(1s);
  BOOST_TEST(entries.size() == 1u);
  parts["a"].level = health_level::critical;
  wait(18s);
  BOOST_TEST(parts["a"].asked_at.size() == 11u);
}

BOOST_AUTO_TEST_CASE(who_is_slow_at_the_start_is_not_told_to_end_for_it) {
  watches("a");
  parts["a"].answers = false;
  look_every = 1s;
  start();
  wait(29s);
  BOOST_TEST(parts["a"].asked_at.size() > 3u);
  BOOST_TEST(unresponsive.empty());
  wait(1min + 6s);
  BOOST_TEST(!unresponsive.empty());
}

BOOST_AUTO_TEST_CASE(the_service_is_ready_when_everybody_answers_and_nothing_is_critical) {
  watches("a");
  watches("b");
  parts["a"].level = health_level::critical;
  start_as_service();
  wait(10min); // longer than any time-out of a start
  BOOST_TEST(service->count("READY=1") == 0u);
  BOOST_TEST(service->count("WATCHDOG=1") == 0u);
  BOOST_TEST(service->count("EXTEND_TIMEOUT_USEC=60000000\nSTATUS=starting, waits for: a: ") ==
             service->heard.size());
  BOOST_TEST(service->heard.size() >= 590u);
  parts["a"].level = health_level::degraded;
  wait(1s);
  BOOST_TEST(service->heard.back().starts_with("READY=1\nWATCHDOG=1\nSTATUS=degraded: "));
  wait(1h);
  BOOST_TEST(service->count("READY=1") == 1u);
  BOOST_TEST(service->count("WATCHDOG=1") == 121u);
}

BOOST_AUTO_TEST_CASE(a_start_in_which_somebody_does_not_answer_may_time_out) {
  watches("a");
  parts["a"].answers = false;
  start_as_service();
  wait(1min);
  BOOST_TEST(service->count("EXTEND_TIMEOUT_USEC") == 0u);
  BOOST_TEST(service->count("READY=1") == 0u);
  BOOST_TEST(service->heard.back() == "STATUS=starting, waits for: a: no answer");
}

BOOST_AUTO_TEST_CASE(the_watchdog_hears_nothing_of_a_look_that_somebody_did_not_answer) {
  watches("a");
  watches("b");
  start_as_service();
  wait(31s);
  BOOST_TEST(service->count("WATCHDOG=1") == 2u);
  parts["b"].answers = false;
  wait(5min);
  BOOST_TEST(service->count("WATCHDOG=1") == 2u);
  BOOST_TEST(service->heard.back() == "STATUS=critical: no publisher; b: no answer");
  parts["b"].answers = true;
  wait(30s);
  BOOST_TEST(service->count("WATCHDOG=1") == 3u);
}

BOOST_AUTO_TEST_SUITE_END()
