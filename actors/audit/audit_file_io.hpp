#pragma once

#include "actors/audit/audit_port.hpp"

#include <memory>
#include <string>

namespace breakwater {

/// The audit log audit.jsonl of `folder`, and beside it audit.head: the newest line's number and hash, so
/// that lines missing at the end are found. The folder must exist.
std::shared_ptr<audit_port> audit_file(const std::string& folder);

/// Whether a log can be appended to there. Fails with errc::file_unreadable.
result<done> can_append_audit(const std::string& folder);

/// Checks a log without changing it, also while a process writes to it. No file: no lines. Fails with
/// errc::file_unreadable.
result<audit_state_found> check_audit_file(const std::string& folder);

} // namespace breakwater
