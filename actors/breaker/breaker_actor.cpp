#include "actors/breaker/breaker_actor.hpp"

#include "actors/support/emit.hpp"

#include <caf/send.hpp>

#include <utility>

namespace breakwater {
namespace {

using self_pointer = self_ptr<breaker_actor, breaker_state>;

void tell(const std::string& actor, const breaker_move& move) {
  switch (move.to) {
  case breaker_phase::open:
  case breaker_phase::forced_open:
    return emit(actor, event::breaker_opened,
                {{"count", move.failures}, {"reason", move.reason}, {"wait_ms", move.open_for.count()}});
  case breaker_phase::half_open: return emit(actor, event::breaker_half_open, {{"reason", move.reason}});
  case breaker_phase::closed: return emit(actor, event::breaker_closed, {{"reason", move.reason}});
  }
}

audit_record record_of(const std::string& actor, const breaker_move& move) {
  return {"breaker_moved",
          actor,
          {{"number", std::to_string(move.number)},
           {"from", to_string(move.from)},
           {"to", to_string(move.to)},
           {"reason", move.reason},
           {"failures", std::to_string(move.failures)},
           {"failure_threshold", std::to_string(move.failure_threshold)},
           {"open_for_ms", std::to_string(move.open_for.count())}}};
}

/// After everything that may have moved the core: say so, write it down, be woken when the open time is over.
void follow_up(self_pointer self) {
  auto& state = self->state;
  for (const auto& move : state.core->take_moves()) {
    tell(state.shown, move);
    caf::anon_send(state.audit, record_of(state.shown, move));
  }
  state.wakes.set(self, state.core->next_wake());
}

health_answer health_of(const breaker& core, mono_time now) {
  const auto seen = core.statistics(now);
  const bool closed = core.phase() == breaker_phase::closed;
  health_answer answer;
  answer.level = closed ? health_level::ok : health_level::degraded;
  if (!closed) answer.why = std::string{"circuit "} + to_string(core.phase()) + ": " + core.last_failure();
  answer.facts = {{"state", to_string(core.phase())},
                  {"failure_count", std::to_string(core.failures())},
                  {"threshold", std::to_string(core.settings().failure_threshold)},
                  {"last_failure", core.last_failure()},
                  {"last_failure_at", core.last_failure().empty() ? "" : to_rfc3339(core.last_failure_at())},
                  {"retry_after_ms", std::to_string(core.retry_after(now).count())},
                  {"allowed", std::to_string(seen.allowed)},
                  {"blocked", std::to_string(seen.blocked)},
                  {"would_block", std::to_string(seen.would_block)},
                  {"successes", std::to_string(seen.successes)},
                  {"failures", std::to_string(seen.failures)},
                  {"times_opened", std::to_string(seen.times_opened)},
                  {"time_open_ms", std::to_string(seen.time_open.count())},
                  {"longest_open_ms", std::to_string(seen.longest_open.count())}};
  return answer;
}

} // namespace

breaker_actor::behavior_type breaker_behavior(self_ptr<breaker_actor, breaker_state> self, std::string name,
                                              breaker_settings settings, audit_actor audit,
                                              wall_clock clock) {
  auto& start = self->state;
  start.shown = "breaker/" + name;
  start.clock = std::move(clock);
  start.audit = std::move(audit);
  start.core.emplace(std::move(name), settings);
  return {
      [self](const permit_request&) {
        auto& state = self->state;
        const auto would_block_before = state.core->would_block();
        auto answer = state.core->ask(self->clock().now());
        if (state.core->would_block() > would_block_before) emit(state.shown, event::breaker_would_refuse);
        follow_up(self);
        return answer;
      },
      [self](const call_outcome& outcome) {
        self->state.core->record(outcome, self->clock().now(), self->state.clock());
        follow_up(self);
        return breaker_standing{self->state.core->phase()};
      },
      [self](const dependency_restored&) {
        self->state.core->restored(self->clock().now());
        follow_up(self);
      },
      [self](const wake& which) {
        if (!self->state.wakes.is_due(which)) return;
        self->state.core->advance(self->clock().now());
        follow_up(self);
      },
      [self](const health_question&) {
        self->state.core->advance(self->clock().now());
        follow_up(self);
        return health_of(*self->state.core, self->clock().now());
      },
  };
}

} // namespace breakwater
