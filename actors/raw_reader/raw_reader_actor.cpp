#include "actors/raw_reader/raw_reader_actor.hpp"

#include "actors/support/emit.hpp"
#include "actors/support/reply_class.hpp"

#include <utility>

namespace breakwater {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr auto aggregator_answers_within = 5s;
/// The redis actor ends every request itself; this is for the case that it dies over one.
constexpr auto redis_answers_within = 15s;
constexpr milliseconds busy_again_after = 5ms, ask_again_after = 100ms;
/// Between tries to read what only a human can mend.
constexpr milliseconds read_again_slowly_after = 5s;
/// A connection that is opened, or opened again, takes a try or two; more are worth a line.
constexpr unsigned quiet_tries = 3;

} // namespace

void raw_reader_state::ask_for_position() {
  positioned = false;
  ready.clear();
  ask_at.reset();
  ++begun;
  self->request(aggregator, aggregator_answers_within, position_request{})
      .then(
          [this, current = begun](const position_answer& answer) {
            if (current != begun) return;
            positioned = true;
            core->read_from(answer.position);
            pump();
          },
          [this, current = begun](const caf::error&) {
            if (current == begun) ask_again_in(ask_again_after);
          });
}

void raw_reader_state::ask_again_in(milliseconds wait) {
  positioned = false;
  alarm.set(self, ask_at = self->clock().now() + wait);
}

void raw_reader_state::pump() {
  if (!draining) read();
  offer();
  if (draining && !offered)
    for (auto& promise : std::exchange(drains, {})) promise.deliver(drained{candles});
}

void raw_reader_state::offer() {
  if (!positioned || ready.empty() || offered || offer_at) return;
  offered = true;
  self->request(aggregator, aggregator_answers_within, ready.front())
      .then([this](const intake_answer& answer) { on_answer(answer.what); },
            [this](const caf::error&) { // whether it was merged, the position will tell
              offered = false;
              ask_again_in(ask_again_after);
              pump();
            });
}

void raw_reader_state::on_answer(intake answer) {
  offered = false;
  switch (answer) {
  case intake::taken:
    candles += ready.front().candles->size();
    ready.pop_front();
    break;
  case intake::busy: alarm.set(self, offer_at = self->clock().now() + busy_again_after); break;
  case intake::out_of_place: ask_for_position(); break;
  }
  pump();
}

void raw_reader_state::read() {
  if (!positioned || reading || read_at || ready.size() > 1) return;
  reading = true;
  const auto commands = core->next();
  self->request(redis, redis_answers_within + commands.blocks_for, commands)
      .then(
          [this, current = begun](const redis_replies& answer) {
            reading = false;
            if (current == begun) on_replies(answer);
            pump();
          },
          [this, current = begun](const caf::error& error) {
            reading = false;
            if (current == begun) pause(to_failure(error));
            pump();
          });
}

void raw_reader_state::on_replies(const redis_replies& answer) {
  const bool nothing_came = core->waits() && answer.replies->front().what == redis_reply::kind::nil;
  auto found = core->take(*answer.replies, options.clock());
  if (!found) return pause(found.error());
  read_it.now();
  const bool first_look = !std::exchange(looked_at, true);
  if (std::exchange(told_why, false) || first_look)
    emit(name, event::raw_reading,
         {{"stream", options.how.stream}, {"cursor", to_string(core->at().cursor)}});
  why_not.clear();
  human_needed = false;
  read_waits.reset();
  for (const auto& notice : found->notices) {
    fields details;
    for (const auto& [key, value] : notice.details) details.emplace_back(key, value);
    emit(name, notice.what, details);
  }
  for (auto& batch : found->batches) ready.push_back(std::move(batch));
  // Nothing to read or to hand over: has the aggregator begun a new life since, with less than was read?
  if (nothing_came && ready.empty()) ask_for_position();
}

void raw_reader_state::pause(const failure& why) {
  const auto what = why.code == errc::redis_refused ? classify_error(why.detail) : reply_class::transport;
  const bool waits_for_human = what == reply_class::configuration || what == reply_class::target;
  const auto wait = waits_for_human ? read_again_slowly_after : read_waits.next();
  told_why &= waits_for_human == human_needed;
  if (!told_why && (waits_for_human || read_waits.attempts() > quiet_tries)) {
    emit(name, event::raw_unread, {{"stream", options.how.stream}, {"reason", why.detail}});
    told_why = true;
  }
  human_needed = waits_for_human;
  why_not = why.detail;
  core->look_again();
  alarm.set(self, read_at = self->clock().now() + wait);
}

void raw_reader_state::on_wake(wake which) {
  if (!alarm.is_due(which)) return;
  const auto now = self->clock().now();
  const auto is_due = [now](std::optional<mono_time>& at) {
    if (!at || now < *at) return false;
    at.reset();
    return true;
  };
  is_due(read_at);
  is_due(offer_at);
  if (is_due(ask_at)) ask_for_position();
  for (const auto at : {ask_at, offer_at, read_at}) alarm.set(self, at);
  pump();
}

health_answer raw_reader_state::health() const {
  const auto& counted = core->counted();
  health_answer answer;
  answer.facts = {{"candles", std::to_string(candles)},
                  {"entries", std::to_string(counted.entries)},
                  {"stream", options.how.stream},
                  {"cursor", to_string(core->at().cursor)},
                  {"behind", std::to_string(counted.behind)},
                  {"unreadable", std::to_string(counted.unreadable)},
                  {"markers", std::to_string(counted.markers)},
                  {"holes", std::to_string(counted.holes)},
                  {"trimmed_unread", std::to_string(core->at().gone_unread)},
                  {"read_again_upto", to_string(core->at().again_upto)}};
  if (!why_not.empty()) {
    answer.level = human_needed ? health_level::critical : health_level::degraded;
    answer.why = "the raw stream is not read: " + why_not;
  } else if (!positioned && !draining) {
    answer.level = health_level::degraded;
    answer.why = "waits for the aggregator to tell where to read on";
  }
  return answer;
}

raw_reader_actor::behavior_type raw_reader_behavior(self_ptr<raw_reader_actor, raw_reader_state> self,
                                                    raw_reader_options options, redis_actor redis,
                                                    aggregator_actor aggregator) {
  auto& state = self->state;
  state.options = std::move(options);
  state.redis = std::move(redis);
  state.aggregator = std::move(aggregator);
  state.core.emplace(state.options.how);
  state.ask_for_position();
  return {
      [self](wake which) { self->state.on_wake(which); },
      [self](drain_request) -> caf::result<drained> {
        auto& mine = self->state;
        auto promise = self->make_response_promise<drained>();
        mine.drains.push_back(promise);
        mine.draining = true;
        mine.pump();
        return promise;
      },
      [self](health_question) { return self->state.health(); },
  };
}

} // namespace breakwater
