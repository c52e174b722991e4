#pragma once

#include "actors/support/actor_base.hpp"
#include "messages/actors.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace breakwater::test {

/// What the tests see of the aggregator they put in the real one's place, and how it answers.
struct fake_aggregator {
  std::vector<candle> got;          ///< Of batches it took.
  std::vector<std::size_t> batches; ///< Sizes of all that came, taken or not.
  intake answer = intake::taken;
  std::uint64_t incarnation = 1;
  std::vector<candle> known; ///< What it has of an earlier life of the feed.
  bool answers = true;
  std::vector<caf::typed_response_promise<intake_answer>> unanswered;

  [[nodiscard]] std::string heard() {
    std::string text;
    for (const auto& x : got)
      text += (text.empty() ? "" : ", ") + x.symbol + " " + std::to_string(static_cast<int>(x.close)) +
              (x.closed ? "!" : "");
    got.clear();
    return text;
  }
};

inline aggregator_actor::behavior_type fake_aggregator_behavior(aggregator_actor::pointer self,
                                                                fake_aggregator* fake) {
  return {
      [self, fake](const candle_batch& batch) -> caf::result<intake_answer> {
        fake->batches.push_back(batch.candles->size());
        if (fake->answer == intake::taken)
          fake->got.insert(fake->got.end(), batch.candles->begin(), batch.candles->end());
        if (fake->answers) return intake_answer{fake->answer, fake->incarnation};
        auto promise = self->make_response_promise<intake_answer>();
        fake->unanswered.push_back(promise);
        return promise;
      },
      [fake](coverage_request) { return coverage_answer{fake->known}; },
      [](merge_question) { return merge_report{}; },
      [](const price_question&) { return price_answer{}; },
      [](position_request) { return position_answer{}; },
      [fake](const wake&) { // the test wants what is kept waiting to be answered
        for (auto& promise : fake->unanswered)
          promise.deliver(intake_answer{fake->answer, fake->incarnation});
        fake->unanswered.clear();
      },
      [](const drain_request&) { return drained{}; },
      [](const health_question&) { return health_answer{}; },
  };
}

inline std::string fact(const health_answer& answer, const std::string& name) {
  for (const auto& [key, value] : answer.facts)
    if (key == name) return value;
  return "(none)";
}

} // namespace breakwater::test
