#include "actors/universe/universe_list.hpp"

#include <boost/test/unit_test.hpp>

namespace breakwater {
namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

BOOST_AUTO_TEST_SUITE(universe_list_suite)

BOOST_AUTO_TEST_CASE(the_list_comes_first_then_the_universe_in_its_order) {
  struct row {
    const char* json;
    const char* followed;
    const char* odd;
    const char* cut;
  };
  const row rows[] = {
      {R"({"symbols":["AAVEUSDT","BTCUSDT","ETHUSDT"],"source":"x","asof_epoch":1})",
       "BTCUSDT AAVEUSDT ETHUSDT", "", ""},
      {R"({"symbols":["1000PEPEUSDT","AUSDT","AUSDT","BUSDT","CUSDT"]})", "BTCUSDT 1000PEPEUSDT AUSDT BUSDT",
       "", "CUSDT"},
      {R"({"symbols":["btcusdt","BTC-USDT","USDT","XUSDT",7,null,"\u5e01USDT"]})", "BTCUSDT XUSDT",
       R"("btcusdt" "BTC-USDT" "USDT" 7 null "\u5e01USDT")", ""},
      {R"({"symbols":["AAAAAAAAAAAAAAAAAAAAUSD","AAAAAAAAAAAAAAAAAAAAAUSD","ETHBTC","ETHEUR"]})",
       "BTCUSDT AAAAAAAAAAAAAAAAAAAAUSD ETHBTC ETHEUR", R"("AAAAAAAAAAAAAAAAAAAAAUSD")", ""},
      {R"({"symbols":[["AUSDT"],{"a":1},"","\u0000USDT","a\nb"]})", "BTCUSDT",
       R"([...] {...} "" "\u0000USDT" "a\nb")", ""},
      {"{\"symbols\":[\"\xe5\xb8\x81USDT\",\"ETHUSDT\"]}", "BTCUSDT ETHUSDT", R"("\u5e01USDT")", ""},
      {R"({"symbols":[]})", "BTCUSDT", "", ""},
  };
  for (const auto& r : rows) BOOST_TEST_CONTEXT(r.json) {
      universe_list sut{{"BTCUSDT"}, 4};
      const auto change = sut.take(r.json);
      BOOST_TEST_REQUIRE(static_cast<bool>(change));
      BOOST_TEST(joined(sut.followed()) == r.followed);
      BOOST_TEST(joined(change->odd) == r.odd);
      BOOST_TEST(joined(change->cut) == r.cut);
    }
}

BOOST_AUTO_TEST_CASE(only_a_difference_is_a_change) {
  universe_list sut{{"BTCUSDT"}, 10};
  BOOST_TEST(!sut.take(R"({"symbols":["BTCUSDT"]})")->changed);
  BOOST_TEST(sut.take(R"({"symbols":["ETHUSDT"]})")->changed);
  BOOST_TEST(!sut.take(R"({"symbols":["ETHUSDT"]})")->changed);
  BOOST_TEST(sut.take(R"({"symbols":["SOLUSDT","ETHUSDT"]})")->changed);
}

BOOST_AUTO_TEST_CASE(what_is_no_universe_changes_nothing) {
  universe_list sut{{"BTCUSDT"}, 10};
  (void)sut.take(R"({"symbols":["ETHUSDT"]})");
  for (const char* bad : {"", "nonsense", "[]", "7", "{}", R"({"symbols":7})", R"({"symbols":["XRPUSDT")",
                          "{\"symbols\":[\"\xff\xfeUSDT\"]}"})
    BOOST_TEST_CONTEXT(bad) {
      BOOST_TEST(!sut.take(bad));
      BOOST_TEST(joined(sut.followed()) == "BTCUSDT ETHUSDT");
    }
}

BOOST_AUTO_TEST_CASE(an_empty_universe_is_told_from_one_that_adds_nothing) {
  universe_list sut{{"BTCUSDT"}, 10};
  BOOST_TEST(sut.take(R"({"symbols":[]})")->names_none);
  BOOST_TEST(!sut.take(R"({"symbols":["BTCUSDT"]})")->names_none);
}

BOOST_AUTO_TEST_CASE(what_is_nested_without_end_is_left_aside) {
  constexpr std::size_t deep = 1'000'000;
  universe_list sut{{"BTCUSDT"}, 10};
  const auto change =
      sut.take(R"({"symbols":[)" + std::string(deep, '[') + std::string(deep, ']') + R"(,"ETHUSDT"]})");
  BOOST_TEST_REQUIRE(static_cast<bool>(change));
  BOOST_TEST(joined(change->odd) == "[...]");
  BOOST_TEST(joined(sut.followed()) == "BTCUSDT ETHUSDT");
  BOOST_TEST(!sut.take(std::string(deep, '[')));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater
