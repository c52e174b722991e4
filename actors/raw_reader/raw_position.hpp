#pragma once

#include "actors/support/entry_id.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace breakwater {

/// How far a stream was read: what must be known to go on exactly there, and to notice what is gone.
struct raw_position {
  entry_id cursor; ///< Everything up to here was read; 0-0: nothing.
  /// How many entries the stream had been given up to there, since it began. nullopt: not known (yet).
  std::optional<std::uint64_t> ordinal;
  entry_id again_upto;           ///< Entries up to here may have been merged before. 0-0: none.
  std::uint64_t gone_unread = 0; ///< Entries removed before they were read, as far as Redis tells.

  bool operator==(const raw_position&) const = default;
};

/// One line, to be kept. `stream` is a part of it: the position means nothing in another one.
std::string to_text(const raw_position& position, std::string_view stream);
/// nullopt: not of that form, of a later version, or of another stream.
std::optional<raw_position> parse_raw_position(std::string_view text, std::string_view stream) noexcept;

} // namespace breakwater
