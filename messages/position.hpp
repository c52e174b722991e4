#pragma once

#include "messages/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace breakwater {

enum class position_status : std::uint8_t {
  healthy,      ///< Seen active not long ago.
  check_needed, ///< Seen, but with errors.
  silent,       ///< Not seen for longer than position_monitor.silent_after.
  /// Nobody can tell: no source is configured and no heartbeat ever came, or this process has not watched
  /// for silent_after yet and saw nothing in that time.
  unknown,
};

constexpr const char* to_string(position_status status) noexcept {
  switch (status) {
  case position_status::healthy: return "HEALTHY";
  case position_status::check_needed: return "CHECK_NEEDED";
  case position_status::silent: return "SILENT";
  case position_status::unknown: return "UNKNOWN";
  }
  return "UNKNOWN";
}

/// The position monitor says that it is alive. From: api. To: position_monitor, which answers with
/// position_report.
struct position_heartbeat {
  std::string from; ///< Address.
};

/// What stood in the position monitor's log since the last of these, or why it cannot be read. Counts instead
/// of lines, so that no log floods anybody. From: the log edge. To: position_monitor.
struct log_sightings {
  std::uint64_t activities = 0; ///< Lines that show it active.
  std::uint64_t errors = 0;     ///< Lines that are an error; a line may be both.
  std::uint64_t cut = 0;        ///< Lines that were too long to be looked at to their end.
  std::string last_error;       ///< The newest such line, shortened and without secrets.
  std::string problem;          ///< Why the log cannot be read now; empty: it can.
};

/// Is the position monitor alive? From: api, alerts. To: position_monitor, which answers with
/// position_report.
struct position_question {};

struct position_report {
  struct source {
    std::string name; ///< "stream", "log", "heartbeat".
    std::string of;   ///< The stream, file or unit; empty for the heartbeat.
    std::optional<wall_time> last_seen;
    std::string problem; ///< Why it cannot be read now; empty: it can.
  };
  position_status status = position_status::unknown;
  std::string why;                    ///< Of a status that is not HEALTHY.
  std::optional<wall_time> last_seen; ///< By whichever source; activity only.
  std::string seen_by;                ///< Which source that was.
  std::uint64_t activities = 0;       ///< Since the process began.
  std::uint64_t errors = 0;           ///< Likewise.
  std::optional<wall_time> last_error_at;
  std::string last_error; ///< The line, shortened and without secrets.
  std::vector<source> sources;
};

} // namespace breakwater
