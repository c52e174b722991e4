#include "actors/aggregator/aggregator_actor.hpp"

#include "actors/aggregator/merged_record.hpp"
#include "actors/aggregator/raw_record.hpp"
#include "actors/support/emit.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <atomic>
#include <random>
#include <utility>

namespace breakwater {
namespace {

constexpr milliseconds publisher_answers_within = 5s;
constexpr milliseconds ask_for_checkpoint_after = 100ms;
/// How long a position may wait for a record to be kept with.
constexpr milliseconds position_waits = 100ms;
/// A past minute is told when no filled candle came for it in two of these.
constexpr milliseconds filled_flush_every = 1s;
/// Without a candle for so long the aggregator does not do its job.
constexpr auto silent_after = 120s;

/// Differs between the lives of an aggregator and between processes.
std::uint64_t new_incarnation() {
  static std::atomic<std::uint64_t> next{std::random_device{}() * std::uint64_t{1} << 20};
  return ++next;
}

} // namespace

void aggregator_state::ask_for_checkpoint() {
  self->request(merged_out->to, publisher_answers_within, checkpoint_request{})
      .then([this](const checkpoint_answer& kept) { restore(*kept.what); },
            [this](const caf::error&) { // the publisher is being restarted, or its spool opened
              ask_again_at = self->clock().now() + ask_for_checkpoint_after;
              alarm.set(self, ask_again_at);
            });
}

void aggregator_state::restore(const checkpoint& kept) {
  std::size_t unreadable = 0;
  for (const auto& [minute, text] : kept.parts)
    if (!window->restore(minute, text)) ++unreadable;
  position = kept.position;
  restored = true;
  if (unreadable > 0) emit(options.name, event::minutes_unreadable, {{"count", unreadable}});
  if (!position.empty())
    emit(options.name, event::minutes_restored, {{"count", window->symbols()}, {"position", position}});
  if (window->holds()) alarm.set(self, next_flush = self->clock().now() + options.rules.emit_interval);
  for (auto& promise : std::exchange(position_asked, {})) promise.deliver(position_answer{position});
}

intake_answer aggregator_state::take(const candle_batch& batch) {
  if (!restored || (merged_out && merged_out->core.full()) || (raw_out && raw_out->core.full()))
    return {intake::busy, incarnation};
  if (reads_stream() && batch.after != position) return {intake::out_of_place, incarnation};
  if (raw_out) {
    for (const auto& in : *batch.candles) {
      append_raw_record(raw_out->core.waiting(), in);
      if (!oldest_raw_waiting || in.received_at < *oldest_raw_waiting) oldest_raw_waiting = in.received_at;
    }
    raw_records += batch.candles->size();
  }
  if (merged_out) {
    merge(batch);
    if (!batch.candles->empty()) candle_merged.now();
  }
  candles += batch.candles->size();
  if (!batch.candles->empty()) last_candle_at = self->clock().now();
  send_on();
  return {intake::taken, incarnation};
}

void aggregator_state::merge(const candle_batch& batch) {
  const auto how = batch.again ? merge_window::reading::again : merge_window::reading::first;
  for (const auto& in : *batch.candles) {
    merged_now.clear();
    window->take(in, merged_now, how);
    publish(merged_now);
  }
  if (window->holds() && !next_flush) next_flush = self->clock().now() + options.rules.emit_interval;
  if (window->holds_filled() && !next_filled_flush)
    next_filled_flush = self->clock().now() + filled_flush_every;
  if (reads_stream()) {
    position = batch.position;
    if (!keep_at) keep_at = self->clock().now() + position_waits;
  }
  // Filled ones are asked for late, and most often the others had told the minute.
  const auto& counted = window->counted();
  if (const auto late = counted.late - counted.late_filled; late > late_told) {
    emit(options.name, event::late_candles, {{"count", late - late_told}});
    late_told = late;
  }
}

void aggregator_state::publish(std::vector<merged>& what) {
  for (const auto& m : what) {
    append_record(merged_out->core.waiting(), m, options.kind);
    if (!oldest_waiting || m.ingest_at < *oldest_waiting) oldest_waiting = m.ingest_at;
    tally.add(m);
    prices.add(m);
  }
  records += what.size();
  if (!what.empty()) record_made.now();
}

void aggregator_state::flush_interval() {
  next_flush.reset();
  if (!window || !window->holds()) return;
  merged_now.clear();
  window->tell_held(merged_now);
  publish(merged_now);
  if (reads_stream() && !keep_at) keep_at = self->clock().now() + position_waits; // none is held any more
}

void aggregator_state::flush_filled() {
  next_filled_flush.reset();
  const auto waiting = merged_out->core.waiting().size();
  merged_now.clear();
  window->tell_filled(record_outlet::max_waiting - std::min(waiting, record_outlet::max_waiting), merged_now);
  publish(merged_now);
  if (window->holds_filled()) next_filled_flush = self->clock().now() + filled_flush_every;
}

void aggregator_state::flush_everything() {
  flush_interval();
  if (!window) return;
  next_filled_flush.reset();
  merged_now.clear();
  window->tell_all_filled(merged_now);
  publish(merged_now);
}

std::shared_ptr<const checkpoint> aggregator_state::make_checkpoint() {
  keep_at.reset();
  if (!reads_stream()) return nullptr;
  auto state = std::make_shared<checkpoint>();
  state->position = position;
  state->parts = window->take_changed();
  return state;
}

void aggregator_state::send_on() {
  const auto now = self->clock().now();
  if (merged_out && merged_out->core.can_make()) {
    const bool anything = !merged_out->core.waiting().empty();
    if (anything) last_record_at = now;
    if (anything || (keep_at && (*keep_at <= now || !drains.empty())))
      merged_out->core.make(make_checkpoint(), std::exchange(oldest_waiting, {}));
  }
  if (raw_out && raw_out->core.can_make() && !raw_out->core.waiting().empty())
    raw_out->core.make(nullptr, std::exchange(oldest_raw_waiting, {}));
  if (merged_out) offer(*merged_out);
  if (raw_out) offer(*raw_out);
  alarm.set(self, next_flush);
  alarm.set(self, next_filled_flush);
  if (merged_out && merged_out->core.can_make()) alarm.set(self, keep_at); // else the answer brings us here
  if (is_idle())
    for (auto& promise : std::exchange(drains, {})) promise.deliver(drained{records + raw_records});
}

void aggregator_state::offer(outlet& out) {
  if (auto batch = out.core.next(self->clock().now()))
    self->request(out.to, publisher_answers_within, std::move(*batch))
        .then(
            [this, &out](const intake_answer& answer) {
              out.core.on_answer(answer.what, self->clock().now());
              send_on();
            },
            [this, &out](const caf::error&) {
              out.core.on_no_answer(self->clock().now());
              send_on();
            });
  alarm.set(self, out.core.next_wake());
}

void aggregator_state::on_wake(wake which) {
  if (!alarm.is_due(which)) return;
  const auto now = self->clock().now();
  if (ask_again_at && *ask_again_at <= now) {
    ask_again_at.reset();
    ask_for_checkpoint();
  }
  alarm.set(self, ask_again_at);
  if (next_flush && *next_flush <= now) flush_interval();
  if (next_filled_flush && *next_filled_flush <= now) flush_filled();
  send_on();
}

bool aggregator_state::is_idle() const {
  return (!merged_out || merged_out->core.idle()) && (!raw_out || raw_out->core.idle()) && !keep_at;
}

merge_report aggregator_state::report() const {
  auto told = tally.report();
  if (window) told.filled = window->counted().filled;
  return told;
}

health_answer aggregator_state::health() const {
  const auto now = self->clock().now();
  const auto age_ms = [&](mono_time at) {
    return std::to_string(std::chrono::duration_cast<milliseconds>(now - at).count());
  };
  health_answer answer;
  auto& facts = answer.facts;
  const auto fact = [&](const char* key, std::uint64_t value) {
    facts.emplace_back(key, std::to_string(value));
  };
  if (merged_out) fact("records", records);
  fact("candles", candles);
  if (merged_out) {
    const auto& counted = window->counted();
    fact("symbols", window->symbols());
    fact("waiting", merged_out->core.waiting().size());
    fact("late", counted.late);
    fact("out_of_order", counted.out_of_order);
    fact("unchanged", counted.unchanged);
    fact("alone", counted.alone);
    fact("over_limit", counted.over_limit);
    const auto told = report();
    fact("suspect", told.suspect);
    for (const auto x : all_exchanges)
      if (const auto left_out = told.exchanges[index_of(x)].excluded; left_out > 0)
        facts.emplace_back(std::string{"excluded."} + to_string(x), std::to_string(left_out));
    if (options.fill_within > 0ms && !reads_stream()) {
      fact("filled", counted.filled);
      fact("late_filled", counted.late_filled);
      fact("past_minutes", window->past_minutes());
      fact("past_dropped", counted.past_dropped);
    }
    if (reads_stream()) fact("again", counted.again), facts.emplace_back("position", position);
  }
  if (raw_out) {
    fact("raw_records", raw_records);
    fact("raw_waiting", raw_out->core.waiting().size());
  }
  facts.emplace_back("last_candle_age_ms", age_ms(last_candle_at));
  if (merged_out) facts.emplace_back("last_record_age_ms", age_ms(last_record_at));

  const auto degraded = [&](const char* why) { answer.level = health_level::degraded, answer.why = why; };
  if (!restored)
    degraded("waits for the publisher to tell where the last run ended");
  else if (now - last_candle_at > silent_after)
    degraded("no candle arrived for 120 s");
  else if (merged_out && now - last_record_at > silent_after)
    degraded("no record left for 120 s");
  return answer;
}

aggregator_actor::behavior_type aggregator_behavior(self_ptr<aggregator_actor, aggregator_state> self,
                                                    aggregator_options options, aggregator_publishers to) {
  auto& state = self->state;
  state.options = std::move(options);
  state.incarnation = new_incarnation();
  state.last_candle_at = state.last_record_at = self->clock().now();
  if (to.merged) {
    state.merged_out = aggregator_state::outlet{std::move(to.merged), record_outlet{state.incarnation}};
    state.candle_merged = last_success{success::merged_candle};
    state.record_made = last_success{success::merged_record};
    const auto fill_within = state.reads_stream() ? milliseconds{0} : state.options.fill_within;
    state.window = std::make_unique<merge_window>(state.options.rules, fill_within);
  }
  if (to.raw) state.raw_out = aggregator_state::outlet{std::move(to.raw), record_outlet{state.incarnation}};
  if (state.reads_stream()) {
    state.restored = false;
    state.ask_for_checkpoint();
  }
  return {
      [self](const candle_batch& batch) { return self->state.take(batch); },
      [self](const coverage_request& asked) {
        const auto& window = self->state.window;
        return coverage_answer{window ? window->newest_of(asked.of) : std::vector<candle>{}};
      },
      [self](merge_question) { return self->state.report(); },
      [self](const price_question& asked) { return self->state.prices.of(asked.symbols); },
      [self](position_request) -> caf::result<position_answer> {
        if (self->state.restored) return position_answer{self->state.position};
        return self->state.position_asked.emplace_back(self->make_response_promise<position_answer>());
      },
      [self](wake which) { self->state.on_wake(which); },
      [self](drain_request) -> caf::result<drained> {
        auto promise = self->make_response_promise<drained>();
        self->state.drains.push_back(promise);
        self->state.flush_everything();
        self->state.send_on();
        return promise;
      },
      [self](health_question) { return self->state.health(); },
  };
}

} // namespace breakwater
