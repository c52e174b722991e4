#pragma once

#include "messages/candle.hpp"
#include "messages/record.hpp"

namespace breakwater {

/// Appends `what` to `out` in the wire format of the raw stream: every field as text.
void append_raw_record(record_list& out, const candle& what);

} // namespace breakwater
