#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace breakwater {

/// Something worth keeping: start, stop, a restart, a breaker move. From: supervisor, breaker, main. To:
/// audit.
struct audit_record {
  std::string what;  ///< "process_started", "actor_restarted", "breaker_moved" ...
  std::string actor; ///< Who it happened to.
  std::vector<std::pair<std::string, std::string>> details; ///< In the order to write.
};

/// Something that may only happen once it is written down. From: breaker. To: audit, which answers with
/// audit_written when the line is on disk, or with errc::audit_unwritable.
struct audit_order {
  audit_record what;
};
struct audit_written {
  std::uint64_t number = 0; ///< Of the line.
};

/// The newest lines, please. From: api. To: audit, which answers with audit_tail.
struct audit_tail_request {
  std::size_t limit = 50;
};
struct audit_tail {
  std::vector<std::string> lines; ///< Newest first, JSON objects as they stand in the file.
};

} // namespace breakwater
