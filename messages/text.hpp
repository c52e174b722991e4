#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// Texts of others where they would be obeyed: on a terminal, in a log, in a shell.
namespace breakwater {

/// How many bytes the character at `at` has, if it can be shown as it is; 0: it is a control character (a
/// terminal obeys it), a mark that turns the direction of text, or no UTF-8.
inline std::size_t shown_bytes(std::string_view text, std::size_t at) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const auto first = byte(0);
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() - at < size) return 0;
  std::uint32_t code = first & (0x7fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3fu);
  }
  const bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
  const bool is_character = !overlong && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  const bool is_control =
      code < 0xa0 || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
  return is_character && !is_control ? size : 0;
}

/// For a terminal: what cannot be shown is spelled out, a byte as \xNN.
inline std::string printable(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto size = shown_bytes(text, at);
    const auto byte = static_cast<unsigned char>(text[at]);
    if (size > 0)
      out += text.substr(at, size);
    else
      ((out += "\\x") += digits[byte >> 4]) += digits[byte & 15];
    at += std::max<std::size_t>(size, 1);
  }
  return out;
}

/// An address without what may be a secret in it: "wss://user:secret@host/path?key=secret" is
/// "wss://host/path?***".
inline std::string shown_address(std::string_view address) {
  const auto scheme = address.find("://");
  const auto host = scheme == std::string_view::npos ? 0 : scheme + 3;
  const auto end = std::min(address.find_first_of("/?#", host), address.size());
  const auto at = address.substr(0, end).rfind('@');
  std::string out{address.substr(0, host)};
  address.remove_prefix(at == std::string_view::npos || at < host ? host : at + 1);
  const auto query = address.find('?');
  out += address.substr(0, query);
  return query == std::string_view::npos ? out : out + "?***";
}

/// One word of a shell's command line, whatever stands in it.
inline std::string shell_word(std::string_view text) {
  constexpr std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,=@%+";
  if (!text.empty() && text.find_first_not_of(plain) == std::string_view::npos) return std::string{text};
  std::string out = "'";
  for (const char c : text) c == '\'' ? out += "'\\''" : out += c;
  return out += '\'';
}

} // namespace breakwater
