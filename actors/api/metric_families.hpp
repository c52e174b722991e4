#pragma once

#include "actors/support/metrics_port.hpp"
#include "messages/alert.hpp"
#include "messages/breaker.hpp"
#include "messages/feed.hpp"
#include "messages/health.hpp"
#include "messages/lifecycle.hpp"
#include "messages/merged.hpp"
#include "messages/position.hpp"
#include "messages/redis.hpp"
#include "messages/spool.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What the actors answered, as metrics. Names are breakwater_<actor>_<noun>_<unit>[_total], units are
/// seconds, bytes and ratios, points in time are seconds since the epoch, and 0 where there was none.
namespace breakwater {

/// What /metrics is made of. What could not be had is absent: its actor did not answer in time.
struct metric_sources {
  std::optional<health_report> tick; ///< Of the last health tick.
  std::optional<redis_report> redis;
  std::vector<breaker_report> breakers;
  std::vector<spool_report> spool; ///< One an output stream.
  std::vector<feed_report> feeds;
  std::optional<merge_report> merging;
  std::optional<price_answer> prices;
  std::optional<alerts_report> alerts;
  std::optional<supervision_report> supervision;
  std::optional<position_report> position;
  std::size_t asked = 0, answered = 0; ///< Actors.
};

/// What is known without asking anybody.
struct metric_facts {
  std::string version, instance;
  /// symbols.list: who has series of his own. There are at most most_symbols of them; what a universe adds is
  /// only counted.
  std::vector<std::string> symbols{};
  std::uint64_t requests = 0, refused = 0; ///< Of the API.
};
inline constexpr std::size_t most_symbols = 100;

metric_families families_of(const metric_sources& from, const metric_facts& about);

} // namespace breakwater
