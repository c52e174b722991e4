#include "actors/breaker/breaker.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>
#include <ostream>
#include <random>
#include <set>
#include <vector>

namespace breakwater {
std::ostream& boost_test_print_type(std::ostream& out, breaker_phase phase) {
  return out << to_string(phase);
}
namespace {

using namespace std::chrono_literals;
using enum breaker_phase;
using enum gate_outcome::what;

constexpr mono_time start{1000h};

/// A breaker, a clock that the test moves, and short words for what callers do.
struct rig {
  breaker_settings settings;
  breaker sut;
  mono_time now = start;
  std::chrono::milliseconds wall_jump{0}; ///< The wall clock was put forward or back.
  std::vector<std::string> history;

  explicit rig(breaker_settings with = {}) : settings(with), sut("redis", with) {}

  void wait(std::chrono::milliseconds time) { now += time; }
  permit ask() { return sut.ask(at()); }
  void succeeds(std::uint64_t permit) { sut.record({permit, true, "", true}, at()); }
  void fails(std::uint64_t permit) { sut.record({permit, false, "transport: reset", true}, at()); }
  void returns(std::uint64_t permit) { sut.record({permit, false, "", false}, at()); }
  permit gate(bool reduces_risk) { return sut.gate({reduces_risk}, at()); }
  void became(const permit& leave, gate_outcome::what how) { sut.gated({leave.number, how}, at()); }
  void call_fails() { fails(ask().number); }
  void call_succeeds() { succeeds(ask().number); }
  void opens() {
    for (std::size_t i = 0; i < settings.failure_threshold; ++i) call_fails();
    BOOST_REQUIRE(sut.phase() == open);
  }
  breaker_phase phase() {
    sut.advance(at());
    return sut.phase();
  }
  moment at() const {
    return {now, wall_time_from_ms(1767571200000) + wall_jump +
                     std::chrono::duration_cast<std::chrono::milliseconds>(now - start)};
  }
  /// The process ends and begins again `away` later: what is left is what was written down.
  void begins_again(std::chrono::milliseconds away = 0ms) {
    for (const auto& move : sut.take_moves()) history.push_back(move_text(move));
    const auto state = state_text(sut.memory(at()));
    now += away;
    auto memory = read_memory(state, history);
    BOOST_REQUIRE(memory);
    sut = breaker{"redis", settings, std::move(*memory), at()};
  }
};

} // namespace

BOOST_AUTO_TEST_CASE(opens_at_the_fifth_failure_in_a_row) {
  rig r;
  for (int i = 0; i < 4; ++i) r.call_fails();
  BOOST_TEST(r.phase() == closed);
  r.call_fails();
  BOOST_TEST(r.phase() == open);
  BOOST_TEST(!r.ask().granted);
}

BOOST_AUTO_TEST_CASE(a_success_clears_the_count) {
  rig r;
  for (int i = 0; i < 4; ++i) r.call_fails();
  r.call_succeeds();
  BOOST_TEST(r.sut.failures() == 0u);
  for (int i = 0; i < 4; ++i) r.call_fails();
  BOOST_TEST(r.phase() == closed);
}

BOOST_AUTO_TEST_CASE(an_outcome_that_decides_nothing_leaves_the_count) {
  rig r;
  for (int i = 0; i < 4; ++i) r.call_fails();
  r.returns(r.ask().number);
  r.call_fails();
  BOOST_TEST(r.phase() == open);
}

BOOST_AUTO_TEST_CASE(failures_without_a_permit_count_like_others) {
  rig r;
  for (int i = 0; i < 5; ++i) r.fails(0);
  BOOST_TEST(r.phase() == open);
}

BOOST_AUTO_TEST_CASE(refused_callers_are_told_why_and_when_to_come_back) {
  rig r;
  r.opens();
  r.wait(20s);
  const auto refused = r.ask();
  BOOST_TEST(refused.number == 0u);
  BOOST_TEST(refused.why == "circuit OPEN: transport: reset");
  BOOST_TEST((refused.retry_after == 40s));
}

BOOST_AUTO_TEST_CASE(goes_half_open_when_asked_after_the_open_time) {
  rig r;
  r.opens();
  r.wait(60s - 1ms);
  BOOST_TEST(!r.ask().granted);
  r.wait(1ms);
  BOOST_TEST(r.ask().granted);
  BOOST_TEST(r.phase() == half_open);
  const auto second = r.ask();
  BOOST_TEST(!second.granted);
  BOOST_TEST((second.retry_after == breaker::ask_again_after));
}

BOOST_AUTO_TEST_CASE(one_success_of_a_probe_closes_it) {
  rig r;
  r.opens();
  r.wait(60s);
  r.call_succeeds();
  BOOST_TEST(r.phase() == closed);
  BOOST_TEST(r.sut.failures() == 0u);
}

BOOST_AUTO_TEST_CASE(every_one_of_several_probes_must_succeed) {
  breaker_settings three;
  three.half_open_probes = 3;
  rig r{three};
  r.opens();
  r.wait(60s);
  const auto a = r.ask(), b = r.ask(), c = r.ask();
  BOOST_TEST((a.granted && b.granted && c.granted && !r.ask().granted));
  r.succeeds(a.number);
  BOOST_TEST(!r.ask().granted);
  r.succeeds(b.number);
  BOOST_TEST(r.phase() == half_open);
  r.succeeds(c.number);
  BOOST_TEST(r.phase() == closed);
}

BOOST_AUTO_TEST_CASE(the_open_time_doubles_with_each_failed_probe_and_starts_anew_once_closed) {
  rig r;
  r.opens();
  for (const auto open_for : {60s, 120s, 240s, 480s, 600s, 600s}) {
    BOOST_TEST_CONTEXT(open_for.count()) {
      BOOST_TEST((r.ask().retry_after == open_for));
      r.wait(open_for);
      r.call_fails();
      BOOST_TEST(r.phase() == open);
    }
  }
  r.wait(600s);
  r.call_succeeds();
  r.opens();
  BOOST_TEST((r.ask().retry_after == 60s));
}

BOOST_AUTO_TEST_CASE(a_lost_probe_returns_by_itself) {
  rig r;
  r.opens();
  r.wait(60s);
  BOOST_TEST(r.ask().granted);
  r.wait(breaker::probe_deadline - 1ms);
  BOOST_TEST(!r.ask().granted);
  r.wait(1ms);
  BOOST_TEST(r.ask().granted);
}

BOOST_AUTO_TEST_CASE(a_probe_handed_back_unused_lets_the_next_one_through) {
  rig r;
  r.opens();
  r.wait(60s);
  r.returns(r.ask().number);
  BOOST_TEST(r.phase() == half_open);
  BOOST_TEST(r.ask().granted);
}

BOOST_AUTO_TEST_CASE(a_restored_dependency_ends_the_open_time) {
  rig r;
  r.opens();
  r.wait(20s);
  r.sut.restored(r.at());
  BOOST_TEST(r.phase() == half_open);
  r.call_succeeds();
  BOOST_TEST(r.phase() == closed);
  r.sut.restored(r.at());
  BOOST_TEST(r.phase() == closed);
}

BOOST_AUTO_TEST_CASE(a_failed_connect_attempt_opens_a_half_open_breaker_again) {
  rig r;
  r.opens();
  r.wait(60s);
  BOOST_TEST(r.phase() == half_open);
  r.fails(0);
  BOOST_TEST(r.phase() == open);
  BOOST_TEST((r.ask().retry_after == 120s));
}

BOOST_AUTO_TEST_CASE(outcomes_of_an_earlier_phase_move_nothing) {
  rig r;
  const auto old = r.ask(), older = r.ask();
  r.opens();
  r.wait(60s);
  const auto probe = r.ask();
  r.fails(old.number);
  BOOST_TEST(r.phase() == half_open);
  r.succeeds(older.number);
  BOOST_TEST(r.phase() == half_open);
  r.succeeds(probe.number);
  BOOST_TEST(r.phase() == closed);
  r.fails(old.number);
  BOOST_TEST(r.sut.failures() == 0u);
}

BOOST_AUTO_TEST_CASE(moves_are_numbered_and_say_the_thresholds_in_force) {
  rig r;
  r.opens();
  r.wait(60s);
  r.call_succeeds();
  const auto moves = r.sut.take_moves();
  BOOST_REQUIRE(moves.size() == 3u);
  BOOST_TEST((moves[0].number == 1 && moves[0].from == closed && moves[0].to == open));
  BOOST_TEST((moves[0].failures == 5 && moves[0].failure_threshold == 5 && moves[0].open_for == 60s));
  BOOST_TEST(moves[0].reason == "transport: reset");
  BOOST_TEST(moves[0].by == "breaker");
  BOOST_TEST(to_rfc3339(moves[1].at) == "2026-01-05T00:01:00.000Z");
  BOOST_TEST((moves[1].number == 2 && moves[1].from == open && moves[1].to == half_open));
  BOOST_TEST((moves[2].number == 3 && moves[2].from == half_open && moves[2].to == closed));
  BOOST_TEST(r.sut.take_moves().empty());
}

BOOST_AUTO_TEST_CASE(counts_the_time_from_leaving_closed_to_closed_again) {
  rig r;
  r.opens();
  r.wait(60s);
  r.call_succeeds();
  r.wait(1h);
  r.opens();
  r.wait(10s);
  auto seen = r.sut.statistics(r.at());
  BOOST_TEST(seen.times_opened == 2u);
  BOOST_TEST((seen.time_open == 70s));
  BOOST_TEST((seen.longest_open == 60s));
  BOOST_TEST(seen.allowed == 11u);
  BOOST_TEST(seen.successes == 1u);
  BOOST_TEST(seen.failures == 10u);
  r.wait(90s);
  BOOST_TEST((r.sut.statistics(r.at()).longest_open == 100s));
}

BOOST_AUTO_TEST_CASE(observing_it_refuses_nothing_and_counts_what_it_would_have) {
  breaker_settings observing;
  observing.mode = breaker_mode::observe;
  rig r{observing};
  r.opens();
  BOOST_TEST(r.ask().granted);
  BOOST_TEST(r.sut.would_block() == 1u);
  BOOST_TEST(r.sut.statistics(r.at()).blocked == 0u);
  r.wait(60s);
  const auto probe = r.ask();
  const auto other = r.ask();
  BOOST_TEST((probe.granted && other.granted));
  r.fails(other.number);
  BOOST_TEST(r.phase() == half_open);
  r.succeeds(probe.number);
  BOOST_TEST(r.phase() == closed);
}

BOOST_AUTO_TEST_CASE(off_it_grants_everything_and_stays_closed) {
  breaker_settings off;
  off.mode = breaker_mode::off;
  rig r{off};
  for (int i = 0; i < 100; ++i) r.call_fails();
  BOOST_TEST(r.phase() == closed);
  BOOST_TEST(r.sut.statistics(r.at()).failures == 100u);
}

BOOST_AUTO_TEST_CASE(a_result_that_needed_no_permit_closes_a_half_open_breaker) {
  rig r;
  r.opens();
  r.wait(60s);
  r.succeeds(0);
  BOOST_TEST(r.phase() == closed);
}

BOOST_AUTO_TEST_CASE(a_reset_is_safe_once_it_was_quiet_for_the_period) {
  rig r;
  BOOST_TEST(r.sut.reset_blocked(r.at()).size() == 1u); // closed: there is nothing to reset
  BOOST_TEST(r.sut.reset_blocked(r.at()).front() == "the circuit is not active: it is CLOSED");
  r.opens();
  r.wait(299s);
  const auto blocked = r.sut.reset_blocked(r.at());
  BOOST_REQUIRE(blocked.size() == 2u);
  BOOST_TEST(blocked[0] == "5 failures within the last 300 s; a safe reset needs fewer than 5");
  BOOST_TEST(blocked[1] == "the last failure was 299 s ago; a safe reset needs 300 s without one");
  r.wait(1s + 1ms);
  BOOST_TEST(r.sut.reset_blocked(r.at()).empty());
}

BOOST_AUTO_TEST_CASE(one_failure_within_the_period_is_enough_to_make_a_reset_unsafe) {
  rig r;
  r.opens();
  r.wait(10min);
  r.call_fails(); // the probe
  r.wait(4min);
  BOOST_TEST(r.sut.reset_blocked(r.at()).size() == 1u);
  r.wait(1min + 1ms);
  BOOST_TEST(r.sut.reset_blocked(r.at()).empty());
}

BOOST_AUTO_TEST_CASE(a_reset_closes_it_and_forgets_the_failures) {
  rig r;
  r.opens();
  r.wait(60s);
  r.call_fails(); // now it would stay open for 120 s
  r.sut.reset("mended", "alice", r.at());
  BOOST_TEST(r.phase() == closed);
  BOOST_TEST(r.sut.failures() == 0u);
  const auto move = r.sut.take_moves().back();
  BOOST_TEST((move.by == "alice" && move.reason == "mended" && move.from == open && move.to == closed));
  r.opens();
  BOOST_TEST((r.ask().retry_after == 60s));
}

BOOST_AUTO_TEST_CASE(a_reset_of_a_closed_breaker_clears_its_count_and_is_no_move) {
  rig r;
  for (int i = 0; i < 4; ++i) r.call_fails();
  r.sut.reset("Testing", "alice", r.at());
  BOOST_TEST(r.sut.take_moves().empty());
  for (int i = 0; i < 4; ++i) r.call_fails();
  BOOST_TEST(r.phase() == closed);
}

BOOST_AUTO_TEST_CASE(forced_open_only_an_operator_closes_it) {
  rig r;
  r.sut.force_open("maintenance", "alice", r.at());
  BOOST_TEST(r.phase() == forced_open);
  r.wait(24h);
  r.sut.restored(r.at());
  r.succeeds(0);
  BOOST_TEST(r.phase() == forced_open);
  const auto refused = r.ask();
  BOOST_TEST(refused.why == "circuit FORCED_OPEN by an operator: maintenance");
  BOOST_TEST((refused.retry_after == breaker::ask_again_after));
  BOOST_TEST(!r.sut.report(r.at()).retry_at);
  r.sut.force_open("again", "bob", r.at());
  BOOST_TEST(r.sut.take_moves().size() == 1u);
  r.sut.reset("done", "alice", r.at());
  BOOST_TEST(r.ask().granted);
}

BOOST_AUTO_TEST_CASE(forcing_an_open_breaker_keeps_its_open_time_as_one) {
  rig r;
  r.opens();
  r.wait(30s);
  r.sut.force_open("maintenance", "alice", r.at());
  r.wait(30s);
  const auto told = r.sut.report(r.at());
  BOOST_TEST(told.statistics.times_opened == 1u);
  BOOST_TEST((told.statistics.time_open == 60s));
  BOOST_TEST(to_rfc3339(*told.opened_at) == "2026-01-05T00:00:00.000Z");
  BOOST_TEST(told.trigger == "maintenance");
}

BOOST_AUTO_TEST_CASE(a_report_says_all_there_is_to_know) {
  rig r;
  auto told = r.sut.report(r.at());
  BOOST_TEST((told.name == "redis" && told.mode == "enforce" && told.failure_threshold == 5));
  BOOST_TEST((!told.last_failure_at && !told.opened_at && !told.retry_at && told.trigger.empty()));
  r.opens();
  r.wait(20s);
  told = r.sut.report(r.at());
  BOOST_TEST((told.phase == open));
  BOOST_TEST((told.trigger == "transport: reset" && told.last_failure == "transport: reset"));
  BOOST_TEST(to_rfc3339(*told.last_failure_at) == "2026-01-05T00:00:00.000Z");
  BOOST_TEST(to_rfc3339(*told.retry_at) == "2026-01-05T00:01:00.000Z");
  BOOST_TEST(!told.reset_blocked.empty());
}

BOOST_AUTO_TEST_CASE(history_is_newest_first_and_bounded) {
  rig r;
  for (std::size_t i = 0; i < breaker::max_history; ++i) {
    r.sut.force_open("on", "alice", r.at());
    r.sut.reset("off", "alice", r.at());
  }
  BOOST_TEST(r.sut.history(1000).moves.size() == breaker::max_history);
  const auto two = r.sut.history(2).moves;
  BOOST_REQUIRE(two.size() == 2u);
  BOOST_TEST((two[0].number == 2 * breaker::max_history && two[1].number == two[0].number - 1));
}

BOOST_AUTO_TEST_CASE(everything_survives_a_restart) {
  rig r;
  r.opens();
  r.wait(10s);
  r.begins_again(5s);
  BOOST_TEST(r.phase() == open);
  const auto told = r.sut.report(r.at());
  BOOST_TEST((told.failures == 5 && told.trigger == "transport: reset"));
  BOOST_TEST((told.statistics.time_open == 15s)); // also while nobody ran
  BOOST_TEST(told.statistics.allowed == 5u);
  BOOST_TEST((r.ask().retry_after == 45s));
  BOOST_TEST(r.sut.history(10).moves.size() == 1u);
  r.wait(45s);
  r.call_succeeds();
  r.begins_again();
  BOOST_TEST(r.phase() == closed);
  BOOST_TEST(r.sut.history(10).moves.front().number == 3u);
  BOOST_TEST((r.sut.statistics(r.at()).longest_open == 60s));
  r.sut.force_open("maintenance", "alice", r.at());
  BOOST_TEST(r.sut.reset_blocked(r.at()).size() == 2u); // the failures are remembered, too
}

BOOST_AUTO_TEST_CASE(forced_open_survives_a_restart) {
  rig r;
  r.sut.force_open("maintenance", "alice", r.at());
  r.begins_again(24h);
  BOOST_TEST(r.phase() == forced_open);
  BOOST_TEST(!r.ask().granted);
}

BOOST_AUTO_TEST_CASE(a_wall_clock_that_jumps_while_nobody_runs_does_not_keep_it_open) {
  for (const auto jump : {std::chrono::milliseconds{-720h}, std::chrono::milliseconds{720h}}) {
    rig r;
    r.opens();
    r.wall_jump = jump;
    r.begins_again();
    BOOST_TEST((r.phase() == closed || r.sut.next_wake().value_or(r.now) <= r.now + 60s));
    r.wait(60s);
    BOOST_TEST(r.ask().granted);
    BOOST_TEST((r.sut.statistics(r.at()).time_open >= 0ms));
  }
}

BOOST_AUTO_TEST_CASE(an_open_breaker_closes_when_it_begins_again_with_mode_off) {
  rig r;
  r.opens();
  r.settings.mode = breaker_mode::off;
  r.begins_again();
  BOOST_TEST(r.phase() == closed);
  BOOST_TEST(r.sut.take_moves().back().reason == "mode is off");
}

BOOST_AUTO_TEST_CASE(a_long_reason_is_cut) {
  rig r;
  for (int i = 0; i < 5; ++i) r.sut.record({0, false, std::string(100000, 'x'), true}, r.at());
  BOOST_TEST(r.sut.report(r.at()).trigger.size() == breaker::max_reason);
}

BOOST_AUTO_TEST_CASE(who_passes_the_gate) {
  using enum breaker_mode;
  enum class stands { closed, open, half_open, probed, forced_open };
  struct row {
    breaker_mode mode;
    stands where;
    bool reduces_risk, granted;
    std::size_t probes_out;
    std::uint64_t would_block;
    std::string why;
  };
  constexpr bool adds = false, reduces = true;
  const std::vector<row> table{
      {enforce, stands::closed, adds, true, 0, 0, ""},
      {enforce, stands::closed, reduces, true, 0, 0, ""},
      {enforce, stands::open, adds, false, 0, 0, "circuit OPEN: transport: reset"},
      {enforce, stands::open, reduces, true, 0, 0, ""},
      {enforce, stands::half_open, adds, true, 1, 0, ""},
      {enforce, stands::half_open, reduces, true, 0, 0, ""}, // and is no probe
      {enforce, stands::probed, adds, false, 1, 0, "circuit HALF_OPEN: its probes are under way"},
      {enforce, stands::probed, reduces, true, 1, 0, ""},
      {enforce, stands::forced_open, adds, false, 0, 0, "circuit FORCED_OPEN by an operator: by hand"},
      {enforce, stands::forced_open, reduces, true, 0, 0, ""},
      {observe, stands::closed, adds, true, 0, 0, ""},
      {observe, stands::open, adds, true, 0, 1, ""},
      {observe, stands::open, reduces, true, 0, 0, ""},
      {observe, stands::half_open, adds, true, 1, 0, ""},
      {observe, stands::probed, adds, true, 1, 1, ""},
      {observe, stands::forced_open, adds, true, 0, 1, ""},
      {off, stands::closed, adds, true, 0, 0, ""},
      {off, stands::closed, reduces, true, 0, 0, ""},
  };
  for (const auto& row : table)
    BOOST_TEST_CONTEXT(to_string(row.mode) << " " << static_cast<int>(row.where) << " " << row.reduces_risk) {
      breaker_settings with;
      with.mode = row.mode;
      rig r{with};
      if (row.mode == off)
        for (int i = 0; i < 100; ++i) r.fails(0);
      if (row.where == stands::forced_open) r.sut.force_open("by hand", "alice", r.at());
      if (row.where == stands::open || row.where == stands::half_open || row.where == stands::probed)
        r.opens();
      if (row.where == stands::half_open || row.where == stands::probed) r.wait(60s);
      if (row.where == stands::probed) BOOST_TEST(r.gate(false).granted);
      const auto before = r.sut.statistics(r.at());
      const auto leave = r.gate(row.reduces_risk);
      BOOST_TEST(leave.granted == row.granted);
      BOOST_TEST((leave.number != 0) == row.granted);
      BOOST_TEST(leave.why == row.why);
      BOOST_TEST((leave.granted || leave.retry_after > 0ms));
      BOOST_TEST(r.sut.probes_out() == row.probes_out);
      BOOST_TEST(r.sut.would_block() == row.would_block);
      // What becomes of it is counted, not the question.
      const auto after = r.sut.statistics(r.at());
      BOOST_TEST((after.allowed == before.allowed && after.blocked == before.blocked));
    }
}

BOOST_AUTO_TEST_CASE(what_became_of_an_intent_is_counted_and_decides_nothing) {
  rig r;
  const auto counts = [&] {
    const auto seen = r.sut.statistics(r.at());
    return std::vector<std::uint64_t>{seen.allowed, seen.blocked, seen.successes, seen.failures};
  };
  r.became(r.gate(false), passed);
  r.became(r.gate(true), passed);
  BOOST_TEST((counts() == std::vector<std::uint64_t>{2, 0, 0, 0}));
  r.became(r.gate(false), unused);
  BOOST_TEST((counts() == std::vector<std::uint64_t>{2, 0, 0, 0}));
  r.sut.force_open("by hand", "alice", r.at());
  r.became(r.gate(false), held);
  r.became(r.gate(true), passed);
  BOOST_TEST((counts() == std::vector<std::uint64_t>{3, 1, 0, 0}));
  BOOST_TEST(r.phase() == forced_open);
}

BOOST_AUTO_TEST_CASE(an_intent_that_is_the_probe_waits_for_its_result_or_the_deadline) {
  struct row {
    const char* what;
    void (*happens)(rig& r, const permit& probe);
    breaker_phase phase;
    bool next_passes;
  };
  const std::vector<row> table{
      {"it passed", [](rig& r, const permit& probe) { r.became(probe, passed); }, half_open, false},
      {"it passed, and its order went well",
       [](rig& r, const permit& probe) { r.became(probe, passed), r.succeeds(0); }, closed, true},
      {"it passed, and its order failed",
       [](rig& r, const permit& probe) { r.became(probe, passed), r.fails(0); }, open, false},
      {"it was a duplicate", [](rig& r, const permit& probe) { r.became(probe, unused); }, half_open, true},
      {"no result came before the deadline",
       [](rig& r, const permit& probe) { r.became(probe, passed), r.wait(breaker::probe_deadline); },
       half_open, true},
      {"nobody said what became of it, almost until the deadline",
       [](rig& r, const permit&) { r.wait(breaker::probe_deadline - 1ms); }, half_open, false},
      {"nobody said what became of it", [](rig& r, const permit&) { r.wait(breaker::probe_deadline); },
       half_open, true},
      {"another that reduces risk was handed back",
       [](rig& r, const permit&) { r.became(r.gate(true), unused); }, half_open, false},
      {"one that was refused is held back", [](rig& r, const permit&) { r.became(r.gate(false), held); },
       half_open, false},
  };
  for (const auto& row : table) BOOST_TEST_CONTEXT(row.what) {
      rig r;
      r.opens();
      r.wait(60s);
      const auto probe = r.gate(false);
      BOOST_REQUIRE(probe.granted);
      row.happens(r, probe);
      BOOST_TEST(r.phase() == row.phase);
      BOOST_TEST(r.gate(false).granted == row.next_passes);
      BOOST_TEST(r.gate(true).granted);
    }
}

/// One million steps of calls, lost permits, clock jumps, operators and restarts.
BOOST_AUTO_TEST_CASE(random_callers_never_get_it_stuck) {
  for (const std::size_t probes : {1u, 3u}) {
    breaker_settings with;
    with.half_open_probes = probes;
    rig r{with};
    std::mt19937 random{static_cast<unsigned>(probes)};
    const auto chance = [&](unsigned thousandth) { return random() % 1000 < thousandth; };
    std::deque<std::uint64_t> out;
    std::uint64_t asked = 0, reported = 0, last_move = 0, restarts = 0;
    breaker_phase last = closed;
    bool down = false;
    for (int i = 0; i < 500000; ++i) {
      if (chance(10)) down = !down;
      if (chance(300)) r.wait(std::chrono::milliseconds{random() % 2000});
      if (chance(10)) r.wait(std::chrono::milliseconds{random() % 1000000});
      if (chance(5))
        r.wall_jump += std::chrono::milliseconds{static_cast<int>(random() % 20000000) - 10000000};
      if (chance(10)) r.sut.restored(r.at());
      if (chance(2)) r.sut.force_open("on", "alice", r.at());
      if (chance(3)) r.sut.reset("off", "alice", r.at());
      const bool due = r.sut.next_wake() && *r.sut.next_wake() <= r.now;
      if (chance(600)) {
        const auto leave = r.ask();
        ++asked;
        BOOST_REQUIRE((leave.granted == (leave.number != 0)));
        BOOST_REQUIRE((leave.granted || (!leave.why.empty() && leave.retry_after > 0ms)));
        BOOST_REQUIRE((!due || r.sut.phase() != open)); // an open time that is over is over when asked
        if (leave.granted && !chance(100)) out.push_back(leave.number); // the others are lost
      } else if (!out.empty() && !chance(100)) {
        const auto number = out.front();
        out.pop_front();
        if (chance(50)) {
          r.returns(number);
        } else {
          ++reported;
          down ? r.fails(number) : r.succeeds(number);
        }
      } else if (down) {
        ++reported;
        r.fails(0);
      }
      const auto phase = r.sut.phase();
      BOOST_REQUIRE(r.sut.probes_out() <= probes);
      BOOST_REQUIRE((phase == half_open || r.sut.probes_out() == 0));
      BOOST_REQUIRE((phase != closed || r.sut.failures() < with.failure_threshold));
      BOOST_REQUIRE((phase != open || *r.sut.next_wake() <= r.now + with.max_open_duration));
      for (const auto& move : r.sut.take_moves()) {
        BOOST_REQUIRE(move.number == ++last_move);
        BOOST_REQUIRE(move.from == last);
        BOOST_REQUIRE(((move.from == closed && move.to == open) ||
                       (move.from == open && move.to == half_open) ||
                       (move.from == half_open && (move.to == open || move.to == closed)) ||
                       (move.by == "alice" && (move.to == closed || move.to == forced_open))));
        last = move.to;
        r.history.push_back(move_text(move));
      }
      BOOST_REQUIRE(last == phase);
      const auto seen = r.sut.statistics(r.at());
      BOOST_REQUIRE(seen.allowed + seen.blocked == asked);
      BOOST_REQUIRE(seen.successes + seen.failures == reported);
      BOOST_REQUIRE((seen.longest_open <= seen.time_open));
      if (i % 1000 == 0) { // whatever state it is in: the longest time later somebody gets through
        auto later = r.sut;
        if (phase == forced_open) later.reset("off", "alice", r.at());
        auto at = r.at();
        at.mono += with.max_open_duration + breaker::probe_deadline;
        BOOST_REQUIRE(later.ask(at).granted);
      }
      if (chance(1)) {
        const auto before = r.sut.statistics(r.at());
        if (r.history.size() > breaker::max_history)
          r.history.erase(r.history.begin(), r.history.end() - breaker::max_history);
        const auto moves = r.sut.history(1000).moves;
        r.begins_again();
        out.clear(); // whoever had a permit is gone
        ++restarts;
        const auto after = r.sut.statistics(r.at());
        BOOST_REQUIRE((after.allowed == before.allowed && after.blocked == before.blocked &&
                       after.successes == before.successes && after.failures == before.failures &&
                       after.times_opened == before.times_opened));
        BOOST_REQUIRE((r.sut.phase() == phase));
        BOOST_REQUIRE((r.sut.history(1000).moves == moves));
      }
    }
    BOOST_TEST(last_move > 1000u); // it did move about
    BOOST_TEST(restarts > 100u);
  }
}

} // namespace breakwater
