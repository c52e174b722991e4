#include "actors/publisher/stream_readers.hpp"

#include <algorithm>
#include <utility>

namespace breakwater {

std::uint64_t stream_readers::look(const redis_reply& groups, const stream_state& stream, bool ours) {
  const auto trimmed_before = std::exchange(trimmed_, stream.added - std::min(stream.length, stream.added));
  unread_.reset();
  if (groups.what != redis_reply::kind::array) return 0;
  std::uint64_t lost = 0;
  for (const auto& group : groups.items) {
    const auto number = [&](const char* name) -> std::optional<std::uint64_t> {
      const auto* found = value_of(group, name);
      if (!found || found->what != redis_reply::kind::integer || found->integer < 0) return std::nullopt;
      return static_cast<std::uint64_t>(found->integer);
    };
    // Redis before 7 tells no lag, later ones not always; then the group may have everything to read yet.
    const auto unread = std::min(number("lag").value_or(stream.length), stream.length);
    unread_ = std::max(unread_.value_or(0), unread);
    // The ordinal of the newest entry it read. A group that never read has none.
    const auto* delivered = value_of(group, "last-delivered-id");
    const auto id = delivered ? parse_entry_id(delivered->text) : std::nullopt;
    const bool is_below = id && (!stream.first || *id < *stream.first);
    const auto position = number("entries-read").value_or(is_below ? trimmed_before : trimmed_);
    lost = std::max(lost, trimmed_ - std::min(trimmed_, std::max(position, trimmed_before)));
  }
  return ours ? lost : 0;
}

std::size_t stream_readers::room(std::size_t wanted, mono_time now) {
  const auto left = !unread_ ? wanted : maxlen_ - std::min<std::size_t>(*unread_, maxlen_);
  if (left >= std::min(wanted, maxlen_)) {
    impatient_at_.reset();
    given_up_ = told_ = false;
    return std::min(wanted, left);
  }
  if (impatient_at_ && now >= *impatient_at_) given_up_ = true;
  if (given_up_) return wanted;
  if (left > 0) impatient_at_.reset();
  return left;
}

bool stream_readers::begin_to_wait(mono_time now) {
  if (impatient_at_) return false;
  impatient_at_ = now + patience_;
  return true;
}

bool stream_readers::gave_up_just_now() noexcept { return given_up_ && !std::exchange(told_, true); }

} // namespace breakwater
