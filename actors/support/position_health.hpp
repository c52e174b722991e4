#pragma once

#include "messages/health.hpp"
#include "messages/position.hpp"

namespace breakwater {

/// How the position monitor's state counts, for the health tick and for who asks in between: SILENT and
/// CHECK_NEEDED are degraded.
health_answer health_of(const position_report& told);

} // namespace breakwater
