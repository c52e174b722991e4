#include "actors/feed/trade_fold.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace breakwater {
namespace {

constexpr std::int64_t minute_ms = 60000;

/// A trade so many ms behind the start of minute 100.
trade_fold::trade trade_at(std::uint64_t id, std::int64_t ms, double price, double size) {
  return {id, price, size, wall_time_from_ms(100 * minute_ms + ms)};
}

std::string in_words(const trade_fold::outcome& x) {
  std::ostringstream text;
  text.precision(17);
  if (!x.changed) return x.trades_missing ? "nothing, trades missing" : "nothing";
  const auto& m = *x.changed;
  text << m.start_s / 60 << ": " << m.open << ' ' << m.high << ' ' << m.low << ' ' << m.close << ' '
       << m.volume;
  if (x.trades_missing) text << ", trades missing";
  return text.str();
}

struct step {
  std::uint64_t id;
  std::int64_t ms;
  double price, size;
  const char* outcome;
};

template <std::size_t N>
void check(trade_fold& fold, const step (&story)[N]) {
  for (const auto& x : story) BOOST_TEST_CONTEXT("trade " << x.id << " at " << x.ms) {
      BOOST_TEST(in_words(fold.take(trade_at(x.id, x.ms, x.price, x.size))) == x.outcome);
    }
}

BOOST_AUTO_TEST_SUITE(trade_fold_suite)

BOOST_AUTO_TEST_CASE(trades_become_candles_of_the_minute_in_which_they_happened) {
  trade_fold fold;
  constexpr step story[] = {
      {7, 0, 10, 1, "100: 10 10 10 10 1"},        {8, 1000, 12, 0.5, "100: 10 12 10 12 1.5"},
      {9, 59999, 9, 0.25, "100: 10 12 9 9 1.75"}, {10, 60000, 11, 2, "101: 11 11 11 11 2"},
      {11, 300000, 8, 1, "105: 8 8 8 8 1"}, // in between nobody traded
  };
  check(fold, story);
}

BOOST_AUTO_TEST_CASE(a_trade_counts_once_whoever_delivers_it) {
  trade_fold fold;
  constexpr step story[] = {
      {7, 0, 10, 1, "100: 10 10 10 10 1"},
      {7, 0, 10, 1, "nothing"},
      {8, 1, 11, 1, "100: 10 11 10 11 2"},
      {7, 0, 10, 1, "nothing"},
      {6, 0, 10, 1, "nothing"},
      {8, 1, 11, 1, "nothing"},
  };
  check(fold, story);
}

BOOST_AUTO_TEST_CASE(a_hole_in_the_numbers_is_told_once_and_filled_when_the_trades_come_after_all) {
  trade_fold fold;
  constexpr step story[] = {
      {7, 0, 10, 1, "100: 10 10 10 10 1"},
      {12, 500, 11, 1, "100: 10 11 10 11 2, trades missing"},
      {13, 600, 11, 1, "100: 10 11 10 11 3"},
      {10, 400, 20, 1, "100: 10 20 10 11 4"}, // the other connection is slower
      {10, 400, 20, 1, "nothing"},
      {8, 100, 9, 1, "100: 10 20 9 11 5"},
      {11, 450, 10, 1, "100: 10 20 9 11 6"},
      {9, 200, 10, 1, "100: 10 20 9 11 7"},
      {9, 200, 10, 1, "nothing"},
      {14, 700, 10, 1, "100: 10 20 9 10 8"},
  };
  check(fold, story);
}

BOOST_AUTO_TEST_CASE(a_late_trade_finds_its_minute_for_three_minutes) {
  trade_fold fold;
  constexpr step story[] = {
      {1, 0, 10, 1, "100: 10 10 10 10 1"},
      {2, 60000, 11, 1, "101: 11 11 11 11 1"},
      {3, 59000, 12, 1, "100: 10 12 10 12 2"},
      {4, 180000, 13, 1, "103: 13 13 13 13 1"},
      {5, 59500, 9, 1, "100: 10 12 9 9 3"},
      {6, 120000, 7, 1, "102: 7 7 7 7 1"}, // pushes minute 100 out
      {7, 59900, 9, 1, "nothing"},
      {9, 59900, 9, 1, "nothing"}, // the hole is not forgotten
      {10, 180001, 9, 1, "103: 13 13 9 9 2, trades missing"},
  };
  check(fold, story);
}

BOOST_AUTO_TEST_CASE(what_happened_before_we_listened_is_no_volume) {
  trade_fold fold;
  fold.begin_after(6);
  constexpr step story[] = {
      {6, 0, 10, 1, "nothing"},
      {7, 60000, 11, 1, "101: 11 11 11 11 1"},
      {8, 59999, 12, 1, "nothing"}, // of a minute that we did not hear
      {9, 60001, 11, 1, "101: 11 11 11 11 2"},
  };
  check(fold, story);
  fold.begin_after(20); // another connection subscribed: what came meanwhile is still awaited
  constexpr step later[] = {{10, 60002, 11, 1, "101: 11 11 11 11 3"},
                            {21, 60003, 11, 1, "101: 11 11 11 11 4, trades missing"}};
  check(fold, later);

  trade_fold missed;
  missed.begin_after(6);
  constexpr step hole[] = {{9, 0, 10, 1, "100: 10 10 10 10 1, trades missing"}};
  check(missed, hole);
}

BOOST_AUTO_TEST_CASE(an_exchange_that_counts_anew_is_followed) {
  trade_fold fold;
  constexpr step story[] = {
      {1000, 0, 10, 1, "100: 10 10 10 10 1"},
      {1, 30000, 11, 1, "nothing"}, // could be a repeat
      {2, 60000, 12, 1, "101: 12 12 12 12 1, trades missing"},
      {3, 60001, 13, 1, "101: 12 13 12 13 2"},
  };
  check(fold, story);
}

BOOST_AUTO_TEST_CASE(sizes_add_up_as_decimals_do) {
  struct row {
    std::vector<double> sizes;
    double volume;
  };
  const row rows[] = {
      {{0.1, 0.2}, 0.3},
      {std::vector<double>(10, 0.1), 1.0},
      {{1e-8, 1e-8, 1e-8}, 3e-8},
      {{89999999.99999999, 0.00000001}, 90000000},
      {{1234567890123.4, 0.1}, 1234567890123.5},
      {{1e15, 1e15, 1}, 2e15 + 1},
      {{0, 0}, 0},
      {{0.99999999, 0.00000001, 0.00000001}, 1.00000001},
  };
  for (const auto& x : rows) BOOST_TEST_CONTEXT(x.volume) {
      trade_fold fold;
      double volume = 0;
      for (std::uint64_t id = 1; const auto size : x.sizes)
        volume = fold.take(trade_at(id++, 1, 1, size)).changed->volume;
      BOOST_TEST(volume == x.volume);
    }
}

BOOST_AUTO_TEST_CASE(in_whatever_order_trades_come_the_candle_is_the_same) {
  std::mt19937_64 random{1};
  for (int round = 0; round < 200; ++round) {
    std::vector<trade_fold::trade> trades;
    for (std::uint64_t id = 2; id < 12; ++id)
      trades.push_back(trade_at(id, static_cast<std::int64_t>(id), 1 + static_cast<double>(random() % 100),
                                static_cast<double>(random() % 1000) / 1000));
    trade_fold in_order, shuffled;
    std::string expected, got;
    // Both know where the numbers begin, and hear the last trade first: only then is a hole known.
    for (auto* fold : {&in_order, &shuffled}) fold->begin_after(1);
    for (const auto& x : trades) expected = in_words(in_order.take(x));
    std::shuffle(trades.begin(), trades.end() - 1, random);
    std::swap(trades.front(), trades.back());
    for (const auto& x : trades) got = in_words(shuffled.take(x));
    BOOST_TEST(got == expected);
    BOOST_TEST(in_words(shuffled.take(trades[random() % trades.size()])) == "nothing");
  }
}

BOOST_AUTO_TEST_CASE(holes_without_end_do_not_fill_the_memory) {
  trade_fold fold;
  for (std::uint64_t id = 1; id < 100000; id += 2) (void)fold.take(trade_at(id, 1, 1, 1));
  BOOST_TEST(in_words(fold.take(trade_at(2, 1, 1, 1))) == "nothing");
  BOOST_TEST(in_words(fold.take(trade_at(99998, 1, 1, 1))) == "100: 1 1 1 1 50001");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater
