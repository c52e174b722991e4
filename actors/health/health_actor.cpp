#include "actors/health/health_actor.hpp"

#include "actors/support/emit.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace breakwater {
namespace {

// What it is woken for: a tick, a look beside the ticks, and, with the number of a look, the end of the time
// to answer it.
constexpr wake tick_wake{0}, look_wake{std::numeric_limits<std::uint64_t>::max()};

} // namespace

void health_state::tick() {
  close_look(); // the time to answer the one before is over now at the latest
  const auto now = self->clock().now();
  do next_tick += options.rules.interval;
  while (next_tick <= now);
  self->scheduled_send(self, next_tick, tick_wake);
  ++ticks;
  look(true);
}

void health_state::look(bool tick) {
  const auto now = self->clock().now();
  self->scheduled_send(self, now + options.rules.answer_within, wake{++looks});
  board->ask_everyone();
  look_open = true;
  is_tick = tick;
  for (std::size_t i = 0; i < everyone.size(); ++i)
    // An answer that comes too late for this look still tells that the actor lives.
    self->request(everyone[i].who, std::max(options.rules.interval, options.rules.answer_within),
                  health_question{})
        .then(
            [this, i, now](health_answer& answer) {
              answers[i].observe(self->clock().now() - now);
              board->answered(i, std::move(answer));
              if (board->everyone_answered()) close_look();
            },
            [](const caf::error&) { /* close_look counts who still owes an answer */ });
}

void health_state::close_look() {
  if (!std::exchange(look_open, false)) return;
  if (is_tick)
    for (auto& who : board->close_tick())
      caf::anon_send(peers.supervisor, child_unresponsive{std::move(who)});
  else
    board->close_look();
  closed_at = options.clock();
  ticked.now();
  const bool well = board->everyone_answered() && board->overall() != health_level::critical;
  const bool first = well && !std::exchange(was_well, was_well || well);
  if (is_tick || first) report();
  if (watch) tell_service();
  // The tick looks by itself, and comes here again.
  const auto next = self->clock().now() + options.look_every;
  if (!was_well && options.look_every > std::chrono::milliseconds{0} && next < next_tick)
    self->scheduled_send(self, next, look_wake);
}

void health_state::report() {
  const auto line = board->line(); // fields only look at their keys
  fields says;
  for (const auto& [key, value] : line) says.emplace_back(key, value);
  emit(name, event::health_reported, says);
  if (peers.notices)
    caf::anon_send(peers.notices, notice_batch{std::make_shared<const std::vector<entry_fields>>(
                                      1, board->entry(*closed_at, options.instance, options.version))});
}

void health_state::tell_service() {
  const auto says =
      watch->after_look(board->parts(), board->everyone_answered(), board->attention(), self->clock().now());
  options.service->tell(says.lines);
  if (says.ready) emit(name, event::service_ready);
  if (!says.stalled.empty()) emit(name, event::service_stalled, {{"reason", says.stalled}});
}

health_actor::behavior_type health_behavior(self_ptr<health_actor, health_state> self, health_options options,
                                            std::vector<watched> everyone, health_peers peers) {
  auto& state = self->state;
  state.options = std::move(options);
  std::vector<std::string> names;
  for (const auto& one : everyone) {
    names.push_back(one.name);
    state.answers.emplace_back(latency::actor_answer, one.name);
  }
  state.board = std::make_unique<health_board>(std::move(names));
  state.everyone = std::move(everyone);
  state.peers = std::move(peers);
  state.next_tick = self->clock().now() + state.options.rules.interval;
  self->scheduled_send(self, state.next_tick, tick_wake);
  const auto now = self->clock().now();
  if (const auto every = state.options.look_every;
      every > std::chrono::milliseconds{0} && now + every < state.next_tick)
    self->scheduled_send(self, now + every, look_wake);
  if (const auto& service = state.options.service) {
    const auto& rules = state.options.rules;
    state.watch.emplace(
        service_watch::limits{rules.interval, rules.answer_within, state.options.stalled_after},
        service->watchdog());
    if (const auto least = state.watch->too_short())
      emit(state.name, event::service_watchdog_short,
           {{"interval_ms", rules.interval.count()}, {"needs_ms", least->count()}});
  }
  return {
      [self](wake which) {
        if (which.number == tick_wake.number)
          self->state.tick();
        else if (which.number == look_wake.number)
          self->state.look(false);
        else if (which.number == self->state.looks) // of a look before it may come late
          self->state.close_look();
      },
      [self](health_report_request) {
        return health_report{self->state.closed_at, self->state.board->parts()};
      },
      [self](health_question) {
        health_answer answer;
        answer.facts = {{"ticks", std::to_string(self->state.ticks)},
                        {"level", to_string(self->state.board->overall())}};
        return answer;
      },
  };
}

} // namespace breakwater
