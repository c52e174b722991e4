#include "actors/support/events.hpp"

#include <boost/test/unit_test.hpp>

#include <cctype>
#include <set>
#include <string>

using namespace breakwater;

namespace {

constexpr auto event_count = static_cast<std::size_t>(event::chaos_ordered) + 1;

} // namespace

BOOST_AUTO_TEST_CASE(every_event_has_a_row_of_its_own) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < event_count; ++i) {
    const auto& row = info_of(static_cast<event>(i));
    BOOST_TEST_CONTEXT(row.name) {
      BOOST_TEST(static_cast<std::size_t>(row.what) == i);
      BOOST_TEST(names.insert(row.name).second);
      for (const char c : std::string{row.name}) BOOST_TEST((c == '_' || std::islower(c) != 0));
      BOOST_TEST(std::string{row.text}.size() > 0u);
      BOOST_TEST(row.quiet_for.count() >= 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_operators_grep_for_stays_literally) {
  const auto text_of = [](event what) { return std::string{info_of(what).text}; };
  BOOST_TEST(text_of(event::redis_connected).starts_with("Connected to Redis"));
  BOOST_TEST(text_of(event::redis_reconnected).starts_with("Reconnect"));
  BOOST_TEST(text_of(event::redis_reconnect_waits).starts_with("Reconnect"));
  BOOST_TEST(text_of(event::breaker_opened).starts_with("Circuit OPEN"));
  BOOST_TEST(text_of(event::breaker_half_open).starts_with("Circuit HALF-OPEN"));
  BOOST_TEST(text_of(event::breaker_closed).starts_with("Circuit CLOSED"));
}

BOOST_AUTO_TEST_CASE(an_actor_logs_under_its_name_but_for_the_old_tags) {
  BOOST_TEST(tag_of("redis") == "REDIS-MGR");
  BOOST_TEST(tag_of("breaker/redis") == "REDIS-MGR");
  BOOST_TEST(tag_of("aggregator") == "AGGREGATOR");
  BOOST_TEST(tag_of("feed/binance") == "feed/binance");
  BOOST_TEST(tag_of("breaker/orders") == "breaker/orders");
  BOOST_TEST(tag_of("") == "");
}

BOOST_AUTO_TEST_CASE(lost_data_and_failed_actors_are_errors) {
  for (const auto what :
       {event::drain_gave_up, event::actor_failed, event::actor_hangs, event::restarts_exhausted,
        event::candles_dropped, event::publisher_hole, event::audit_failed, event::redis_denied})
    BOOST_TEST((info_of(what).level == severity::error), info_of(what).name);
}
