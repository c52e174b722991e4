#pragma once

#include "actors/bridge/contract_port.hpp"
#include "config/settings.hpp"
#include "messages/error.hpp"

#include <memory>
#include <string>

namespace breakwater {

/// The contract of this name: the JSON Schema (draft 7) <folder>/contracts/<name>.json if that is there, else
/// the one built in. Fails with errc::config_invalid; `detail` says where it was looked for, or what is wrong
/// with the file.
result<std::shared_ptr<const contract_port>> load_contract(const std::string& name,
                                                           const std::string& folder);

/// Those of all bridges. Fails like load_contract.
result<contracts_by_name> load_contracts(const settings& what);

} // namespace breakwater
