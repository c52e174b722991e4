#include "actors/bridge/bridge_actor.hpp"

#include "actors/bridge/contract_io.hpp"
#include "tests/support/actor_fixture.hpp"
#include "tests/support/replies.hpp"

#include <functional>
#include <map>

using namespace breakwater;
using namespace breakwater::test;

namespace {

/// A Redis that knows of one route what the test says; the scripts' own work is tested against a real one.
struct bridge_fixture : actor_fixture {
  std::vector<redis_reply> fresh, own;         ///< Entries of the next read.
  std::map<std::string, redis_reply> finished; ///< What finishing an entry answers, by id; else as asked.
  std::vector<std::string> verdicts;           ///< Of the finished entries: "<id> <verdict>".
  std::vector<caf::typed_response_promise<redis_replies>> blocked;
  bool away = false, commands_away = false;
  std::size_t withdrawals = 0, rejected = 0;
  bool withdrawals_hang = false;
  std::vector<caf::typed_response_promise<redis_replies>> hanging;
  std::string foreign;            ///< What latest_key holds that is not ours.
  std::vector<std::string> order; ///< Of what happened to latest_key: "adopt", "withdraw".

  std::vector<permit> leaves; ///< The breaker's next answers; then it grants.
  std::vector<gate_request> gated;
  std::vector<gate_outcome> outcomes;
  bool breaker_is_open = false, breaker_is_silent = false;
  std::function<void()> on_gate; ///< Before a gate_request is answered.
  std::vector<caf::typed_response_promise<permit>> permits_due;
  std::vector<caf::typed_response_promise<breaker_report>> reports_due;
  std::vector<live_price> prices;
  std::size_t price_questions = 0;
  redis_actor its_redis;
  breaker_actor its_breaker;
  bridge_actor sut;

  ~bridge_fixture() { end_actors(); }

  /// EVAL, the script, 8, its keys, group, consumer, id, verdict ...
  redis_reply answer_finish(const std::vector<std::string>& words) {
    const auto &id = words.at(13), &verdict = words.at(14);
    verdicts.push_back(id + " " + verdict);
    const auto found = finished.find(id);
    return found == finished.end() ? text(verdict) : found->second;
  }

  std::vector<redis_reply> answer(const redis_commands& what) {
    const auto commands = commands_of(*what.wire);
    const auto& all = commands[0];
    if (all[0] == "GET")
      return {nil(),
              array({text("length"), integer(0), text("last-generated-id"), text("0-0"),
                     text("entries-added"), integer(0)}),
              array({texts({"name", "breakwater", "last-delivered-id", "0-0"})})};
    if (all[0] == "EXISTS" && foreign.empty()) return {integer(1), nil()};
    if (all[0] == "EXISTS") return {integer(0), text(foreign)};
    if (all[0] == "XAUTOCLAIM") return {array({text("0-0"), array({}), array({})})};
    if (all[0] == "XREADGROUP") {
      auto read = std::exchange(all.back() == ">" ? fresh : own, {});
      return {entries("s", std::move(read))};
    }
    if (all[0] == "EVAL" && all[2] == "2") {
      const bool adopts = all.size() > 5; // with the texts
      order.emplace_back(adopts ? "adopt" : "withdraw");
      withdrawals += !adopts;
      return {integer(1)};
    }
    std::vector<redis_reply> replies;
    for (const auto& command : commands)
      replies.push_back(command[0] == "EVAL" ? answer_finish(command) : integer(1));
    return replies;
  }

  redis_actor redis() {
    return spawn([this](redis_actor::pointer me) -> redis_actor::behavior_type {
      return {[this, me](const redis_commands& what) -> caf::result<redis_replies> {
                if (away || (commands_away && what.lane == redis_lane::commands)) {
                  ++rejected;
                  return make_error(failure{errc::redis_unavailable, "not connected"});
                }
                if (withdrawals_hang && what.wire->find("LRANGE', KEYS[2]") != std::string::npos)
                  return hanging.emplace_back(me->make_response_promise<redis_replies>());
                const bool blocks = what.blocks_for > 0ms && fresh.empty();
                if (blocks) return blocked.emplace_back(me->make_response_promise<redis_replies>());
                return redis_replies{std::make_shared<const std::vector<redis_reply>>(answer(what)), 1};
              },
              [this](const link_event&) { // a withdrawal is done after all
                for (auto& promise : std::exchange(hanging, {}))
                  promise.deliver(redis_replies{
                      std::make_shared<const std::vector<redis_reply>>(std::vector{integer(1)}), 1});
              },
              [this](const wake&) { // what it was asked for has come
                for (auto& promise : std::exchange(blocked, {}))
                  promise.deliver(redis_replies{std::make_shared<const std::vector<redis_reply>>(
                                                    std::vector{entries("s", std::exchange(fresh, {}))}),
                                                1});
              },
              [](const redis_question&) { return redis_report{}; },
              [](const health_question&) { return health_answer{}; }};
    });
  }

  breaker_actor breaker() {
    return spawn([this](breaker_actor::pointer me) -> breaker_actor::behavior_type {
      return {[](const permit_request&) { return permit{}; },
              [this, me](const gate_request& asked) -> caf::result<permit> {
                gated.push_back(asked);
                if (on_gate) on_gate();
                if (breaker_is_silent) return permits_due.emplace_back(me->make_response_promise<permit>());
                permit leave{true, 7, {}, {}};
                if (!leaves.empty()) {
                  leave = leaves.front();
                  leaves.erase(leaves.begin());
                }
                return leave;
              },
              [this](const gate_outcome& outcome) { outcomes.push_back(outcome); },
              [](const dependency_restored&) {},
              [](const call_outcome&) { return breaker_standing{}; },
              [this, me](const breaker_question&) -> caf::result<breaker_report> {
                if (breaker_is_silent)
                  return reports_due.emplace_back(me->make_response_promise<breaker_report>());
                breaker_report told;
                told.mode = "enforce";
                told.phase = breaker_is_open ? breaker_phase::open : breaker_phase::closed;
                return told;
              },
              [](const breaker_history_request&) { return breaker_history{}; },
              [](const breaker_reset&) { return breaker_order_answer{}; },
              [](const breaker_force_open&) { return breaker_order_answer{}; },
              [this](const wake&) { // it answers after all
                for (auto& promise : std::exchange(permits_due, {})) promise.deliver(permit{true, 9, {}, {}});
              },
              [](const health_question&) { return health_answer{}; }};
    });
  }

  aggregator_actor aggregator() {
    return spawn([this](aggregator_actor::pointer) -> aggregator_actor::behavior_type {
      return {[](const candle_batch&) { return intake_answer{}; },
              [](const coverage_request&) { return coverage_answer{}; },
              [](const merge_question&) { return merge_report{}; },
              [this](const price_question&) {
                ++price_questions;
                return price_answer{prices};
              },
              [](const position_request&) { return position_answer{}; },
              [](const wake&) {},
              [](const drain_request&) { return drained{}; },
              [](const health_question&) { return health_answer{}; }};
    });
  }

  void starts() {
    bridge_options options;
    options.route.from = "s";
    options.always_pass_actions = {"CLOSE"};
    options.consumer = "a";
    options.contract = *load_contract("trade.intent", "no such folder");
    options.clock = wall();
    its_redis = redis();
    its_breaker = breaker();
    sut = spawn(bridge_behavior, options, bridge_peers{its_redis, aggregator(), its_breaker});
    settle();
  }

  redis_reply intent(const std::string& id, const nlohmann::json& changes = nlohmann::json::object()) {
    nlohmann::json made{
        {"symbol", "BTCUSDT"}, {"action", "BUY"}, {"confidence", 1}, {"timestamp", 1767571200}};
    made.update(changes);
    return entry(id, {"payload", made.dump()});
  }
  /// The blocking read that is under way ends with these.
  void come(std::vector<redis_reply> all) {
    BOOST_REQUIRE(!blocked.empty());
    fresh = std::move(all);
    caf::anon_send(its_redis, wake{});
    settle();
  }
  std::string fact(const std::string& name) {
    const auto told = *ask<health_answer>(sut, health_question{});
    for (const auto& [key, value] : told.facts)
      if (key == name) return value;
    return "?";
  }
  health_level level() { return ask<health_answer>(sut, health_question{})->level; }
};

using what = gate_outcome::what;

} // namespace

BOOST_FIXTURE_TEST_CASE(each_entry_is_judged_gated_finished_and_accounted_for, bridge_fixture) {
  starts();
  leaves = {{true, 1, {}, {}}, {false, 0, "circuit OPEN: x", {}}};
  come(
      {intent("1-0"), intent("2-0"), intent("3-0", {{"symbol", "?"}}), intent("4-0", {{"action", "CLOSE"}})});
  BOOST_TEST(
      (verdicts == std::vector<std::string>{"1-0 valid", "2-0 held_back", "3-0 invalid", "4-0 valid"}));
  BOOST_REQUIRE(gated.size() == 3u);
  BOOST_TEST((!gated[0].reduces_risk && !gated[1].reduces_risk && gated[2].reduces_risk));
  BOOST_REQUIRE(outcomes.size() == 3u);
  BOOST_TEST((outcomes[0].became == what::passed && outcomes[1].became == what::held &&
              outcomes[2].became == what::passed));
  BOOST_TEST(fact("delivered") == "2");
  BOOST_TEST(fact("held_back") == "1");
  BOOST_TEST(fact("dead") == "1");
  BOOST_TEST(price_questions == 0u); // none names a price
  BOOST_TEST(!blocked.empty());      // and it reads on
}

BOOST_FIXTURE_TEST_CASE(a_live_price_is_asked_for_only_where_it_is_needed, bridge_fixture) {
  starts();
  prices = {{"BTCUSDT", 100, wall()(), false}};
  come({intent("1-0", {{"stop_loss", 99}}), intent("2-0", {{"stop_loss", 101}})});
  BOOST_TEST(price_questions == 1u);
  BOOST_TEST((verdicts == std::vector<std::string>{"1-0 valid", "2-0 invalid"}));
}

BOOST_FIXTURE_TEST_CASE(what_is_not_ours_any_more_gives_its_permit_back, bridge_fixture) {
  starts();
  finished["1-0"] = text("gone");
  finished["2-0"] = text("duplicate");
  come({intent("1-0"), intent("2-0")});
  BOOST_TEST((outcomes.at(0).became == what::unused && outcomes.at(1).became == what::unused));
  BOOST_TEST(fact("duplicates") == "1");
  BOOST_TEST(fact("delivered") == "0");
}

BOOST_FIXTURE_TEST_CASE(while_redis_refuses_entries_wait_and_are_judged_again, bridge_fixture) {
  starts();
  finished["1-0"] = error("OOM command not allowed");
  come({intent("1-0")});
  BOOST_TEST((level() == health_level::degraded));
  BOOST_TEST((outcomes.at(0).became == what::unused));
  finished.clear();
  own = {intent("1-0")};
  wait(2s);
  BOOST_TEST((verdicts == std::vector<std::string>{"1-0 valid", "1-0 valid"}));
  BOOST_TEST(fact("delivered") == "1");
  BOOST_TEST((level() == health_level::ok));
}

BOOST_FIXTURE_TEST_CASE(a_key_of_the_wrong_kind_is_critical_and_named, bridge_fixture) {
  starts();
  finished["1-0"] = error("WRONGTYPE live_signals holds a list and should hold a string");
  come({intent("1-0")});
  const auto told = *ask<health_answer>(sut, health_question{});
  BOOST_TEST((told.level == health_level::critical));
  BOOST_TEST(told.why.find("live_signals holds a list") != std::string::npos, told.why);
}

BOOST_FIXTURE_TEST_CASE(an_old_intent_that_waited_too_long_is_not_delivered_late, bridge_fixture) {
  starts();
  commands_away = true;
  come({intent("1-0"), intent("2-0", {{"action", "CLOSE"}})});
  BOOST_TEST(verdicts.empty());
  wait(61s);
  commands_away = false;
  own = {intent("1-0"), intent("2-0", {{"action", "CLOSE"}})};
  wait(20s); // the blocking read that is under way gives up
  BOOST_TEST((verdicts == std::vector<std::string>{"1-0 invalid", "2-0 valid"}));
  BOOST_TEST(fact("late") == "1");
}

BOOST_FIXTURE_TEST_CASE(when_the_circuit_opens_what_adds_risk_is_withdrawn, bridge_fixture) {
  starts();
  anon_send(sut, breaker_turned{breaker_phase::open, true});
  settle();
  BOOST_TEST(withdrawals == 1u);
  anon_send(sut, breaker_turned{breaker_phase::half_open, false});
  anon_send(sut, breaker_turned{breaker_phase::open, false}); // mode observe
  settle();
  BOOST_TEST(withdrawals == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_withdrawal_is_tried_until_redis_has_done_it, bridge_fixture) {
  starts();
  commands_away = true;
  anon_send(sut, breaker_turned{breaker_phase::forced_open, true});
  wait(5s);
  BOOST_TEST(rejected >= 5u);
  BOOST_TEST((level() == health_level::critical));
  commands_away = false;
  wait(2s);
  BOOST_TEST(withdrawals == 1u);
  BOOST_TEST((level() == health_level::ok));
}

BOOST_FIXTURE_TEST_CASE(a_bridge_that_begins_behind_an_open_circuit_withdraws, bridge_fixture) {
  breaker_is_open = true;
  starts();
  BOOST_TEST(withdrawals == 1u);
}

BOOST_FIXTURE_TEST_CASE(redis_that_is_away_is_asked_again_each_second, bridge_fixture) {
  away = true;
  starts();
  wait(10s);
  BOOST_TEST(rejected >= 10u);
  BOOST_TEST(rejected <= 14u);
  BOOST_TEST((level() == health_level::degraded));
  away = false;
  fresh = {intent("1-0")};
  wait(2s);
  BOOST_TEST((verdicts == std::vector<std::string>{"1-0 valid"}));
  BOOST_TEST((level() == health_level::ok));
}

BOOST_FIXTURE_TEST_CASE(leave_given_before_the_circuit_opened_is_asked_for_anew, bridge_fixture) {
  starts();
  leaves = {{true, 1, {}, {}}, {false, 0, "circuit OPEN: x", {}}, {false, 0, "circuit OPEN: x", {}}};
  on_gate = [this] {
    if (gated.size() == 2) anon_send(sut, breaker_turned{breaker_phase::open, true});
  };
  come({intent("1-0"), intent("2-0")});
  // Else 1-0 would stand in latest_key behind the withdrawal, for as long as the circuit is open.
  leaves.clear();
  BOOST_TEST(withdrawals == 1u);
  BOOST_TEST((verdicts.at(0) == "1-0 held_back"));
  BOOST_REQUIRE(!outcomes.empty());
  BOOST_TEST((outcomes[0].permit == 1u && outcomes[0].became == what::unused)); // the first leave went back
}

BOOST_FIXTURE_TEST_CASE(a_circuit_that_opens_during_a_withdrawal_is_withdrawn_for_once_more, bridge_fixture) {
  starts();
  withdrawals_hang = true;
  anon_send(sut, breaker_turned{breaker_phase::open, true});
  settle();
  BOOST_REQUIRE(hanging.size() == 1u);
  withdrawals_hang = false;
  anon_send(sut, breaker_turned{breaker_phase::closed, false});
  anon_send(sut, breaker_turned{breaker_phase::open, true});
  settle();
  anon_send(its_redis, link_event{});
  settle();
  BOOST_TEST(withdrawals == 1u);
  BOOST_TEST((level() == health_level::ok));
}

BOOST_FIXTURE_TEST_CASE(what_could_not_be_withdrawn_is_withdrawn_half_open_but_not_closed, bridge_fixture) {
  starts();
  commands_away = true;
  anon_send(sut, breaker_turned{breaker_phase::open, true});
  anon_send(sut, breaker_turned{breaker_phase::half_open, false});
  wait(2s);
  BOOST_TEST((level() == health_level::critical));
  commands_away = false;
  wait(1s);
  BOOST_TEST(withdrawals == 1u);
  commands_away = true;
  anon_send(sut, breaker_turned{breaker_phase::open, true});
  anon_send(sut, breaker_turned{breaker_phase::closed, false});
  wait(1s);
  commands_away = false;
  wait(2s);
  BOOST_TEST(withdrawals == 1u);
}

BOOST_FIXTURE_TEST_CASE(what_stood_in_the_key_before_is_taken_over_before_it_is_withdrawn, bridge_fixture) {
  foreign = R"([{"action":"BUY"}])";
  away = true;
  starts();
  anon_send(sut, breaker_turned{breaker_phase::open, true});
  settle();
  away = false;
  wait(2s);
  BOOST_TEST((order == std::vector<std::string>{"adopt", "withdraw"}));
}

BOOST_FIXTURE_TEST_CASE(a_breaker_that_does_not_answer_stops_no_close, bridge_fixture) {
  starts();
  breaker_is_silent = true;
  come({intent("1-0"), intent("2-0", {{"action", "CLOSE"}}), intent("3-0", {{"symbol", "?"}})});
  BOOST_TEST(verdicts.empty());
  wait(2s);
  BOOST_TEST((verdicts == std::vector<std::string>{"2-0 valid", "3-0 invalid"}));
  BOOST_TEST((level() == health_level::degraded));
  verdicts.clear();
  come({intent("4-0", {{"reduce_only", true}}), intent("5-0")}); // known to be silent: it is not asked again
  BOOST_TEST((verdicts == std::vector<std::string>{"4-0 valid"}));
  BOOST_TEST(fact("delivered") == "2");
  breaker_is_silent = false;
  own = {intent("1-0"), intent("5-0")};
  verdicts.clear();
  come({}); // the read that is under way ends
  wait(5s);
  come({});
  wait(1s);
  BOOST_TEST((verdicts == std::vector<std::string>{"1-0 valid", "5-0 valid"}));
  BOOST_TEST((level() == health_level::ok));
}

BOOST_FIXTURE_TEST_CASE(behind_a_breaker_that_is_silent_from_the_start_a_close_passes, bridge_fixture) {
  breaker_is_silent = true;
  starts();
  wait(2s);
  come({intent("1-0"), intent("2-0", {{"action", "CLOSE"}})});
  BOOST_TEST((verdicts == std::vector<std::string>{"2-0 valid"}));
}

BOOST_FIXTURE_TEST_CASE(an_intent_that_grew_too_old_while_it_waited_for_leave_is_not_delivered,
                        bridge_fixture) {
  starts();
  const nlohmann::json then = 1767571200 - 59.5;
  breaker_is_silent = true;
  come({intent("1-0", {{"timestamp", then}}), intent("2-0", {{"timestamp", then}, {"action", "CLOSE"}})});
  wait(1s);
  breaker_is_silent = false;
  BOOST_REQUIRE(permits_due.size() == 1u);
  anon_send(its_breaker, wake{});
  settle();
  BOOST_TEST((verdicts == std::vector<std::string>{"1-0 invalid", "2-0 valid"}));
  BOOST_REQUIRE(outcomes.size() == 2u);
  BOOST_TEST((outcomes[0].permit == 9u && outcomes[0].became == what::unused));
  BOOST_TEST(fact("late") == "1");
}
