#include "actors/breaker/result_reader_actor.hpp"

#include "actors/breaker/breaker_actor.hpp"
#include "tests/support/actor_fixture.hpp"
#include "tests/support/fake_breaker_store.hpp"

#include <optional>
#include <vector>

namespace breakwater::test {
namespace {

using kind = redis_reply::kind;

/// A redis actor with one stream in it, whose answers come when the test says so, and a real breaker.
struct reader_fixture : actor_fixture {
  std::vector<std::string> statuses; ///< Of entries 1-0, 2-0 ...
  bool redis_is_away = false;
  std::size_t reads = 0;
  std::shared_ptr<fake_breaker_store> store = std::make_shared<fake_breaker_store>();
  breaker_actor breaker;
  result_reader_actor sut;

  reader_fixture() {
    start_breaker();
    starts();
  }
  ~reader_fixture() { end_actors(); }

  void start_breaker() {
    auto audit = spawn([](audit_actor::pointer) -> audit_actor::behavior_type {
      return {[](const audit_record&) {}, [](const audit_order&) { return audit_written{}; },
              [](const audit_tail_request&) { return audit_tail{}; },
              [](const health_question&) { return health_answer{}; }};
    });
    breaker = spawn(breaker_behavior, breaker_options{"orders", {}, wall()}, audit,
                    std::vector<bridge_actor>{}, std::shared_ptr<breaker_store_port>{store});
  }
  void starts() {
    auto redis = spawn([this](redis_actor::pointer) -> redis_actor::behavior_type {
      return {[this](const redis_commands& what) -> caf::result<redis_replies> {
                ++reads;
                if (redis_is_away) return make_error(failure{errc::redis_unavailable, "not connected"});
                return redis_replies{std::make_shared<const std::vector<redis_reply>>(answer(*what.wire)), 1};
              },
              [](const link_event&) {}, [](const wake&) {},
              [](const redis_question&) { return redis_report{}; },
              [](const health_question&) { return health_answer{}; }};
    });
    sut = spawn(result_reader_behavior, orders_settings{}, redis, breaker);
    run();
  }
  /// Reading never ends, so it is given so many steps.
  void run(std::size_t steps = 60) {
    while (steps > 0 && scheduler.try_run_once()) --steps;
  }
  static redis_reply text(const std::string& value) {
    return {.what = kind::text, .text = value, .items = {}};
  }
  std::vector<redis_reply> answer(const std::string& wire) const {
    const auto id = [](std::size_t n) { return std::to_string(n) + "-0"; };
    redis_reply look{
        .what = kind::array, .text = {}, .items = {text("last-generated-id"), text(id(statuses.size()))}};
    const auto at = wire.rfind("$3\r\n");
    if (wire.find("XREAD") == std::string::npos) return {look};
    const auto cursor = static_cast<std::size_t>(std::stoi(wire.substr(at + 4)));
    redis_reply entries{.what = kind::array, .text = {}, .items = {}};
    for (auto n = cursor + 1; n <= statuses.size(); ++n)
      entries.items.push_back(
          {.what = kind::array,
           .text = {},
           .items = {text(id(n)),
                     {.what = kind::array, .text = {}, .items = {text("status"), text(statuses[n - 1])}}}});
    if (entries.items.empty()) return {look, {}};
    redis_reply stream{.what = kind::array, .text = {}, .items = {text("results"), entries}};
    return {look, {.what = kind::array, .text = {}, .items = {stream}}};
  }
  breaker_report report() {
    caf::scoped_actor me{sys, true};
    breaker_report told;
    auto pending = me->request(breaker, caf::infinite, breaker_question{});
    for (int i = 0; i < 1000 && !me->has_next_message(); ++i) scheduler.try_run_once();
    pending.receive([&](breaker_report& report) { told = std::move(report); }, [](caf::error&) {});
    return told;
  }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(five_failed_executions_in_a_row_open_the_breaker, reader_fixture) {
  statuses = {"rejected", "rejected", "filled", "new", "rejected", "failed", "error", "rejected"};
  run(200);
  BOOST_TEST(report().failures == 4u);
  statuses.push_back("rejected");
  run(200);
  const auto told = report();
  BOOST_TEST((told.phase == breaker_phase::open));
  BOOST_TEST(told.trigger == "execution rejected");
  BOOST_TEST(told.statistics.failures == 7u);
  BOOST_TEST(told.statistics.successes == 1u);
}

BOOST_FIXTURE_TEST_CASE(results_that_were_there_before_it_first_looked_decide_nothing, reader_fixture) {
  end_actors();
  statuses.assign(4, "rejected"); // ids of one digit are all this fake reads
  store = std::make_shared<fake_breaker_store>();
  start_breaker();
  starts();
  run(200);
  BOOST_TEST(report().statistics.failures == 0u);
  statuses.push_back("rejected");
  run(200);
  BOOST_TEST(report().statistics.failures == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_restart_of_reader_and_breaker_loses_and_doubles_no_result, reader_fixture) {
  statuses = {"rejected", "rejected"};
  run(200);
  end_actors();
  statuses.insert(statuses.end(), {"rejected", "filled", "rejected"}); // while nobody read
  start_breaker();
  starts();
  run(200);
  const auto told = report();
  BOOST_TEST((told.statistics.failures == 4u && told.statistics.successes == 1u && told.cursor == "5-0"));
}

BOOST_FIXTURE_TEST_CASE(one_failed_try_is_made_good_without_a_word, reader_fixture) {
  redis_is_away = true;
  run(200);
  BOOST_TEST((ask<health_answer>(sut, health_question{})->level == health_level::ok));
  redis_is_away = false;
  clock.advance_time(1s);
  run(200);
  redis_is_away = true;
  run(200);
  BOOST_TEST((ask<health_answer>(sut, health_question{})->level == health_level::ok));
  wait(1s);
  BOOST_TEST((ask<health_answer>(sut, health_question{})->level == health_level::degraded));
}

BOOST_FIXTURE_TEST_CASE(while_redis_is_away_it_tries_each_second_and_says_so, reader_fixture) {
  redis_is_away = true;
  run(200);
  const auto before = reads;
  wait(10s);
  BOOST_TEST(reads - before == 10u);
  auto health = *ask<health_answer>(sut, health_question{});
  BOOST_TEST((health.level == health_level::degraded));
  BOOST_TEST(health.why == "execution results are not read: not connected");
  redis_is_away = false;
  statuses = {"rejected"};
  clock.advance_time(1s);
  run(200);
  BOOST_TEST(report().statistics.failures == 1u);
}

} // namespace breakwater::test
