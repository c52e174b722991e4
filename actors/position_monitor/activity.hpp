#pragma once

#include "actors/support/entry_id.hpp"
#include "config/settings.hpp"
#include "messages/position.hpp"
#include "messages/redis.hpp"
#include "messages/time.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace breakwater {

/// When the external position monitor was seen, by which of its sources, and what that says of it. A plain
/// value: no thread, no clock, no actor.
///
/// Its status, the first that holds:
/// - UNKNOWN: no source is configured and no heartbeat ever came, so there is nothing to expect.
/// - SILENT: not seen active for more than silent_after, counted from its last activity or from `born`,
///   whichever is later. So a fresh process watches for that long before it says so. Errors alone are no
///   activity: a monitor that only fails becomes SILENT, and the reason tells its last error.
/// - CHECK_NEEDED: its newest error is at most silent_after old, whatever came after it.
/// - HEALTHY: its last activity is at most silent_after old.
/// - UNKNOWN: else; nothing was seen in the little time since `born`.
class activity {
public:
  activity(position_monitor_settings how, moment born);

  /// It said so itself.
  void take_heartbeat(moment now);
  /// What its log says, or why it cannot be read.
  void take_log(const log_sightings& seen, moment now);
  /// The reply to newest_entry: another id than before is an activity, at the id's time, but never in the
  /// future. One look counts one, however many entries are new.
  void take_stream(const redis_reply& newest, moment now);
  /// The stream could not be asked.
  void stream_unread(std::string why);

  /// The commands that ask its stream for the newest entry. Only if there is a stream.
  [[nodiscard]] redis_commands newest_entry() const;

  [[nodiscard]] position_report report(moment now) const;
  /// Lines of its log that were too long to be looked at to their end, since the process began.
  [[nodiscard]] std::uint64_t cut_lines() const noexcept { return cut_lines_; }

private:
  enum class from : std::uint8_t { stream, log, heartbeat };
  struct source {
    const char* name;
    std::string of;
    bool is_configured = false;
    std::optional<moment> last_seen{};
    std::string problem{};
  };

  source& at(from which) { return sources_[static_cast<std::size_t>(which)]; }
  [[nodiscard]] const source& at(from which) const { return sources_[static_cast<std::size_t>(which)]; }
  void see(from which, moment when, std::uint64_t times);
  [[nodiscard]] bool is_expected() const;
  [[nodiscard]] position_status status(mono_time now) const;
  [[nodiscard]] std::string why(position_status status, mono_time now) const;

  position_monitor_settings how_;
  moment born_;
  std::array<source, 3> sources_;
  std::optional<moment> last_seen_, last_error_at_;
  const char* seen_by_ = "";
  std::uint64_t activities_ = 0, errors_ = 0, cut_lines_ = 0;
  std::string last_error_;
  std::optional<entry_id> newest_id_;
};

} // namespace breakwater
