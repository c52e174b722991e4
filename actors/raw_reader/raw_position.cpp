#include "actors/raw_reader/raw_position.hpp"

#include <charconv>

namespace breakwater {
namespace {

constexpr std::string_view version = "1";
constexpr std::string_view unknown = "-";

/// The words of `text` one after the other; the last call takes the rest.
std::string_view next_word(std::string_view& text) noexcept {
  const auto end = text.find(' ');
  const auto word = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return word;
}

std::optional<std::uint64_t> number(std::string_view text) noexcept {
  std::uint64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || rest != end) return std::nullopt;
  return value;
}

} // namespace

std::string to_text(const raw_position& position, std::string_view stream) {
  std::string text{version};
  text += ' ';
  text += to_string(position.cursor);
  text += ' ';
  text += position.ordinal ? std::to_string(*position.ordinal) : std::string{unknown};
  text += ' ';
  text += to_string(position.again_upto);
  text += ' ';
  text += std::to_string(position.gone_unread);
  text += ' ';
  text += stream;
  return text;
}

std::optional<raw_position> parse_raw_position(std::string_view text, std::string_view stream) noexcept {
  if (next_word(text) != version) return std::nullopt;
  const auto cursor = parse_entry_id(next_word(text));
  const auto ordinal_text = next_word(text);
  const auto ordinal = number(ordinal_text);
  const auto again_upto = parse_entry_id(next_word(text));
  const auto gone_unread = number(next_word(text));
  if (!cursor || (!ordinal && ordinal_text != unknown) || !again_upto || !gone_unread || text != stream)
    return std::nullopt;
  return raw_position{*cursor, ordinal, *again_upto, *gone_unread};
}

} // namespace breakwater
