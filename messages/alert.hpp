#pragma once

#include "messages/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace breakwater {

enum class alert_level : std::uint8_t { warning, critical };

constexpr const char* to_string(alert_level level) noexcept {
  return level == alert_level::critical ? "critical" : "warning";
}

/// Something an operator must look at.
struct alert {
  std::uint64_t number = 0; ///< 1, 2, 3 ... since the process began.
  std::string rule;         ///< "breaker_open", "feed_stale" ...
  std::string subject;      ///< What it is about: "redis", "okx BTCUSDT"; empty when the rule has but one.
  alert_level level = alert_level::warning;
  std::string text;       ///< What is wrong, with its figures.
  std::string what_to_do; ///< With the command to run, where there is one.
  wall_time raised_at;
  std::optional<wall_time> cleared_at; ///< Absent: it stands.
};

/// What stands? From: api. To: alerts, which answers with alerts_report.
struct alerts_question {};

struct alerts_report {
  std::vector<alert> active;         ///< The most urgent first, then the oldest.
  std::vector<alert> recent;         ///< Cleared ones, the newest first; bounded.
  std::vector<std::string> unjudged; ///< Rules that could not be judged at the last look, and why.
  std::string webhook;               ///< "off", "ok", or why the last delivery failed.
};

/// What became of one webhook request. From: the webhook edge. To: alerts.
struct webhook_answered {
  std::uint64_t number = 0; ///< Of the request.
  unsigned status = 0;      ///< HTTP's; 0: there was no answer.
  std::string problem;      ///< Why not.
};

} // namespace breakwater
