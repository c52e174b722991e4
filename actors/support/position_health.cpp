#include "actors/support/position_health.hpp"

#include <string>

namespace breakwater {

health_answer health_of(const position_report& told) {
  health_answer answer;
  if (told.status == position_status::silent || told.status == position_status::check_needed) {
    answer.level = health_level::degraded;
    answer.why = std::string{to_string(told.status)} + ": " + told.why;
  }
  answer.facts = {{"status", to_string(told.status)},
                  {"last_seen", told.last_seen ? to_rfc3339(*told.last_seen) : ""},
                  {"seen_by", told.seen_by},
                  {"activities", std::to_string(told.activities)},
                  {"errors", std::to_string(told.errors)}};
  return answer;
}

} // namespace breakwater
