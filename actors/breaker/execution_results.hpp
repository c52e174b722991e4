#pragma once

#include "actors/support/entry_id.hpp"
#include "messages/breaker.hpp"
#include "messages/error.hpp"
#include "messages/redis.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace breakwater {

/// Reads how trade intents ended from a stream that their executor writes: which commands to send, and what
/// the replies mean for the breaker. A plain value.
class execution_results {
public:
  /// How long Redis waits for a new entry before it answers with none.
  static constexpr std::chrono::milliseconds block_for{5000};
  static constexpr std::size_t entries_a_read = 100;

  execution_results(std::string stream, std::vector<std::string> failure_statuses);

  /// From behind this entry; without one, from behind what is there when the stream is looked at first:
  /// results of the time before we watched decide nothing.
  void read_from(std::optional<entry_id> cursor) noexcept { cursor_ = cursor; }

  /// A look at the stream, and the entries behind the cursor once there is one.
  [[nodiscard]] redis_commands next() const;
  /// The results among the replies to that, oldest first; the cursor moves behind them. A stream that is
  /// older than the cursor (Redis lost its newest entries) is read on from its end. Fails with
  /// errc::redis_refused.
  [[nodiscard]] result<std::vector<call_outcome>> take(const std::vector<redis_reply>& replies);

  [[nodiscard]] std::optional<entry_id> cursor() const noexcept { return cursor_; }

private:
  [[nodiscard]] call_outcome outcome_of(entry_id id, const redis_reply& fields) const;

  std::string stream_;
  std::vector<std::string> failure_statuses_; ///< In lower case.
  std::optional<entry_id> cursor_;
};

} // namespace breakwater
