#pragma once

#include "messages/candle.hpp"
#include "messages/redis.hpp"

namespace breakwater {

/// What an entry of the raw stream turned out to be.
struct raw_content {
  enum class kind : std::uint8_t {
    candle,
    marker,     ///< The single field `init`: somebody made the stream.
    unreadable, ///< `why` says which field.
  };
  kind what = kind::unreadable;
  const char* why = "";
};

/// Reads the fields of an entry (names and values, alternating) into `out`, all but the two times. Numbers
/// must fill their text; prices are above 0, volume is not below.
raw_content read_raw_candle(const redis_reply& fields, candle& out) noexcept;

} // namespace breakwater
