#include "actors/support/stream_reply.hpp"

namespace breakwater {

const redis_reply* value_of(const redis_reply& flat, std::string_view name) noexcept {
  for (std::size_t i = 0; i + 1 < flat.items.size(); i += 2)
    if (flat.items[i].text == name) return &flat.items[i + 1];
  return nullptr;
}

std::optional<entry_id> entry_id_of(const redis_reply& entry) noexcept {
  if (entry.items.empty()) return std::nullopt;
  return parse_entry_id(entry.items.front().text);
}

result<stream_state> parse_stream_state(const redis_reply& reply) {
  if (reply.what == redis_reply::kind::error) {
    if (reply.text == "ERR no such key") return stream_state{};
    return failure{errc::redis_refused, reply.text};
  }
  const auto* last = value_of(reply, "last-generated-id");
  const auto id = last ? parse_entry_id(last->text) : std::nullopt;
  if (!id) return failure{errc::redis_refused, "XINFO STREAM answered without last-generated-id"};
  stream_state state;
  state.last = *id;
  if (const auto* first = value_of(reply, "first-entry")) state.first = entry_id_of(*first);
  const auto* length = value_of(reply, "length");
  const auto* added = value_of(reply, "entries-added"); // Redis 7; before that we must assume it
  if (length) state.length = static_cast<std::uint64_t>(length->integer);
  if (added) state.added = static_cast<std::uint64_t>(added->integer);
  state.was_trimmed = !added || !length || added->integer != length->integer;
  return state;
}

} // namespace breakwater
