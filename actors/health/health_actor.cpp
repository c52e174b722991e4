#include "actors/health/health_actor.hpp"

#include "actors/support/emit.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <utility>

namespace breakwater {
namespace {

// The two things it is woken for: a tick, and the end of the time to answer one.
constexpr wake tick_wake{0}, close_wake{1};

} // namespace

void health_state::tick() {
  close_tick(); // the time to answer the one before is over now at the latest
  const auto now = self->clock().now();
  do next_tick += options.rules.interval;
  while (next_tick <= now);
  self->scheduled_send(self, next_tick, tick_wake);
  self->scheduled_send(self, now + options.rules.answer_within, wake{++ticks});
  board->ask_everyone();
  tick_open = true;
  for (std::size_t i = 0; i < everyone.size(); ++i)
    // An answer that comes too late for this tick still tells that the actor lives.
    self->request(everyone[i].who, std::max(options.rules.interval, options.rules.answer_within),
                  health_question{})
        .then(
            [this, i](health_answer& answer) {
              board->answered(i, std::move(answer));
              if (board->everyone_answered()) close_tick();
            },
            [](const caf::error&) { /* close_tick counts who still owes an answer */ });
}

void health_state::close_tick() {
  if (!std::exchange(tick_open, false)) return;
  for (auto& who : board->close_tick()) caf::anon_send(peers.supervisor, child_unresponsive{std::move(who)});
  closed_at = options.clock();
  const auto line = board->line(); // fields only look at their keys
  fields says;
  for (const auto& [key, value] : line) says.emplace_back(key, value);
  emit(name, event::health_reported, says);
  if (peers.notices)
    caf::anon_send(peers.notices, notice_batch{std::make_shared<const std::vector<entry_fields>>(
                                      1, board->entry(*closed_at, options.instance, options.version))});
}

health_actor::behavior_type health_behavior(self_ptr<health_actor, health_state> self, health_options options,
                                            std::vector<watched> everyone, health_peers peers) {
  auto& state = self->state;
  state.options = std::move(options);
  std::vector<std::string> names;
  for (const auto& one : everyone) names.push_back(one.name);
  state.board = std::make_unique<health_board>(std::move(names));
  state.everyone = std::move(everyone);
  state.peers = std::move(peers);
  state.next_tick = self->clock().now() + state.options.rules.interval;
  self->scheduled_send(self, state.next_tick, tick_wake);
  return {
      [self](wake which) {
        if (which.number == tick_wake.number)
          self->state.tick();
        else if (which.number == self->state.ticks) // of a tick before it may come late
          self->state.close_tick();
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
