#include "actors/breaker/result_reader_actor.hpp"

#include "actors/support/emit.hpp"

#include <utility>

namespace breakwater {
namespace {

constexpr auto again_after = 1s;
constexpr auto breaker_answers_within = 2s;
/// The redis actor ends every request itself; this is for the case that it dies over one.
constexpr auto redis_answers_within = execution_results::block_for + 15s;

} // namespace

void result_reader_state::ask_for_cursor() {
  self->request(breaker, breaker_answers_within, breaker_question{})
      .then(
          [this](const breaker_report& told) {
            // Without a cursor the core may know the stream's end already, and nothing behind it is to be
            // missed.
            if (const auto cursor = parse_entry_id(told.cursor)) core->read_from(cursor);
            read();
          },
          [this](const caf::error& error) {
            pause("the breaker does not answer: " + to_failure(error).detail);
          });
}

void result_reader_state::read() {
  self->request(redis, redis_answers_within, core->next())
      .then(
          [this](const redis_replies& answer) {
            auto outcomes = core->take(*answer.replies);
            if (!outcomes) return pause(outcomes.error().detail);
            read_it.now();
            why_not.clear();
            failed_before = false;
            tell(std::move(*outcomes), 0);
          },
          [this](const caf::error& error) { pause(to_failure(error).detail); });
}

void result_reader_state::tell(std::vector<call_outcome> outcomes, std::size_t next) {
  if (next == outcomes.size()) return read();
  const auto& outcome = outcomes[next];
  ++results;
  if (outcome.decides && !outcome.succeeded) ++failures;
  self->request(breaker, breaker_answers_within, outcome)
      .then([this, outcomes = std::move(outcomes),
             next](const breaker_standing&) mutable { tell(std::move(outcomes), next + 1); },
            [this](const caf::error& error) {
              pause("the breaker does not answer: " + to_failure(error).detail);
            });
}

void result_reader_state::pause(const std::string& why) {
  // Once is nothing: at the start Redis is connected a moment later.
  if (std::exchange(failed_before, true)) {
    if (why_not.empty()) emit(name, event::results_unread, {{"stream", stream}, {"reason", why}});
    why_not = why;
  }
  wakes.set(self, self->clock().now() + again_after);
}

health_answer result_reader_state::health() const {
  health_answer answer;
  answer.facts = {{"results", std::to_string(results)},
                  {"failures", std::to_string(failures)},
                  {"stream", stream},
                  {"cursor", core->cursor() ? to_string(*core->cursor()) : ""}};
  if (!why_not.empty()) {
    answer.level = health_level::degraded;
    answer.why = "execution results are not read: " + why_not;
  }
  return answer;
}

result_reader_actor::behavior_type
result_reader_behavior(self_ptr<result_reader_actor, result_reader_state> self, orders_settings what,
                       redis_actor redis, breaker_actor breaker) {
  auto& state = self->state;
  state.stream = what.result_stream;
  state.core.emplace(what.result_stream, what.failure_statuses);
  state.redis = std::move(redis);
  state.breaker = std::move(breaker);
  state.ask_for_cursor();
  return {
      [self](const wake& which) {
        if (self->state.wakes.is_due(which)) self->state.ask_for_cursor();
      },
      [self](const health_question&) { return self->state.health(); },
  };
}

} // namespace breakwater
