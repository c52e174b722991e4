#include "actors/bridge/event_reading.hpp"

#include <algorithm>
#include <string_view>

namespace breakwater {
namespace {

using nlohmann::json;

failure malformed(std::string why) { return {errc::field_malformed, std::move(why)}; }

const std::string* find(const stream_fields& fields, std::string_view name) {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const auto& field) { return field.first == name; });
  return found == fields.end() ? nullptr : &found->second;
}

/// Whether the schema gives this member types, and text is none of them.
bool is_never_text(const json& schema, const std::string& name) {
  const auto* at = &schema;
  for (const auto& step : {std::string{"properties"}, name, std::string{"type"}}) {
    const auto next = at->find(step);
    if (next == at->end()) return false;
    at = &*next;
  }
  const auto is_text = [](const json& type) { return type == "string"; };
  return at->is_array() ? std::none_of(at->begin(), at->end(), is_text) : !is_text(*at);
}

json flat(const stream_fields& fields, const json& schema) {
  auto event = json::object();
  for (const auto& [name, text] : fields) {
    const bool is_json = is_never_text(schema, name) && !nests_too_deep(text);
    auto value = is_json ? json::parse(text, nullptr, false) : json(text);
    event[name] = value.is_discarded() ? json(text) : std::move(value); // the contract will refuse it
  }
  return event;
}

/// Invalid UTF-8 can be in flat fields only: JSON is checked when it is parsed.
bool can_be_written(const json& event) {
  try {
    (void)event.dump();
    return true;
  } catch (const json::type_error&) {
    return false;
  }
}

} // namespace

bool nests_too_deep(std::string_view text) noexcept {
  std::size_t depth = 0;
  bool in_text = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_text) {
      if (c == '\\') ++i;
      in_text = c != '"';
    } else if (c == '"') {
      in_text = true;
    } else if (c == '[' || c == '{') {
      if (++depth > deepest_nesting) return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return false;
}

result<event_in_entry> read_event(const stream_fields& fields, const json& schema) {
  event_in_entry read;
  const std::string* text = nullptr;
  for (const auto* name : {"payload", "data"})
    if (text = find(fields, name); text != nullptr) {
      if (nests_too_deep(*text))
        return malformed(std::string{name} + " nests deeper than " + std::to_string(deepest_nesting) +
                         " levels");
      read.event = json::parse(*text, nullptr, false);
      if (read.event.is_discarded()) return malformed(std::string{name} + " is no JSON");
      if (!read.event.is_object())
        return malformed(std::string{name} + " is JSON, but no object: " + read.event.type_name());
      break;
    }
  if (text == nullptr) read.event = flat(fields, schema);
  if (!can_be_written(read.event)) return malformed("a field is no UTF-8 text");
  if (!read.event.contains("action") && read.event.contains("side")) {
    read.event["action"] = read.event["side"];
    read.from_side = true;
  }
  return read;
}

} // namespace breakwater
