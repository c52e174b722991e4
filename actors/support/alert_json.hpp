#pragma once

#include "messages/alert.hpp"
#include "messages/notice.hpp"

#include <nlohmann/json_fwd.hpp>

namespace breakwater {

/// An alert as it is told everywhere: rule, subject, state ("raised", "cleared"), level, text, what_to_do,
/// raised_at, cleared_at (only of a cleared one), number. Times are RFC 3339.
entry_fields entry_of(const alert& what);
/// The same as one JSON object; number is a number.
nlohmann::ordered_json json_of(const alert& what);

} // namespace breakwater
