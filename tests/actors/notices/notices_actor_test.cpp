#include "actors/notices/notices_actor.hpp"
#include "tests/support/actor_fixture.hpp"
#include "tests/support/scripted_redis.hpp"

namespace breakwater::test {
namespace {

struct notices_fixture : actor_fixture {
  scripted_redis script;
  redis_actor redis = spawn(scripted_redis_behavior, &script);
  notices_actor sut = spawn(notices_behavior, notices_options{"quality", "q", 100}, redis);

  ~notices_fixture() { end_actors(); }

  void comes(const std::string& symbol) {
    quality_marker marker;
    marker.symbol = symbol;
    caf::anon_send(sut, quality_batch{std::make_shared<const std::vector<quality_marker>>(
                            std::vector<quality_marker>{marker})});
    settle();
  }
  health_answer health() { return *ask<health_answer>(sut, health_question{}); }
  [[nodiscard]] bool was_sent(const std::string& symbol) const {
    return !script.sent.empty() && script.sent.back().find(symbol) != std::string::npos;
  }
};

BOOST_FIXTURE_TEST_SUITE(notices_actor_suite, notices_fixture)

BOOST_AUTO_TEST_CASE(markers_go_out_as_they_come) {
  comes("BTCUSDT");
  BOOST_TEST(was_sent("BTCUSDT"));
  comes("ETHUSDT");
  BOOST_TEST(was_sent("ETHUSDT"));
  BOOST_TEST(script.sent.size() == 2u);
  BOOST_TEST((health().level == health_level::ok));
}

BOOST_AUTO_TEST_CASE(other_entries_go_out_as_they_are) {
  caf::anon_send(sut, notice_batch{std::make_shared<const std::vector<entry_fields>>(
                          std::vector<entry_fields>{{{"status", "ok"}, {"why", ""}}})});
  settle();
  BOOST_TEST(script.sent.size() == 1u);
  BOOST_TEST(script.sent.back() ==
             "*10\r\n$4\r\nXADD\r\n$1\r\nq\r\n$6\r\nMAXLEN\r\n$1\r\n~\r\n$3\r\n100\r\n$1\r\n*\r\n"
             "$6\r\nstatus\r\n$2\r\nok\r\n$3\r\nwhy\r\n$0\r\n\r\n");
}

BOOST_AUTO_TEST_CASE(while_redis_is_away_they_wait_and_are_tried_each_second) {
  script.away = true;
  comes("BTCUSDT");
  comes("ETHUSDT");
  BOOST_TEST(script.sent.size() == 1u);
  BOOST_TEST(health().why == "q is not written: not connected");
  wait(1s);
  BOOST_TEST(script.sent.size() == 2u);
  script.away = false;
  wait(1s);
  BOOST_TEST(was_sent("BTCUSDT"));
  BOOST_TEST(was_sent("ETHUSDT"));
  BOOST_TEST((health().level == health_level::ok));
  wait(1min);
  BOOST_TEST(script.sent.size() == 3u);
}

BOOST_AUTO_TEST_CASE(what_redis_refuses_is_not_tried_again) {
  script.answers.push_back({scripted_redis::error("WRONGTYPE no stream")});
  comes("BTCUSDT");
  BOOST_TEST((health().level == health_level::degraded));
  wait(1min);
  BOOST_TEST(script.sent.size() == 1u);
  comes("ETHUSDT");
  BOOST_TEST(script.sent.size() == 2u);
  BOOST_TEST((health().level == health_level::ok));
}

BOOST_AUTO_TEST_CASE(what_redis_refuses_for_now_is_tried_again_ever_more_seldom) {
  const auto full = std::vector<redis_reply>{scripted_redis::error("OOM command not allowed")};
  for (int i = 0; i < 8; ++i) script.answers.push_back(full);
  comes("BTCUSDT");
  wait(60s);
  BOOST_TEST(script.sent.size() >= 5u); // after 1, 2, 4, 8, 16 and 30 s, give or take 20 %
  BOOST_TEST(script.sent.size() <= 7u);
  BOOST_TEST(health().why == "q is not written: OOM command not allowed");
  wait(2min);
  BOOST_TEST((health().level == health_level::ok));
  BOOST_TEST(was_sent("BTCUSDT"));
  BOOST_TEST(script.sent.size() == 9u);
}

BOOST_AUTO_TEST_CASE(what_a_human_has_to_mend_is_tried_each_half_minute) {
  script.answers.push_back({scripted_redis::error("NOPERM no")});
  script.answers.push_back({scripted_redis::error("NOPERM no")});
  comes("BTCUSDT");
  comes("ETHUSDT");
  wait(29s);
  BOOST_TEST(script.sent.size() == 1u);
  wait(1s);
  BOOST_TEST(script.sent.size() == 2u);
  wait(30s);
  BOOST_TEST(script.sent.size() == 3u);
  BOOST_TEST((was_sent("BTCUSDT") && was_sent("ETHUSDT")));
}

BOOST_AUTO_TEST_CASE(one_piece_is_under_way_at_a_time_and_the_rest_follows_at_once) {
  caf::anon_send(sut, quality_batch{std::make_shared<const std::vector<quality_marker>>(600)});
  comes("BTCUSDT");
  BOOST_TEST(script.sent.size() == 3u); // 256, 256 and 89
  BOOST_TEST(was_sent("BTCUSDT"));
}

BOOST_AUTO_TEST_CASE(a_redis_actor_that_never_answers_is_asked_again) {
  script.dumb = true;
  comes("BTCUSDT");
  wait(15s);
  BOOST_TEST((health().level == health_level::degraded));
  script.dumb = false;
  wait(1s);
  BOOST_TEST(script.sent.size() == 2u);
  BOOST_TEST((health().level == health_level::ok));
}

BOOST_AUTO_TEST_CASE(more_markers_than_fit_leave_the_newest) {
  script.away = true;
  quality_marker old;
  old.symbol = "OLD";
  caf::anon_send(sut, quality_batch{std::make_shared<const std::vector<quality_marker>>(5000, old)});
  comes("NEWEST");
  const auto facts = health().facts;
  BOOST_TEST(
      (facts ==
       decltype(facts){
           {"stream", "q"}, {"written", "0"}, {"waiting", "4096"}, {"dropped", "905"}, {"refused", "0"}}));
  script.away = false;
  wait(1s);
  BOOST_TEST(was_sent("NEWEST"));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater::test
