#pragma once

#include "actors/bridge/event_reading.hpp"
#include "actors/support/entry_id.hpp"
#include "actors/support/events.hpp"
#include "messages/error.hpp"
#include "messages/redis.hpp"
#include "messages/time.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace breakwater {

/// Reads a stream through a consumer group, each entry at least once: what this consumer left unfinished
/// first, then what others left unfinished for long, then what is new. Sees to it that the group is there,
/// and notices entries that were trimmed before the group read them. A plain value.
class group_reader {
public:
  struct options {
    std::string stream, group, consumer;
    redis_lane lane = redis_lane::bridge;
    std::chrono::milliseconds claim_after{60'000};
  };
  static constexpr std::size_t entries_a_read = 64;
  /// How long Redis holds the answer back when there is nothing new. Short enough to look after other things.
  static constexpr std::chrono::milliseconds block_for{2000};
  /// How often group and stream are looked at for what went wrong unnoticed.
  static constexpr std::chrono::milliseconds look_every{60'000};

  explicit group_reader(options what);

  struct entry {
    entry_id id;
    stream_fields fields;
  };
  struct notice {
    event what;
    std::vector<std::pair<std::string, std::string>> details;
  };
  struct found {
    std::vector<entry> entries;     ///< To be finished before the next read.
    std::vector<entry_id> bodiless; ///< Trimmed while pending: only to be acknowledged.
    std::vector<notice> notices;
    std::size_t claimed = 0;        ///< Of the entries: another consumer left them.
    std::size_t trimmed_unread = 0; ///< Entries that were trimmed before the group read them.
    std::size_t dropped = 0;        ///< Others' entries that had no body any more; Redis acknowledged them.
  };

  /// The next commands; their replies belong to take().
  [[nodiscard]] redis_commands next(mono_time now);
  /// Fails with errc::redis_refused; then, as after a lost answer, start_over().
  [[nodiscard]] result<found> take(const std::vector<redis_reply>& replies, mono_time now);
  /// Something read was not finished, or an answer was lost: looks again, and at the own pending entries from
  /// the first.
  void start_over() noexcept;

  /// Where the finished entries' newest id is kept in Redis, to create the group there should it be gone.
  [[nodiscard]] static std::string checkpoint_key(const std::string& stream, const std::string& group);

private:
  enum class step : std::uint8_t { look, create, mend, own, claim, fresh };

  void on_look(const std::vector<redis_reply>& replies, found& out);
  void on_claimed(const redis_reply& reply, found& out, mono_time now);
  void after_own(mono_time now);
  [[nodiscard]] redis_commands commands(std::string wire, std::size_t count,
                                        std::chrono::milliseconds blocks_for = {}) const;

  options options_;
  step step_ = step::look;
  std::string created_at_, read_before_; ///< What create and mend are done with.
  std::string delivered_;                ///< The group's last-delivered-id when it was looked at.
  bool said_ = false;                    ///< That it reads.
  entry_id own_after_;                   ///< Own pending entries were read up to here.
  std::string claim_from_ = "0-0";
  mono_time look_at_{}, claim_at_{};
};

} // namespace breakwater
