#pragma once

#include <nlohmann/json.hpp>

#include <map>
#include <memory>
#include <string>

namespace breakwater {

/// What a valid event of a bridge is: a JSON Schema and the means to check it. contract_io does it with
/// valijson.
struct contract_port {
  virtual ~contract_port() = default;
  /// The schema itself.
  [[nodiscard]] virtual const nlohmann::json& schema() const = 0;
  /// What is wrong with `event`, for people; empty: nothing.
  [[nodiscard]] virtual std::string problem(const nlohmann::json& event) const = 0;
};

/// Contracts by name.
using contracts_by_name = std::map<std::string, std::shared_ptr<const contract_port>>;

} // namespace breakwater
