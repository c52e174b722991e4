#include "actors/support/resp.hpp"

#include <cstring>

namespace breakwater {
namespace {

char* write_head(char* at, char mark, std::size_t number) {
  *at++ = mark;
  at = std::to_chars(at, at + 20, number).ptr;
  *at++ = '\r';
  *at++ = '\n';
  return at;
}

} // namespace

void append_command(std::string& wire, std::span<const std::string_view> arguments) {
  // The longest it can get is made room for once, written through, and cut to what it became.
  constexpr std::size_t longest_head = 23; // mark, 20 digits, CR LF
  std::size_t room = longest_head;
  for (const auto& argument : arguments) room += longest_head + argument.size() + 2;
  const auto begin = wire.size();
  wire.resize(begin + room);
  auto* at = write_head(wire.data() + begin, '*', arguments.size());
  for (const auto& argument : arguments) {
    at = write_head(at, '$', argument.size());
    if (!argument.empty()) std::memcpy(at, argument.data(), argument.size());
    at += argument.size();
    *at++ = '\r';
    *at++ = '\n';
  }
  wire.resize(static_cast<std::size_t>(at - wire.data()));
}

} // namespace breakwater
