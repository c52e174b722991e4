#pragma once

#include "messages/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace breakwater {

/// An actor's own timer went off. From: itself. CAF cannot cancel timers, so an actor counts the ones it sets
/// and ignores all but the newest.
struct wake {
  std::uint64_t number = 0;
};

/// Finish what was taken, take no more. From: main. To: feed or replay, aggregator, publisher, in this order.
struct drain_request {};

/// Answer to drain_request, once nothing is left inside.
struct drained {
  std::size_t records = 0; ///< Passed on since the actor began.
};

/// Stop all children in reverse start order, each within the grace. From: main. To: supervisor.
struct stop_request {};
struct stopped {};

/// Start the child in this slot again. From: supervisor. To: itself, after the backoff.
struct restart_due {
  std::size_t slot = 0;
  std::uint64_t number = 0; ///< Of the timer; an older one is stale.
};

/// A child did not end within the grace. From: supervisor. To: itself.
struct stop_overdue {
  std::size_t slot = 0;
  std::uint64_t number = 0;
};

/// A child did not answer two health ticks in a row. From: health. To: supervisor.
struct child_unresponsive {
  std::string name;
};

/// Who runs, and what ended whom? From: api. To: supervisor, which answers with supervision_report.
struct supervision_question {};

struct supervision_report {
  struct child {
    std::string name;
    bool running = false;             ///< False: it waits for its restart.
    std::chrono::milliseconds age{0}; ///< Of the present life; of the last one, if it does not run.
    std::uint64_t restarts = 0;       ///< Since the process began.
    std::string last_cause{};         ///< Why the last life ended: "crashed: ..."; empty: none ended.
    std::optional<wall_time> last_failed_at{};
  };
  std::vector<child> children; ///< In start order.
  std::size_t recent = 0;      ///< Failures of all of them within the last `within`;
  std::size_t most = 0;        ///< one more than so many ends the process.
  std::chrono::milliseconds within{0};
};

/// End the named child by an exception, as a bug in a handler would, or have it hang in a handler. From: api,
/// only when chaos.enabled. To: supervisor, which passes it on to the child.
struct chaos_kill {
  std::string name;
  bool hang = false;
};

} // namespace breakwater
