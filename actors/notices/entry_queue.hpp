#pragma once

#include "actors/support/reply_class.hpp"
#include "messages/notice.hpp"
#include "messages/redis.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace breakwater {

/// Entries on their way into a Redis stream, a piece at a time. When Redis is away the newest wait: old ones
/// help nobody, so they are not spooled. A plain value.
///
/// What an unanswered piece became nobody knows, so it goes out again: an entry can stand in the stream
/// twice.
class entry_queue {
public:
  entry_queue(std::string stream, std::size_t maxlen, std::size_t capacity = 4096);

  /// Adds entries, in order, each with at least one field; the oldest make room and are counted.
  void add(const std::vector<entry_fields>& entries);
  [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }

  static constexpr std::size_t entries_a_piece = 256;
  /// XADDs of the oldest entries, which wait on until taken() or the next piece. Not while empty.
  [[nodiscard]] redis_commands next_piece();
  struct outcome {
    std::string refusal;               ///< The first; empty: all were taken.
    retry_way retry = retry_way::none; ///< How those may be sent again that were not dropped.
  };
  /// What Redis answered to that piece: what it took is gone from here, and so is what it would refuse again;
  /// that is counted. What it refuses for now waits on.
  [[nodiscard]] outcome taken(const std::vector<redis_reply>& replies);
  /// No answer came: the piece waits on.
  void not_taken() noexcept { in_piece_ = 0; }

  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }
  [[nodiscard]] std::uint64_t written() const noexcept { return written_; }
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; } ///< To make room.
  [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }

private:
  std::string stream_, maxlen_;
  std::size_t capacity_;
  std::deque<entry_fields> waiting_; ///< The oldest first.
  std::size_t in_piece_ = 0;         ///< Of these, at the front.
  std::uint64_t written_ = 0, dropped_ = 0, refused_ = 0;
};

} // namespace breakwater
