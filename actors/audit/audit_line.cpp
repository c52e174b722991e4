#include "actors/audit/audit_line.hpp"

#include <nlohmann/json.hpp>

namespace breakwater {

std::string audit_line(std::uint64_t number, wall_time at, std::string_view instance,
                       const audit_record& record) {
  auto details = nlohmann::ordered_json::object();
  for (const auto& [key, value] : record.details) details[key] = value;
  const nlohmann::ordered_json line{{"number", number},    {"time", to_rfc3339(at)}, {"instance", instance},
                                    {"what", record.what}, {"actor", record.actor},  {"details", details}};
  // Whatever an exchange or Redis wrote may be in a reason, also bytes that are no UTF-8.
  return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::uint64_t audit_number(std::string_view line) {
  const auto read = nlohmann::json::parse(line, nullptr, false);
  if (!read.is_object()) return 0;
  const auto number = read.find("number");
  return number != read.end() && number->is_number_unsigned() ? number->get<std::uint64_t>() : 0;
}

} // namespace breakwater
