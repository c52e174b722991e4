// What every spool has to keep to: the one on disk, and the one in memory that other tests use.
#include "tests/actors/publisher/spool_fixture.hpp"
#include "tests/support/memory_spool.hpp"

#include <boost/test/data/test_case.hpp>

#include <random>

using namespace breakwater;
using namespace std::chrono_literals;
using test::numbered, test::numbered_run;

namespace {

const mono_time start{};

constexpr std::array kinds{"memory", "disk"};

/// Makes a spool of either kind.
struct spool_maker : test::temporary_folder {
  std::shared_ptr<spool_port> make(const std::string& kind, const spool_settings& limits) {
    if (kind == "memory") return std::make_shared<test::memory_spool>(limits);
    auto made = spool_io::open(path().string() + "/spool", limits);
    BOOST_REQUIRE(bool{made});
    disk = *made;
    return disk->stream("s");
  }
  std::shared_ptr<spool_io> disk;
};
spool_settings small() {
  spool_settings limits;
  limits.max_bytes = std::size_t{64} << 20; // it is taken from the disk at once
  return limits;
}
struct spool_under_test : spool_maker, test::patient_spool {
  explicit spool_under_test(const std::string& kind, const spool_settings& limits = small())
      : patient_spool(make(kind, limits)) {}
};

using list = std::vector<std::string>;

} // namespace

BOOST_DATA_TEST_CASE(reads_in_order_from_any_id_and_not_more_than_asked, kinds, kind) {
  spool_under_test spool{kind};
  BOOST_TEST(spool.keeps(numbered_run(10, 1, 3), {1, 1}));
  BOOST_TEST(spool.keeps(numbered_run(20, 4, 2), {1, 2}));
  BOOST_TEST(spool.texts() == (list{"10-0=1", "10-1=2", "10-2=3", "20-0=4", "20-1=5"}));
  BOOST_TEST(spool.texts({10, 1}, 2) == (list{"10-2=3", "20-0=4"}));
  BOOST_TEST(spool.texts({15, 0}) == (list{"20-0=4", "20-1=5"}));
  BOOST_TEST(spool.texts({20, 1}) == list{});
  BOOST_TEST(spool.port->holds({10, 2}));
  BOOST_TEST(!spool.port->holds({10, 3}));
  BOOST_TEST(!spool.port->holds({15, 0}));
  BOOST_TEST((spool.port->last() == entry_id{20, 1}));
  BOOST_TEST(spool.port->last_batch().number == 2u);
}

BOOST_DATA_TEST_CASE(acknowledged_records_are_retained_and_can_wait_again, kinds, kind) {
  spool_under_test spool{kind};
  BOOST_TEST(spool.keeps(numbered_run(10, 1, 3), {1, 1}));
  BOOST_TEST(spool.keeps(numbered_run(20, 4, 2), {1, 2}));
  spool.port->acknowledge({10, 1}, {}, start); // in the middle of a run
  BOOST_TEST(spool.port->size().waiting == 3u);
  BOOST_TEST(spool.port->size().retained == 2u);
  spool.port->acknowledge({20, 1}, {}, start);
  BOOST_TEST(spool.port->size().waiting == 0u);
  spool.port->rewind({10, 0});
  BOOST_TEST(spool.port->size().waiting == 4u);
  BOOST_TEST((spool.port->acknowledged() == entry_id{10, 0}));
  BOOST_TEST((spool.port->forgotten() == entry_id{}));
}

BOOST_DATA_TEST_CASE(retention_ends_by_time_and_by_bytes, kinds, kind) {
  auto limits = small();
  limits.retain = 10min;
  spool_under_test by_time{kind, limits};
  BOOST_TEST(by_time.keeps(numbered_run(10, 1, 1), {1, 1}));
  BOOST_TEST(by_time.keeps(numbered_run(20, 2, 1), {1, 2}));
  by_time.port->acknowledge({10, 0}, {}, start);
  by_time.port->acknowledge({20, 0}, {}, start + 10min); // just within
  BOOST_TEST(by_time.port->holds({10, 0}));
  by_time.port->acknowledge({20, 0}, {}, start + 10min + 1ms);
  BOOST_TEST(!by_time.port->holds({10, 0}));
  BOOST_TEST((by_time.port->forgotten() == entry_id{10, 0}));

  limits.retain_bytes = 1;
  spool_under_test by_bytes{kind, limits};
  BOOST_TEST(by_bytes.keeps(numbered_run(10, 1, 1), {1, 1}));
  BOOST_TEST(by_bytes.keeps(numbered_run(20, 2, 1), {1, 2}));
  by_bytes.port->acknowledge({10, 0}, {}, start);
  BOOST_TEST(!by_bytes.port->holds({10, 0}));
  BOOST_TEST(by_bytes.port->size().waiting == 1u);
}

BOOST_DATA_TEST_CASE(is_bounded_and_what_is_retained_gives_way_to_what_waits, kinds, kind) {
  spool_settings limits;
  limits.max_bytes = std::size_t{1} << 20;
  spool_under_test spool{kind, limits};
  std::uint64_t taken = 0;
  while (spool.keeps(numbered_run(10 + taken, taken, 100), {1, taken + 1})) ++taken;
  BOOST_TEST(taken > 2u);
  BOOST_TEST(spool.port->size().bytes <= limits.max_bytes);
  BOOST_TEST((spool.port->last() == entry_id{10 + taken - 1, 99})); // the refused one left no trace
  BOOST_TEST(spool.port->last_batch().number == taken);
  spool.port->acknowledge({10, 99}, {}, start);
  BOOST_TEST(spool.keeps(numbered_run(10 + taken, taken, 100), {1, taken + 1}));
  BOOST_TEST(!spool.port->holds({10, 0}));
  BOOST_TEST(!spool.keeps(numbered_run(11 + taken, taken, 100), {1, taken + 2}));
}

BOOST_DATA_TEST_CASE(what_the_stream_lacks_gets_new_ids, kinds, kind) {
  spool_under_test spool{kind};
  BOOST_TEST(spool.keeps(numbered_run(10, 1, 3)));
  BOOST_TEST(spool.keeps(numbered_run(20, 4, 3)));
  BOOST_TEST(spool.keeps(numbered_run(30, 7, 2)));
  spool.port->acknowledge({20, 0}, {}, start);
  // Redis has 10-0, 10-1, 20-0 and 20-2.
  spool.restamp({{10, 1}, {{20, 2}, 4}, {{{20, 0}, {20, 0}}, {{20, 2}, {20, 2}}}, {50, 0}});
  BOOST_TEST(spool.texts() ==
             (list{"10-0=1", "10-1=2", "20-0=4", "20-2=6", "50-0=3", "50-1=5", "50-2=7", "50-3=8"}));
  BOOST_TEST((spool.port->acknowledged() == entry_id{20, 2}));
  BOOST_TEST(spool.port->holds({20, 2})); // for a Redis that comes back older
  BOOST_TEST((spool.port->last() == entry_id{50, 3}));
  BOOST_TEST(spool.port->size().waiting == 4u);
  BOOST_TEST(spool.keeps(numbered_run(60, 9, 1)));
  spool.port->acknowledge({50, 1}, {}, start);
  BOOST_TEST(spool.texts({50, 1}) == (list{"50-2=7", "50-3=8", "60-0=9"}));
  BOOST_TEST(spool.port->count({10, 0}, {50, 2}) == 6u);
  spool.port->acknowledge({60, 0}, {}, start);
  BOOST_TEST(spool.port->size().waiting == 0u);
  BOOST_TEST(spool.port->size().retained == 9u);
  spool.port->rewind({10, 1}); // it came back older
  BOOST_TEST(spool.port->size().waiting == 7u);
}

BOOST_DATA_TEST_CASE(a_checkpoint_is_kept_with_its_batch_or_alone, kinds, kind) {
  using state = checkpoint;
  spool_under_test spool{kind};
  BOOST_TEST(spool.port->saved()->position == "");
  spool.append(numbered_run(10, 1, 1), {1, 1},
               std::make_shared<const state>(state{"5-0", {{"BTCUSDT", "a"}, {"ETHUSDT", "b"}}}));
  spool.append({}, {1, 2}, std::make_shared<const state>(state{"6-0", {{"BTCUSDT", ""}, {"SOLUSDT", "c"}}}));
  const auto saved = spool.port->saved();
  BOOST_TEST(saved->position == "6-0");
  BOOST_TEST((saved->parts == decltype(saved->parts){{"ETHUSDT", "b"}, {"SOLUSDT", "c"}}));
  BOOST_TEST(spool.port->last_batch().number == 2u);
  BOOST_TEST(spool.texts() == list{"10-0=1"});
}

BOOST_DATA_TEST_CASE(the_count_of_bytes_returns_to_nothing, kinds, kind) {
  auto limits = small();
  limits.retain_bytes = 0;
  spool_under_test spool{kind, limits};
  for (std::uint64_t i = 0; i < 100; ++i)
    BOOST_TEST(spool.keeps(numbered_run(10 + i, i, 1 + i % 7), {1, i + 1}));
  spool.port->acknowledge({60, 0}, {}, start);
  spool.port->rewind({30, 0}); // only what is still here can wait again
  spool.port->acknowledge({200, 0}, {}, start);
  BOOST_TEST(spool.port->size().bytes == 0u);
  BOOST_TEST(spool.port->size().waiting == 0u);
  BOOST_TEST(spool.port->size().retained == 0u);
}

/// The two kinds, told the same at random, hold the same.
BOOST_AUTO_TEST_CASE(both_kinds_behave_alike) {
  auto limits = small();
  limits.retain = 1s;
  limits.sync = spool_sync::os;
  for (unsigned seed = 1; seed <= 10; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      std::mt19937 random{seed};
      const auto upto = [&](std::size_t most) { return std::size_t{random() % (most + 1)}; };
      spool_under_test a{"memory", limits}, b{"disk", limits};
      mono_time now{};
      std::uint64_t ms = 1, number = 0;
      std::size_t produced = 0;
      // They forget what is retained by other pieces, so only what both still have is spoken of.
      const auto forgotten = [&] { return std::max(a.port->forgotten(), b.port->forgotten()); };
      const auto held_id = [&]() -> entry_id { // an id of a record held by both
        const auto all = a.port->read(forgotten(), 99999);
        if (all.empty()) return forgotten();
        const auto& run = all[upto(all.size() - 1)];
        return run.first.plus(upto(run.size() - 1));
      };
      for (int step = 0; step < 150; ++step) {
        now += std::chrono::milliseconds{upto(200)};
        const auto what = upto(9);
        if (what < 5) {
          const auto count = 1 + upto(400);
          ms = std::max(ms, a.port->last().ms) + 1;
          BOOST_TEST(a.keeps(numbered_run(ms, produced, count), {1, ++number}));
          BOOST_TEST(b.keeps(numbered_run(ms, produced, count), {1, number}));
          produced += count;
        } else if (what < 8) {
          const auto id = held_id();
          a.port->acknowledge(id, {}, now);
          b.port->acknowledge(id, {}, now);
        } else if (what == 8) {
          const auto id = held_id();
          a.port->rewind(id);
          b.port->rewind(id);
        } else {
          restamping how{std::min(held_id(), a.port->acknowledged()), {}, {}, {a.port->last().ms + 5, 3}};
          for (auto from = how.above; how.stored.size() < upto(4);) {
            const auto next = a.port->read(from, 50);
            if (next.empty()) break;
            const auto& run = next[upto(next.size() - 1)];
            const auto begin = upto(run.size() - 1), end = begin + upto(run.size() - 1 - begin);
            how.stored.push_back({run.first.plus(begin), run.first.plus(end)});
            from = run.first.plus(end);
          }
          a.port->rewind(how.above);
          b.port->rewind(how.above);
          a.restamp(how);
          b.restamp(how);
        }
        BOOST_REQUIRE((a.port->last() == b.port->last()));
        BOOST_REQUIRE((a.port->acknowledged() == b.port->acknowledged()));
        BOOST_REQUIRE(a.port->size().waiting == b.port->size().waiting);
        const auto from = forgotten();
        BOOST_REQUIRE(a.texts(from) == b.texts(from));
        const auto id = held_id();
        BOOST_REQUIRE(a.texts(std::max(id, from), 70) == b.texts(std::max(id, from), 70));
        BOOST_REQUIRE(a.port->count(std::max(id, from), a.port->last()) ==
                      b.port->count(std::max(id, from), a.port->last()));
      }
    }
  }
}
