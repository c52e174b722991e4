#pragma once

#include "messages/time.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace breakwater {

enum class position_status : std::uint8_t {
  healthy,      ///< Seen active not long ago.
  check_needed, ///< Seen, but with errors.
  silent,       ///< Not seen for longer than position_monitor.silent_after.
  unknown,      ///< No source is configured, and no heartbeat ever came.
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

/// Lines of the position monitor's log, or why there are none. From: the log edge. To: position_monitor.
struct log_lines {
  std::shared_ptr<const std::vector<std::string>> lines;
  std::string problem; ///< Why the log cannot be read now; empty: it can.
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
  std::string last_error; ///< The line, shortened.
  std::vector<source> sources;
};

} // namespace breakwater
