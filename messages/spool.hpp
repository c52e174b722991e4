#pragma once

#include "messages/health.hpp"
#include "messages/time.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace breakwater {

enum class spool_outcome : std::uint8_t {
  opened,      ///< Everything asked for before is done; the spool can be read.
  kept,        ///< On disk.
  no_room,     ///< The spool is at spool.max_bytes; nothing was kept.
  failed,      ///< It could not be written (disk full, an I/O error); nothing was kept.
  quarantined, ///< Records failed their checksum and were set aside; `count` of them.
};

/// What became of something asked of the spool. From: spool edge. To: publisher.
struct spool_event {
  std::uint64_t ticket = 0; ///< Of the request; 0: of none.
  spool_outcome what = spool_outcome::failed;
  std::string detail{}; ///< Why it failed; which records are set aside.
  std::size_t count = 0;
};

/// What waits for Redis? From: api. To: publisher, which answers with spool_report.
struct spool_question {};

/// One output stream's part of the spool, and how it drains.
struct spool_report {
  std::string stream;
  health_level level = health_level::ok;
  std::string why;          ///< Empty when ok.
  std::string state;        ///< Of the delivery: "ready", "resyncing" ...
  std::size_t waiting = 0;  ///< Records Redis does not have yet.
  std::size_t retained = 0; ///< Records Redis has that are kept for a while.
  std::size_t bytes = 0;    ///< Of both.
  std::size_t max_bytes = 0;
  std::size_t dead = 0;                              ///< Records set aside.
  std::uint64_t accepted = 0, acknowledged = 0;      ///< Records since the actor began.
  double accepted_per_s = 0, acknowledged_per_s = 0; ///< Over the last 10 s.
  std::optional<wall_time> oldest_waiting;           ///< When it was accepted.
  std::optional<wall_time> last_kept;                ///< When a batch was on disk last.
  std::optional<wall_time> last_acknowledged;        ///< When Redis took one last.
  std::string last_id;                               ///< Newest id given.
  std::string uuid;                                  ///< Of the spool.
  std::string owner; ///< Another spool that owns the stream; empty: it is ours.
  std::uint64_t transactions = 0, resyncs = 0, refusals = 0, sent_again = 0, holes = 0, trimmed_unread = 0;
};

} // namespace breakwater
