#pragma once

#include "actors/raw_reader/raw_position.hpp"
#include "actors/support/events.hpp"
#include "actors/support/stream_reply.hpp"
#include "messages/candle.hpp"
#include "messages/error.hpp"
#include "messages/redis.hpp"
#include "messages/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace breakwater {

/// Something the log should tell, as the input found it.
struct raw_notice {
  event what;
  std::vector<std::pair<const char*, std::string>> details;
};

/// Reads candles out of a stream, each entry once and in order: which command goes out next, and what its
/// replies mean. A plain value.
///
/// Each read looks at the stream and at the entries behind the cursor in one transaction, so the count of
/// entries ever added tells exactly how many were removed before they were read. Only when everything is
/// read does it block, and then for being woken alone.
class raw_input {
public:
  using milliseconds = std::chrono::milliseconds;
  struct options {
    std::string stream;
    std::size_t entries_a_read = 4096;
    milliseconds block_for{1000}; ///< How long Redis waits for an entry before it answers with none.
  };

  explicit raw_input(options how);

  /// From here on reading goes on behind `position`, a text of position(). Of any other text, from the oldest
  /// entry there is.
  void read_from(std::string_view position);

  /// The next commands; their replies are to be taken before the next.
  [[nodiscard]] redis_commands next() const;

  /// At most two batches: entries that may have been merged before are not mixed with others.
  struct reading {
    std::vector<candle_batch> batches; ///< In order. One without candles brings a position alone.
    std::vector<raw_notice> notices;
  };
  /// Fails with errc::redis_refused; the same commands are to be sent again then.
  [[nodiscard]] result<reading> take(std::span<const redis_reply> replies, wall_time now);

  /// Nothing came back: what was known of the stream may not hold, and over a slow connection a shorter
  /// answer may still come in time.
  void look_again() noexcept;

  /// Everything is read: the next commands only wait for more.
  [[nodiscard]] bool waits() const noexcept { return waits_; }
  /// Behind the last batch that was taken out.
  [[nodiscard]] const std::string& position() const noexcept { return position_; }
  [[nodiscard]] const raw_position& at() const noexcept { return at_; }

  struct counts {
    std::uint64_t entries = 0;    ///< Read, also a second time.
    std::uint64_t unreadable = 0; ///< No candles.
    std::uint64_t markers = 0;
    std::uint64_t holes = 0;  ///< Times entries were gone before they were read.
    std::uint64_t behind = 0; ///< Entries that were there and not yet read, at the last look.
  };
  [[nodiscard]] const counts& counted() const noexcept { return counts_; }

private:
  using entries = std::span<const redis_reply>;
  /// Where this read stands in the stream, by its own count.
  struct place {
    bool all = false;         ///< Nothing is left behind what was read.
    bool gone_before = false; ///< The oldest entry lies behind the cursor.
    bool told = false;        ///< Redis tells how many were ever added (7 and later).
    /// Entries removed between the cursor and the end of this read, if that can be known now. Below 0: the
    /// stream lost entries that were read.
    std::optional<std::int64_t> gone = {};
  };
  struct unreadable_entries {
    std::uint64_t count = 0;
    entry_id first;
    const char* why = ""; ///< Of the first.
  };
  [[nodiscard]] place place_of(const stream_state& stream, std::size_t read) const;
  /// Why what Redis has is older than what was read of it; empty: it is not.
  [[nodiscard]] std::string older(const stream_state& stream, const place& where) const;
  void begin_again(std::string why, reading& out);
  void note_hole(const stream_state& stream, const place& where, reading& out);
  [[nodiscard]] candle_batch read_entries(entries some, wall_time now, unreadable_entries& bad);
  /// The batch ends where reading stands now.
  void seal(candle_batch& batch);

  options options_;
  raw_position at_;
  std::string position_; ///< Of the last batch.
  bool waits_ = false;
  std::size_t entries_a_read_; ///< Less than options.entries_a_read after answers that did not come.
  counts counts_;
};

} // namespace breakwater
