#include "actors/support/emit_io.hpp"

#include "actors/support/emit.hpp"
#include "messages/time.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

using namespace breakwater;
namespace fs = std::filesystem;

namespace {

/// The process's log, in a file that is gone after the test.
struct log_fixture {
  fs::path folder = fs::temp_directory_path() / ("breakwater_emit_io_test_" + std::to_string(::getpid()));
  std::string file = (folder / "x.log").string();

  log_fixture() { fs::create_directories(folder); }
  ~log_fixture() {
    close_log();
    (void)open_log({});
    fs::remove_all(folder);
  }
  void open(log_format format = log_format::text, log_level level = log_level::info) const {
    BOOST_REQUIRE(open_log({.level = level, .format = format, .file = file}));
  }
  std::vector<std::string> lines() const {
    std::ifstream in{file};
    std::vector<std::string> all;
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
  }
  /// Lines without their time stamps, which must be there.
  std::vector<std::string> stories() const {
    auto all = lines();
    for (auto& line : all) {
      const auto space = line.find(' ');
      BOOST_TEST(parse_rfc3339(line.substr(0, space)).has_value(), line);
      line.erase(0, space + 1);
    }
    return all;
  }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(a_line_for_people_has_time_level_tag_text_and_fields, log_fixture) {
  open();
  emit("redis", event::redis_connected, {{"attempt", 3}, {"reason", "first"}});
  emit("feed/binance", event::feed_disconnected,
       {{"reason", "end of \"file\"\n= gone"}, {"bytes", std::size_t{7}}});
  emit("supervisor", event::actor_failed);
  emit("audit", event::audit_failed, fields{{"reason", ""}});
  const auto told = stories();
  BOOST_REQUIRE_EQUAL(told.size(), 4u);
  BOOST_TEST(told[0] == "INFO  [REDIS-MGR] Connected to Redis event=redis_connected attempt=3 reason=first");
  BOOST_TEST(told[1] ==
             "WARN  [feed/binance] Disconnected; connecting again after the wait event=feed_disconnected "
             "reason=\"end of \\\"file\\\"\\u000a= gone\" bytes=7");
  BOOST_TEST(told[2] == "ERROR [supervisor] Actor failed event=actor_failed");
  BOOST_TEST(told[3] == "ERROR [audit] The audit log cannot be written event=audit_failed reason=\"\"");
}

BOOST_FIXTURE_TEST_CASE(a_line_for_machines_is_one_json_object, log_fixture) {
  open(log_format::json);
  emit("breaker/redis", event::breaker_opened, {{"count", -5}, {"reason", "say \"no\"\\\n\x01"}});
  const auto told = lines();
  BOOST_REQUIRE_EQUAL(told.size(), 1u);
  const auto line = nlohmann::json::parse(told[0]);
  BOOST_TEST(parse_rfc3339(line.at("time").get<std::string>()).has_value());
  BOOST_TEST(line.at("level") == "WARN");
  BOOST_TEST(line.at("actor") == "REDIS-MGR");
  BOOST_TEST(line.at("message") == "Circuit OPEN");
  BOOST_TEST(line.at("event") == "breaker_opened");
  BOOST_TEST(line.at("count") == -5);
  BOOST_TEST(line.at("reason") == "say \"no\"\\\n\x01");
}

BOOST_FIXTURE_TEST_CASE(values_of_others_neither_break_a_line_nor_command_a_terminal, log_fixture) {
  const std::string nasty[] = {"\x1b[2J",
                               "a\nb",
                               "\x7f",
                               "\xc2\x9b"
                               "31m", // a CSI in UTF-8
                               "\xe2\x80\xae"
                               "txt.exe",
                               "\xff\xfe",
                               "\xc0\xaf",
                               "\xed\xa0\x80",
                               "x=y z"};
  for (const auto format : {log_format::text, log_format::json}) {
    open(format);
    for (const auto& value : nasty) emit("feed/okx", event::feed_connected, {{"reason", value}});
  }
  const auto all = lines();
  BOOST_TEST_REQUIRE(all.size() == 2 * std::size(nasty));
  for (const auto& line : all) BOOST_TEST_CONTEXT(line) {
      for (const char c : line) BOOST_TEST((c >= ' ' && c <= '~')); // all that is no ASCII here is nasty
      if (line.starts_with('{')) BOOST_TEST(nlohmann::json::accept(line));
    }
  emit("feed/okx", event::feed_connected, {{"reason", "caf\xc3\xa9"}});
  BOOST_TEST(lines().back().find("caf\xc3\xa9") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(lines_below_the_level_are_not_written, log_fixture) {
  open(log_format::text, log_level::error);
  emit("x", event::redis_connected);
  emit("x", event::breaker_opened);
  emit("x", event::actor_failed);
  BOOST_TEST(lines().size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(repeats_are_kept_quiet_by_actor_and_subject, log_fixture) {
  open();
  for (int i = 0; i < 5; ++i) emit("feed/okx", event::feed_stale, {{"symbol", "BTCUSDT"}, {"age_ms", i}});
  emit("feed/okx", event::feed_stale, {{"symbol", "ETHUSDT"}, {"age_ms", 1}});
  emit("feed/bybit", event::feed_stale, {{"symbol", "BTCUSDT"}, {"age_ms", 1}});
  emit("feed/bybit", event::feed_fresh, {{"symbol", "BTCUSDT"}});
  emit("feed/bybit", event::feed_fresh, {{"symbol", "BTCUSDT"}}); // of this event each line counts
  BOOST_TEST(lines().size() == 5u);
}

BOOST_FIXTURE_TEST_CASE(the_next_line_after_the_quiet_time_tells_how_many_were_not_printed, log_fixture) {
  open();
  const auto quiet_for = info_of(event::publisher_intruder).quiet_for;
  BOOST_REQUIRE(quiet_for.count() <= 1000); // the test sleeps for it
  for (int i = 0; i < 4; ++i) emit("publisher", event::publisher_intruder, {{"count", 1}});
  std::this_thread::sleep_for(quiet_for + std::chrono::milliseconds{20});
  emit("publisher", event::publisher_intruder, {{"count", 1}});
  const auto told = stories();
  BOOST_REQUIRE_EQUAL(told.size(), 2u);
  BOOST_TEST(told[0].ends_with(" count=1"));
  BOOST_TEST(told[1].ends_with(" count=1 repeated=3"));
}

BOOST_FIXTURE_TEST_CASE(subjects_without_end_become_one, log_fixture) {
  open();
  for (int i = 0; i < 5000; ++i) emit("feed/okx", event::feed_stale, {{"symbol", std::to_string(i)}});
  BOOST_TEST(lines().size() == 4097u); // and the one that stands for all others
  emit("feed/okx", event::feed_stale, {{"symbol", "7"}});
  BOOST_TEST(lines().size() == 4097u);
}

BOOST_FIXTURE_TEST_CASE(closing_tells_the_repeats_that_were_not_told_yet, log_fixture) {
  open();
  for (int i = 0; i < 3; ++i) emit("feed/okx", event::frame_unreadable, {{"reason", "x"}});
  emit("feed/okx", event::feed_stale, {{"symbol", "BTCUSDT"}});
  close_log();
  const auto told = stories();
  BOOST_REQUIRE_EQUAL(told.size(), 3u);
  BOOST_TEST(told[2].find("event=repeats_counted") != std::string::npos);
  BOOST_TEST(told[2].find("frame_unreadable") != std::string::npos);
  BOOST_TEST(told[2].ends_with("count=2"));
}

BOOST_FIXTURE_TEST_CASE(a_log_that_cannot_be_written_is_refused_and_the_old_one_stays, log_fixture) {
  open();
  const auto refused = open_log({.file = (folder / "x.log" / "y.log").string()});
  BOOST_REQUIRE(!refused);
  BOOST_TEST((refused.error().code == errc::file_unreadable));
  BOOST_TEST(refused.error().detail.starts_with("log.file: "));
  emit("x", event::actor_failed);
  BOOST_TEST(lines().size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(threads_do_not_tear_each_others_lines, log_fixture) {
  open();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([] {
      for (int i = 0; i < 250; ++i) emit("x", event::health_reported, {{"reason", std::string(100, 'y')}});
    });
  for (auto& thread : threads) thread.join();
  const auto told = stories();
  BOOST_TEST(told.size() == 1000u);
  for (const auto& line : told) BOOST_TEST(line == told.front());
}

BOOST_FIXTURE_TEST_CASE(an_ear_hears_what_is_written_and_nothing_else, log_fixture) {
  open(log_format::text, log_level::debug);
  std::vector<happening> heard;
  let_hear([&](happening what) {
    heard.push_back(std::move(what));
    if (heard.size() == 1) emit("audit", event::audit_failed); // as whoever hears may
  });
  emit("redis", event::redis_connected, {{"attempt", 3}});
  emit("feed/okx", event::feed_stale, {{"symbol", "BTCUSDT"}});
  emit("feed/okx", event::feed_stale, {{"symbol", "BTCUSDT"}}); // a repeat is not written
  let_hear({});
  emit("redis", event::redis_lost);
  BOOST_REQUIRE(heard.size() == 3u);
  BOOST_TEST(
      (heard[0].level == "INFO" && heard[0].actor == "REDIS-MGR" && heard[0].event == "redis_connected"));
  BOOST_TEST(heard[0].text == "Connected to Redis");
  BOOST_TEST((heard[0].details == std::vector<std::pair<std::string, std::string>>{{"attempt", "3"}}));
  BOOST_TEST(heard[1].event == "audit_failed");
  BOOST_TEST(heard[2].event == "feed_stale");
}
