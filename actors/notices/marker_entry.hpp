#pragma once

#include "messages/notice.hpp"
#include "messages/quality.hpp"

namespace breakwater {

/// A quality marker as a stream entry: exchange, symbol, kind, from, to (RFC 3339), cause.
entry_fields entry_of(const quality_marker& marker);

} // namespace breakwater
