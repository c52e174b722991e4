#pragma once

#include "actors/support/events.hpp"

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace breakwater {

/// One `key=value` of a log line. Keys come from a fixed vocabulary: actor exchange symbol reason errc
/// attempt count bytes age_ms wait_ms and the few that an event needs beside them.
struct field {
  field(std::string_view k, std::string v) : key(k), value(std::move(v)) {}
  field(std::string_view k, std::string_view v) : key(k), value(v) {}
  field(std::string_view k, const char* v) : key(k), value(v) {}
  template <std::integral T>
  field(std::string_view k, T v) : key(k), value(std::to_string(v)), quoted(false) {}

  std::string_view key;
  std::string value;
  bool quoted = true; ///< In JSON: a string; numbers stand bare.
};
using fields = std::vector<field>;

/// Writes one line for `what`, under the tag of `actor`. For shells and edges; cores return what happened
/// instead.
void emit(std::string_view actor, event what, std::initializer_list<field> details = {});
void emit(std::string_view actor, event what, const fields& details);

} // namespace breakwater
