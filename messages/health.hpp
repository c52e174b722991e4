#pragma once

#include <cstdint>
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

} // namespace breakwater
