#include "actors/alerts/alert_state.hpp"

#include <boost/test/unit_test.hpp>

namespace breakwater {
namespace {

using namespace std::chrono_literals;

finding found(const std::string& rule, const std::string& subject = {}, bool at_once = false,
              bool holds = true) {
  return {rule, subject, alert_level::warning, "text", "do", at_once, holds};
}

/// "+rule subject #number" of what was raised, "-rule subject #number" of what was cleared.
struct state_fixture {
  alert_state sut;
  wall_time now = wall_time_from_ms(1767571200000);

  std::string look(judgement what) {
    now += 5s;
    std::string text;
    for (const auto& change : sut.take(what, now))
      text += std::string{text.empty() ? "" : " "} + (change.cleared_at ? "-" : "+") + change.rule +
              change.subject + "#" + std::to_string(change.number);
    return text;
  }
  std::string look(std::vector<finding> findings) { return look(judgement{std::move(findings), {}, {}}); }
  std::string look() { return look(std::vector<finding>{}); }
};

BOOST_FIXTURE_TEST_SUITE(alert_state_suite, state_fixture)

BOOST_AUTO_TEST_CASE(two_looks_in_a_row_raise_and_three_clear) {
  BOOST_TEST(look({found("a")}) == "");
  BOOST_TEST(look() == "");
  BOOST_TEST(look({found("a")}) == "");
  BOOST_TEST(look({found("a")}) == "+a#1");
  BOOST_TEST(look({found("a")}) == "");
  BOOST_TEST(look() == "");
  BOOST_TEST(look() == "");
  BOOST_TEST(look({found("a")}) == ""); // it was there again before it cleared
  BOOST_TEST(look() == "");
  BOOST_TEST(look() == "");
  BOOST_TEST(look() == "-a#1");
  BOOST_TEST(sut.active().empty());
  BOOST_TEST(look({found("a")}) == "");
  BOOST_TEST(look({found("a")}) == "+a#2");
}

BOOST_AUTO_TEST_CASE(a_rule_with_a_time_of_its_own_raises_at_once) {
  BOOST_TEST(look({found("a", "", true)}) == "+a#1");
  BOOST_TEST(look() == "");
  BOOST_TEST(look() == "");
  BOOST_TEST(look() == "-a#1");
}

BOOST_AUTO_TEST_CASE(just_within_the_threshold_neither_raises_nor_clears) {
  for (int i = 0; i < 5; ++i) BOOST_TEST(look({found("a", "", true, false)}) == "");
  BOOST_TEST(look({found("a", "", true)}) == "+a#1");
  for (int i = 0; i < 9; ++i) BOOST_TEST(look({found("a", "", true, false)}) == "");
  BOOST_TEST(sut.active().size() == 1u);
  look();
  look();
  BOOST_TEST(look() == "-a#1");
  BOOST_TEST(look({found("b")}) == "");
  BOOST_TEST(look({found("b", "", false, false)}) == "");
  BOOST_TEST(look({found("b")}) == ""); // not twice in a row
}

BOOST_AUTO_TEST_CASE(what_cannot_be_judged_stays_as_it_is) {
  BOOST_TEST(look({found("a", "x", true), found("a", "y", true), found("b", "", true)}) ==
             "+ax#1 +ay#2 +b#3");
  for (int i = 0; i < 9; ++i)
    BOOST_TEST(look({{}, {{{"a", "x"}, "no answer"}, {{"b", ""}, "no answer"}}, {}}) ==
               (i == 2 ? "-ay#2" : ""));
  BOOST_TEST(sut.active().size() == 2u);
  for (int i = 0; i < 9; ++i) BOOST_TEST(look({{}, {{{"a", ""}, "nobody"}}, {"b"}}) == "");
  BOOST_TEST(look() == "");
  BOOST_TEST(look() == "");
  BOOST_TEST(look() == "-ax#1 -b#3");
}

BOOST_AUTO_TEST_CASE(the_text_tells_the_newest_figures_and_the_time_stays) {
  auto what = found("a", "", true);
  look({what});
  const auto raised_at = now;
  what.text = "worse";
  look({what});
  BOOST_TEST(sut.active()[0].text == "worse");
  BOOST_TEST((sut.active()[0].raised_at == raised_at));
  look();
  look();
  look();
  BOOST_TEST_REQUIRE(sut.recent().size() == 1u);
  BOOST_TEST((sut.recent()[0].cleared_at == now));
}

BOOST_AUTO_TEST_CASE(the_most_urgent_stand_first_and_the_cleared_are_bounded) {
  auto urgent = found("z", "", true);
  urgent.level = alert_level::critical;
  look({found("b", "", true)});
  look({found("a", "", true), found("b", "", true), urgent});
  BOOST_TEST(sut.active()[0].rule == "z");
  BOOST_TEST(sut.active()[1].rule == "b");
  BOOST_TEST(sut.active()[2].rule == "a");
  std::vector<finding> many;
  for (int i = 0; i < 60; ++i) many.push_back(found("m", std::to_string(i), true));
  look(many);
  for (int i = 0; i < 3; ++i) look();
  BOOST_TEST(sut.active().empty());
  BOOST_TEST(sut.recent().size() == 50u);
}

BOOST_AUTO_TEST_CASE(whether_the_next_look_decides_is_told) {
  BOOST_TEST(!sut.is_undecided("a"));
  look({found("a")});
  BOOST_TEST(sut.is_undecided("a"));
  look({found("a")});
  BOOST_TEST(!sut.is_undecided("a"));
  look();
  BOOST_TEST(sut.is_undecided("a"));
  look();
  look();
  BOOST_TEST(!sut.is_undecided("a"));
}

BOOST_AUTO_TEST_CASE(numbers_go_on_behind_those_of_an_earlier_life) {
  alert_state next{41};
  BOOST_TEST(next.take({{found("a", "", true)}, {}, {}}, now)[0].number == 42u);
  BOOST_TEST(next.last_number() == 42u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater
