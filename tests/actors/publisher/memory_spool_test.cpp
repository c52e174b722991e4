#include "actors/publisher/memory_spool.hpp"

#include "tests/actors/publisher/records.hpp"

#include <boost/test/unit_test.hpp>

#include <numeric>
#include <vector>

using namespace breakwater;
using namespace std::chrono_literals;
using test::numbered;

namespace {

const mono_time start{};

stamped_run run(std::uint64_t ms, std::size_t first, std::size_t count) {
  return {{ms, 0}, numbered(first, count), 0, count};
}

std::vector<std::string> texts(const std::vector<stamped_run>& runs) {
  std::vector<std::string> all;
  for (const auto& r : runs)
    for (std::size_t i = 0; i < r.size(); ++i)
      all.push_back(to_string(r.first.plus(i)) + "=" + fields_of((*r.records)[r.begin + i]).front().second);
  return all;
}

using list = std::vector<std::string>;

} // namespace

BOOST_AUTO_TEST_CASE(reads_in_order_from_any_id_and_not_more_than_asked) {
  memory_spool spool{{}};
  BOOST_TEST(spool.append(run(10, 1, 3), {1, 1}));
  BOOST_TEST(spool.append(run(20, 4, 2), {1, 2}));
  BOOST_TEST(texts(spool.read({}, 99)) == (list{"10-0=1", "10-1=2", "10-2=3", "20-0=4", "20-1=5"}));
  BOOST_TEST(texts(spool.read({10, 1}, 2)) == (list{"10-2=3", "20-0=4"}));
  BOOST_TEST(texts(spool.read({15, 0}, 99)) == (list{"20-0=4", "20-1=5"}));
  BOOST_TEST(texts(spool.read({20, 1}, 99)) == list{});
  BOOST_TEST(spool.holds({10, 2}));
  BOOST_TEST(!spool.holds({10, 3}));
  BOOST_TEST(!spool.holds({15, 0}));
  BOOST_TEST((spool.last() == entry_id{20, 1}));
  BOOST_TEST(spool.last_batch().number == 2u);
}

BOOST_AUTO_TEST_CASE(acknowledged_records_are_retained_and_can_wait_again) {
  memory_spool spool{{}};
  BOOST_TEST(spool.append(run(10, 1, 3), {1, 1}));
  BOOST_TEST(spool.append(run(20, 4, 2), {1, 2}));
  spool.acknowledge({10, 1}, start); // in the middle of a run
  BOOST_TEST(spool.size().waiting == 3u);
  BOOST_TEST(spool.size().retained == 2u);
  spool.acknowledge({20, 1}, start);
  BOOST_TEST(spool.size().waiting == 0u);
  spool.rewind({10, 0});
  BOOST_TEST(spool.size().waiting == 4u);
  BOOST_TEST((spool.acknowledged() == entry_id{10, 0}));
  BOOST_TEST((spool.forgotten() == entry_id{}));
}

BOOST_AUTO_TEST_CASE(retention_ends_by_time_and_by_bytes) {
  spool_settings limits;
  limits.retain = 10min;
  memory_spool by_time{limits};
  BOOST_TEST(by_time.append(run(10, 1, 1), {1, 1}));
  BOOST_TEST(by_time.append(run(20, 2, 1), {1, 2}));
  by_time.acknowledge({10, 0}, start);
  by_time.acknowledge({20, 0}, start + 10min); // just within
  BOOST_TEST(by_time.holds({10, 0}));
  by_time.acknowledge({20, 0}, start + 10min + 1ms);
  BOOST_TEST(!by_time.holds({10, 0}));
  BOOST_TEST((by_time.forgotten() == entry_id{10, 0}));

  limits.retain_bytes = 1;
  memory_spool by_bytes{limits};
  BOOST_TEST(by_bytes.append(run(10, 1, 1), {1, 1}));
  BOOST_TEST(by_bytes.append(run(20, 2, 1), {1, 2}));
  by_bytes.acknowledge({10, 0}, start);
  BOOST_TEST(!by_bytes.holds({10, 0}));
  BOOST_TEST(by_bytes.size().waiting == 1u);
}

BOOST_AUTO_TEST_CASE(is_bounded_and_what_is_retained_gives_way_to_what_waits) {
  spool_settings limits;
  limits.memory_bytes = 3000;
  memory_spool spool{limits};
  std::uint64_t taken = 0;
  while (spool.append(run(10 + taken, taken, 10), {1, taken + 1})) ++taken;
  BOOST_TEST(taken > 2u);
  BOOST_TEST(spool.size().bytes <= limits.memory_bytes);
  BOOST_TEST((spool.last() == entry_id{10 + taken - 1, 9})); // the refused one left no trace
  BOOST_TEST(spool.last_batch().number == taken);
  spool.acknowledge({10, 9}, start);
  BOOST_TEST(spool.append(run(10 + taken, taken, 10), {1, taken + 1}));
  BOOST_TEST(!spool.holds({10, 0}));
  BOOST_TEST(!spool.append(run(11 + taken, taken, 10), {1, taken + 2}));
}

BOOST_AUTO_TEST_CASE(a_batch_larger_than_the_whole_spool_is_taken_alone) {
  spool_settings limits;
  limits.memory_bytes = 100;
  memory_spool spool{limits};
  BOOST_TEST(spool.append(run(10, 1, 100), {1, 1}));
  BOOST_TEST(!spool.append(run(20, 1, 1), {1, 2}));
}

BOOST_AUTO_TEST_CASE(everything_above_an_id_can_be_replaced) {
  memory_spool spool{{}};
  BOOST_TEST(spool.append(run(10, 1, 3), {1, 1}));
  BOOST_TEST(spool.append(run(20, 4, 3), {1, 2}));
  spool.acknowledge({20, 0}, start);
  const auto held = spool.read({}, 99);
  // 10-2 is to stay away, 20-1 and 20-2 get new ids
  spool.replace_above({10, 1}, {{{50, 0}, held[1].records, 1, 3}});
  BOOST_TEST(texts(spool.read({}, 99)) == (list{"10-0=1", "10-1=2", "50-0=5", "50-1=6"}));
  BOOST_TEST(spool.size().waiting == 2u);
  BOOST_TEST((spool.last() == entry_id{50, 1}));
  spool.acknowledge({50, 1}, start);
  BOOST_TEST(spool.size().waiting == 0u);
  BOOST_TEST(spool.size().retained == 4u);
}

BOOST_AUTO_TEST_CASE(the_count_of_bytes_returns_to_nothing) {
  spool_settings limits;
  limits.retain_bytes = 0;
  memory_spool spool{limits};
  for (std::uint64_t i = 0; i < 100; ++i) BOOST_TEST(spool.append(run(10 + i, i, 1 + i % 7), {1, i + 1}));
  spool.acknowledge({60, 0}, start);
  spool.rewind({30, 0}); // only what is still here can wait again
  spool.acknowledge({200, 0}, start);
  BOOST_TEST(spool.size().bytes == 0u);
  BOOST_TEST(spool.size().waiting == 0u);
  BOOST_TEST(spool.size().retained == 0u);
}
