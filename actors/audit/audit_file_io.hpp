#pragma once

#include "actors/audit/audit_port.hpp"

#include <memory>
#include <string>

namespace breakwater {

/// Opens (or makes) the audit log at `path` for appending. A line that a crash left unfinished is ended, not
/// lost. Fails with errc::file_unreadable.
result<std::shared_ptr<audit_port>> open_audit_file(const std::string& path);

} // namespace breakwater
