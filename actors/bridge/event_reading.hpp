#pragma once

#include "messages/error.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace breakwater {

/// The fields of a stream entry, in order.
using stream_fields = std::vector<std::pair<std::string, std::string>>;

struct event_in_entry {
  nlohmann::json event;   ///< An object.
  bool from_side = false; ///< Its `action` was named by the deprecated `side`.
};

/// Texts that nest deeper than this are refused: writing JSON takes stack for every level, and a process that
/// such an entry ends would read it again when it begins.
constexpr std::size_t deepest_nesting = 64;

/// Whether a text, read as JSON, nests deeper than deepest_nesting.
bool nests_too_deep(std::string_view text) noexcept;

/// The event in a stream entry: the JSON object in its field `payload`, else in `data`, else the fields
/// themselves, of which those become numbers, truth values, objects or lists that `schema` does not allow to
/// be texts. Fails with errc::field_malformed.
result<event_in_entry> read_event(const stream_fields& fields, const nlohmann::json& schema);

} // namespace breakwater
