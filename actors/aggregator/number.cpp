#include "actors/aggregator/number.hpp"

#include <charconv>
#include <cmath>
#include <cstddef>

namespace breakwater {

std::string_view number_text::of(double value) noexcept {
  const double size = std::fabs(value);
  const bool ordinary = size == 0 || (size >= 1e-9 && size < 1e16);
  const auto form = ordinary ? std::chars_format::fixed : std::chars_format::general;
  const auto* end = std::to_chars(buffer_.data(), buffer_.data() + buffer_.size(), value, form).ptr;
  return {buffer_.data(), static_cast<std::size_t>(end - buffer_.data())};
}

std::string_view number_text::of(std::int64_t value) noexcept {
  const auto* end = std::to_chars(buffer_.data(), buffer_.data() + buffer_.size(), value).ptr;
  return {buffer_.data(), static_cast<std::size_t>(end - buffer_.data())};
}

} // namespace breakwater
