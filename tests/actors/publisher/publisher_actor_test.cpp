#include "actors/publisher/publisher_actor.hpp"

#include "tests/actors/publisher/records.hpp"
#include "tests/support/actor_fixture.hpp"
#include "tests/support/memory_spool.hpp"

#include <caf/actor_system.hpp>

using namespace breakwater;
using namespace breakwater::test;

namespace {

redis_reply status(std::string text) { return {redis_reply::kind::status, std::move(text), 0, {}}; }
redis_reply text(std::string what) { return {redis_reply::kind::text, std::move(what), 0, {}}; }

/// Answers as a Redis with one stream would: counts XADDs, remembers the last id.
struct fake_stream {
  bool reachable = true;
  std::size_t entries = 0, calls = 0;
  std::string last_id = "0-0", owner = "spool-in-memory a";

  caf::result<redis_replies> answer(const redis_commands& what) {
    ++calls;
    if (!reachable) return make_error(failure{errc::redis_unavailable, "away"});
    std::vector<redis_reply> replies;
    const bool is_look = what.wire->find("DISCARD") != std::string::npos; // then UNWATCH, then a look
    if (is_look) replies.insert(replies.end(), 2, status("OK"));
    redis_reply exec{redis_reply::kind::array, "", 0, {}};
    if (!is_look) {
      replies.push_back(status("OK"));
      for (std::size_t i = 0; i < what.count - 6; ++i) {
        replies.push_back(status("QUEUED"));
        exec.items.push_back(text("id"));
      }
      entries += what.count - 6;
      last_id = last_id_in(*what.wire);
      replies.push_back(exec);
    }
    replies.push_back(status("OK")); // WATCH
    replies.push_back(text(owner));
    replies.push_back({redis_reply::kind::array, "", 0, {text("last-generated-id"), text(last_id)}});
    replies.push_back({redis_reply::kind::array, "", 0, {}}); // no groups
    return redis_replies{std::make_shared<const std::vector<redis_reply>>(std::move(replies)), 1};
  }
  /// The id of the newest XADD: what stands between the bulk strings before "\r\n$1\r\nn".
  static std::string last_id_in(const std::string& wire) {
    const auto field = wire.rfind("\r\n$1\r\nn\r\n");
    const auto begin = wire.rfind('\n', field - 1) + 1;
    return wire.substr(begin, field - begin);
  }
};

struct publisher_fixture : actor_fixture {
  fake_stream stream;
  std::shared_ptr<memory_spool> spool = std::make_shared<memory_spool>(spool_settings{});
  redis_actor redis = spawn([this](redis_actor::pointer) -> redis_actor::behavior_type {
    return {[this](const redis_commands& what) { return stream.answer(what); }, [](const link_event&) {},
            [](wake) {}, [](redis_question) { return redis_report{}; },
            [](health_question) { return health_answer{}; }};
  });
  publisher_actor sut = start();
  std::uint64_t number = 0;

  publisher_actor start() {
    publisher_options options;
    options.how.stream = "s";
    options.clock = wall();
    auto made = spawn(publisher_behavior, options, redis, spool);
    settle(); // it opens its spool
    return made;
  }
  intake send(std::size_t records) {
    return ask<intake_answer>(sut, record_batch{1, ++number, numbered(1, records)})->what;
  }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(what_it_takes_reaches_the_stream, publisher_fixture) {
  BOOST_TEST((send(3) == intake::taken));
  settle();
  BOOST_TEST(stream.entries == 3u);
  const auto health = ask<health_answer>(sut, health_question{});
  BOOST_TEST((health->level == health_level::ok));
}

BOOST_FIXTURE_TEST_CASE(takes_on_while_redis_is_away_and_delivers_when_it_is_back, publisher_fixture) {
  stream.reachable = false;
  wait(1s);
  for (int i = 0; i < 10; ++i) BOOST_TEST((send(100) == intake::taken));
  wait(1min);
  BOOST_TEST(stream.entries == 0u);
  BOOST_TEST((ask<health_answer>(sut, health_question{})->level == health_level::degraded));
  stream.reachable = true;
  caf::anon_send(sut, link_up{2});
  settle();
  BOOST_TEST(stream.entries == 1000u);
}

BOOST_FIXTURE_TEST_CASE(finds_redis_by_itself_within_a_second_when_nobody_tells, publisher_fixture) {
  stream.reachable = false;
  send(1);
  wait(10s);
  BOOST_TEST(stream.calls < 15u); // it does not hammer
  stream.reachable = true;
  wait(1s);
  BOOST_TEST(stream.entries == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_restarted_publisher_goes_on_with_the_same_spool, publisher_fixture) {
  settle();
  stream.reachable = false;
  send(5);
  settle();
  caf::anon_send_exit(sut, caf::exit_reason::kill);
  settle();
  stream.reachable = true;
  sut = start();
  settle();
  BOOST_TEST(stream.entries == 5u);
  BOOST_TEST((ask<intake_answer>(sut, record_batch{1, number, numbered(1, 5)})->what ==
              intake::taken)); // sent again
  settle();
  BOOST_TEST(stream.entries == 5u);
}

BOOST_FIXTURE_TEST_CASE(a_drain_is_answered_when_redis_has_everything, publisher_fixture) {
  settle();
  stream.reachable = false;
  send(5);
  caf::scoped_actor me{sys, true};
  auto pending = me->request(sut, caf::infinite, drain_request{});
  wait(5s);
  BOOST_TEST(!me->has_next_message());
  stream.reachable = true;
  wait(1s);
  BOOST_REQUIRE(me->has_next_message());
  pending.receive([&](const drained& d) { BOOST_TEST(d.records == 5u); },
                  [&](const caf::error& e) { BOOST_ERROR(to_string(e)); });
}

BOOST_FIXTURE_TEST_CASE(a_full_spool_is_said_and_is_critical, publisher_fixture) {
  spool_settings small;
  small.max_bytes = 1500;
  spool = std::make_shared<memory_spool>(small);
  sut = start();
  stream.reachable = false;
  std::size_t taken = 0;
  while (send(1) == intake::taken) ++taken;
  BOOST_TEST(taken > 1u);
  BOOST_TEST((ask<health_answer>(sut, health_question{})->level == health_level::critical));
  stream.reachable = true;
  wait(1s);
  BOOST_TEST((send(1) == intake::taken));
  settle();
  BOOST_TEST(stream.entries == taken + 1);
}

BOOST_FIXTURE_TEST_CASE(it_reports_what_waits_how_it_drains_and_since_when, publisher_fixture) {
  const auto report = [this] { return *ask<spool_report>(sut, spool_question{}); };
  BOOST_TEST((!report().last_kept && !report().last_acknowledged && !report().oldest_waiting));
  stream.reachable = false;
  const auto accepted_at = wall()();
  send(30);
  wait(1s);
  auto told = report();
  BOOST_TEST((told.stream == "s" && told.waiting == 30u && told.accepted == 30u && told.acknowledged == 0u));
  BOOST_TEST((told.last_kept == accepted_at && told.oldest_waiting == accepted_at));
  BOOST_TEST(told.accepted_per_s == 3.0); // over ten seconds
  BOOST_TEST((told.level == health_level::degraded && !told.why.empty() && told.owner.empty()));
  stream.reachable = true;
  wait(2s);
  told = report();
  BOOST_TEST((told.waiting == 0u && told.acknowledged == 30u && !told.oldest_waiting));
  BOOST_TEST(told.acknowledged_per_s == 3.0);
  BOOST_TEST(told.last_acknowledged.has_value());
  wait(12s);
  BOOST_TEST(report().acknowledged_per_s == 0.0);
}
