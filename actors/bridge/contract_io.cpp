#include "actors/bridge/contract_io.hpp"

#include "actors/bridge/built_in_contracts.hpp"

// A schema it cannot use is an exception; by itself it would end the process.
#define VALIJSON_USE_EXCEPTIONS 1
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

namespace breakwater {
namespace {

using nlohmann::json;
using valijson::adapters::NlohmannJsonAdapter;

class json_schema final : public contract_port {
public:
  /// Throws what valijson throws at a schema it cannot use.
  explicit json_schema(json document) : document_(std::move(document)) {
    valijson::SchemaParser parser{valijson::SchemaParser::kDraft7};
    parser.populateSchema(NlohmannJsonAdapter{document_}, schema_);
  }

  const json& schema() const override { return document_; }

  std::string problem(const json& event) const override {
    valijson::Validator validator{valijson::Validator::kStrongTypes};
    valijson::ValidationResults found;
    if (validator.validate(schema_, NlohmannJsonAdapter{event}, &found)) return {};
    // The first names the member, if it is about one; those behind it repeat it from further away.
    valijson::ValidationResults::Error first;
    if (!found.popError(first)) return "it does not keep the contract";
    std::string where;
    for (const auto& step : first.context) where += step == "<root>" ? "" : step;
    return (where.empty() ? "" : where + ": ") + first.description;
  }

private:
  json document_;
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
