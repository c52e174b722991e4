#include "actors/universe/universe_actor.hpp"
#include "tests/support/actor_fixture.hpp"
#include "tests/support/scripted_redis.hpp"

namespace breakwater::test {
namespace {

struct universe_fixture : actor_fixture {
  scripted_redis script;
  redis_actor redis = spawn(scripted_redis_behavior, &script);
  std::vector<std::vector<std::string>> told; ///< What the feed was told to follow, each time.
  feed_actor feed = spawn([this](feed_actor::pointer) -> feed_actor::behavior_type {
    return {[](const socket_event&) {},
            [](const fetched&) {},
            [this](const followed_symbols& what) { told.push_back(*what.symbols); },
            [](const feed_question&) { return feed_report{}; },
            [](const wake&) {},
            [](const drain_request&) { return drained{}; },
            [](const health_question&) { return health_answer{}; }};
  });
  universe_actor sut;

  ~universe_fixture() { end_actors(); }

  void start() {
    symbols_settings what;
    what.list = {"BTCUSDT"};
    what.universe_key = "universe";
    what.max = 3;
    sut = spawn(universe_behavior, what, redis, std::vector<feed_actor>{feed});
    settle();
  }
  void key_is(const std::string& value) { script.answers.push_back({scripted_redis::text(value)}); }
  std::vector<std::string> known() {
    return *ask<followed_symbols>(sut, followed_symbols_question{})->symbols;
  }
  health_answer health() { return *ask<health_answer>(sut, health_question{}); }
};

using names = std::vector<std::string>;

BOOST_FIXTURE_TEST_SUITE(universe_actor_suite, universe_fixture)

BOOST_AUTO_TEST_CASE(it_reads_the_key_each_minute_and_tells_what_changed) {
  key_is(R"({"symbols":["ETHUSDT"]})");
  start();
  BOOST_TEST(script.sent.front() == "*2\r\n$3\r\nGET\r\n$8\r\nuniverse\r\n");
  BOOST_TEST_REQUIRE(told.size() == 1u);
  BOOST_TEST(told[0] == (names{"BTCUSDT", "ETHUSDT"}), boost::test_tools::per_element());
  key_is(R"({"symbols":["ETHUSDT"]})");
  wait(60s);
  BOOST_TEST(script.sent.size() == 2u);
  BOOST_TEST(told.size() == 1u);
  key_is(R"({"symbols":["ADAUSDT","ETHUSDT","SOLUSDT"]})");
  wait(60s);
  BOOST_TEST_REQUIRE(told.size() == 2u);
  BOOST_TEST(told[1] == (names{"BTCUSDT", "ADAUSDT", "ETHUSDT"}), boost::test_tools::per_element());
  BOOST_TEST(known() == told[1], boost::test_tools::per_element());
  BOOST_TEST((health().level == health_level::ok));
}

BOOST_AUTO_TEST_CASE(without_the_key_the_list_is_followed_and_it_is_looked_for) {
  script.answers.push_back({redis_reply{}});
  start();
  BOOST_TEST(told.empty());
  BOOST_TEST(known() == names{"BTCUSDT"}, boost::test_tools::per_element());
  BOOST_TEST(health().why == "the universe key cannot be used: the key does not exist");
  key_is(R"({"symbols":["ETHUSDT"]})");
  wait(5s);
  BOOST_TEST(told.size() == 1u);
  BOOST_TEST((health().level == health_level::ok));
}

BOOST_AUTO_TEST_CASE(what_is_followed_stays_when_the_key_is_unreadable_or_redis_away) {
  key_is(R"({"symbols":["ETHUSDT"]})");
  start();
  key_is("nonsense");
  wait(60s);
  BOOST_TEST((health().level == health_level::degraded));
  script.answers.push_back({scripted_redis::error("WRONGTYPE")});
  wait(5s);
  BOOST_TEST(health().why == "the universe key cannot be used: WRONGTYPE");
  script.away = true;
  wait(5s);
  BOOST_TEST(health().why == "the universe key cannot be used: not connected");
  BOOST_TEST(told.size() == 1u);
  BOOST_TEST(known() == (names{"BTCUSDT", "ETHUSDT"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_new_life_tells_what_it_reads_even_if_that_is_the_list) {
  key_is(R"({"symbols":[]})");
  start();
  BOOST_TEST_REQUIRE(told.size() == 1u);
  BOOST_TEST(told[0] == names{"BTCUSDT"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_refusal_that_counts_against_the_breaker_is_not_provoked_more_than_once_a_minute) {
  for (int i = 0; i < 3; ++i) script.answers.push_back({scripted_redis::error("NOPERM no")});
  start();
  wait(59s);
  BOOST_TEST(script.sent.size() == 1u);
  wait(61s);
  BOOST_TEST(script.sent.size() == 3u);
  BOOST_TEST((health().level == health_level::degraded));
}

BOOST_AUTO_TEST_CASE(a_universe_that_shrinks_to_nothing_leaves_the_list) {
  key_is(R"({"symbols":["ETHUSDT"]})");
  start();
  key_is(R"({"symbols":[]})");
  wait(60s);
  BOOST_TEST_REQUIRE(told.size() == 2u);
  BOOST_TEST(told[1] == names{"BTCUSDT"}, boost::test_tools::per_element());
  BOOST_TEST((health().level == health_level::ok));
}

BOOST_AUTO_TEST_CASE(a_value_that_went_leaves_what_is_followed_until_it_is_back) {
  key_is(R"({"symbols":["ETHUSDT"]})");
  start();
  script.answers.push_back({redis_reply{}});
  wait(60s);
  BOOST_TEST((health().level == health_level::degraded));
  key_is("");
  wait(5s);
  BOOST_TEST((health().level == health_level::degraded));
  key_is(R"({"symbols":["ETHUSDT"]})");
  wait(5s);
  BOOST_TEST((health().level == health_level::ok));
  BOOST_TEST(told.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_redis_actor_that_never_answers_is_asked_again) {
  script.dumb = true;
  start();
  BOOST_TEST(known() == names{"BTCUSDT"}, boost::test_tools::per_element());
  wait(15s);
  script.dumb = false;
  key_is(R"({"symbols":["ETHUSDT"]})");
  wait(5s);
  BOOST_TEST(told.size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater::test
