#pragma once

#include "messages/exchange.hpp"
#include "messages/time.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace breakwater {

/// What can be wrong with the data of one symbol at one exchange, and how it ends.
enum class quality_kind : std::uint8_t {
  gap,       ///< Minutes are missing, and are being asked for; or nobody could fill them (the cause says so).
  stale,     ///< Nothing came for longer than feeds.stale_after.
  resync,    ///< The connection was replaced or lost; no minute is missing.
  recovered, ///< A gap was filled, or a stale symbol has data again.
};

constexpr const char* to_string(quality_kind kind) noexcept {
  switch (kind) {
  case quality_kind::gap: return "gap";
  case quality_kind::stale: return "stale";
  case quality_kind::resync: return "resync";
  case quality_kind::recovered: return "recovered";
  }
  return "unknown";
}

struct quality_marker {
  exchange of = exchange::binance;
  std::string symbol; ///< Ours.
  quality_kind kind = quality_kind::gap;
  wall_time from; ///< The time it is about, both ends included.
  wall_time to;
  std::string cause; ///< A sentence for people.

  bool operator==(const quality_marker&) const = default;
};

/// Markers for feeds.quality_stream, in order. From: feed. To: quality.
struct quality_batch {
  std::shared_ptr<const std::vector<quality_marker>> markers;
};

} // namespace breakwater
