#pragma once

#include <string>

namespace breakwater {

/// `breakwater audit verify`: checks every line of the audit log, also while a process writes to it. Returns
/// 0 when the chain is intact, 1 when lines were changed, removed or moved (each is named), 2 when it cannot
/// be read.
int audit_verify_command(const std::string& config_path);

} // namespace breakwater
