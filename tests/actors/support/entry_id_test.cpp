#include "actors/support/entry_id.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace breakwater;

namespace breakwater {
std::ostream& boost_test_print_type(std::ostream& out, const entry_id& id) { return out << to_string(id); }
} // namespace breakwater

BOOST_AUTO_TEST_CASE(reads_back_what_it_writes_and_refuses_everything_else) {
  for (const entry_id id : {entry_id{0, 0}, entry_id{1763359437339, 12}, entry_id{UINT64_MAX, UINT64_MAX}})
    BOOST_TEST((parse_entry_id(to_string(id)) == id));
  for (const char* text :
       {"", "-", "5", "5-", "-5", "5-6-7", "a-1", "1-a", " 1-1", "1-1 ", "18446744073709551616-0"})
    BOOST_TEST(!parse_entry_id(text).has_value(), text);
}

BOOST_AUTO_TEST_CASE(ids_follow_the_clock_and_never_stand_still_or_go_back) {
  struct step {
    std::int64_t now_ms;
    std::uint64_t count;
    entry_id first;
  };
  const step story[] = {
      {1000, 1, {1000, 0}}, {1000, 3, {1000, 1}}, {1000, 1, {1000, 4}},
      {1001, 2, {1001, 0}}, {500, 2, {1001, 2}}, // the clock was set back
      {1001, 1, {1001, 4}}, {2000, 1, {2000, 0}}, {-5, 1, {2000, 1}},
  };
  entry_id_clock clock;
  for (const auto& step : story)
    BOOST_TEST((clock.stamp(wall_time_from_ms(step.now_ms), step.count) == step.first),
               "at " << step.now_ms << " expected " << to_string(step.first));
}

BOOST_AUTO_TEST_CASE(ids_stay_above_what_was_seen_in_the_stream) {
  entry_id_clock clock;
  clock.raise_above({5000, 7});
  BOOST_TEST((clock.stamp(wall_time_from_ms(1000), 2) == entry_id{5000, 8}));
  clock.raise_above({10, 0}); // behind us already
  BOOST_TEST((clock.stamp(wall_time_from_ms(1000), 1) == entry_id{5000, 10}));
}
