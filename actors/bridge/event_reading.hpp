#pragma once

#include "messages/error.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

namespace breakwater {

/// The fields of a stream entry, in order.
using stream_fields = std::vector<std::pair<std::string, std::string>>;

struct event_in_entry {
  nlohmann::json event;   ///< An object.
  bool from_side = false; ///< Its `action` was named by the deprecated `side`.
};

/// The event in a stream entry: the JSON object in its field `payload`, else in `data`, else the fields
/// themselves, of which those become numbers, truth values, objects or lists that `schema` does not allow to
/// be texts. Fails with errc::field_malformed.
result<event_in_entry> read_event(const stream_fields& fields, const nlohmann::json& schema);

} // namespace breakwater
