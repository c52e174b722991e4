#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace breakwater {

/// The JSON Schema of config/contracts/<name>.json as it was when this was built; nullopt: there was none.
std::optional<std::string> built_in_contract(std::string_view name);

} // namespace breakwater
