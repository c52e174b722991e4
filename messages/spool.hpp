#pragma once

#include <cstddef>
#include <cstdint>
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

} // namespace breakwater
