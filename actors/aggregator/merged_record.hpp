#pragma once

#include "config/settings.hpp"
#include "messages/merged.hpp"
#include "messages/record.hpp"

namespace breakwater {

/// Appends `what` to `out` in the wire format of the normalized stream: every field as text, the original
/// ones first.
void append_record(record_list& out, const merged& what, market kind);

} // namespace breakwater
