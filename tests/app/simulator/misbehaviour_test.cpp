#include "app/simulator/misbehaviour.hpp"

#include <boost/test/unit_test.hpp>

#include <ostream>
#include <set>

using namespace breakwater;
using namespace std::chrono_literals;

namespace {

constexpr auto began = wall_time_from_ms(1'767'571'200'000);

struct text_row {
  std::string_view text, read;
};
std::ostream& operator<<(std::ostream& out, const text_row& row) { return out << row.text; }

std::string describe(const result<fault_rule>& rule) {
  if (!rule) return rule.error().detail;
  const auto ms = [](std::chrono::milliseconds time) { return std::to_string(time.count()); };
  return std::string{to_string(rule->what)} + " " + (rule->from ? to_string(*rule->from) : "all") +
         " after " + ms(rule->after) + " every " + ms(rule->every) + " for " + ms(rule->lasts) +
         (rule->share < 1 ? " some" : "");
}

struct plan_row {
  std::string_view rule;
  exchange from;
  std::chrono::milliseconds at; ///< Since the start.
  bool active;
  std::size_t begun;
};
std::ostream& operator<<(std::ostream& out, const plan_row& row) {
  return out << row.rule << " at " << to_string(row.from) << " after " << row.at.count() << " ms";
}

} // namespace

BOOST_AUTO_TEST_SUITE(misbehaviour_test)

BOOST_AUTO_TEST_CASE(reads_rules) {
  constexpr text_row rows[] = {
      {"cut", "cut all after 0 every 30000 for 10000"},
      {"slow,exchange=okx,every=1m,for=5s,after=20s", "slow okx after 20000 every 60000 for 5000"},
      {"silent,share=0.5", "silent all after 0 every 30000 for 10000 some"},
      {"nope", "'nope' is no fault; there are slow, cut, silent, duplicate, reordered, malformed, snapshot, "
               "wrong_acknowledgement, day_end, rate_limit"},
      {"", "'' is no fault; there are slow, cut, silent, duplicate, reordered, malformed, snapshot, "
           "wrong_acknowledgement, day_end, rate_limit"},
      {"cut,exchange=mtgox", "'exchange=mtgox': exchanges are binance, bybit, coinbase, okx and kraken"},
      {"cut,every=0s", "'every=0s' is no duration, or too short; write it as 5s or 2m"},
      {"cut,for=long", "'for=long' is no duration, or too short; write it as 5s or 2m"},
      {"cut,for", "'for' is no duration, or too short; write it as 5s or 2m"},
      {"cut,often=1s", "'often=1s' is none of exchange=, every=, for=, after=, share="},
      {"cut,share=0.5", "'share=0.5': only silent has a share"},
      {"silent,share=0", "'share=0': the share of symbols is above 0 and at most 1"},
      {"silent,share=2", "'share=2': the share of symbols is above 0 and at most 1"},
  };
  for (const auto& row : rows) BOOST_TEST_CONTEXT(row) {
      BOOST_TEST(describe(parse_fault_rule(row.text)) == row.read);
    }
}

BOOST_AUTO_TEST_CASE(reads_the_time_of_all_faults) {
  BOOST_TEST((*parse_all_faults("all") == 10min));
  BOOST_TEST((*parse_all_faults("all,every=5m") == 5min));
  for (auto text : {"", "some", "all,", "all,every=", "all,every=5s", "all,for=5m"})
    BOOST_TEST_CONTEXT(text) { BOOST_TEST(!parse_all_faults(text)); }
}

BOOST_AUTO_TEST_CASE(names_and_explains_every_kind) {
  for (std::size_t i = 0; i < fault_count; ++i) {
    const auto what = static_cast<fault>(i);
    BOOST_TEST((parse_fault(to_string(what)) == what));
    BOOST_TEST(std::string_view{help_of(what)}.size() > 10u);
  }
}

BOOST_AUTO_TEST_CASE(comes_again_and_again_at_one_exchange_after_the_other) {
  constexpr plan_row rows[] = {
      {"slow,exchange=okx,every=1m,for=5s,after=20s", exchange::okx, 19999ms, false, 0},
      {"slow,exchange=okx,every=1m,for=5s,after=20s", exchange::okx, 20s, true, 1},
      {"slow,exchange=okx,every=1m,for=5s,after=20s", exchange::okx, 24999ms, true, 1},
      {"slow,exchange=okx,every=1m,for=5s,after=20s", exchange::okx, 25s, false, 1},
      {"slow,exchange=okx,every=1m,for=5s,after=20s", exchange::okx, 80s, true, 2},
      {"slow,exchange=okx,every=1m,for=5s,after=20s", exchange::kraken, 80s, false, 0},
      {"slow,every=50s,for=5s", exchange::binance, 0s, true, 1},
      {"slow,every=50s,for=5s", exchange::bybit, 5s, false, 0},
      {"slow,every=50s,for=5s", exchange::bybit, 10s, true, 1},
      {"slow,every=50s,for=5s", exchange::kraken, 40s, true, 1},
      {"slow,every=50s,for=5s", exchange::kraken, 95s, false, 2},
      {"slow,every=50s,for=5s", exchange::binance, -1s, false, 0},
  };
  for (const auto& row : rows) BOOST_TEST_CONTEXT(row) {
      const fault_plan sut{{*parse_fault_rule(row.rule)}, began};
      BOOST_TEST((sut.active(fault::slow, row.from, began + row.at) != nullptr) == row.active);
      BOOST_TEST(sut.begun(fault::slow, row.from, began + row.at) == row.begun);
      BOOST_TEST(sut.begun(fault::cut, row.from, began + row.at) == 0u);
    }
}

BOOST_AUTO_TEST_CASE(tells_the_next_change) {
  const fault_plan sut{{*parse_fault_rule("slow,exchange=okx,every=1m,for=5s,after=20s")}, began};
  constexpr std::pair<std::chrono::seconds, std::chrono::seconds> rows[] = {
      {0s, 20s}, {20s, 25s}, {24s, 25s}, {25s, 80s}, {80s, 85s}};
  for (const auto& [at, next] : rows)
    BOOST_TEST((sut.next_change(exchange::okx, began + at) == began + next));
  BOOST_TEST((sut.next_change(exchange::kraken, began) == wall_time::max()));
}

BOOST_AUTO_TEST_CASE(takes_turns_through_all_kinds_in_an_order_of_the_seed) {
  const auto order = [](std::uint64_t seed) {
    std::string text;
    for (const auto& rule : all_faults(9min, seed)) text += std::string{to_string(rule.what)} + " ";
    return text;
  };
  BOOST_TEST(order(1) == order(1));
  BOOST_TEST(order(1) != order(2));
  const fault_plan sut{all_faults(9min, 1), began};
  for (auto x : all_exchanges) {
    std::set<fault> seen;
    for (auto at = began; at < began + 18min; at += 1s) {
      std::size_t together = 0;
      for (std::size_t i = 0; i < fault_count; ++i)
        if (sut.active(static_cast<fault>(i), x, at)) {
          seen.insert(static_cast<fault>(i));
          ++together;
        }
      const auto active = [&](fault what) { return sut.active(what, x, at) != nullptr; };
      BOOST_TEST(active(fault::cut) == active(fault::rate_limit));
      BOOST_TEST(active(fault::day_end) == active(fault::wrong_acknowledgement));
      BOOST_TEST(together <= (active(fault::cut) || active(fault::day_end) ? 2u : 1u));
    }
    BOOST_TEST(seen.size() == fault_count);
  }
}

BOOST_AUTO_TEST_SUITE_END()
