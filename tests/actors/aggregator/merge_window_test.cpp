#include "actors/aggregator/merge_window.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <tuple>

using namespace breakwater;
using enum exchange;

namespace {

/// The minute the stories begin in.
constexpr std::int64_t first = 1'767'571'200;

/// A candle in the making: `a(binance, 100).volume(2).closed()`.
struct a {
  a(exchange from, double price) {
    what.symbol = "BTCUSDT";
    what.from = from;
    what.start_s = first;
    what.open = what.high = what.low = what.close = price;
    what.volume = 1;
    what.event_at = wall_time_from_ms(first * 1000);
  }
  a volume(double x) const {
    return with([&](candle& c) { c.volume = x; });
  }
  a of(std::string symbol) const {
    return with([&](candle& c) { c.symbol = std::move(symbol); });
  }
  a minute(std::int64_t n) const {
    return with([&](candle& c) { c.start_s = first + n * 60; });
  }
  a second(std::int64_t s) const {
    return with([&](candle& c) { c.start_s = first + s; });
  }
  a at(std::int64_t ms) const {
    return with([&](candle& c) { c.event_at = wall_time_from_ms(first * 1000 + ms); });
  }
  a closed() const {
    return with([](candle& c) { c.closed = true; });
  }
  a filled() const {
    return with([](candle& c) { c.closed = c.filled = true; });
  }
  a received(std::int64_t ms) const {
    return with([&](candle& c) { c.received_at = wall_time_from_ms(ms); });
  }

  template <class F>
  a with(F change) const {
    a copy{*this};
    change(copy.what);
    return copy;
  }

  candle what;
};

constexpr emit_mode every_mode[] = {emit_mode::update, emit_mode::interval, emit_mode::close};

struct window_fixture {
  aggregator_settings rules;
  milliseconds fill_within = 0ms;
  merge_limits limits;
  std::optional<merge_window> made;

  merge_window& window() {
    if (!made) made.emplace(rules, fill_within, limits);
    return *made;
  }
  /// What consumers are told because of this candle.
  std::vector<merged> take(const a& in) {
    std::vector<merged> out;
    window().take(in.what, out);
    return out;
  }
  /// What they are told last because of these candles.
  std::optional<merged> last_of(std::initializer_list<a> all) {
    std::optional<merged> last;
    for (const auto& in : all)
      for (auto& m : take(in)) last = std::move(m);
    return last;
  }
  bool tells(const a& in) { return !take(in).empty(); }
  /// What they are told of filled candles once nothing more came for so many intervals.
  std::vector<merged> rest(int intervals = 3) {
    std::vector<merged> out;
    for (int i = 0; i < intervals; ++i) window().tell_filled(1000, out);
    return out;
  }
  /// A symbol whose newest minute is `newest`, known to Binance and Bybit; minutes between have nothing.
  void given_a_gap(std::int64_t newest, milliseconds within = 1h) {
    fill_within = within;
    made.reset();
    for (auto x : {binance, bybit}) take(a(x, 100).closed());
    for (auto x : {binance, bybit}) take(a(x, 100).minute(newest));
  }
};

std::size_t prices_in(const merged& m) {
  return static_cast<std::size_t>(
      std::count_if(m.prices.begin(), m.prices.end(), [](const auto& price) { return price.has_value(); }));
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(merge_window_, window_fixture)

BOOST_AUTO_TEST_CASE(one_exchange_alone_says_nothing) {
  BOOST_TEST(!tells(a(binance, 100)));
  BOOST_TEST(!tells(a(binance, 101)));
  BOOST_TEST(!tells(a(binance, 101).closed()));
  BOOST_TEST(window().counted().alone == 3u);
  BOOST_TEST(tells(a(bybit, 100)));
}

BOOST_AUTO_TEST_CASE(the_figures_are_those_of_all_exchanges_together) {
  const auto m =
      last_of({a(binance, 100).volume(1).at(5), a(bybit, 102).volume(3).at(9), a(okx, 101).volume(4)});
  BOOST_TEST_REQUIRE(m.has_value());
  BOOST_TEST(m->symbol == "BTCUSDT");
  BOOST_TEST(m->start_s == first);
  BOOST_TEST(m->contributing == 3u);
  BOOST_TEST(m->mean == (100 + 102 + 101) / 3.0, boost::test_tools::tolerance(1e-12));
  // Of 100, 101, 102 around 101: the squares are 1, 0, 1; a third of their sum, not a half.
  BOOST_TEST(m->deviation == std::sqrt(2.0 / 3.0), boost::test_tools::tolerance(1e-12));
  BOOST_TEST(m->spread_bps == 2.0 / 101.0 * 10'000, boost::test_tools::tolerance(1e-12));
  BOOST_TEST(m->volume == 8.0);
  BOOST_TEST(m->vwap == (100 * 1 + 102 * 3 + 101 * 4) / 8.0, boost::test_tools::tolerance(1e-12));
  BOOST_TEST((m->event_at == wall_time_from_ms(first * 1000 + 9)));
  BOOST_TEST((m->prices[index_of(binance)] == 100.0));
  BOOST_TEST((m->prices[index_of(bybit)] == 102.0));
  BOOST_TEST((m->prices[index_of(okx)] == 101.0));
  BOOST_TEST(!m->prices[index_of(coinbase)].has_value());
  BOOST_TEST(!m->prices[index_of(kraken)].has_value());
}

BOOST_AUTO_TEST_CASE(lead_lag_needs_binance_and_bybit) {
  BOOST_TEST(!last_of({a(binance, 100), a(okx, 101)})->lead_lag.has_value());
  BOOST_TEST(!last_of({a(bybit, 100).of("ETHUSDT"), a(okx, 101).of("ETHUSDT")})->lead_lag.has_value());
  const auto both = last_of({a(binance, 100).of("SOLUSDT"), a(bybit, 101).of("SOLUSDT")});
  BOOST_TEST_REQUIRE(both->lead_lag.has_value());
  BOOST_TEST(*both->lead_lag == -1 / 100.5, boost::test_tools::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(lead_lag_is_absent_when_one_of_the_two_is_excluded) {
  const auto m = last_of({a(binance, 100), a(bybit, 120), a(okx, 100), a(kraken, 100)});
  BOOST_TEST(m->excluded[index_of(bybit)]);
  BOOST_TEST(!m->lead_lag.has_value());
}

BOOST_AUTO_TEST_CASE(without_volume_the_weighted_price_is_the_mean) {
  const auto m = last_of({a(binance, 100).volume(0), a(bybit, 102).volume(0)});
  BOOST_TEST(m->volume == 0.0);
  BOOST_TEST(m->vwap == 101.0);
}

BOOST_AUTO_TEST_CASE(who_is_too_far_from_the_median_is_left_out_but_keeps_its_price) {
  const auto m = last_of({a(binance, 100), a(bybit, 101), a(okx, 110).volume(50)});
  BOOST_TEST_REQUIRE(m.has_value());
  BOOST_TEST(m->excluded.to_ulong() == 1ul << index_of(okx));
  BOOST_TEST((m->prices[index_of(okx)] == 110.0));
  BOOST_TEST(m->contributing == 2u);
  BOOST_TEST(m->mean == 100.5);
  BOOST_TEST(m->deviation == 0.5);
  BOOST_TEST(m->volume == 2.0);
  BOOST_TEST(!m->suspect);
}

BOOST_AUTO_TEST_CASE(the_border_of_the_deviation_still_belongs) {
  rules.max_deviation = 0.0625; // exact in binary
  const auto on = last_of({a(binance, 100), a(bybit, 100), a(okx, 106.25)});
  BOOST_TEST(on->excluded.none());
  const auto beyond = last_of({a(okx, 106.2500001).at(1)});
  BOOST_TEST(beyond->excluded[index_of(okx)]);
  const auto below = last_of({a(okx, 93.7499999).at(2)});
  BOOST_TEST(below->excluded[index_of(okx)]);
}

BOOST_AUTO_TEST_CASE(the_median_of_four_lies_between_the_middle_two) {
  // Middle 102 of 100, 101, 103, 107: 107 is 4.9 % off. Against 101 it would be 5.9 % off, against 103 3.9 %.
  const auto kept = last_of({a(binance, 100), a(bybit, 101), a(okx, 103), a(kraken, 107)});
  BOOST_TEST(kept->excluded.none());
  // 107.2 is 5.098 % from 102.
  const auto dropped = last_of({a(kraken, 107.2).at(1)});
  BOOST_TEST(dropped->excluded.to_ulong() == 1ul << index_of(kraken));
  BOOST_TEST(dropped->contributing == 3u);
}

BOOST_AUTO_TEST_CASE(of_two_nobody_is_excluded_but_the_record_is_suspect) {
  const auto far = last_of({a(binance, 100), a(bybit, 110)});
  BOOST_TEST(far->suspect);
  BOOST_TEST(far->excluded.none());
  BOOST_TEST(far->contributing == 2u);
  BOOST_TEST(!last_of({a(bybit, 104).at(1)})->suspect);
}

BOOST_AUTO_TEST_CASE(three_that_all_disagree_leave_too_few) {
  BOOST_TEST(tells(a(binance, 100)) == false);
  BOOST_TEST(tells(a(bybit, 120)));
  BOOST_TEST(!tells(a(okx, 150))); // median 120: 100 and 150 are excluded, one is left
  BOOST_TEST(tells(a(okx, 121).at(1)));
}

BOOST_AUTO_TEST_CASE(two_that_are_left_after_an_exclusion_can_be_suspect) {
  // 95.1 is 4.9 % from the median of 100, but 4.9 / 97.55 = 5.02 % of the mean apart from it.
  const auto m = last_of({a(binance, 95.1), a(bybit, 100), a(okx, 150)});
  BOOST_TEST(m->excluded.to_ulong() == 1ul << index_of(okx));
  BOOST_TEST(m->contributing == 2u);
  BOOST_TEST(m->suspect);
}

BOOST_AUTO_TEST_CASE(who_is_left_out_and_what_is_suspect) {
  struct row {
    const char* what;
    double max_deviation;
    std::vector<a> all;
    std::vector<exchange> excluded;
    bool suspect;
    std::size_t min_exchanges = 2;
    bool told = true;
  };
  const auto five = [](double b, double y, double c, double o, double k) {
    return std::vector<a>{a(binance, b), a(bybit, y), a(coinbase, c), a(okx, o), a(kraken, k)};
  };
  const auto three = [](double b, double y, double o) {
    return std::vector<a>{a(binance, b), a(bybit, y), a(okx, o)};
  };
  const auto two = [](double b, double y) { return std::vector<a>{a(binance, b), a(bybit, y)}; };
  const row rows[] = {
      // Of three, the median is one of them. A border that is no double is a border all the same.
      {"just within above", 0.05, three(100, 100, 104.99), {}, false},
      {"the border above", 0.05, three(100, 100, 105), {}, false},
      {"just beyond above", 0.05, three(100, 100, 105.01), {okx}, false},
      {"the border below", 0.05, three(100, 100, 95), {}, false},
      {"just beyond below", 0.05, three(100, 100, 94.99), {okx}, false},
      {"the border of 1", 0.05, three(1, 1, 1.05), {}, false},
      {"the border below 1", 0.05, three(1, 1, 0.95), {}, false},
      {"the border of a tiny price", 0.05, three(0.00002, 0.00002, 0.000021), {}, false},
      {"the border of 3 %", 0.03, three(0.7, 0.7, 0.721), {}, false},
      {"beyond the border of 3 %", 0.03, three(0.7, 0.7, 0.721001), {okx}, false},
      {"the lowest of three", 0.05, three(90, 100, 101), {binance}, false},
      {"the median itself stays", 0.05, three(90, 100, 110), {binance, okx}, false, 1},
      {"and is too few", 0.05, three(90, 100, 110), {}, false, 2, false},
      // Of two nobody knows who is wrong. They differ by a share of their mean.
      {"two apart", 0.05, two(100, 106), {}, true},
      {"two within", 0.05, two(100, 105), {}, false},
      {"two on the border", 0.05, two(39, 41), {}, false},
      {"two on the border, the other way", 0.05, two(41, 39), {}, false},
      {"two on a border that is no double", 0.05, two(0.0195, 0.0205), {}, false},
      {"two just beyond", 0.05, two(39, 41.01), {}, true},
      {"two are left and differ", 0.05, three(100, 95.1, 200), {okx}, true},
      {"two are left and agree", 0.05, three(100, 99, 200), {okx}, false},
      {"three are left and differ", 0.05, five(96, 100, 104, 200, 1), {okx, kraken}, false},
      // Of four, it lies between the two in the middle.
      {"two and two, near", 0.05, {a(binance, 100), a(bybit, 100), a(okx, 110), a(kraken, 110)}, {}, false},
      {"two and two, far",
       0.05,
       {a(binance, 100), a(bybit, 100), a(okx, 112), a(kraken, 112)},
       {},
       false,
       1,
       false}, // 106 is nobody's
      {"one of four", 0.05, {a(binance, 100), a(bybit, 101), a(okx, 99), a(kraken, 120)}, {kraken}, false},
      // Of five
      {"two outliers above", 0.05, five(100, 120, 101, 130, 99), {bybit, okx}, false},
      {"two outliers on either side", 0.05, five(100, 120, 101, 80, 99), {bybit, okx}, false},
      {"two outliers of three needed", 0.05, five(100, 120, 101, 80, 99), {bybit, okx}, false, 3},
      {"of four needed", 0.05, five(100, 120, 101, 80, 99), {}, false, 4, false},
      {"three outliers that agree are none", 0.05, five(100, 120, 101, 121, 122), {binance, coinbase}, false},
      {"all agree", 0.0001, five(100, 100, 100, 100, 100), {}, false, 5},
      {"alone", 0.05, {a(binance, 100)}, {}, false, 1},
  };
  for (const auto& r : rows) BOOST_TEST_CONTEXT(r.what) {
      rules.max_deviation = r.max_deviation;
      rules.min_exchanges = r.min_exchanges;
      made.reset();
      // The last of them decides: what was told before all were there does not count.
      std::vector<merged> told;
      for (const auto& in : r.all) told = take(in);
      BOOST_TEST_REQUIRE(told.size() == (r.told ? 1u : 0u));
      if (!r.told) continue;
      const auto& m = told[0];
      std::bitset<exchange_count> excluded;
      for (auto x : r.excluded) excluded.set(index_of(x));
      BOOST_TEST(m.excluded == excluded);
      BOOST_TEST(m.suspect == r.suspect);
      BOOST_TEST(m.contributing == r.all.size() - r.excluded.size());
      BOOST_TEST(prices_in(m) == r.all.size());
      double low = 1e300, high = 0;
      for (const auto& in : r.all)
        if (!excluded[index_of(in.what.from)])
          low = std::min(low, in.what.close), high = std::max(high, in.what.close);
      BOOST_TEST(m.spread_bps == (high - low) / m.mean * 1e4);
      BOOST_TEST((low <= m.mean && m.mean <= high));
      BOOST_TEST((low <= m.vwap && m.vwap <= high));
      const bool both = !excluded[index_of(binance)] && !excluded[index_of(bybit)] && r.all.size() > 1;
      BOOST_TEST(m.lead_lag.has_value() == both);
    }
}

BOOST_AUTO_TEST_CASE(equal_prices_deviate_by_nothing) {
  for (const double price : {0.1, 0.7, 1.1, 95184.77, 0.0000123, 3e-9}) BOOST_TEST_CONTEXT(price) {
      made.reset();
      std::optional<merged> last;
      for (auto x : all_exchanges)
        for (auto& m : take(a(x, price).volume(0.3))) last = m;
      BOOST_TEST(last->mean == price);
      BOOST_TEST(last->vwap == price);
      BOOST_TEST(last->deviation == 0);
      BOOST_TEST(last->spread_bps == 0);
      BOOST_TEST((last->lead_lag == 0.0));
    }
}

BOOST_AUTO_TEST_CASE(volume_weighs_only_who_is_left) {
  struct row {
    const char* what;
    double binance_volume, bybit_volume, okx_volume, volume, vwap;
  };
  constexpr row rows[] = {
      {"nobody traded", 0, 0, 0, 0, 101},
      {"only one did", 0, 4, 0, 4, 102},
      {"only who is left out did", 0, 0, 9, 0, 101},
      {"everybody did", 3, 1, 9, 4, 100.5},
  };
  for (const auto& r : rows) BOOST_TEST_CONTEXT(r.what) {
      made.reset();
      const auto m = last_of({a(binance, 100).volume(r.binance_volume), a(okx, 200).volume(r.okx_volume),
                              a(bybit, 102).volume(r.bybit_volume)});
      BOOST_TEST_REQUIRE(m.has_value());
      BOOST_TEST(m->excluded.to_ulong() == 1ul << index_of(okx));
      BOOST_TEST(m->volume == r.volume);
      BOOST_TEST(m->vwap == r.vwap);
      BOOST_TEST(m->mean == 101);
    }
}

BOOST_AUTO_TEST_CASE(who_was_left_out_comes_back) {
  struct step {
    const char* what;
    a in;
    std::vector<exchange> excluded;
    bool closed, has_lead;
  };
  take(a(binance, 100));
  take(a(okx, 100));
  const step story[] = {
      {"far off", a(bybit, 110).at(1), {bybit}, false, false},
      {"back", a(bybit, 101).at(2), {}, false, true},
      {"far off again", a(bybit, 90).at(3), {bybit}, false, false},
      {"the others follow it", a(binance, 94).at(4), {okx}, false, true},
      {"all of them", a(okx, 93).at(5), {}, false, true},
      {"one leaves", a(okx, 120).at(6), {okx}, false, true},
      {"a close in between", a(binance, 94).volume(2).at(7).closed(), {okx}, false, true},
      {"who is left closes", a(bybit, 90).at(8).closed(), {okx}, true, true},
      {"and who comes back opens it", a(okx, 93).at(9), {}, false, true},
      {"until it closes", a(okx, 93).at(10).closed(), {}, true, true},
  };
  for (const auto& s : story) BOOST_TEST_CONTEXT(s.what) {
      const auto told = take(s.in);
      BOOST_TEST_REQUIRE(told.size() == 1u);
      std::bitset<exchange_count> excluded;
      for (auto x : s.excluded) excluded.set(index_of(x));
      BOOST_TEST(told[0].excluded == excluded);
      BOOST_TEST(told[0].closed == s.closed);
      BOOST_TEST(told[0].lead_lag.has_value() == s.has_lead);
    }
}

BOOST_AUTO_TEST_CASE(only_what_changes_a_record_is_told) {
  struct step {
    const char* what;
    a in;
    bool told;
  };
  const step story[] = {
      {"the first exchange", a(binance, 100).at(1), false},
      {"the second", a(bybit, 101).at(1), true},
      {"the same again", a(bybit, 101).at(1), false},
      {"event time alone", a(bybit, 101).at(2), false},
      {"a price", a(bybit, 102).at(3), true},
      {"a volume", a(bybit, 102).volume(2).at(4), true},
      {"a third exchange", a(okx, 101).at(1), true},
      {"a close mark of one only", a(binance, 100).at(5).closed(), false},
      {"of the second only", a(bybit, 102).volume(2).at(5).closed(), false},
      {"the last close mark", a(okx, 101).at(5).closed(), true},
      {"the close mark again", a(okx, 101).at(6).closed(), false},
      {"a correction of what was closed", a(okx, 101.5).at(7).closed(), true},
      {"a fourth exchange opens it again", a(kraken, 101).at(1), true},
      {"and closes it", a(kraken, 101).at(2).closed(), true},
  };
  bool closed = false;
  for (const auto& s : story) BOOST_TEST_CONTEXT(s.what) {
      const auto told = take(s.in);
      BOOST_TEST(told.size() == (s.told ? 1u : 0u));
      if (!told.empty()) closed = told.back().closed;
    }
  BOOST_TEST(closed);
  BOOST_TEST(window().counted().unchanged == 5u);
  BOOST_TEST(window().counted().alone == 1u);
}

BOOST_AUTO_TEST_CASE(a_price_and_the_last_close_mark_in_one_candle_are_one_record) {
  take(a(binance, 100).closed());
  const auto told = take(a(bybit, 101).closed());
  BOOST_TEST_REQUIRE(told.size() == 1u);
  BOOST_TEST(told[0].closed);
}

BOOST_AUTO_TEST_CASE(the_excluded_need_not_close) {
  take(a(okx, 150));
  take(a(binance, 100).closed());
  const auto told = take(a(bybit, 100).closed());
  BOOST_TEST_REQUIRE(told.size() == 1u);
  BOOST_TEST(told[0].excluded[index_of(okx)]);
  BOOST_TEST(told[0].closed);
}

BOOST_AUTO_TEST_CASE(what_is_older_than_known_is_dropped_and_counted) {
  take(a(binance, 100).at(10));
  take(a(bybit, 100).at(10));
  BOOST_TEST(!tells(a(binance, 99).at(9)));
  BOOST_TEST(window().counted().out_of_order == 1u);
  BOOST_TEST(tells(a(binance, 101).at(10))); // the same millisecond is newer by its place
  take(a(binance, 101).at(20).closed());
  BOOST_TEST(!tells(a(binance, 90).at(21))); // open again after its close
  BOOST_TEST(window().counted().out_of_order == 2u);
  const auto told = take(a(bybit, 102).at(30));
  BOOST_TEST((told.at(0).prices[index_of(binance)] == 101.0));
}

BOOST_AUTO_TEST_CASE(the_event_times_of_different_exchanges_do_not_matter_to_each_other) {
  take(a(binance, 100).at(1'000'000));
  BOOST_TEST(tells(a(bybit, 100).at(1)));
}

BOOST_AUTO_TEST_CASE(a_minute_is_late_once_it_is_more_than_the_window_behind) {
  struct row {
    milliseconds window;
    std::int64_t newest_s;
    bool late;
  };
  constexpr row rows[] = {
      {120s, 60, false}, {120s, 120, false}, // exactly the window behind
      {120s, 121, true}, {120s, 180, true},  //
      {60s, 60, false},  {60s, 120, true},   //
      {90s, 60, false},  {90s, 120, true},   // no whole number of minutes
      {10ms, 60, true},
  };
  for (const auto& r : rows) BOOST_TEST_CONTEXT(r.window.count() << " ms, newest at " << r.newest_s << " s") {
      rules.window = r.window;
      made.reset();
      take(a(binance, 100).second(0));
      take(a(binance, 100).second(r.newest_s));
      BOOST_TEST(window().counted().late == 0u);
      BOOST_TEST(tells(a(bybit, 100).second(0)) == !r.late);
      BOOST_TEST(window().counted().late == (r.late ? 1u : 0u));
      BOOST_TEST(tells(a(bybit, 100).second(r.newest_s)));
    }
}

BOOST_AUTO_TEST_CASE(a_minute_that_left_the_window_is_not_opened_again) {
  take(a(binance, 100));
  take(a(bybit, 100));
  take(a(binance, 100).minute(3));
  for (auto x : {binance, bybit, okx}) BOOST_TEST(!tells(a(x, 105).at(1'000)));
  BOOST_TEST(window().counted().late == 3u);
  // Nor by a candle between that came first of its minute.
  BOOST_TEST(!tells(a(okx, 100).minute(1)));
  BOOST_TEST(!tells(a(okx, 100).minute(0)));
  BOOST_TEST(window().counted().late == 4u);
}

BOOST_AUTO_TEST_CASE(older_minutes_within_the_window_go_on_beside_newer_ones) {
  take(a(binance, 100).minute(2));
  take(a(binance, 90).minute(0));
  take(a(binance, 95).minute(1));
  BOOST_TEST(take(a(bybit, 90).minute(0)).at(0).mean == 90.0);
  BOOST_TEST(take(a(bybit, 95).minute(1)).at(0).mean == 95.0);
  BOOST_TEST(take(a(bybit, 100).minute(2)).at(0).mean == 100.0);
  BOOST_TEST(take(a(bybit, 92).minute(0).at(1)).at(0).start_s == first);
}

BOOST_AUTO_TEST_CASE(symbols_do_not_mix) {
  BOOST_TEST(!tells(a(binance, 100).of("BTCUSDT")));
  BOOST_TEST(!tells(a(bybit, 3000).of("ETHUSDT")));
  BOOST_TEST(!tells(a(binance, 3).of("BTCUSD")));
  // One symbol's time does not close another's minutes.
  take(a(binance, 3000).of("ETHUSDT").minute(50));
  const auto told = take(a(bybit, 101).of("BTCUSDT"));
  BOOST_TEST_REQUIRE(told.size() == 1u);
  BOOST_TEST(told[0].symbol == "BTCUSDT");
  BOOST_TEST(told[0].mean == 100.5);
  BOOST_TEST(window().symbols() == 3u);
  BOOST_TEST(window().counted().late == 0u);
}

BOOST_AUTO_TEST_CASE(symbols_beyond_the_limit_are_counted_and_dropped) {
  limits.symbols = 2;
  take(a(binance, 1).of("A"));
  take(a(binance, 1).of("B"));
  take(a(binance, 1).of("C"));
  BOOST_TEST(!tells(a(bybit, 1).of("C")));
  BOOST_TEST(window().counted().over_limit == 2u);
  BOOST_TEST(window().symbols() == 2u);
  BOOST_TEST(tells(a(bybit, 1).of("A")));
  BOOST_TEST(tells(a(bybit, 1).of("B")));
}

BOOST_AUTO_TEST_CASE(min_exchanges_counts_what_is_left) {
  rules.min_exchanges = 3;
  BOOST_TEST(!tells(a(binance, 100)));
  BOOST_TEST(!tells(a(bybit, 100)));
  BOOST_TEST(!tells(a(okx, 150)));
  BOOST_TEST(tells(a(kraken, 100)));
}

BOOST_AUTO_TEST_CASE(in_close_mode_a_minute_is_told_when_all_have_closed_it) {
  rules.emit = emit_mode::close;
  BOOST_TEST(!tells(a(binance, 100)));
  BOOST_TEST(!tells(a(bybit, 101)));
  BOOST_TEST(!tells(a(binance, 102).at(1)));
  BOOST_TEST(!tells(a(binance, 102).at(2).closed()));
  const auto told = take(a(bybit, 101).at(2).closed());
  BOOST_TEST_REQUIRE(told.size() == 1u);
  BOOST_TEST(told[0].mean == 101.5);
  BOOST_TEST(told[0].closed);
  BOOST_TEST(!tells(a(binance, 102).at(3).closed()));
  // It was told, so nothing follows when it leaves the window.
  BOOST_TEST(take(a(binance, 100).minute(9)).empty());
}

BOOST_AUTO_TEST_CASE(in_close_mode_a_minute_left_open_is_told_when_it_leaves_the_window) {
  rules.emit = emit_mode::close;
  take(a(binance, 100).closed());
  take(a(bybit, 102)); // never closes
  take(a(okx, 1).of("ETHUSDT"));
  take(a(binance, 5).minute(1)); // alone
  BOOST_TEST(take(a(binance, 103).minute(2)).empty());
  const auto told = take(a(binance, 104).minute(3));
  BOOST_TEST_REQUIRE(told.size() == 1u);
  BOOST_TEST(told[0].start_s == first);
  BOOST_TEST(told[0].mean == 101.0);
  BOOST_TEST(!told[0].closed);
  BOOST_TEST(take(a(binance, 104).minute(30)).empty());
}

BOOST_AUTO_TEST_CASE(in_close_mode_an_exchange_that_joins_a_closed_minute_is_told_at_its_close) {
  rules.emit = emit_mode::close;
  take(a(binance, 100).closed());
  BOOST_TEST(tells(a(bybit, 100).closed()));
  BOOST_TEST(!tells(a(okx, 103)));
  const auto told = take(a(okx, 103).at(1).closed()); // the close mark repeats the price
  BOOST_TEST_REQUIRE(told.size() == 1u);
  BOOST_TEST(told[0].contributing == 3u);
  BOOST_TEST(told[0].closed);
}

BOOST_AUTO_TEST_CASE(in_close_mode_an_exchange_that_joins_and_never_closes_is_told_when_the_window_ends) {
  rules.emit = emit_mode::close;
  take(a(binance, 100).closed());
  BOOST_TEST(tells(a(bybit, 100).closed()));
  BOOST_TEST(!tells(a(okx, 103)));
  const auto told = take(a(binance, 100).minute(3));
  BOOST_TEST_REQUIRE(told.size() == 1u);
  BOOST_TEST(told[0].contributing == 3u);
  BOOST_TEST(!told[0].closed);
}

BOOST_AUTO_TEST_CASE(what_is_read_again_is_merged_only_where_it_is_newer) {
  const auto reads_again = [&](const a& in) {
    std::vector<merged> out;
    window().take(in.what, out, merge_window::reading::again);
    return out.size();
  };
  take(a(binance, 100).at(1));
  take(a(bybit, 101).at(5));
  take(a(bybit, 102).at(6));
  BOOST_TEST(reads_again(a(binance, 100).at(1)) == 0u);
  BOOST_TEST(reads_again(a(bybit, 101).at(5)) == 0u);
  BOOST_TEST(reads_again(a(bybit, 102).at(6)) == 0u);
  BOOST_TEST(reads_again(a(bybit, 103).at(6)) == 0u); // as old as what is here
  BOOST_TEST(window().counted().again == 4u);
  BOOST_TEST(reads_again(a(bybit, 103).at(7)) == 1u);
  BOOST_TEST(reads_again(a(okx, 101).at(1)) == 1u); // nobody knew of it
  BOOST_TEST(reads_again(a(okx, 101).minute(-10).at(99)) == 0u);
  BOOST_TEST(window().counted().again == 5u);
  BOOST_TEST(window().counted().late == 0u);
  BOOST_TEST(tells(a(bybit, 104).at(7))); // the first time, equal times are in the order they come
}

BOOST_AUTO_TEST_CASE(only_changed_minutes_are_to_be_saved) {
  rules.source = candle_source::raw_stream;
  const auto changed = [&] {
    std::vector<std::string> names;
    for (const auto& [name, text] : window().take_changed())
      names.push_back(name.substr(0, name.find(' ')) + (text.empty() ? " gone" : ""));
    return names;
  };
  using names = std::vector<std::string>;
  BOOST_TEST(changed().empty());
  take(a(binance, 100).at(1));
  take(a(binance, 100).of("ETHUSDT").at(1));
  take(a(bybit, 100).at(1));
  BOOST_TEST((changed() == names{"BTCUSDT", "ETHUSDT"}));
  BOOST_TEST(changed().empty());
  take(a(binance, 100).at(0)); // out of order
  BOOST_TEST(changed().empty());
  take(a(binance, 100).at(2)); // the same, but later: what is older is out of order from now on
  BOOST_TEST(changed().size() == 1u);
  take(a(binance, 100).minute(1)); // another minute: the first did not change
  BOOST_TEST(changed().size() == 1u);
  take(a(binance, 100).minute(3)); // it leaves the window
  BOOST_TEST((changed() == names{"BTCUSDT gone", "BTCUSDT"}));
}

BOOST_AUTO_TEST_CASE(what_was_not_saved_is_not_restored) {
  rules.source = candle_source::raw_stream;
  take(a(binance, 100));
  take(a(bybit, 101).closed());
  const auto saved = window().take_changed();
  BOOST_TEST_REQUIRE(saved.size() == 1u);
  const auto& [name, text] = saved[0];
  BOOST_TEST(name == "BTCUSDT " + std::to_string(first));
  merge_window other{rules};
  for (std::size_t size = 0; size < text.size(); ++size)
    BOOST_TEST(!other.restore(name, std::string_view{text}.substr(0, size)), size);
  BOOST_TEST(!other.restore(name, text + "x"));
  auto newer = text;
  ++newer[0];
  BOOST_TEST(!other.restore(name, newer));
  for (const auto* bad : {"", "BTCUSDT", "BTCUSDT ", " 60", "BTCUSDT 60x", "BTCUSDT x"})
    BOOST_TEST(!other.restore(bad, text), bad);
  BOOST_TEST(other.symbols() == 0u);
  BOOST_TEST(other.restore(name, text));
  BOOST_TEST(other.symbols() == 1u);
  BOOST_TEST(other.take_changed().empty());
}

BOOST_AUTO_TEST_CASE(with_an_interval_the_newest_of_each_minute_is_held) {
  rules.emit = emit_mode::interval;
  take(a(binance, 100));
  BOOST_TEST(!window().holds());
  BOOST_TEST(!tells(a(bybit, 101)));
  BOOST_TEST(window().holds());
  BOOST_TEST(!tells(a(bybit, 102).at(1).with([](candle& c) { c.received_at = wall_time_from_ms(77); })));
  BOOST_TEST(!tells(a(bybit, 102).at(2))); // unchanged
  std::vector<merged> told;
  window().tell_held(told);
  BOOST_TEST_REQUIRE(told.size() == 1u);
  BOOST_TEST((told[0].prices[index_of(bybit)] == 102.0));
  BOOST_TEST((told[0].ingest_at == wall_time_from_ms(77)));
  BOOST_TEST(!window().holds());
  window().tell_held(told);
  BOOST_TEST(told.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_held_minute_is_told_when_it_leaves_the_window) {
  rules.emit = emit_mode::interval;
  take(a(binance, 100));
  take(a(bybit, 101));
  const auto told = take(a(binance, 100).minute(5));
  BOOST_TEST_REQUIRE(told.size() == 1u);
  BOOST_TEST(told[0].start_s == first);
  BOOST_TEST(!window().holds());
}

// Filled candles.

BOOST_AUTO_TEST_CASE(past_minutes_are_told_once_their_fills_are_complete_in_every_emit_mode) {
  for (const auto how : every_mode) BOOST_TEST_CONTEXT("emit " << static_cast<int>(how)) {
      rules.emit = how;
      given_a_gap(10);
      for (const auto x : {binance, bybit, okx}) {
        BOOST_TEST(!tells(a(x, 50 + static_cast<double>(index_of(x))).minute(4).filled().received(7)));
        BOOST_TEST(rest(1).empty());
      }
      BOOST_TEST(window().holds_filled());
      BOOST_TEST(rest(1).empty());
      const auto told = rest(1);
      BOOST_TEST_REQUIRE(told.size() == 1u);
      BOOST_TEST(told[0].start_s == first + 4 * 60);
      BOOST_TEST(told[0].contributing == 3u);
      BOOST_TEST(told[0].mean == (50 + 51 + 53) / 3.0, boost::test_tools::tolerance(1e-12));
      BOOST_TEST(told[0].closed);
      BOOST_TEST((told[0].ingest_at == wall_time_from_ms(7)));
      BOOST_TEST(!window().holds_filled());
      BOOST_TEST(window().counted().filled == 3u);
      BOOST_TEST(window().counted().late == 0u);
    }
}

BOOST_AUTO_TEST_CASE(a_minute_only_one_exchange_had_waits_for_the_fills_of_the_others) {
  for (const auto how : every_mode) BOOST_TEST_CONTEXT("emit " << static_cast<int>(how)) {
      rules.emit = how;
      given_a_gap(1);
      take(a(okx, 70).minute(2).closed());
      for (auto x : {binance, bybit}) take(a(x, 100).minute(10)); // minutes 1 and 2 leave the window
      BOOST_TEST(window().past_minutes() == 1u);
      take(a(kraken, 72).minute(2).filled());
      const auto told = rest();
      BOOST_TEST_REQUIRE(told.size() == 1u);
      BOOST_TEST((told[0].prices[index_of(okx)] == 70.0));
      BOOST_TEST((told[0].prices[index_of(kraken)] == 72.0));
      BOOST_TEST(told[0].mean == 71.0);
      BOOST_TEST(told[0].closed);
    }
}

BOOST_AUTO_TEST_CASE(what_its_exchange_left_open_is_told_as_it_is_and_mended_by_its_fill) {
  for (const auto how : every_mode) BOOST_TEST_CONTEXT("emit " << static_cast<int>(how)) {
      rules.emit = how;
      given_a_gap(1);
      take(a(okx, 70).minute(2)); // and then it was gone
      for (auto x : {binance, bybit}) take(a(x, 100).minute(10));
      take(a(kraken, 72).minute(2).filled());
      const auto open = rest();
      BOOST_TEST_REQUIRE(open.size() == 1u);
      BOOST_TEST(!open[0].closed);
      take(a(okx, 70).minute(2).filled()); // the values were final
      const auto closed = rest();
      BOOST_TEST_REQUIRE(closed.size() == 1u);
      BOOST_TEST(closed[0].closed);
      BOOST_TEST(closed[0].mean == 71.0);
    }
}

BOOST_AUTO_TEST_CASE(what_is_filled_after_the_record_makes_a_richer_one) {
  given_a_gap(10);
  take(a(binance, 50).minute(4).filled());
  take(a(bybit, 50).minute(4).filled());
  BOOST_TEST(rest().size() == 1u);
  take(a(bybit, 50).minute(4).filled()); // nothing new
  BOOST_TEST(!window().holds_filled());
  take(a(okx, 51).minute(4).filled());
  const auto told = rest();
  BOOST_TEST_REQUIRE(told.size() == 1u);
  BOOST_TEST(told[0].contributing == 3u);
  BOOST_TEST(window().counted().filled == 3u);
}

BOOST_AUTO_TEST_CASE(too_few_fills_tell_nothing_and_wait) {
  given_a_gap(10);
  take(a(binance, 50).minute(4).filled());
  BOOST_TEST(rest().empty());
  BOOST_TEST(!window().holds_filled());
  BOOST_TEST(window().past_minutes() == 1u);
  take(a(bybit, 50).minute(12)); // time goes on
  take(a(bybit, 50).minute(4).filled());
  BOOST_TEST(rest().size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_told_minute_that_left_the_window_is_never_told_again) {
  for (const auto how : every_mode) BOOST_TEST_CONTEXT("emit " << static_cast<int>(how)) {
      rules.emit = how;
      given_a_gap(3);
      std::vector<merged> out;
      window().tell_held(out);
      // Two told it, so the fills of three others, who agree on another price, come too late.
      for (const auto x : {okx, kraken, coinbase}) BOOST_TEST(!tells(a(x, 105).filled()));
      BOOST_TEST(window().counted().late == 3u);
      for (const auto m : {10, 30, 62}) {
        take(a(binance, 100).minute(m));
        BOOST_TEST(!tells(a(okx, 105).filled()));
        BOOST_TEST(rest().empty());
      }
      BOOST_TEST(window().counted().late == 6u);
    }
}

BOOST_AUTO_TEST_CASE(filled_candles_reach_back_as_far_as_they_may) {
  struct row {
    milliseconds fill_within;
    std::int64_t newest, minute;
    bool late;
  };
  constexpr row rows[] = {
      {1h, 70, 10, false},   {1h, 70, 9, true},       {1h, 70, 68, false}, // the window
      {1h, 70, 67, false},   {10min, 70, 60, false},  {10min, 70, 59, true},  {150s, 70, 68, false},
      {150s, 70, 67, true}, // no whole minutes: 67 is 180 s behind
      {180s, 70, 67, false}, {0ms, 70, 67, true},     {0ms, 70, 68, false},   {120s, 70, 68, false},
      {120s, 70, 67, true},  {24h, 2000, 561, false}, {24h, 2000, 559, true},
  };
  for (const auto& r : rows)
    BOOST_TEST_CONTEXT(r.fill_within.count() << " ms, newest " << r.newest << ", filled " << r.minute) {
      given_a_gap(r.newest, r.fill_within);
      std::size_t told = 0;
      for (auto x : {okx, kraken}) told += take(a(x, 100).minute(r.minute).filled()).size();
      BOOST_TEST(told + rest().size() == (r.late ? 0u : 1u));
      BOOST_TEST(window().counted().late == (r.late ? 2u : 0u));
    }
}

BOOST_AUTO_TEST_CASE(late_candles_that_are_not_filled_stay_late) {
  given_a_gap(10);
  take(a(binance, 50).minute(4).filled());
  for (const auto& late : {a(bybit, 50).minute(4), a(bybit, 50).minute(4).closed(), a(bybit, 50).minute(5)})
    BOOST_TEST(!tells(late));
  BOOST_TEST(rest().empty());
  BOOST_TEST(window().counted().late == 3u);
}

BOOST_AUTO_TEST_CASE(in_the_window_a_filled_candle_beats_what_is_there) {
  struct row {
    const char* what;
    a before, in;
    bool told;
  };
  const auto there = a(binance, 100).at(5000);
  const row rows[] = {
      {"older by its time", there, a(binance, 101).at(1).filled(), true},
      {"a correction of what was closed", there.closed(), a(binance, 101).at(1).filled(), true},
      {"another volume", there.closed(), a(binance, 100).volume(9).at(1).filled(), true},
      {"the same, and closed", there, a(binance, 100).at(1).filled(), false}, // Bybit is open
      {"the same as what was closed", there.closed(), a(binance, 100).at(9000).filled(), false},
      {"the first of its exchange", a(bybit, 99).at(1), a(binance, 100).at(1).filled(), true},
  };
  for (const auto& r : rows) BOOST_TEST_CONTEXT(r.what) {
      made.reset();
      take(a(bybit, 100).at(1));
      take(r.before);
      const auto told = take(r.in);
      BOOST_TEST(told.size() == (r.told ? 1u : 0u));
      BOOST_TEST(!window().holds_filled());
      if (told.empty()) continue;
      BOOST_TEST((told[0].prices[index_of(binance)] == r.in.what.close));
      BOOST_TEST(told[0].volume == r.in.what.volume + 1);
      BOOST_TEST(window().counted().filled == 0u); // that counts past minutes
    }
}

BOOST_AUTO_TEST_CASE(what_was_filled_is_closed_and_as_new_as_it_ever_was) {
  take(a(bybit, 100).at(1));
  take(a(binance, 100).at(5000));
  const auto told = take(a(binance, 101).at(1000).filled());
  BOOST_TEST((told.at(0).event_at == wall_time_from_ms(first * 1000 + 5000)));
  BOOST_TEST(!tells(a(binance, 102).at(6000)));          // open after its end
  BOOST_TEST(!tells(a(binance, 102).at(4000).closed())); // older than what was known
  BOOST_TEST(window().counted().out_of_order == 2u);
  BOOST_TEST(tells(a(binance, 102).at(6000).closed()));
}

BOOST_AUTO_TEST_CASE(an_equal_fill_leaves_no_trace) {
  rules.source = candle_source::raw_stream;
  take(a(bybit, 100).at(1));
  take(a(binance, 100).at(5).closed());
  static_cast<void>(window().take_changed());
  take(a(binance, 100).at(9).filled());
  BOOST_TEST(window().take_changed().empty());
  BOOST_TEST(window().counted().unchanged == 1u);
}

BOOST_AUTO_TEST_CASE(in_close_mode_fills_of_an_open_minute_are_one_record) {
  rules.emit = emit_mode::close;
  given_a_gap(10);
  for (const auto x : {binance, bybit, okx}) BOOST_TEST(!tells(a(x, 50).minute(9).filled()));
  const auto told = rest();
  BOOST_TEST_REQUIRE(told.size() == 1u);
  BOOST_TEST(told[0].contributing == 3u);
  // One that others have yet to close is told when they do, or when it leaves the window.
  take(a(okx, 100).minute(10).filled());
  BOOST_TEST(rest().empty());
  BOOST_TEST(!tells(a(binance, 100).minute(10).at(1).closed()));
  BOOST_TEST(take(a(bybit, 100).minute(10).at(1).closed()).at(0).contributing == 3u);
  take(a(okx, 50).minute(11).filled());
  take(a(bybit, 51).minute(11));
  const auto left = take(a(bybit, 50).minute(14));
  BOOST_TEST_REQUIRE(left.size() == 1u);
  BOOST_TEST(!left[0].closed);
  BOOST_TEST(rest().empty());
}

BOOST_AUTO_TEST_CASE(in_close_mode_a_live_close_need_not_wait_for_what_was_filled) {
  rules.emit = emit_mode::close;
  take(a(binance, 100));
  take(a(bybit, 100).filled());
  BOOST_TEST(take(a(binance, 101).at(1).closed()).size() == 1u);
  BOOST_TEST(rest().empty());
}

BOOST_AUTO_TEST_CASE(a_filled_minute_is_told_before_it_is_too_old) {
  given_a_gap(60, 1h);
  take(a(binance, 50).minute(1).filled());
  take(a(bybit, 50).minute(1).filled());
  take(a(bybit, 50).minute(2).filled()); // alone
  BOOST_TEST(take(a(binance, 100).minute(61)).empty());
  const auto told = take(a(binance, 100).minute(62));
  BOOST_TEST_REQUIRE(told.size() == 1u);
  BOOST_TEST(told[0].start_s == first + 60);
  BOOST_TEST(take(a(binance, 100).minute(63)).empty());
  BOOST_TEST(!window().holds_filled());
  BOOST_TEST(rest().empty());
}

BOOST_AUTO_TEST_CASE(at_the_end_everything_filled_is_told) {
  given_a_gap(10);
  for (const auto minute : {5, 4})
    for (auto x : {binance, bybit}) take(a(x, 50).minute(minute).filled());
  std::vector<merged> told;
  window().tell_all_filled(told);
  BOOST_TEST_REQUIRE(told.size() == 2u);
  BOOST_TEST(told[0].start_s < told[1].start_s);
  BOOST_TEST(!window().holds_filled());
}

BOOST_AUTO_TEST_CASE(only_as_many_are_told_at_once_as_there_is_room_for) {
  given_a_gap(30);
  for (const auto minute : {1, 2, 3, 4, 5})
    for (auto x : {binance, bybit}) take(a(x, 50).minute(minute).filled());
  std::vector<std::size_t> counts;
  std::vector<std::int64_t> minutes;
  for (int i = 0; i < 6; ++i) {
    std::vector<merged> out;
    window().tell_filled(2, out);
    counts.push_back(out.size());
    for (const auto& m : out) minutes.push_back((m.start_s - first) / 60);
  }
  BOOST_TEST((counts == std::vector<std::size_t>{0, 0, 2, 2, 1, 0}));
  BOOST_TEST((minutes == std::vector<std::int64_t>{1, 2, 3, 4, 5}));
}

BOOST_AUTO_TEST_CASE(only_untold_minutes_of_symbols_that_can_be_told_are_kept) {
  fill_within = 1h;
  for (std::int64_t m = 0; m < 30; ++m) {
    take(a(binance, 1).of("ALONE").minute(m).closed());
    for (auto x : {binance, bybit}) take(a(x, 1).of("PAIR").minute(m).closed());
    take(a(binance, 1).of("MOSTLY").minute(m).closed());
    if (m % 10 == 0) take(a(okx, 1).of("MOSTLY").minute(m).closed());
  }
  BOOST_TEST(window().past_minutes() == 27u - 3u); // MOSTLY's, but for those two exchanges had
  for (auto symbol : {"ALONE", "PAIR", "MOSTLY"}) take(a(binance, 1).of(symbol).minute(1000));
  BOOST_TEST(window().past_minutes() == 0u);
}

BOOST_AUTO_TEST_CASE(past_minutes_are_bounded_and_the_oldest_of_all_go_first) {
  limits.past_minutes = 3;
  given_a_gap(40);
  for (auto x : {binance, bybit}) take(a(x, 1).of("ETHUSDT").minute(0).closed());
  for (auto x : {binance, bybit}) take(a(x, 1).of("ETHUSDT").minute(40));
  take(a(binance, 50).minute(10).filled());
  take(a(binance, 50).minute(11).filled());
  take(a(binance, 50).of("ETHUSDT").minute(12).filled());
  BOOST_TEST(window().past_minutes() == 3u);
  take(a(binance, 50).minute(9).filled()); // older than all: late
  BOOST_TEST(window().counted().late == 1u);
  BOOST_TEST(window().counted().past_dropped == 1u);
  take(a(bybit, 50).minute(10).filled());
  const auto told = take(a(binance, 50).of("ETHUSDT").minute(13).filled()); // 10 goes, and is told
  BOOST_TEST_REQUIRE(told.size() == 1u);
  BOOST_TEST(told[0].start_s == first + 600);
  BOOST_TEST(told[0].symbol == "BTCUSDT");
  BOOST_TEST(window().counted().past_dropped == 1u);
  take(a(okx, 50).minute(10).filled()); // so it is known to be told
  BOOST_TEST(window().counted().late == 2u);
  take(a(binance, 50).of("ETHUSDT").minute(14).filled()); // 11 goes untold
  BOOST_TEST(window().counted().past_dropped == 2u);
  BOOST_TEST(window().past_minutes() == 3u);
  take(a(okx, 50).minute(30).filled()); // it may begin anew
  take(a(okx, 50).minute(31).filled());
  BOOST_TEST(window().past_minutes() == 3u);
}

BOOST_AUTO_TEST_CASE(without_room_for_past_minutes_there_are_none) {
  limits.past_minutes = 0;
  given_a_gap(40);
  for (auto x : {binance, bybit}) take(a(x, 50).minute(10).filled());
  BOOST_TEST(window().counted().late == 2u);
  BOOST_TEST(window().past_minutes() == 0u);
  BOOST_TEST(rest().empty());
}

BOOST_AUTO_TEST_CASE(the_newest_minute_of_an_exchange_is_known_also_behind_the_window) {
  BOOST_TEST(window().newest_of(binance).empty());
  take(a(binance, 100).minute(3).closed());
  take(a(binance, 100).minute(2)); // within the window, but not the newest
  take(a(bybit, 100).minute(20));
  take(a(binance, 100).of("ETHUSDT").minute(1).closed());
  take(a(binance, 100).of("ETHUSDT").minute(2)); // opens the next
  take(a(binance, 100).minute(4));               // late: not a candle we have
  const auto newest = [&](exchange x) {
    std::map<std::string, std::pair<std::int64_t, bool>> all;
    for (const auto& c : window().newest_of(x)) {
      BOOST_TEST((c.from == x));
      all[c.symbol] = {(c.start_s - first) / 60, c.closed};
    }
    return all;
  };
  using minutes = std::map<std::string, std::pair<std::int64_t, bool>>;
  BOOST_TEST((newest(binance) == minutes{{"BTCUSDT", {3, true}}, {"ETHUSDT", {2, false}}}));
  BOOST_TEST((newest(bybit) == minutes{{"BTCUSDT", {20, false}}}));
  BOOST_TEST(newest(okx).empty());
  take(a(bybit, 100).minute(20).at(1).closed());
  BOOST_TEST((newest(bybit) == minutes{{"BTCUSDT", {20, true}}}));
}

BOOST_AUTO_TEST_CASE(the_newest_minutes_are_known_again_after_a_restart) {
  rules.source = candle_source::raw_stream;
  take(a(binance, 100).minute(0).closed());
  take(a(binance, 100).minute(1));
  auto saved = window().take_changed();
  std::reverse(saved.begin(), saved.end());
  made.reset();
  for (const auto& [name, text] : saved) BOOST_TEST(window().restore(name, text));
  const auto newest = window().newest_of(binance);
  BOOST_TEST_REQUIRE(newest.size() == 1u);
  BOOST_TEST((newest[0].start_s == first + 60 && !newest[0].closed));
}

BOOST_AUTO_TEST_CASE(for_feeds_no_minute_is_noted_to_be_saved) {
  take(a(binance, 100));
  BOOST_TEST(window().take_changed().empty());
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

/// What one exchange last said of a minute.
struct said {
  double close, volume;
  wall_time event_at;
  bool closed;
};
using minute_key = std::pair<std::string, std::int64_t>;
using state = std::map<exchange, said>;

/// The final figures of a minute worked out from scratch, in other steps than merge_window takes.
struct expected {
  std::set<exchange> left, excluded;
  long double mean = 0, variance = 0, spread = 0, volume = 0, vwap = 0;
  bool suspect = false, closed = true;

  expected(const state& of, double max_deviation) {
    std::vector<double> all;
    for (const auto& [x, s] : of) all.insert(std::upper_bound(all.begin(), all.end(), s.close), s.close);
    const auto n = all.size();
    const double median = n % 2 ? all[n / 2] : (all[n / 2] + all[n / 2 - 1]) / 2;
    for (const auto& [x, s] : of)
      (n >= 3 && std::fabs(s.close - median) > max_deviation * median ? excluded : left).insert(x);
    long double sum = 0, squares = 0, money = 0, low = 1e300L, high = 0;
    for (auto x : left) {
      const auto& s = of.at(x);
      sum += s.close;
      squares += static_cast<long double>(s.close) * s.close;
      money += static_cast<long double>(s.close) * s.volume;
      volume += s.volume;
      low = std::min<long double>(low, s.close);
      high = std::max<long double>(high, s.close);
      closed = closed && s.closed;
    }
    const auto count = static_cast<long double>(left.size());
    mean = sum / count;
    variance = squares / count - mean * mean;
    spread = (high - low) / mean * 10'000;
    vwap = volume > 0 ? money / volume : mean;
    suspect = left.size() == 2 && (high - low) / mean > max_deviation;
  }
};

bool close_to(long double got, long double want, long double scale) {
  return std::fabs(got - want) <= 1e-9L * scale;
}

void check(const merged& got, const state& of, const expected& want) {
  BOOST_TEST(got.contributing == want.left.size());
  for (auto x : all_exchanges) {
    BOOST_TEST(got.excluded[index_of(x)] == want.excluded.contains(x));
    BOOST_TEST(got.prices[index_of(x)].has_value() == of.contains(x));
    if (of.contains(x)) BOOST_TEST((got.prices[index_of(x)] == of.at(x).close));
  }
  BOOST_TEST(close_to(got.mean, want.mean, want.mean));
  BOOST_TEST(close_to(static_cast<long double>(got.deviation) * got.deviation, want.variance,
                      want.mean * want.mean));
  BOOST_TEST(close_to(got.spread_bps, want.spread, 10'000));
  BOOST_TEST(close_to(got.volume, want.volume, want.volume + 1));
  BOOST_TEST(close_to(got.vwap, want.vwap, want.mean));
  BOOST_TEST(got.suspect == want.suspect);
  BOOST_TEST(got.closed == want.closed);
  const bool both = want.left.contains(binance) && want.left.contains(bybit);
  BOOST_TEST(got.lead_lag.has_value() == both);
  if (both) BOOST_TEST(close_to(*got.lead_lag, (of.at(binance).close - of.at(bybit).close) / want.mean, 1));
}

/// Random candles in random order; then the last record of every minute must be its final state.
void play(std::uint32_t seed, emit_mode emit) {
  std::mt19937 random{seed};
  const auto one_of = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  aggregator_settings rules;
  rules.emit = emit;
  merge_window sut{rules};

  std::vector<candle> candles;
  for (int i = 0; i < 1500; ++i) {
    auto c =
        a(all_exchanges[static_cast<std::size_t>(one_of(5))], 100 + one_of(4) + (one_of(6) == 0 ? 12 : 0))
            .of(std::string{"SYM"} + static_cast<char>('A' + one_of(3)))
            .minute(one_of(8) + i / 200)
            .volume(one_of(3))
            .at(one_of(40))
            .what;
    c.closed = one_of(5) == 0;
    candles.push_back(c);
  }

  std::map<minute_key, state> truth;
  std::map<std::string, std::int64_t> newest;
  std::map<minute_key, merged> last;
  const auto feed = [&](const candle& c) {
    std::vector<merged> out;
    sut.take(c, out);
    if (emit == emit_mode::interval && one_of(4) == 0) sut.tell_held(out);
    for (auto& m : out) last.insert_or_assign({m.symbol, m.start_s}, m);
  };
  std::uint64_t late = 0, out_of_order = 0;
  for (const auto& c : candles) {
    feed(c);
    auto& top = newest.try_emplace(c.symbol, c.start_s).first->second;
    if (c.start_s + 120 < top) {
      ++late;
      continue;
    }
    top = std::max(top, c.start_s);
    auto& of = truth[{c.symbol, c.start_s}];
    if (auto had = of.find(c.from); had != of.end())
      if (had->second.event_at > c.event_at || (had->second.closed && !c.closed)) {
        ++out_of_order;
        continue;
      }
    of.insert_or_assign(c.from, said{c.close, c.volume, c.event_at, c.closed});
  }
  for (const auto& [symbol, top] : newest)
    feed(a(kraken, 100).of(symbol).minute(1000).what); // all windows end
  BOOST_TEST(sut.counted().late == late);
  BOOST_TEST(sut.counted().out_of_order == out_of_order);

  std::size_t checked = 0;
  for (const auto& [key, of] : truth)
    BOOST_TEST_CONTEXT("seed " << seed << ", " << key.first << " at " << key.second) {
      const expected want{of, rules.max_deviation};
      if (want.left.size() < 2) continue;
      const auto got = last.find(key);
      BOOST_TEST_REQUIRE((got != last.end()));
      check(got->second, of, want);
      ++checked;
    }
  BOOST_TEST(checked > 20u);
}

/// A window that is saved and restored now and then goes on like one that never was.
void play_saved(std::uint32_t seed, emit_mode how) {
  std::mt19937 dice{seed};
  const auto one_of = [&](std::size_t n) { return static_cast<std::int64_t>(dice() % n); };
  aggregator_settings rules;
  rules.source = candle_source::raw_stream;
  rules.emit = how;
  merge_window never_saved{rules};
  auto saved = std::make_unique<merge_window>(rules);
  std::map<std::string, std::string> kept;
  std::size_t told = 0;
  for (std::int64_t i = 0; i < 1000; ++i) {
    auto c = a(all_exchanges[static_cast<std::size_t>(one_of(exchange_count))],
               100 + static_cast<double>(one_of(30)) / 10)
                 .of(one_of(2) == 0 ? "BTCUSDT" : "ETHUSDT")
                 .minute(one_of(5) + i / 100)
                 .volume(static_cast<double>(one_of(3)))
                 .at(one_of(40) + i)
                 .what;
    c.closed = one_of(5) == 0;
    c.received_at = wall_time_from_ms(first * 1000 + i);
    const auto reading = one_of(10) == 0 ? merge_window::reading::again : merge_window::reading::first;
    std::vector<merged> here, there;
    never_saved.take(c, here, reading);
    saved->take(c, there, reading);
    if (one_of(7) == 0) {
      never_saved.tell_held(here);
      saved->tell_held(there);
    }
    BOOST_TEST_REQUIRE((here == there));
    BOOST_TEST(never_saved.holds() == saved->holds());
    told += here.size();
    const bool ends = one_of(20) == 0;
    if (ends || one_of(3) == 0) {
      for (auto& [name, text] : saved->take_changed()) kept[name] = std::move(text);
      std::erase_if(kept, [](const auto& minute) { return minute.second.empty(); });
    }
    if (ends) {
      saved = std::make_unique<merge_window>(rules);
      std::vector<std::pair<std::string, std::string>> parts{kept.begin(), kept.end()};
      std::shuffle(parts.begin(), parts.end(), dice);
      for (const auto& [name, text] : parts) BOOST_TEST(saved->restore(name, text));
    }
  }
  BOOST_TEST(kept.size() <= 2u * 3u); // what left the window is not kept
  BOOST_TEST(told > 10u);
}

/// Exchanges that are away now and then and fill what they missed, in any order, live candles in between.
/// At the end each minute must have been told as all candles that were to be merged make it.
void play_outages(std::uint32_t seed, emit_mode emit) {
  std::mt19937 random{seed};
  const auto one_of = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random() % static_cast<unsigned>(n));
  };
  constexpr std::int64_t minutes = 60, fill_within_s = 30 * 60;
  aggregator_settings rules;
  rules.emit = emit;
  merge_window sut{rules, std::chrono::seconds{fill_within_s}};

  std::multimap<std::int64_t, candle> script; // by the second it comes
  const bool all_at_once = one_of(2) == 0;
  const auto common_start = 5 + one_of(20), common_length = 1 + one_of(25);
  auto listed = all_exchanges;
  std::shuffle(listed.begin(), listed.end(), random);
  for (const auto x : all_exchanges) {
    // Away from the beginning of the one minute to that of the other.
    const auto away_from = all_at_once ? common_start : 2 + one_of(40);
    const auto away_to = away_from + (all_at_once ? common_length + one_of(3) : one_of(15));
    for (const std::string symbol : {"BTCUSDT", "ETHUSDT", "FEWUSDT"}) {
      if (symbol == "FEWUSDT" && x != listed[0] && x != listed[1]) continue;
      for (std::int64_t m = 0; m < minutes; ++m) {
        if (m > 0 && one_of(8) == 0) continue; // nothing was traded
        const auto price = 100 + static_cast<double>(one_of(40)) / 10 + (one_of(15) == 0 ? 20 : 0);
        const auto last = a(x, price).of(symbol).minute(m).volume(static_cast<double>(one_of(3)));
        const auto fill_at = std::max(away_to, m + 1) * 60 + one_of(600);
        const bool away = m >= away_from && m < away_to;
        if (!away || (m == away_from && one_of(2) == 0)) // it may leave in the middle
          script.emplace(m * 60 + 10 + one_of(30), a(x, 99).of(symbol).minute(m).at(m * 60'000 + 1).what);
        if (!away) script.emplace(m * 60 + 60 + one_of(5), last.at(m * 60'000 + 60'000).closed().what);
        if (away || one_of(10) == 0) // also what nobody missed
          script.emplace(fill_at, last.at(m * 60'000 + one_of(60'000)).filled().what);
      }
    }
  }

  std::map<minute_key, state> truth;
  std::map<std::string, std::int64_t> newest;
  std::map<minute_key, merged> last;
  std::set<minute_key> let_go; // told, and no longer open
  std::uint64_t late = 0, past = 0;
  std::size_t told_of_past = 0;
  const auto hear = [&](std::vector<merged>& out) {
    for (auto& m : out) {
      const auto [before, is_first] = last.try_emplace({m.symbol, m.start_s}, m);
      if (is_first) continue;
      BOOST_TEST(prices_in(before->second) <= prices_in(m));
      BOOST_TEST((before->second.prices != m.prices || before->second.volume != m.volume ||
                  before->second.closed != m.closed));
      before->second = m;
    }
    out.clear();
  };
  const auto feed = [&](const candle& c) {
    std::vector<merged> out;
    sut.take(c, out);
    hear(out);
    auto& top = newest.try_emplace(c.symbol, c.start_s).first->second;
    for (; top < c.start_s; top += 60)
      if (last.contains({c.symbol, top - 120})) let_go.insert({c.symbol, top - 120});
  };
  std::int64_t now = 0;
  for (const auto& [at, c] : script) {
    for (; now < at; ++now) {
      std::vector<merged> out;
      sut.tell_filled(3, out);
      told_of_past += out.size();
      if (emit == emit_mode::interval) sut.tell_held(out);
      hear(out);
    }
    const auto top = newest.contains(c.symbol) ? newest.at(c.symbol) : c.start_s;
    const bool is_past = c.start_s < top - 120;
    const bool takes =
        !is_past || (c.filled && c.start_s >= top - fill_within_s && !let_go.contains({c.symbol, c.start_s}));
    feed(c);
    if (!takes) {
      ++late;
      continue;
    }
    auto& of = truth[{c.symbol, c.start_s}];
    if (const auto had = of.find(c.from); had != of.end()) {
      if (!c.filled && (had->second.event_at > c.event_at || (had->second.closed && !c.closed))) continue;
      if (is_past && had->second.closed && had->second.close == c.close && had->second.volume == c.volume)
        continue;
    }
    past += is_past;
    of.insert_or_assign(c.from, said{c.close, c.volume, c.event_at, c.closed});
  }
  std::vector<merged> out;
  sut.tell_all_filled(out);
  sut.tell_held(out);
  hear(out);
  for (const auto& [symbol, top] : newest) feed(a(kraken, 100).of(symbol).minute(1000).what);
  BOOST_TEST(sut.counted().late == late);
  BOOST_TEST(sut.counted().filled == past);
  BOOST_TEST(sut.past_minutes() == 0u);

  std::size_t checked = 0;
  for (const auto& [key, of] : truth)
    BOOST_TEST_CONTEXT("seed " << seed << ", " << key.first << " at " << (key.second - first) / 60) {
      const expected want{of, rules.max_deviation};
      if (want.left.size() < 2) continue;
      const auto got = last.find(key);
      BOOST_TEST_REQUIRE((got != last.end()));
      check(got->second, of, want);
      ++checked;
    }
  BOOST_TEST(checked > 100u);
  if (all_at_once && common_length > 5) BOOST_TEST(told_of_past > 5u);
}

} // namespace

BOOST_AUTO_TEST_CASE(the_last_record_of_a_minute_is_its_final_state) {
  for (std::uint32_t seed = 1; seed <= 40; ++seed) play(seed, emit_mode::update);
}

BOOST_AUTO_TEST_CASE(so_it_is_when_only_closed_minutes_are_told) {
  for (std::uint32_t seed = 1; seed <= 40; ++seed) play(seed, emit_mode::close);
}

BOOST_AUTO_TEST_CASE(so_it_is_when_minutes_are_held_for_an_interval) {
  for (std::uint32_t seed = 1; seed <= 40; ++seed) play(seed, emit_mode::interval);
}

BOOST_AUTO_TEST_CASE(a_restored_window_goes_on_like_one_that_was_never_saved) {
  for (const auto how : {emit_mode::update, emit_mode::interval, emit_mode::close})
    for (std::uint32_t seed = 1; seed <= 40; ++seed)
      BOOST_TEST_CONTEXT("seed " << seed) play_saved(seed, how);
}

BOOST_AUTO_TEST_CASE(whatever_was_missed_and_filled_each_minute_is_told_as_it_was) {
  for (const auto how : every_mode)
    for (std::uint32_t seed = 1; seed <= 60; ++seed)
      BOOST_TEST_CONTEXT("emit " << static_cast<int>(how) << ", seed " << seed) play_outages(seed, how);
}
