#pragma once

#include "actors/api/answers.hpp"
#include "actors/api/api_actor.hpp"
#include "actors/api/metric_families.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <utility>

/// Whom the API asks for an answer that is made of several.
namespace breakwater {

/// Reading answers at once or not at all.
inline constexpr std::chrono::seconds answers_within{1};

/// Who is being asked for an answer; the last of them (or the end of its time) calls `done`.
template <class Sources>
struct gathering {
  Sources found;
  std::size_t open = 0;
  std::function<void(const Sources&)> done;

  void arrived() {
    if (--open == 0) done(found);
  }
};
template <class Sources>
using shared_gathering = std::shared_ptr<gathering<Sources>>;

void gather_breakers(api_state& state, const shared_gathering<health_sources>& into);
void gather_everything(api_state& state, const shared_gathering<health_sources>& into);
/// The feed of `only`, or all of them, and how their prices agree.
void gather_feeds(api_state& state, const shared_gathering<feed_sources>& into, std::optional<exchange> only);
void gather_spool(api_state& state, const shared_gathering<spool_sources>& into);
void gather_metrics(api_state& state, const shared_gathering<metric_sources>& into);

/// Has `from_whom(state, gathering)` ask, and calls `done` with what came.
template <class Sources = health_sources, class Gather, class Done>
void collect(api_state& state, Gather from_whom, Done done) {
  auto open = std::make_shared<gathering<Sources>>();
  open->done = std::move(done);
  from_whom(state, open);
}

/// The breakers in the order of the wiring, whoever answered first.
breaker_reports in_order(const api_state& state, breaker_reports reports);

} // namespace breakwater
