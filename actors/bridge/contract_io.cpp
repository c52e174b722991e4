#include "actors/bridge/contract_io.hpp"

#include "actors/bridge/built_in_contracts.hpp"

// A schema it cannot use is an exception; by itself it would end the process.
#define VALIJSON_USE_EXCEPTIONS 1
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>

namespace breakwater {
namespace {

using nlohmann::json;
using valijson::adapters::NlohmannJsonAdapter;

/// Longest text that is held against a pattern. The standard library's regular expressions recurse with each
/// character, and some hundred kilobytes of a pattern like (a|b)* end the process.
constexpr std::size_t longest_matched = 4096;

bool has_pattern(const json& schema) {
  for (const auto& [key, value] : schema.items())
    if (key == "pattern" || key == "patternProperties" || (value.is_structured() && has_pattern(value)))
      return true;
  return false;
}

/// Of all texts and names in a value.
std::size_t longest_text(const json& value) {
  if (value.is_string()) return value.get_ref<const std::string&>().size();
  std::size_t longest = 0;
  if (!value.is_structured()) return longest;
  for (const auto& [key, below] : value.items())
    longest = std::max({longest, value.is_object() ? key.size() : 0, longest_text(below)});
  return longest;
}

class json_schema final : public contract_port {
public:
  /// Throws what valijson throws at a schema it cannot use.
  explicit json_schema(json document) : document_(std::move(document)) {
    valijson::SchemaParser parser{valijson::SchemaParser::kDraft7};
    parser.populateSchema(NlohmannJsonAdapter{document_}, schema_);
    auto others = document_;
    const auto properties = document_.value("properties", json::object());
    for (const auto& [name, member] : properties.items())
      if (has_pattern(member)) matched_.insert(name);
    others.erase("properties");
    any_may_be_matched_ = has_pattern(others);
  }

  const json& schema() const override { return document_; }

  std::string problem(const json& event) const override {
    for (const auto& [name, value] : event.items())
      if ((any_may_be_matched_ || matched_.contains(name)) && longest_text(value) > longest_matched)
        return name + ": longer than " + std::to_string(longest_matched) + " bytes";
    valijson::Validator validator{valijson::Validator::kStrongTypes};
    valijson::ValidationResults found;
    if (validator.validate(schema_, NlohmannJsonAdapter{event}, &found)) return {};
    // The first names the member, if it is about one; those behind it repeat it from further away.
    valijson::ValidationResults::Error first;
    if (!found.popError(first)) return "it does not keep the contract";
    // "<root>", "[harvest_policy]", "[mode]" becomes "harvest_policy.mode".
    std::string where;
    for (const auto& step : first.context)
      if (step.size() > 2 && step.front() == '[')
        where += (where.empty() ? "" : ".") + step.substr(1, step.size() - 2);
    return (where.empty() ? "" : where + ": ") + first.description;
  }

private:
  json document_;
  std::set<std::string> matched_;   ///< Members with a pattern.
  bool any_may_be_matched_ = false; ///< There are patterns elsewhere.
  valijson::Schema schema_;
};

std::optional<std::string> text_of(const std::filesystem::path& path) {
  std::ifstream file{path};
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

} // namespace

result<std::shared_ptr<const contract_port>> load_contract(const std::string& name,
                                                           const std::string& folder) {
  const auto path = std::filesystem::path{folder.empty() ? "." : folder} / "contracts" / (name + ".json");
  auto text = text_of(path);
  const bool from_file = text.has_value();
  if (!text) text = built_in_contract(name);
  const auto refused = [&](const std::string& why) {
    return failure{errc::config_invalid, "bridge.contract = \"" + name + "\": " + why};
  };
  if (!text)
    return refused("there is no file " + path.string() +
                   ", and no contract of this name is built in; put its JSON Schema there");
  const auto from = from_file ? path.string() : "the built-in schema";
  auto document = json::parse(*text, nullptr, false);
  if (!document.is_object()) return refused(from + " is no JSON object");
  try {
    return std::shared_ptr<const contract_port>{std::make_shared<json_schema>(std::move(document))};
  } catch (const std::exception& error) {
    return refused(from + " is no JSON Schema that can be used: " + error.what());
  }
}

result<contracts_by_name> load_contracts(const settings& what) {
  contracts_by_name all;
  for (const auto& route : what.bridges) {
    auto loaded = load_contract(route.contract, what.folder);
    if (!loaded) return loaded.error();
    all[route.contract] = std::move(*loaded);
  }
  return all;
}

} // namespace breakwater
