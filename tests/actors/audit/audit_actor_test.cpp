#include "actors/audit/audit_actor.hpp"

#include "tests/support/actor_fixture.hpp"
#include "tests/support/fake_audit.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace breakwater::test {
namespace {

struct audit_fixture : actor_fixture {
  std::shared_ptr<fake_audit> file = std::make_shared<fake_audit>();
  audit_actor sut;

  void starts() {
    sut = spawn(audit_behavior, audit_options{"a", wall(), fake_hash}, file);
    settle();
  }
  void begins_again() {
    caf::anon_send_exit(sut, caf::exit_reason::kill);
    settle();
    starts();
  }
  void tell(std::string what, std::string actor = "feed/okx") {
    caf::anon_send(sut, audit_record{std::move(what), std::move(actor), {{"errc", "crashed"}}});
    settle();
  }
  health_answer health() { return *ask<health_answer>(sut, health_question{}); }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(audit_actor_, audit_fixture)

BOOST_AUTO_TEST_CASE(every_record_becomes_a_numbered_line_with_its_time) {
  starts();
  tell("actor_failed");
  wait(1500ms);
  tell("breaker_moved", "breaker/redis");
  BOOST_TEST_REQUIRE(file->lines.size() == 2u);
  const auto first = nlohmann::json::parse(file->lines[0]), second = nlohmann::json::parse(file->lines[1]);
  BOOST_TEST((first["number"] == 1 && first["what"] == "actor_failed" && first["actor"] == "feed/okx"));
  BOOST_TEST(first["details"]["errc"] == "crashed");
  BOOST_TEST((second["number"] == 2 && second["time"] == "2026-01-05T00:00:01.500Z"));
  BOOST_TEST(second["previous"] == first["hash"]);
}

BOOST_AUTO_TEST_CASE(the_chain_goes_on_after_a_restart_and_each_life_looks_at_it) {
  starts();
  tell("x");
  begins_again();
  tell("y");
  BOOST_TEST(file->opened == 2u);
  audit_check check{fake_hash, audit_tip{2, nlohmann::json::parse(file->lines[1])["hash"]}};
  for (const auto& line : file->lines) check.take(line);
  check.finish(check.tip());
  BOOST_TEST(check.problem_count() == 0u);
}

BOOST_AUTO_TEST_CASE(an_order_is_answered_with_its_number_once_it_is_written) {
  starts();
  const auto written = ask<audit_written>(sut, audit_order{{"breaker_reset", "breaker/redis", {}}});
  BOOST_TEST_REQUIRE(static_cast<bool>(written));
  BOOST_TEST(written->number == 1u);
  BOOST_TEST(file->count({"breaker_reset"}) == 1u);
  file->fails = true;
  const auto refused = ask<audit_written>(sut, audit_order{{"breaker_reset", "breaker/redis", {}}});
  BOOST_TEST_REQUIRE(!refused);
  BOOST_TEST((to_failure(refused.error()).code == errc::audit_unwritable));
  BOOST_TEST(to_failure(refused.error()).detail == "No space left on device");
}

BOOST_AUTO_TEST_CASE(the_newest_lines_are_told) {
  starts();
  for (const auto* what : {"x", "y", "z"}) tell(what);
  const auto told = ask<audit_tail>(sut, audit_tail_request{2})->lines;
  BOOST_TEST_REQUIRE(told.size() == 2u);
  BOOST_TEST(nlohmann::json::parse(told[0])["what"] == "z");
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_written_is_told_in_health_and_ends_nobody) {
  starts();
  tell("x");
  BOOST_TEST((health().level == health_level::ok));
  file->fails = true;
  tell("y");
  tell("z");
  BOOST_TEST((health().level == health_level::critical));
  BOOST_TEST(health().why == "No space left on device");
  BOOST_TEST(health().facts.at(0).second == "1");
  BOOST_TEST(health().facts.at(1).second == "2");
  file->fails = false;
  tell("w");
  BOOST_TEST((health().level == health_level::ok));
  BOOST_TEST(nlohmann::json::parse(file->lines.back())["number"] == 2); // no number was used up
  BOOST_TEST(health().facts.at(1).second == "2");                       // what was lost stays counted
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_opened_is_opened_later) {
  file->fails = true;
  starts();
  BOOST_TEST((health().level == health_level::critical));
  tell("x");
  file->fails = false;
  tell("y");
  BOOST_TEST((health().level == health_level::ok));
  BOOST_TEST(file->lines.size() == 1u);
}

BOOST_AUTO_TEST_CASE(damage_is_told_in_health_and_the_chain_goes_on) {
  starts();
  tell("x");
  tell("y");
  file->lines[0].replace(file->lines[0].find("\"x\""), 3, "\"z\"");
  begins_again();
  BOOST_TEST((health().level == health_level::degraded));
  BOOST_TEST(health().why.find("line 1: number 1 was changed") != std::string::npos);
  BOOST_TEST(file->count({"chain_broken", "line 1: number 1 was changed"}) == 1u);
  tell("w");
  BOOST_TEST(nlohmann::json::parse(file->lines.back())["number"] == 4);
}

BOOST_AUTO_TEST_CASE(a_torn_line_is_written_down_as_removed) {
  file->torn = "{\"num";
  starts();
  BOOST_TEST(file->count({"torn_line_removed", "{\\\"num"}) == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace breakwater::test
