#pragma once

#include "messages/breaker.hpp"
#include "messages/exchange.hpp"
#include "messages/feed.hpp"
#include "messages/health.hpp"
#include "messages/merged.hpp"
#include "messages/position.hpp"
#include "messages/redis.hpp"
#include "messages/time.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace breakwater {

/// What was seen at one look. Whoever did not answer in time is absent: then what depends on him is not
/// judged.
struct observations {
  template <class Answer, class Key = std::string>
  struct asked {
    Key who{};
    std::optional<Answer> told{};
  };
  /// Redis's clock beside ours, as one request of TIME tells it.
  struct clocks {
    wall_time theirs, ours;                   ///< Ours: at the middle of the request.
    std::chrono::milliseconds uncertainty{0}; ///< Half of the round trip.
  };

  std::vector<asked<breaker_report>> breakers;
  std::optional<redis_report> redis;
  std::optional<health_report> health;
  std::vector<asked<feed_report, exchange>> feeds; ///< Who is followed.
  std::optional<price_answer> prices;
  bool position_watched = false; ///< There is a position monitor to ask.
  std::optional<position_report> position;
  std::optional<health_answer> supervisor;
  std::vector<asked<health_answer>> carriers; ///< Who can set aside or miss something: publishers ...
  bool clock_asked = false;                   ///< Redis is asked for its time now and then only.
  std::optional<clocks> clock;
};

} // namespace breakwater
