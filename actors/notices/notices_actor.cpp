#include "actors/notices/notices_actor.hpp"

#include "actors/notices/marker_entry.hpp"
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

void notices_state::add(const std::vector<entry_fields>& entries) {
  core->add(entries);
  if (const auto all = core->dropped(); all > dropped_told) {
    emit(options.name, event::notices_dropped, {{"stream", options.stream}, {"count", all - dropped_told}});
    dropped_told = all;
  }
  send();
}

void notices_state::send() {
  if (outstanding || core->empty()) return;
  outstanding = true;
  self->request(redis, redis_answers_within, core->next_piece())
      .then(
          [this](const redis_replies& answer) {
            outstanding = false;
            const auto out = core->taken(*answer.replies);
            if (!out.refusal.empty()) return pause(out.refusal, wait_after(out.retry));
            written.now();
            refusals.reset();
            why_not.clear();
            send();
          },
          [this](const caf::error& error) {
            core->not_taken();
            pause(to_failure(error).detail, again_after);
          });
}

milliseconds notices_state::wait_after(retry_way how) {
  switch (how) {
  case retry_way::none: return again_after;
  case retry_way::backoff: return refusals.next();
  case retry_way::slowly: break;
  }
  return slowly_again_after;
}

void notices_state::pause(const std::string& why, milliseconds wait) {
  emit(options.name, event::notices_unwritten,
       {{"stream", options.stream}, {"reason", why}, {"count", core->waiting()}});
  why_not = why;
  outstanding = true;
  wakes.set(self, self->clock().now() + wait);
}

health_answer notices_state::health() const {
  health_answer answer;
  answer.facts = {{"stream", options.stream},
                  {"written", std::to_string(core->written())},
                  {"waiting", std::to_string(core->waiting())},
                  {"dropped", std::to_string(core->dropped())},
                  {"refused", std::to_string(core->refused())}};
  if (!why_not.empty()) {
    answer.level = health_level::degraded;
    answer.why = options.stream + " is not written: " + why_not;
  }
  return answer;
}

notices_actor::behavior_type notices_behavior(self_ptr<notices_actor, notices_state> self,
                                              notices_options options, redis_actor redis) {
  auto& state = self->state;
  state.core.emplace(options.stream, options.maxlen);
  state.written = last_success{success::notice_written, options.stream};
  state.options = std::move(options);
  state.redis = std::move(redis);
  return {
      [self](const quality_batch& batch) {
        std::vector<entry_fields> entries;
        for (const auto& marker : *batch.markers) entries.push_back(entry_of(marker));
        self->state.add(entries);
      },
      [self](const notice_batch& batch) { self->state.add(*batch.entries); },
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
