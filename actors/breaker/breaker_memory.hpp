#pragma once

#include "messages/breaker.hpp"
#include "messages/error.hpp"
#include "messages/time.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace breakwater {

/// What of a breaker outlives the actor and the process. Wall times, for no other clock does.
struct breaker_memory {
  breaker_phase phase = breaker_phase::closed;
  unsigned failures = 0;
  std::chrono::milliseconds open_for{0}; ///< Of the next or present OPEN.
  wall_time open_until;                  ///< Of OPEN.
  wall_time left_closed_at;              ///< Unless closed; so is trigger.
  std::string trigger;
  std::vector<wall_time> recent_failures; ///< Oldest first.
  std::string last_failure;
  std::string cursor;                ///< Of the last result that had one.
  breaker_statistics seen;           ///< Without the open time that still lasts.
  std::vector<breaker_move> history; ///< Oldest first.
};

/// As JSON, for the store: everything but the history, and one line a move. The newest move stands in both,
/// so that a crash between writing the two loses none.
std::string state_text(const breaker_memory& memory);
std::string move_text(const breaker_move& move);

/// The way back. `moves` are the history's lines, oldest first; one that cannot be read is left out. Fails
/// with errc::field_malformed when `state` is not what state_text() writes.
result<breaker_memory> read_memory(std::string_view state, const std::vector<std::string>& moves);

} // namespace breakwater
