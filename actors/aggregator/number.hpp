#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace breakwater {

/// Numbers as they stand in a stream entry. Holds the text of the last number it was asked for.
class number_text {
public:
  /// The shortest text that reads back to the same double; without exponent from 1e-9 to below 1e16.
  std::string_view of(double value) noexcept;
  std::string_view of(std::int64_t value) noexcept;

private:
  std::array<char, 48> buffer_;
};

} // namespace breakwater
