#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

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

/// End the named child by an exception, as a bug in a handler would, or have it hang in a handler. From: api,
/// only when chaos.enabled. To: supervisor, which passes it on to the child.
struct chaos_kill {
  std::string name;
  bool hang = false;
};

} // namespace breakwater
