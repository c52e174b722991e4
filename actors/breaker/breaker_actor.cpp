#include "actors/breaker/breaker_actor.hpp"

#include "actors/support/emit.hpp"

#include <caf/send.hpp>

#include <functional>
#include <utility>

namespace breakwater {
namespace {

/// For the audit to have an order on disk; then it is refused.
constexpr auto audited_within = 3s;

std::string yes_or_no(bool so) { return so ? "yes" : "no"; }

void tell(const std::string& actor, const breaker_move& move) {
  fields details{{"reason", move.reason}};
  if (move.by != "breaker") details.emplace_back("by", move.by);
  switch (move.to) {
  case breaker_phase::open:
    return emit(actor, event::breaker_opened,
                {{"count", move.failures}, {"reason", move.reason}, {"wait_ms", move.open_for.count()}});
  case breaker_phase::forced_open: return emit(actor, event::breaker_forced_open, details);
  case breaker_phase::half_open: return emit(actor, event::breaker_half_open, details);
  case breaker_phase::closed: return emit(actor, event::breaker_closed, details);
  }
}

audit_record record_of(const std::string& actor, const breaker_move& move) {
  return {"breaker_moved",
          actor,
          {{"number", std::to_string(move.number)},
           {"from", to_string(move.from)},
           {"to", to_string(move.to)},
           {"reason", move.reason},
           {"by", move.by},
           {"failures", std::to_string(move.failures)},
           {"failure_threshold", std::to_string(move.failure_threshold)},
           {"open_for_ms", std::to_string(move.open_for.count())}}};
}

std::string joined(const std::vector<std::string>& reasons) {
  std::string all;
  for (const auto& reason : reasons) (all += all.empty() ? "" : "; ") += reason;
  return all;
}

} // namespace

moment breaker_state::now() const { return {self->clock().now(), options.clock()}; }

void breaker_state::remember() {
  const auto kept = store->load(options.name, breaker::max_history);
  auto problem = kept.problem;
  if (!kept.state.empty()) {
    if (auto memory = read_memory(kept.state, kept.history)) {
      core.emplace(options.name, options.settings, std::move(*memory), now());
      return follow_up();
    } else {
      problem = memory.error().detail;
    }
  }
  if (!problem.empty()) emit(shown, event::breaker_forgot, {{"reason", problem}});
  core.emplace(options.name, options.settings);
}

template <class Question>
permit breaker_state::ask(Question question) {
  const auto would_block_before = core->would_block();
  permit answer = question(*core);
  if (core->would_block() > would_block_before) emit(shown, event::breaker_would_refuse);
  // A permit is written down with its outcome: one write a call instead of two.
  if (!answer.granted || core->has_moves()) follow_up();
  return answer;
}

void breaker_state::tell_bridges() {
  for (const auto& bridge : bridges)
    caf::anon_send(bridge, breaker_turned{core->phase(), core->holds_back()});
}

void breaker_state::follow_up() {
  const auto moves = core->take_moves();
  if (!moves.empty()) tell_bridges();
  for (const auto& move : moves) {
    tell(shown, move);
    caf::anon_send(audit, record_of(shown, move));
  }
  keep(moves);
  wakes.set(self, core->next_wake());
}

void breaker_state::keep(const std::vector<breaker_move>& moves) {
  // The state first: it holds the newest move, too, so a crash in between loses none.
  auto kept = store->save(options.name, state_text(core->memory(now())), !moves.empty());
  for (const auto& move : moves)
    if (auto appended = store->append_history(options.name, move_text(move)); !appended)
      kept = std::move(appended);
  unsaved = kept ? "" : kept.error().detail;
  if (kept) saved.now();
  if (!kept) emit(shown, event::breaker_unsaved, {{"reason", unsaved}});
}

caf::result<breaker_order_answer> breaker_state::order(audit_record what, std::vector<std::string> refused,
                                                       std::function<void()> apply) {
  auto answer = self->make_response_promise<breaker_order_answer>();
  what.actor = shown;
  const auto name_of_order = what.what;
  what.details.emplace(what.details.begin(), "granted", yes_or_no(refused.empty()));
  if (!refused.empty()) what.details.emplace_back("refused", joined(refused));
  self->request(audit, audited_within, audit_order{std::move(what)})
      .then(
          [this, answer, refused, apply](const audit_written&) mutable {
            core->advance(now());
            if (refused.empty()) apply();
            follow_up();
            answer.deliver(breaker_order_answer{refused.empty(), refused, core->report(now())});
          },
          [this, answer, name_of_order](caf::error& error) mutable {
            const auto why = to_failure(error).detail;
            // The line may yet be written, too late: then this one says that nothing came of it.
            caf::anon_send(
                audit,
                audit_record{"breaker_order_abandoned", shown, {{"order", name_of_order}, {"reason", why}}});
            answer.deliver(make_error(failure{errc::audit_unwritable, why}));
          });
  return answer;
}

caf::result<breaker_order_answer> breaker_state::reset(const breaker_reset& what) {
  core->advance(now());
  follow_up();
  auto refused = what.override ? std::vector<std::string>{} : core->reset_blocked(now());
  return order({"breaker_reset",
                {},
                {{"override", yes_or_no(what.override)},
                 {"state", to_string(core->phase())},
                 {"reason", what.reason},
                 {"who", what.who},
                 {"from", what.from}}},
               std::move(refused), [this, what] {
                 core->reset("reset" + (what.reason.empty() ? "" : ": " + what.reason), what.who, now());
               });
}

caf::result<breaker_order_answer> breaker_state::force_open(const breaker_force_open& what) {
  core->advance(now());
  follow_up();
  std::vector<std::string> refused;
  if (options.settings.mode == breaker_mode::off)
    refused.push_back("breaker." + options.name + ".mode is off: this breaker never opens");
  return order({"breaker_force_open",
                {},
                {{"state", to_string(core->phase())},
                 {"reason", what.reason},
                 {"who", what.who},
                 {"from", what.from}}},
               std::move(refused), [this, what] { core->force_open(what.reason, what.who, now()); });
}

health_answer breaker_state::health() const {
  const auto told = core->report(now());
  const auto& seen = told.statistics;
  health_answer answer;
  if (told.phase != breaker_phase::closed) {
    answer.level = health_level::degraded;
    answer.why = std::string{"circuit "} + to_string(told.phase) + ": " + told.trigger;
  } else if (!unsaved.empty()) {
    answer.level = health_level::degraded;
    answer.why = "its state cannot be kept: " + unsaved;
  }
  answer.facts = {{"state", to_string(told.phase)},
                  {"failure_count", std::to_string(told.failures)},
                  {"threshold", std::to_string(told.failure_threshold)},
                  {"last_failure", told.last_failure},
                  {"last_failure_at", told.last_failure_at ? to_rfc3339(*told.last_failure_at) : ""},
                  {"retry_at", told.retry_at ? to_rfc3339(*told.retry_at) : ""},
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

breaker_actor::behavior_type breaker_behavior(self_ptr<breaker_actor, breaker_state> self,
                                              breaker_options options, audit_actor audit,
                                              std::vector<bridge_actor> bridges,
                                              std::shared_ptr<breaker_store_port> store) {
  auto& start = self->state;
  start.shown = "breaker/" + options.name;
  start.saved = last_success{success::breaker_saved, options.name};
  start.options = std::move(options);
  start.audit = std::move(audit);
  start.bridges = std::move(bridges);
  start.store = std::move(store);
  start.remember();
  if (start.core->phase() != breaker_phase::closed) start.tell_bridges();
  return {
      [self](const permit_request&) {
        return self->state.ask([self](breaker& core) { return core.ask(self->state.now()); });
      },
      [self](const call_outcome& outcome) {
        self->state.core->record(outcome, self->state.now());
        self->state.follow_up();
        return breaker_standing{self->state.core->phase()};
      },
      [self](const gate_request& asked) {
        return self->state.ask([&](breaker& core) { return core.gate(asked, self->state.now()); });
      },
      [self](const gate_outcome& outcome) {
        self->state.core->gated(outcome, self->state.now());
        self->state.follow_up();
      },
      [self](const dependency_restored&) {
        self->state.core->restored(self->state.now());
        self->state.follow_up();
      },
      [self](const breaker_question&) {
        self->state.core->advance(self->state.now());
        self->state.follow_up();
        return self->state.core->report(self->state.now());
      },
      [self](const breaker_history_request& request) {
        self->state.core->advance(self->state.now());
        self->state.follow_up();
        return self->state.core->history(request.limit);
      },
      [self](const breaker_reset& order) { return self->state.reset(order); },
      [self](const breaker_force_open& order) { return self->state.force_open(order); },
      [self](const wake& which) {
        if (!self->state.wakes.is_due(which)) return;
        self->state.core->advance(self->state.now());
        self->state.follow_up();
      },
      [self](const health_question&) {
        self->state.core->advance(self->state.now());
        self->state.follow_up();
        return self->state.health();
      },
  };
}

} // namespace breakwater
