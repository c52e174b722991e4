#include "actors/audit/audit_actor.hpp"

#include "actors/audit/audit_line.hpp"
#include "tests/support/actor_fixture.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

using namespace breakwater;
using namespace breakwater::test;

namespace {

struct memory_file : audit_port {
  std::vector<std::string> lines;
  std::uint64_t last = 0;
  bool full = false;

  std::uint64_t last_number() const override { return last; }
  result<done> append(std::string_view line) override {
    if (full) return failure{errc::file_unreadable, "audit.jsonl: No space left on device"};
    lines.emplace_back(line);
    last = audit_number(line);
    return done{};
  }
};

struct audit_fixture : actor_fixture {
  std::shared_ptr<memory_file> file = std::make_shared<memory_file>();
  audit_actor sut;

  void start() { sut = spawn(audit_behavior, "a", wall(), file); }
  void tell(std::string what, std::string actor = "feed/okx") {
    caf::anon_send(sut, audit_record{std::move(what), std::move(actor), {{"errc", "crashed"}}});
    settle();
  }
  health_answer health() { return *ask<health_answer>(sut, health_question{}); }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(audit_actor_, audit_fixture)

BOOST_AUTO_TEST_CASE(every_record_becomes_a_numbered_line_with_its_time) {
  start();
  tell("actor_failed");
  wait(1500ms);
  tell("breaker_moved", "breaker/redis");
  BOOST_TEST_REQUIRE(file->lines.size() == 2u);
  BOOST_TEST(file->lines[0] == R"({"number":1,"time":"2026-01-05T00:00:00.000Z","instance":"a",)"
                               R"("what":"actor_failed","actor":"feed/okx","details":{"errc":"crashed"}})");
  const auto second = nlohmann::json::parse(file->lines[1]);
  BOOST_TEST(second["number"] == 2);
  BOOST_TEST(second["time"] == "2026-01-05T00:00:01.500Z");
  BOOST_TEST(second["actor"] == "breaker/redis");
}

BOOST_AUTO_TEST_CASE(numbers_go_on_where_the_file_ends_also_after_a_restart) {
  file->last = 41;
  start();
  tell("x");
  caf::anon_send_exit(sut, caf::exit_reason::kill);
  settle();
  start();
  tell("y");
  BOOST_TEST_REQUIRE(file->lines.size() == 2u);
  BOOST_TEST(audit_number(file->lines[0]) == 42u);
  BOOST_TEST(audit_number(file->lines[1]) == 43u);
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_written_is_told_in_health_and_ends_nobody) {
  start();
  tell("x");
  BOOST_TEST((health().level == health_level::ok));
  file->full = true;
  tell("y");
  tell("z");
  BOOST_TEST((health().level == health_level::critical));
  BOOST_TEST(health().why == "audit.jsonl: No space left on device");
  BOOST_TEST(health().facts.at(0).second == "1");
  BOOST_TEST(health().facts.at(1).second == "2");
  file->full = false;
  tell("w");
  BOOST_TEST((health().level == health_level::ok));
  BOOST_TEST_REQUIRE(file->lines.size() == 2u);
  BOOST_TEST(audit_number(file->lines[1]) == 2u); // no number was used up
  BOOST_TEST(health().facts.at(1).second == "2"); // what was lost stays counted
}

BOOST_AUTO_TEST_SUITE_END()
