#include "actors/support/alert_json.hpp"

#include <nlohmann/json.hpp>

namespace breakwater {

entry_fields entry_of(const alert& what) {
  entry_fields fields{{"rule", what.rule},
                      {"subject", what.subject},
                      {"state", what.cleared_at ? "cleared" : "raised"},
                      {"level", to_string(what.level)},
                      {"text", what.text},
                      {"what_to_do", what.what_to_do},
                      {"raised_at", to_rfc3339(what.raised_at)}};
  if (what.cleared_at) fields.emplace_back("cleared_at", to_rfc3339(*what.cleared_at));
  fields.emplace_back("number", std::to_string(what.number));
  return fields;
}

nlohmann::ordered_json json_of(const alert& what) {
  auto told = nlohmann::ordered_json::object();
  for (auto& [name, value] : entry_of(what)) told[name] = std::move(value);
  told["number"] = what.number;
  return told;
}

} // namespace breakwater
