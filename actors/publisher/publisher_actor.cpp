#include "actors/publisher/publisher_actor.hpp"

#include "actors/support/emit.hpp"

#include <caf/send.hpp>

namespace breakwater {
namespace {

/// The redis actor ends every request itself; this is for the case that it dies over one.
constexpr std::chrono::seconds redis_answers_within{15};

} // namespace

caf::result<intake_answer> publisher_state::take(const record_batch& batch) {
  const auto taken = core->accept(batch, options.clock());
  if (taken.answer) return intake_answer{*taken.answer, 0};
  const auto promise = self->make_response_promise<intake_answer>();
  answers.emplace(taken.ticket, intake_call{promise, batch.records->size(), batch.received_at});
  return promise;
}

void publisher_state::on_spool(const spool_event& told) {
  const auto answer = core->on_spool(told, self->clock().now(), options.clock());
  if (told.what == spool_outcome::opened) {
    opened = true;
    const auto used = spool->size();
    delay.begins_with(used.waiting);
    emit(options.name, event::spool_opened,
         {{"stream", options.how.stream}, {"count", used.waiting}, {"bytes", used.bytes}});
  }
  if (answer) {
    if (auto waiting = answers.extract(told.ticket); !waiting.empty()) {
      auto& call = waiting.mapped();
      if (*answer == intake::taken) delay.kept(call.records, call.received_at);
      call.promise.deliver(intake_answer{*answer, 0});
    }
    if (const bool no_room = told.what == spool_outcome::no_room; no_room != full) {
      full = no_room;
      const auto used = spool->size();
      emit(options.name, full ? event::publisher_busy : event::publisher_room,
           {{"stream", options.how.stream}, {"count", used.waiting}, {"bytes", used.bytes}});
    }
  }
  answer_checkpoints();
  pump();
}

void publisher_state::answer_checkpoints() {
  if (!core->keeps_nothing()) return; // a batch under way may bring a newer one
  for (auto& promise : std::exchange(checkpoints, {})) promise.deliver(checkpoint_answer{spool->saved()});
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
    emit(options.name, notice.what, details);
  }
  measure();
  alarm.set(self, core->next_wake());
  if (!drains.empty() && core->idle())
    for (auto& promise : std::exchange(drains, {}))
      promise.deliver(drained{static_cast<std::size_t>(core->counted().accepted)});
}

void publisher_state::measure() {
  const auto now = self->clock().now();
  const auto& counted = core->counted();
  if (accepting.saw(counted.accepted, now)) last_kept = options.clock(), record_kept.now();
  if (acknowledging.saw(counted.acknowledged, now))
    last_acknowledged = options.clock(), record_published.now();
  if (delay.idle()) return;
  for (const auto& through : delay.waits(spool->size().waiting, options.clock()))
    frame_to_reply.observe(through.took, through.records);
}

health_answer publisher_state::health() const {
  health_answer answer;
  if (!opened) {
    answer.level = health_level::degraded, answer.why = "the spool is being opened";
    return answer;
  }
  const auto& counted = core->counted();
  const auto used = spool->size();
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
                  {"sent_again", std::to_string(counted.sent_again)},
                  {"holes", std::to_string(counted.holes)},
                  {"dead", std::to_string(used.dead)},
                  {"trimmed_unread", std::to_string(counted.trimmed_unread)}};
  if (!core->disk_error().empty())
    answer.level = health_level::critical, answer.why = "the spool cannot be written: " + core->disk_error();
  else if (!core->hole().empty()) // until the process starts again: somebody has to know
    answer.level = health_level::critical,
    answer.why = "records " + core->hole() + " are neither in Redis nor in the spool any more";
  else if (core->state() == delivery::phase::disowned)
    answer.level = health_level::critical,
    answer.why = "the stream belongs to the spool " + core->owner() + "; breakwater spool take-over moves it";
  else if (core->state() == delivery::phase::halted)
    answer.level = health_level::critical, answer.why = "the stream cannot be written to: " + core->refusal();
  else if (full)
    answer.level = health_level::critical, answer.why = "the spool is full";
  else if (core->state() != delivery::phase::ready)
    answer.level = health_level::degraded, answer.why = core->refusal().empty()
                                                            ? "not in step with the stream"
                                                            : "Redis refuses records: " + core->refusal();
  else if (used.dead > 0)
    answer.level = health_level::degraded,
    answer.why = std::to_string(used.dead) + " records are set aside; breakwater spool dead lists them";
  return answer;
}

spool_report publisher_state::report() const {
  const auto how = health();
  spool_report told;
  told.stream = options.how.stream, told.level = how.level, told.why = how.why;
  if (!opened) return told;
  const auto now = self->clock().now();
  const auto used = spool->size();
  const auto& counted = core->counted();
  told.state = to_string(core->state());
  told.waiting = used.waiting, told.retained = used.retained, told.dead = used.dead;
  told.bytes = used.bytes, told.max_bytes = used.max_bytes;
  told.accepted = counted.accepted, told.acknowledged = counted.acknowledged;
  told.accepted_per_s = accepting.per_second(now), told.acknowledged_per_s = acknowledging.per_second(now);
  if (used.waiting > 0)
    if (const auto next = spool->read(spool->acknowledged(), 1); !next.empty())
      told.oldest_waiting = wall_time_from_ms(static_cast<std::int64_t>(next.front().first.ms));
  told.last_kept = last_kept, told.last_acknowledged = last_acknowledged;
  told.last_id = to_string(spool->last()), told.uuid = spool->uuid();
  if (core->state() == delivery::phase::disowned) told.owner = core->owner();
  told.transactions = counted.transactions, told.resyncs = counted.resyncs;
  told.refusals = counted.refusals, told.sent_again = counted.sent_again;
  told.holes = counted.holes, told.trimmed_unread = counted.trimmed_unread;
  return told;
}

publisher_actor::behavior_type publisher_behavior(self_ptr<publisher_actor, publisher_state> self,
                                                  publisher_options options, redis_actor redis,
                                                  std::shared_ptr<spool_port> spool) {
  auto& state = self->state;
  const auto& stream = options.how.stream;
  state.record_kept = last_success{success::record_kept, stream};
  state.record_published = last_success{success::record_published, stream};
  state.frame_to_reply = latency_histogram{latency::frame_to_reply, stream};
  state.options = std::move(options);
  state.redis = std::move(redis);
  state.spool = std::move(spool);
  state.core = std::make_unique<delivery>(state.options.how, *state.spool);
  // Weak: the spool outlives us, and its events may come when we are gone.
  state.spool->attach([us = caf::actor_addr{self->address()}](spool_event told) {
    if (auto alive = caf::actor_cast<publisher_actor>(us)) caf::anon_send(alive, std::move(told));
  });
  return {
      [self](const record_batch& batch) { return self->state.take(batch); },
      [self](checkpoint_request) -> caf::result<checkpoint_answer> {
        auto promise = self->make_response_promise<checkpoint_answer>();
        self->state.checkpoints.push_back(promise);
        self->state.answer_checkpoints();
        return promise;
      },
      [self](const spool_event& told) { self->state.on_spool(told); },
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
      [self](spool_question) { return self->state.report(); },
      [self](health_question) {
        auto answer = self->state.health();
        self->state.core->look_if_idle(self->clock().now());
        self->state.pump();
        return answer;
      },
  };
}

} // namespace breakwater
