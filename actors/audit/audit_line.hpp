#pragma once

#include "messages/audit.hpp"
#include "messages/time.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace breakwater {

/// One line of the audit log, a JSON object without line end:
/// {"number":7,"time":"2026-...Z","instance":"a","what":"actor_failed","actor":"feed/okx","details":{...}}.
std::string audit_line(std::uint64_t number, wall_time at, std::string_view instance,
                       const audit_record& record);

/// The number of such a line; 0 if it is none.
std::uint64_t audit_number(std::string_view line);

} // namespace breakwater
