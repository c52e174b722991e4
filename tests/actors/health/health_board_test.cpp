#include "actors/health/health_board.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <string>

using namespace breakwater;

namespace {

using names = std::vector<std::string>;

health_answer fine() { return {}; }
health_answer poorly(std::string why) { return {health_level::degraded, std::move(why), {}}; }

std::map<std::string, std::string> line_of(const health_board& board) {
  auto line = board.line();
  return {line.begin(), line.end()};
}

/// A tick in which the given parts answer well; returns who is unresponsive now.
names tick(health_board& board, std::initializer_list<std::size_t> answering) {
  board.ask_everyone();
  for (auto who : answering) board.answered(who, fine());
  return board.close_tick();
}

} // namespace

BOOST_AUTO_TEST_CASE(the_worst_part_is_the_level_of_all) {
  health_board board{{"a", "b", "c"}};
  tick(board, {0, 1, 2});
  BOOST_TEST((board.overall() == health_level::ok));
  board.answered(1, poorly("spooled"));
  BOOST_TEST((board.overall() == health_level::degraded));
  board.answered(2, {health_level::critical, "full", {}});
  BOOST_TEST((board.overall() == health_level::critical));
  board.answered(2, fine());
  board.answered(1, fine());
  BOOST_TEST((board.overall() == health_level::ok));
}

BOOST_AUTO_TEST_CASE(who_has_never_answered_is_critical) {
  health_board board{{"a", "b"}};
  BOOST_TEST((board.overall() == health_level::critical));
  BOOST_TEST(line_of(board).at("attention") == "a: no answer; b: no answer");
  tick(board, {0});
  BOOST_TEST((board.overall() == health_level::critical));
}

BOOST_AUTO_TEST_CASE(a_missing_answer_is_critical_at_the_end_of_the_tick_and_not_before) {
  health_board board{{"a", "b"}};
  tick(board, {0, 1});
  board.ask_everyone();
  BOOST_TEST((board.overall() == health_level::ok)); // nobody is late yet
  board.answered(0, fine());
  BOOST_TEST(board.close_tick().empty());
  BOOST_TEST((board.overall() == health_level::critical));
  BOOST_TEST(line_of(board).at("attention") == "b: no answer");
  BOOST_TEST(line_of(board).at("answered") == "1/2");
}

BOOST_AUTO_TEST_CASE(two_misses_in_a_row_are_told_and_then_every_second_one) {
  health_board board{{"a", "b"}};
  const names nobody, b{"b"};
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(tick(board, {0}) == nobody, boost::test_tools::per_element());
    BOOST_TEST(tick(board, {0}) == b, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(an_answer_between_starts_the_count_anew) {
  health_board board{{"a"}};
  for (int i = 0; i < 5; ++i) {
    BOOST_TEST(tick(board, {}).empty());
    BOOST_TEST(tick(board, {0}).empty());
  }
}

BOOST_AUTO_TEST_CASE(a_late_answer_clears) {
  health_board board{{"a"}};
  tick(board, {});
  BOOST_TEST((board.overall() == health_level::critical));
  board.answered(0, fine());
  BOOST_TEST((board.overall() == health_level::ok));
  BOOST_TEST(tick(board, {}).empty()); // the miss before it does not count any more
}

BOOST_AUTO_TEST_CASE(the_line_tells_the_level_the_wrong_and_two_facts_of_each) {
  health_board board{{"redis", "publisher", "audit"}};
  board.ask_everyone();
  board.answered(0, {health_level::ok, "", {{"state", "ready"}, {"ping_ms", "1"}, {"third", "x"}}});
  board.answered(1, {health_level::degraded, "12 records wait", {{"waiting", "12"}}});
  static_cast<void>(board.close_tick());
  const std::vector<std::pair<std::string, std::string>> want{
      {"level", "critical"},
      {"answered", "2/3"},
      {"attention", "publisher: 12 records wait; audit: no answer"},
      {"redis.state", "ready"},
      {"redis.ping_ms", "1"},
      {"publisher.waiting", "12"},
  };
  BOOST_TEST((board.line() == want));
}

BOOST_AUTO_TEST_CASE(a_look_beside_the_ticks_finds_who_is_silent_and_counts_for_nothing_else) {
  health_board board{{"a", "b"}};
  const auto look = [&](std::initializer_list<std::size_t> answering) {
    board.ask_everyone();
    for (auto who : answering) board.answered(who, fine());
    board.close_look();
  };
  for (int i = 0; i < 5; ++i) look({0});
  BOOST_TEST((board.overall() == health_level::critical));
  BOOST_TEST(board.attention() == "b: no answer");
  BOOST_TEST(tick(board, {0}).empty());
  look({0});
  BOOST_TEST((tick(board, {0}) == names{"b"})); // the second tick
  look({0, 1});
  BOOST_TEST((board.overall() == health_level::ok));
}
