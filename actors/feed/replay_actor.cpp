#include "actors/feed/replay_actor.hpp"

#include "actors/support/emit.hpp"

#include <caf/actor_system.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace breakwater {
namespace {

using namespace std::chrono_literals;
using replay_self = self_ptr<replay_actor, replay_state>;

constexpr auto answer_within = 5s;
constexpr auto try_again_after = 2ms;
/// Others want the thread, too: with nothing to send, the replay lets go of it after so many reads.
constexpr int reads_at_a_time = 16;

/// Fetches the dialect of an exchange, made when its first frame comes.
dialect& dialect_of(replay_state& state, exchange which) {
  auto& speaks = state.speaks[index_of(which)];
  if (!speaks) {
    const auto& options = state.options;
    speaks = make_dialect(which, options.market,
                          symbol_names::any(which, options.market, options.overrides[index_of(which)]));
    if (!speaks->rules().marks_closed) state.closers[index_of(which)].emplace();
  }
  return *speaks;
}

/// Reads one frame; appends its candles, and those that are over by its receipt time.
void read_frame(replay_state& state, const recorded_frame& frame, std::vector<candle>& out) {
  ++state.frames;
  if (frame.received_at > state.replayed_until) {
    state.replayed_until = frame.received_at;
    for (auto& closer : state.closers)
      if (closer) closer->advance(frame.received_at, out);
  }
  const auto had = out.size();
  const auto content = dialect_of(state, frame.from).read(frame.text, frame.received_at, out);
  if (const auto* why = std::get_if<failure>(&content)) {
    ++state.unreadable;
    emit(replay_state::name, event::frame_unreadable,
         {{"exchange", to_string(frame.from)}, {"errc", to_string(why->code)}, {"reason", why->detail}});
  } else if (!std::holds_alternative<candles_read>(content)) {
    ++state.other;
  } else if (auto& closer = state.closers[index_of(frame.from)]) {
    std::vector<candle> open{std::make_move_iterator(out.begin() + static_cast<std::ptrdiff_t>(had)),
                             std::make_move_iterator(out.end())};
    out.resize(had);
    for (auto& x : open) closer->take(std::move(x), out);
  }
}

void note_skipped(replay_state& state) {
  state.skipped += state.read.skipped.size();
  for (const auto& line : state.read.skipped)
    emit(replay_state::name, event::replay_line_skipped,
         {{"line", line.number}, {"errc", to_string(line.why.code)}, {"reason", line.why.detail}});
  if (state.read.broken.code != errc::none)
    emit(replay_state::name, event::replay_line_skipped,
         {{"errc", to_string(state.read.broken.code)}, {"reason", state.read.broken.detail}});
}

/// When a frame is due at the wanted speed.
mono_time due_of(const replay_state& state, const recorded_frame& frame) {
  const auto recorded =
      std::chrono::duration<double, std::milli>(frame.received_at - *state.first_received_at);
  return state.began_at + std::chrono::duration_cast<mono_time::duration>(recorded / state.options.speed);
}

bool at_end(const replay_state& state) { return state.read.at_end && state.next == state.read.frames.size(); }

/// Parses the next batch, if it is not there yet: the frames that are due, `options.batch` of them at most.
void prepare(replay_state& state, mono_time now) {
  if (state.ready) return;
  std::vector<candle> made;
  made.reserve(state.options.batch + 64);
  state.resume_at.reset();
  for (int reads = 0; made.empty() && !at_end(state);) {
    if (state.next == state.read.frames.size()) {
      if (reads++ == reads_at_a_time) {
        state.resume_at = now;
        return;
      }
      state.source->next(state.options.batch, state.read);
      state.next = 0;
      note_skipped(state);
    }
    for (; state.next < state.read.frames.size(); ++state.next) {
      const auto& frame = state.read.frames[state.next];
      if (state.options.speed > 0) {
        if (!state.first_received_at) {
          state.first_received_at = frame.received_at;
          state.began_at = now;
        }
        if (const auto due = due_of(state, frame); due > now) {
          state.resume_at = due;
          break;
        }
      }
      read_frame(state, frame, made);
    }
    if (state.resume_at) break;
  }
  if (made.empty()) return;
  state.candles += made.size();
  for (const auto& x : made) state.recent[index_of(x.from)].note(x);
  state.ready = std::make_shared<const std::vector<candle>>(std::move(made));
}

void finish(replay_state& state) {
  if (!std::exchange(state.finished, true))
    emit(replay_state::name, event::replay_finished,
         {{"count", state.frames},
          {"candles", state.candles},
          {"skipped", state.skipped},
          {"unreadable", state.unreadable}});
  for (auto& promise : state.drain_promises) promise.deliver(drained{state.taken});
  state.drain_promises.clear();
}

void go_on(replay_self self);

/// The aggregator lost what it had: it needs the minutes that were still open first.
void send_recent_again(replay_state& state) {
  std::vector<candle> again;
  for (const auto& of : state.recent) {
    auto some = of.all();
    again.insert(again.end(), some.begin(), some.end());
  }
  // What is parsed ahead comes after it, and what was refused is among it.
  if (state.ready) again.insert(again.end(), state.ready->begin(), state.ready->end());
  state.ready = std::make_shared<const std::vector<candle>>(std::move(again));
}

void send_outstanding(replay_self self) {
  auto& state = self->state;
  self->request(state.aggregator, answer_within, candle_batch{state.outstanding})
      .then(
          [self](const intake_answer& answer) {
            auto& mine = self->state;
            const bool new_life = mine.incarnation != 0 && mine.incarnation != answer.incarnation;
            mine.incarnation = answer.incarnation;
            if (answer.what == intake::busy) {
              mine.waits_for_room = true;
              mine.alarm.set(self, self->clock().now() + try_again_after);
            } else {
              mine.taken += mine.outstanding->size();
              mine.outstanding.reset();
            }
            if (new_life) send_recent_again(mine);
            go_on(self);
          },
          [self](const caf::error&) {
            auto& mine = self->state;
            mine.waits_for_room = true;
            mine.alarm.set(self, self->clock().now() + try_again_after);
          });
}

/// Sends what is ready and parses ahead while the answer is awaited.
void go_on(replay_self self) {
  auto& state = self->state;
  const auto now = self->clock().now();
  prepare(state, now);
  if (!state.outstanding && state.ready) {
    state.outstanding = std::move(state.ready);
    state.ready.reset();
    send_outstanding(self);
    prepare(state, now);
  }
  // With a batch ready, the answer to the one before it is what is waited for.
  if (state.resume_at && !state.ready) state.alarm.set(self, state.resume_at);
  if (!state.outstanding && !state.ready && at_end(state)) finish(state);
}

health_answer report(const replay_state& state) {
  health_answer answer;
  const auto fact = [&](const char* key, std::size_t value) {
    answer.facts.emplace_back(key, std::to_string(value));
  };
  answer.facts.emplace_back("finished", state.finished ? "yes" : "no");
  fact("frames", state.frames);
  fact("candles", state.candles);
  fact("taken", state.taken);
  fact("skipped", state.skipped);
  fact("unreadable", state.unreadable);
  fact("other", state.other);
  if (state.read.broken.code != errc::none) {
    answer.level = health_level::critical;
    answer.why = state.read.broken.detail;
  }
  return answer;
}

} // namespace

replay_actor::behavior_type replay_behavior(replay_self self, replay_options options,
                                            aggregator_actor aggregator,
                                            std::shared_ptr<frame_source_port> source) {
  auto& state = self->state;
  state.options = std::move(options);
  state.options.batch = std::max<std::size_t>(state.options.batch, 1);
  state.aggregator = std::move(aggregator);
  state.source = std::move(source);
  emit(replay_state::name, event::replay_started);
  state.alarm.set(self, self->clock().now());
  return {
      [self](const wake& which) {
        auto& mine = self->state;
        if (!mine.alarm.is_due(which)) return;
        if (std::exchange(mine.waits_for_room, false)) send_outstanding(self);
        go_on(self);
      },
      [self](const drain_request&) -> caf::result<drained> {
        auto promise = self->make_response_promise<drained>();
        self->state.drain_promises.push_back(promise);
        if (self->state.finished) finish(self->state);
        return promise;
      },
      [self](const health_question&) { return report(self->state); },
  };
}

} // namespace breakwater
