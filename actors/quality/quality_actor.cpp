#include "actors/quality/quality_actor.hpp"

#include "actors/support/emit.hpp"

#include <utility>

namespace breakwater {
namespace {

using namespace std::chrono_literals;

/// Redis is away, or will never take what was dropped: neither costs it anything.
constexpr auto again_after = 1s;
/// As reply_class says: a refusal that a human has to mend counts against the breaker each time.
constexpr auto slowly_again_after = 30s;
/// The redis actor ends every request itself; this is for the case that it dies over one.
constexpr auto redis_answers_within = 15s;

} // namespace

void quality_state::send() {
  if (outstanding || core->empty()) return;
  outstanding = true;
  self->request(redis, redis_answers_within, core->next_piece())
      .then(
          [this](const redis_replies& answer) {
            outstanding = false;
            const auto out = core->taken(*answer.replies);
            if (!out.refusal.empty()) return pause(out.refusal, wait_after(out.retry));
            refusals.reset();
            why_not.clear();
            send();
          },
          [this](const caf::error& error) {
            core->not_taken();
            pause(to_failure(error).detail, again_after);
          });
}

milliseconds quality_state::wait_after(retry_way how) {
  switch (how) {
  case retry_way::none: return again_after;
  case retry_way::backoff: return refusals.next();
  case retry_way::slowly: break;
  }
  return slowly_again_after;
}

void quality_state::pause(const std::string& why, milliseconds wait) {
  emit(name, event::quality_unwritten, {{"stream", stream}, {"reason", why}, {"count", core->waiting()}});
  why_not = why;
  outstanding = true;
  wakes.set(self, self->clock().now() + wait);
}

health_answer quality_state::health() const {
  health_answer answer;
  answer.facts = {{"stream", stream},
                  {"written", std::to_string(core->written())},
                  {"waiting", std::to_string(core->waiting())},
                  {"dropped", std::to_string(core->dropped())},
                  {"refused", std::to_string(core->refused())}};
  if (!why_not.empty()) {
    answer.level = health_level::degraded;
    answer.why = "quality markers are not written: " + why_not;
  }
  return answer;
}

quality_actor::behavior_type quality_behavior(self_ptr<quality_actor, quality_state> self,
                                              quality_options options, redis_actor redis) {
  auto& state = self->state;
  state.stream = options.stream;
  state.core.emplace(std::move(options.stream), options.maxlen);
  state.redis = std::move(redis);
  return {
      [self](const quality_batch& batch) {
        auto& mine = self->state;
        mine.core->add(*batch.markers);
        if (const auto all = mine.core->dropped(); all > mine.dropped_told) {
          emit(quality_state::name, event::quality_dropped, {{"count", all - mine.dropped_told}});
          mine.dropped_told = all;
        }
        mine.send();
      },
      [self](const wake& which) {
        auto& mine = self->state;
        if (!mine.wakes.is_due(which)) return;
        mine.outstanding = false;
        mine.send();
      },
      [self](const health_question&) { return self->state.health(); },
  };
}

} // namespace breakwater
