#pragma once

#include "messages/time.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace breakwater {

/// Id of a stream entry, `<ms>-<n>`. 0-0 is before every entry.
struct entry_id {
  std::uint64_t ms = 0;
  std::uint64_t n = 0;

  auto operator<=>(const entry_id&) const = default;
  /// The id `steps` behind this one within the same millisecond.
  [[nodiscard]] entry_id plus(std::uint64_t steps) const noexcept { return {ms, n + steps}; }
};

/// Holds the text of the last id it was asked for: to_string without an allocation.
class entry_id_text {
public:
  std::string_view of(entry_id id) noexcept;

private:
  std::array<char, 41> buffer_;
};
std::string to_string(entry_id id);

/// Reads "<ms>-<n>". nullopt: not of that form.
std::optional<entry_id> parse_entry_id(std::string_view text) noexcept;

/// Hands out strictly increasing ids from the wall clock, never behind the last one whatever the clock does.
class entry_id_clock {
public:
  /// The first of `count` ids in a row, all within one millisecond.
  [[nodiscard]] entry_id stamp(wall_time now, std::uint64_t count) noexcept;
  /// No id at or below `seen` is handed out from now on.
  void raise_above(entry_id seen) noexcept;
  [[nodiscard]] entry_id last() const noexcept { return last_; }

private:
  entry_id last_;
};

} // namespace breakwater
