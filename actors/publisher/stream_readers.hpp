#pragma once

#include "actors/support/stream_reply.hpp"
#include "messages/redis.hpp"
#include "messages/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace breakwater {

/// The consumer groups of a stream that is trimmed to `maxlen`: how far they are, how much may be added
/// before trimming takes what one of them has not read, and how long that is worth waiting for. A plain
/// value.
class stream_readers {
public:
  using milliseconds = std::chrono::milliseconds;

  stream_readers(std::size_t maxlen, milliseconds patience) : maxlen_(maxlen), patience_(patience) {}

  /// Reads XINFO GROUPS beside the XINFO STREAM of the same moment. `ours`: since the look before only our
  /// own records were added, so what trimming took meanwhile is on us. Returns how many entries the group
  /// that lost most had not read.
  std::uint64_t look(const redis_reply& groups, const stream_state& stream, bool ours);

  /// How many of `wanted` records may be added. 0: none, wait and look again.
  [[nodiscard]] std::size_t room(std::size_t wanted, mono_time now);
  /// The wait begins, if it has not; returns whether it does now.
  bool begin_to_wait(mono_time now);
  /// Whether patience just ran out: from now on there is room for everything until the groups have caught up.
  [[nodiscard]] bool gave_up_just_now() noexcept;

  /// Entries the slowest group has not read.
  [[nodiscard]] std::uint64_t unread() const noexcept { return unread_.value_or(0); }
  [[nodiscard]] milliseconds patience() const noexcept { return patience_; }

private:
  std::size_t maxlen_;
  milliseconds patience_;
  std::optional<std::uint64_t> unread_; ///< nullopt: there is no group.
  std::uint64_t trimmed_ = 0;           ///< Entries that were once in the stream, at the last look.
  std::optional<mono_time> impatient_at_;
  bool given_up_ = false, told_ = false;
};

} // namespace breakwater
