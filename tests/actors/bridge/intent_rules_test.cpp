#include "actors/bridge/intent_rules.hpp"

#include "actors/bridge/contract_io.hpp"

#include <boost/test/unit_test.hpp>

#include <optional>
#include <string>
#include <vector>

using namespace breakwater;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

constexpr auto now = wall_time_from_ms(1767571200000);
constexpr double now_s = 1767571200;

struct rules_fixture {
  bridge_settings route;
  intent_rules sut{route, {"CLOSE"}, *load_contract("trade.intent", "no such folder")};

  static json intent(const json& changes = json::object()) {
    json made{{"symbol", "BTCUSDT"}, {"action", "BUY"}, {"confidence", 0.5}, {"timestamp", now_s}};
    if (changes.is_object()) made.update(changes);
    return made;
  }
  judged_event judge(const json& changes) const {
    return sut.judge({{"payload", intent(changes).dump()}, {"source", "entry"}}, now);
  }
  judged_event judge(const json& changes, const std::optional<live_price>& live) const {
    auto what = judge(changes);
    sut.judge_prices(what, live, now);
    return what;
  }
};

const live_price hundred{"BTCUSDT", 100, now - 1s, false};

} // namespace

BOOST_FIXTURE_TEST_CASE(age_is_judged_at_its_edges, rules_fixture) {
  struct row {
    json changes;
    bool valid, late;
  };
  const std::vector<row> table{
      {{{"timestamp", now_s - 60}}, true, false},
      {{{"timestamp", now_s - 60.001}}, false, false},
      {{{"timestamp", now_s + 5}}, true, false},
      {{{"timestamp", now_s + 5.001}}, false, false},
      {{{"timestamp", now_s - 61}, {"action", "CLOSE"}}, true, true},
      {{{"timestamp", now_s - 60}, {"action", "CLOSE"}}, true, false},
      {{{"timestamp", now_s - 61}, {"reduce_only", true}}, true, true},
      {{{"timestamp", now_s - 61}, {"reduceOnly", true}}, true, true},
      {{{"timestamp", now_s - 61}, {"reduce_only", false}}, false, false},
      {{{"timestamp", now_s + 6}, {"action", "CLOSE"}}, false, false},
  };
  for (const auto& [changes, valid, late] : table) BOOST_TEST_CONTEXT(changes.dump()) {
      const auto what = judge(changes);
      BOOST_TEST(what.valid() == valid, what.problem);
      BOOST_TEST(what.late == late);
    }
}

BOOST_FIXTURE_TEST_CASE(stop_loss_and_take_profit_lie_on_their_side_and_not_too_far, rules_fixture) {
  struct row {
    json changes;
    std::string problem;
  };
  const std::vector<row> table{
      {{{"stop_loss", 99}, {"take_profit", 101}}, ""},
      {{{"stop_loss", 50}, {"take_profit", 150}}, ""},
      {{{"stop_loss", 100}}, "stop_loss: 100.0 of a BUY must lie below the live price 100.0"},
      {{{"take_profit", 100}}, "take_profit: 100.0 of a BUY must lie above the live price 100.0"},
      {{{"stop_loss", 49.9}}, "stop_loss: 49.9 is more than 50.0 % away from the live price 100.0"},
      {{{"take_profit", 150.1}}, "take_profit: 150.1 is more than 50.0 % away from the live price 100.0"},
      {{{"action", "SELL"}, {"stop_loss", 101}, {"take_profit", 99}}, ""},
      {{{"action", "SELL"}, {"stop_loss", 99}},
       "stop_loss: 99.0 of a SELL must lie above the live price 100.0"},
      {{{"action", "SELL"}, {"take_profit", 101}},
       "take_profit: 101.0 of a SELL must lie below the live price 100.0"},
      {{{"action", "SELL"}, {"stop_loss", 96106059}},
       "stop_loss: 96106059.0 is more than 50.0 % away from the live price 100.0"},
      // What reduces risk is never stopped by this.
      {{{"action", "CLOSE"}, {"stop_loss", 96106059}}, ""},
      {{{"reduce_only", true}, {"stop_loss", 101}}, ""},
  };
  for (const auto& [changes, problem] : table) BOOST_TEST_CONTEXT(changes.dump()) {
      const auto what = judge(changes, hundred);
      BOOST_TEST(what.problem == problem);
      BOOST_TEST(!what.price_unchecked);
    }
}

BOOST_FIXTURE_TEST_CASE(without_a_live_price_prices_are_not_judged_and_that_is_told, rules_fixture) {
  auto old = hundred, suspect = hundred, edge = hundred;
  old.at = now - 120'001ms;
  edge.at = now - 120s;
  suspect.suspect = true;
  const json wrong{{"stop_loss", 101}};
  for (const auto& live : std::vector<std::optional<live_price>>{std::nullopt, old, suspect}) {
    const auto what = judge(wrong, live);
    BOOST_TEST(what.valid());
    BOOST_TEST(what.price_unchecked);
  }
  BOOST_TEST(!judge(wrong, edge).valid());
  BOOST_TEST(!judge({}, std::nullopt).price_unchecked); // it names none
  BOOST_TEST(judge(wrong).priced_symbol() == "BTCUSDT");
  BOOST_TEST(judge({}).priced_symbol() == "");
}

BOOST_FIXTURE_TEST_CASE(identity_is_symbol_action_time_and_source, rules_fixture) {
  BOOST_TEST(judge({}).identity == "BTCUSDT:BUY:1767571200000:entry");
  BOOST_TEST(judge({{"source", "own"}, {"timestamp", "2026-01-05T00:00:00Z"}}).identity ==
             "BTCUSDT:BUY:1767571200000:own");
  const auto from_side = sut.judge(
      {{"payload", R"({"symbol":"BTCUSDT","side":"SELL","confidence":1,"timestamp":1767571200000})"}}, now);
  BOOST_TEST(from_side.identity == "BTCUSDT:SELL:1767571200000:");
  BOOST_TEST(from_side.from_side);
}

BOOST_AUTO_TEST_CASE(a_contract_says_what_is_looked_at_beyond_its_schema) {
  struct any_contract final : contract_port {
    json document = json::object();
    const json& schema() const override { return document; }
    std::string problem(const json&) const override { return {}; }
  };
  const intent_rules sut{{}, {"CLOSE"}, std::make_shared<any_contract>()};
  const auto what = sut.judge({{"payload", R"({"action":"CLOSE","timestamp":"long ago"})"}}, now);
  BOOST_TEST(what.valid());
  BOOST_TEST(what.reduces_risk);
  BOOST_TEST(what.identity == "");
}

BOOST_AUTO_TEST_CASE(which_actions_always_pass_is_configured) {
  const intent_rules sut{{}, {"EXIT"}, *load_contract("trade.intent", "no such folder")};
  BOOST_TEST(sut.reduces_risk({{"action", "EXIT"}}));
  BOOST_TEST(!sut.reduces_risk({{"action", "CLOSE"}}));
  BOOST_TEST(sut.reduces_risk({{"action", "CLOSE"}, {"reduce_only", true}}));
  BOOST_TEST(!sut.reduces_risk({{"reduce_only", "true"}}));
}
