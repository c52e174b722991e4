#include "actors/support/redis_health.hpp"

#include <optional>
#include <string>

namespace breakwater {

health_answer health_of(const redis_report& told) {
  const auto at = [](const std::optional<wall_time>& when) {
    return when ? to_rfc3339(*when) : std::string{};
  };
  const auto truth = [](bool holds) { return std::string{holds ? "true" : "false"}; };
  health_answer answer;
  if (!told.connected) {
    answer.level = health_level::critical;
    answer.why = "Redis is away (" + told.phase + "): " + told.last_error;
  } else if (!told.healthy) {
    answer.level = health_level::degraded;
    answer.why = "Redis answers PING with an error: " + told.last_error;
  }
  answer.facts = {{"connected", truth(told.connected)},
                  {"healthy", truth(told.healthy)},
                  {"phase", told.phase},
                  {"address", told.address},
                  {"connection_attempts", std::to_string(told.connection_attempts)},
                  {"successful_operations", std::to_string(told.successful_operations)},
                  {"failed_operations", std::to_string(told.failed_operations)},
                  {"consecutive_failures", std::to_string(told.consecutive_failures)},
                  {"reconnects", std::to_string(told.reconnects)},
                  {"reconnects_last_hour", std::to_string(told.reconnects_last_hour)},
                  {"last_health_check", at(told.last_health_check)},
                  {"last_round_trip_us", std::to_string(told.last_round_trip.count())},
                  {"last_error", told.last_error},
                  {"last_error_class", told.last_error_class},
                  {"last_error_time", at(told.last_error_time)},
                  {"in_flight", std::to_string(told.in_flight)}};
  return answer;
}

} // namespace breakwater
