#include "actors/publisher/publisher_actor.hpp"

#include "actors/support/emit.hpp"

#include <caf/send.hpp>

namespace breakwater {
namespace {

/// The redis actor ends every request itself; this is for the case that it dies over one.
constexpr std::chrono::seconds redis_answers_within{15};

} // namespace

intake_answer publisher_state::take(const record_batch& batch) {
  const auto what = core->accept(batch, options.clock());
  if ((what == intake::busy) != full) {
    full = what == intake::busy;
    const auto used = spool->size();
    emit(name, full ? event::publisher_busy : event::publisher_room,
         {{"stream", options.how.stream}, {"count", used.waiting}, {"bytes", used.bytes}});
  }
  pump();
  return {what, 0};
}

void publisher_state::pump() {
  while (auto step = core->next(self->clock().now())) {
    self->request(redis, redis_answers_within, std::move(step->what))
        .then(
            [this, ticket = step->ticket](const redis_replies& replies) {
              core->on_replies(ticket, replies, self->clock().now(), options.clock());
              pump();
            },
            [this, ticket = step->ticket](const caf::error& error) {
              core->on_failure(ticket, to_failure(error), self->clock().now());
              pump();
            });
  }
  for (const auto& notice : core->take_notices()) {
    fields details;
    for (const auto& [key, value] : notice.details) details.emplace_back(key, value);
    emit(name, notice.what, details);
  }
  alarm.set(self, core->next_wake());
  if (!drains.empty() && core->idle())
    for (auto& promise : std::exchange(drains, {}))
      promise.deliver(drained{static_cast<std::size_t>(core->counted().accepted)});
}

health_answer publisher_state::health() const {
  const auto& counted = core->counted();
  const auto used = spool->size();
  health_answer answer;
  answer.facts = {{"waiting", std::to_string(used.waiting)},
                  {"acknowledged", std::to_string(counted.acknowledged)},
                  {"state", to_string(core->state())},
                  {"stream", options.how.stream},
                  {"last_id", to_string(spool->last())},
                  {"accepted", std::to_string(counted.accepted)},
                  {"retained", std::to_string(used.retained)},
                  {"bytes", std::to_string(used.bytes)},
                  {"max_bytes", std::to_string(used.max_bytes)},
                  {"transactions", std::to_string(counted.transactions)},
                  {"resyncs", std::to_string(counted.resyncs)},
                  {"refusals", std::to_string(counted.refusals)},
                  {"disturbed", std::to_string(counted.disturbed)},
                  {"restamped", std::to_string(counted.restamped)},
                  {"sent_again", std::to_string(counted.sent_again)}};
  if (core->state() == delivery::phase::halted)
    answer.level = health_level::critical, answer.why = "the stream cannot be written to: " + core->refusal();
  else if (full)
    answer.level = health_level::critical, answer.why = "the spool is full";
  else if (core->state() != delivery::phase::ready)
    answer.level = health_level::degraded, answer.why = core->refusal().empty()
                                                            ? "not in step with the stream"
                                                            : "Redis refuses records: " + core->refusal();
  return answer;
}

publisher_actor::behavior_type publisher_behavior(self_ptr<publisher_actor, publisher_state> self,
                                                  publisher_options options, redis_actor redis,
                                                  std::shared_ptr<spool_port> spool) {
  auto& state = self->state;
  state.options = std::move(options);
  state.redis = std::move(redis);
  state.spool = std::move(spool);
  state.core = std::make_unique<delivery>(state.options.how, *state.spool);
  state.pump();
  return {
      [self](const record_batch& batch) { return self->state.take(batch); },
      [self](link_up) {
        self->state.core->on_link_up();
        self->state.pump();
      },
      [self](wake which) {
        if (self->state.alarm.is_due(which)) self->state.pump();
      },
      [self](drain_request) -> caf::result<drained> {
        auto promise = self->make_response_promise<drained>();
        self->state.drains.push_back(promise);
        self->state.pump();
        return promise;
      },
      [self](health_question) { return self->state.health(); },
  };
}

} // namespace breakwater
