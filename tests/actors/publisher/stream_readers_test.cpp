#include "actors/publisher/stream_readers.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace breakwater;
using namespace std::chrono_literals;

namespace {

redis_reply text(std::string what) { return {redis_reply::kind::text, std::move(what), 0, {}}; }
redis_reply number(std::int64_t what) { return {redis_reply::kind::integer, "", what, {}}; }
redis_reply array(std::vector<redis_reply> items) {
  return {redis_reply::kind::array, "", 0, std::move(items)};
}

/// One group of XINFO GROUPS; -1: Redis does not know.
redis_reply group(std::int64_t read, std::int64_t lag, const std::string& delivered) {
  const auto known = [](std::int64_t x) { return x < 0 ? redis_reply{} : number(x); };
  return array({text("last-delivered-id"), text(delivered), text("entries-read"), known(read), text("lag"),
                known(lag)});
}

/// A stream of `length` entries of which the first has the id `first`-0, after `added` in all.
stream_state stream(std::uint64_t length, std::uint64_t added, std::uint64_t first) {
  stream_state s;
  s.length = length;
  s.added = added;
  s.first = entry_id{first, 0};
  s.last = entry_id{added, 0};
  return s;
}

const mono_time now{1h};

} // namespace

BOOST_AUTO_TEST_CASE(room_is_what_the_slowest_group_leaves) {
  struct row {
    std::vector<redis_reply> groups;
    std::size_t room; ///< Of 50 wanted, in a stream of at most 100.
  };
  const row table[] = {
      {{}, 50},                                              // nobody reads by a group
      {{group(100, 0, "100-0")}, 50},                        // all read
      {{group(70, 30, "70-0")}, 50},                         // 70 may come
      {{group(40, 60, "40-0")}, 40},                         // 40 may come
      {{group(100, 0, "100-0"), group(10, 90, "10-0")}, 10}, // the slower one decides
      {{group(0, 100, "0-0")}, 0},                           // nothing read yet
      {{group(-1, -1, "50-0")}, 0},                          // nobody knows: it may have all to read
      {{group(-1, 500, "0-0")}, 0},                          // more than is there
  };
  for (const auto& row : table) {
    stream_readers sut{100, 2s};
    sut.look(row.groups.empty() ? redis_reply{} : array(row.groups), stream(100, 100, 1), false);
    BOOST_TEST(sut.room(50, now) == row.room);
  }
}

BOOST_AUTO_TEST_CASE(patience_ends_once_and_begins_anew_when_they_caught_up) {
  stream_readers sut{100, 2s};
  const auto behind = array({group(0, 100, "0-0")}), caught_up = array({group(100, 0, "100-0")});
  sut.look(behind, stream(100, 100, 1), false);
  BOOST_TEST(sut.room(10, now) == 0u);
  BOOST_TEST(sut.begin_to_wait(now));
  BOOST_TEST(!sut.begin_to_wait(now + 1s)); // it has begun
  BOOST_TEST(sut.room(10, now + 1999ms) == 0u);
  BOOST_TEST(!sut.gave_up_just_now());
  BOOST_TEST(sut.room(10, now + 2s) == 10u);
  BOOST_TEST(sut.gave_up_just_now());
  BOOST_TEST(sut.room(10, now + 3s) == 10u);
  BOOST_TEST(!sut.gave_up_just_now()); // said once
  sut.look(caught_up, stream(100, 100, 1), false);
  BOOST_TEST(sut.room(10, now + 4s) == 10u);
  sut.look(behind, stream(100, 100, 1), false);
  BOOST_TEST(sut.room(10, now + 5s) == 0u);
  BOOST_TEST(sut.begin_to_wait(now + 5s));
}

BOOST_AUTO_TEST_CASE(what_trimming_took_unread_is_counted_by_the_group_that_lost_most) {
  struct row {
    redis_reply group;
    std::uint64_t lost; ///< While 30 entries were trimmed: 101 to 130 of those ever added.
  };
  const row table[] = {
      {group(230, 0, "230-0"), 0},   // all read
      {group(130, 100, "130-0"), 0}, // just what was trimmed
      {group(120, 110, "120-0"), 10}, {group(100, 130, "100-0"), 30},
      {group(50, 180, "50-0"), 30}, // what went before was lost before
      {group(-1, -1, "0-0"), 30},   // never read, so it stands below the oldest
      {group(-1, -1, "200-0"), 0},  // somewhere in what is left
  };
  for (const auto& row : table) {
    stream_readers sut{100, 2s};
    sut.look(array({row.group}), stream(100, 200, 101), false);
    BOOST_TEST(sut.look(array({row.group}), stream(100, 230, 131), true) == row.lost);
    stream_readers others{100, 2s};
    others.look(array({row.group}), stream(100, 200, 101), false);
    BOOST_TEST(others.look(array({row.group}), stream(100, 230, 131), false) == 0u); // others added, too
  }
}
