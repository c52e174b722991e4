#pragma once

#include "messages/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace breakwater {

enum class health_level : std::uint8_t {
  ok,
  degraded, ///< Works, with something spooled, stale or open.
  critical, ///< Does not do its job; a human is needed or data is at risk.
};

constexpr const char* to_string(health_level level) noexcept {
  return level == health_level::ok ? "ok" : level == health_level::degraded ? "degraded" : "critical";
}

/// How are you? From: health. To: every actor.
struct health_question {};

/// One actor's state, for the health line, /health and diagnose.
struct health_answer {
  health_level level = health_level::ok;
  std::string why;                                        ///< Empty when ok.
  std::vector<std::pair<std::string, std::string>> facts; ///< In the order to print: name and value.
};

/// What was the last tick's finding? From: api. To: health, which answers at once with health_report.
struct health_report_request {};

struct health_report {
  struct part {
    std::string name;
    health_answer answer; ///< Of an actor that missed the tick: critical, "no answer", its last facts.
  };
  std::optional<wall_time> as_of; ///< When the last tick was closed; absent before the first.
  std::vector<part> parts;        ///< In the order data flows.
};

} // namespace breakwater
