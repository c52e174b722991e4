#pragma once

#include "actors/support/entry_id.hpp"
#include "messages/error.hpp"
#include "messages/redis.hpp"

#include <optional>
#include <string_view>

/// Reading what Redis says of streams.
namespace breakwater {

/// What XINFO STREAM says of a stream.
struct stream_state {
  entry_id last;                 ///< last-generated-id; 0-0 if the stream is absent or was never written.
  std::optional<entry_id> first; ///< Oldest entry; none if there is none.
  std::uint64_t length = 0;      ///< Entries it has.
  std::uint64_t added = 0;       ///< Entries ever added to it (Redis 7); 0: not told.
  bool was_trimmed = false;      ///< Entries were once there and are gone.
};

/// Reads the reply to XINFO STREAM; "no such key" is an absent stream. Fails with errc::redis_refused.
result<stream_state> parse_stream_state(const redis_reply& reply);

/// The value behind `name` in a flat array of names and values; nullptr if it is not there.
const redis_reply* value_of(const redis_reply& flat, std::string_view name) noexcept;

/// The id of an entry, which is an array of id and fields.
std::optional<entry_id> entry_id_of(const redis_reply& entry) noexcept;

} // namespace breakwater
