#pragma once

#include "messages/error.hpp"
#include "messages/exchange.hpp"
#include "messages/time.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace breakwater {

/// One recorded WebSocket text message. `text` belongs to the source and is valid until it is asked for more.
struct recorded_frame {
  exchange from = exchange::binance;
  wall_time received_at;
  std::string_view text;
};

struct skipped_line {
  std::uint64_t number = 0; ///< From 1.
  failure why;
};

struct recorded_frames {
  std::vector<recorded_frame> frames;
  std::vector<skipped_line> skipped; ///< Lines that could not be used, each counted here.
  bool at_end = false;               ///< Nothing follows.
  failure broken;                    ///< With at_end: reading failed, errc::file_unreadable.
};

/// Where REPLAY's frames come from. frame_file_io reads a file, a fake a list.
struct frame_source_port {
  virtual ~frame_source_port() = default;
  /// Replaces what is in `out` by the next frames, at most `max`; perhaps none although more follow.
  virtual void next(std::size_t max, recorded_frames& out) = 0;
};

} // namespace breakwater
