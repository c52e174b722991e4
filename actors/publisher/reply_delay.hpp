#pragma once

#include "messages/time.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

namespace breakwater {

/// How long records take from the receipt of their frame to the reply of Redis. They get through in the order
/// in which they were kept, so how many wait tells which of them have. A plain value.
class reply_delay {
public:
  /// Batches told apart while they wait; beyond, the newest count as one with the age of its oldest.
  static constexpr std::size_t most_batches = 4096;

  struct measured {
    std::chrono::milliseconds took;
    std::size_t records = 0;
  };

  /// So many wait from before.
  void begins_with(std::size_t waiting) { batches_.assign(1, {waiting, {}}), open_ = waiting; }

  /// A batch is on disk. Without a time nobody can tell how long its records take.
  void kept(std::size_t records, std::optional<wall_time> received_at) {
    open_ += records;
    if (batches_.size() < most_batches) return void(batches_.push_back({records, received_at}));
    auto& last = batches_.back();
    last.records += records;
    if (!last.received_at || (received_at && *received_at < *last.received_at))
      last.received_at = received_at;
  }

  /// So many wait now. Returns how long those took that do not any more. Should Redis have lost some it had,
  /// they are sent first, and until then nobody gets through.
  [[nodiscard]] std::vector<measured> waits(std::size_t waiting, wall_time now) {
    std::vector<measured> through;
    while (open_ > waiting && !batches_.empty()) {
      auto& first = batches_.front();
      const auto count = std::min(first.records, open_ - waiting);
      if (count > 0 && first.received_at) through.push_back({now - *first.received_at, count});
      open_ -= count;
      first.records -= count;
      if (first.records == 0) batches_.pop_front();
    }
    return through;
  }

  [[nodiscard]] bool idle() const noexcept { return open_ == 0; }

private:
  struct batch {
    std::size_t records = 0;
    std::optional<wall_time> received_at;
  };
  std::deque<batch> batches_; ///< Oldest first.
  std::size_t open_ = 0;      ///< Records in them.
};

} // namespace breakwater
