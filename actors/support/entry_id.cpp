#include "actors/support/entry_id.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>

namespace breakwater {

std::string_view entry_id_text::of(entry_id id) noexcept {
  constexpr std::ptrdiff_t longest = 20; // digits of 2^64 - 1
  auto* at = std::to_chars(buffer_.data(), buffer_.data() + longest, id.ms).ptr;
  *at++ = '-';
  at = std::to_chars(at, at + longest, id.n).ptr;
  return {buffer_.data(), static_cast<std::size_t>(at - buffer_.data())};
}

std::string to_string(entry_id id) { return std::string{entry_id_text{}.of(id)}; }

std::optional<entry_id> parse_entry_id(std::string_view text) noexcept {
  entry_id id;
  const auto* end = text.data() + text.size();
  const auto [dash, ms_error] = std::from_chars(text.data(), end, id.ms);
  if (ms_error != std::errc{} || dash == end || *dash != '-') return std::nullopt;
  const auto [rest, n_error] = std::from_chars(dash + 1, end, id.n);
  if (n_error != std::errc{} || rest != end) return std::nullopt;
  return id;
}

entry_id entry_id_clock::stamp(wall_time now, std::uint64_t count) noexcept {
  const auto ms = static_cast<std::uint64_t>(std::max<std::int64_t>(epoch_ms(now), 0));
  const entry_id first = ms > last_.ms ? entry_id{ms, 0} : last_.plus(1);
  if (count > 0) last_ = first.plus(count - 1);
  return first;
}

void entry_id_clock::raise_above(entry_id seen) noexcept { last_ = std::max(last_, seen); }

} // namespace breakwater
