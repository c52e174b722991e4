#include "actors/aggregator/aggregator_actor.hpp"

#include "actors/aggregator/merged_record.hpp"
#include "actors/support/emit.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <atomic>
#include <random>

namespace breakwater {
namespace {

/// Records that may wait for the publisher before the feeds are told to come again.
constexpr std::size_t max_waiting = 8192;
constexpr milliseconds publisher_answers_within = 5s;
constexpr milliseconds ask_busy_again_after = 5ms, ask_lost_again_after = 100ms;
/// Without a candle for so long the aggregator does not do its job.
constexpr auto silent_after = 120s;

/// Differs between the lives of an aggregator and between processes.
std::uint64_t new_incarnation() {
  static std::atomic<std::uint64_t> next{std::random_device{}() * std::uint64_t{1} << 20};
  return ++next;
}

} // namespace

intake_answer aggregator_state::take(const candle_batch& batch) {
  const intake_answer busy{intake::busy, incarnation}, taken{intake::taken, incarnation};
  if (waiting->size() >= max_waiting) return busy;
  for (const auto& in : *batch.candles) {
    merged_now.clear();
    window->take(in, merged_now);
    for (auto& what : merged_now) publish(std::move(what), in.received_at);
  }
  candles += batch.candles->size();
  last_candle_at = self->clock().now();
  if (const auto late = window->counted().late; late > late_told) {
    emit(name, event::late_candles, {{"count", late - late_told}});
    late_told = late;
  }
  send_on();
  return taken;
}

void aggregator_state::publish(merged what, wall_time ingest_at) {
  if (options.rules.emit != emit_mode::interval) {
    append_record(*waiting, what, options.kind, ingest_at);
    ++records;
    return;
  }
  std::pair key{what.symbol, what.start_s};
  interval_held.insert_or_assign(std::move(key), held{std::move(what), ingest_at});
  if (!next_flush) next_flush = self->clock().now() + options.rules.emit_interval;
  alarm.set(self, next_flush);
}

void aggregator_state::flush_interval() {
  for (const auto& [key, newest] : interval_held) {
    append_record(*waiting, newest.what, options.kind, newest.ingest_at);
    ++records;
  }
  interval_held.clear();
  next_flush.reset();
}

void aggregator_state::send_on() {
  if (asked || retry_at) return;
  if (!in_flight) {
    if (waiting->empty()) return answer_drains();
    waiting->shrink();
    auto next = std::make_shared<record_list>();
    next->reserve_like(*waiting);
    in_flight = std::exchange(waiting, std::move(next));
    ++number;
    last_record_at = self->clock().now();
  }
  asked = true;
  self->request(publisher, publisher_answers_within, record_batch{incarnation, number, in_flight})
      .then(
          [this](const intake_answer& answer) { on_answer(answer); },
          [this](const caf::error&) { // lost, or not answered: the publisher knows by the number if it has it
            asked = false;
            retry_in(ask_lost_again_after);
          });
}

void aggregator_state::on_answer(const intake_answer& answer) {
  asked = false;
  if (answer.what == intake::busy) return retry_in(ask_busy_again_after);
  in_flight.reset();
  send_on();
}

void aggregator_state::retry_in(milliseconds wait) {
  retry_at = self->clock().now() + wait;
  alarm.set(self, retry_at);
}

void aggregator_state::on_wake(wake which) {
  if (!alarm.is_due(which)) return;
  const auto now = self->clock().now();
  if (next_flush && *next_flush <= now) flush_interval();
  if (retry_at && *retry_at <= now) retry_at.reset();
  send_on();
  alarm.set(self, next_flush);
  alarm.set(self, retry_at);
}

void aggregator_state::answer_drains() {
  for (auto& promise : std::exchange(drains, {})) promise.deliver(drained{records});
}

health_answer aggregator_state::health() const {
  const auto now = self->clock().now();
  const auto age_ms = [&](mono_time at) {
    return std::to_string(std::chrono::duration_cast<milliseconds>(now - at).count());
  };
  const auto& counted = window->counted();
  health_answer answer;
  answer.facts = {{"records", std::to_string(records)},
                  {"candles", std::to_string(candles)},
                  {"symbols", std::to_string(window->symbols())},
                  {"waiting", std::to_string(waiting->size())},
                  {"late", std::to_string(counted.late)},
                  {"out_of_order", std::to_string(counted.out_of_order)},
                  {"unchanged", std::to_string(counted.unchanged)},
                  {"alone", std::to_string(counted.alone)},
                  {"over_limit", std::to_string(counted.over_limit)},
                  {"last_candle_age_ms", age_ms(last_candle_at)},
                  {"last_record_age_ms", age_ms(last_record_at)}};
  if (now - last_candle_at > silent_after)
    answer.level = health_level::degraded, answer.why = "no candle arrived for 120 s";
  else if (now - last_record_at > silent_after)
    answer.level = health_level::degraded, answer.why = "no record left for 120 s";
  return answer;
}

aggregator_actor::behavior_type aggregator_behavior(self_ptr<aggregator_actor, aggregator_state> self,
                                                    aggregator_options options, publisher_actor publisher) {
  auto& state = self->state;
  state.options = std::move(options);
  state.publisher = std::move(publisher);
  state.incarnation = new_incarnation();
  state.window = std::make_unique<merge_window>(state.options.rules);
  state.last_candle_at = state.last_record_at = self->clock().now();
  return {
      [self](const candle_batch& batch) { return self->state.take(batch); },
      [self](wake which) { self->state.on_wake(which); },
      [self](drain_request) -> caf::result<drained> {
        auto promise = self->make_response_promise<drained>();
        self->state.drains.push_back(promise);
        self->state.flush_interval();
        self->state.send_on();
        return promise;
      },
      [self](health_question) { return self->state.health(); },
  };
}

} // namespace breakwater
