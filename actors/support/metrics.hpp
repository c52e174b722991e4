#pragma once

#include "actors/support/events.hpp"
#include "messages/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

/// What is measured while it happens, for shells and edges; cores return what happened instead. Figures that
/// an actor keeps anyway are told by its reports and are not counted here once more.
namespace breakwater {

/// What takes time and is told as a histogram, in the order data flows. In brackets: what tells several
/// apart.
enum class latency : std::uint8_t {
  frame_to_reply, ///< From the receipt of a record's frame to the Redis reply that acknowledges it (stream).
  redis_command,  ///< From sending commands to their last reply; blocking reads are left out.
  redis_ping,     ///< Round trip of a health ping.
  spool_commit,   ///< One transaction of the spool, with its sync when spool.sync is "batch".
  actor_answer,   ///< From the health tick's question to the answer: the age of a mailbox (actor).
  api_request,    ///< From a whole HTTP request to its answer (status: "2xx", "4xx", "5xx").
};
inline constexpr std::size_t latency_count = static_cast<std::size_t>(latency::api_request) + 1;

/// What goes well again and again; when it did last is told, in the order data flows.
enum class success : std::uint8_t {
  universe_read,    ///< symbols.universe_key was read and understood.
  feed_data,        ///< A candle of the exchange (exchange).
  feed_fetch,       ///< Past candles of the exchange (exchange).
  raw_read,         ///< The raw stream was read; it need not have had anything new.
  merged_candle,    ///< A candle was merged.
  merged_record,    ///< A record was made.
  spool_commit,     ///< Something was committed to the spool.
  record_kept,      ///< A record was accepted (stream).
  record_published, ///< A record was acknowledged by Redis (stream).
  redis_ping,       ///< A health ping was answered with PONG.
  redis_command,    ///< Redis answered commands.
  breaker_saved,    ///< A breaker's state is on disk (breaker).
  results_read,     ///< Execution results were read; there need not have been any.
  bridge_read,      ///< A bridge's stream was read; it need not have had anything new (bridge).
  bridge_finished,  ///< An event was finished: delivered, held back or set aside (bridge).
  notice_written,   ///< An entry went into its stream (stream).
  health_tick,      ///< A health tick was closed.
  alerts_look,      ///< All alert rules were looked at.
  clock_compared,   ///< Our clock was compared with Redis's.
  webhook_taken,    ///< The webhook took an alert.
  audit_written,    ///< A line is on disk.
};
inline constexpr std::size_t success_count = static_cast<std::size_t>(success::audit_written) + 1;

/// When something went well last. Made once, when its actor begins; from then on it is told, 0 until the
/// first success. A default-made one tells nobody. Any thread may call.
class last_success {
public:
  last_success() = default;
  explicit last_success(success what, std::string_view subject = {});
  /// It went well just now.
  void now() const;

private:
  void* cell_ = nullptr;
};

/// How long something takes. Made once, like last_success.
class latency_histogram {
public:
  latency_histogram() = default;
  explicit latency_histogram(latency what, std::string_view subject = {});
  /// It took so long, for each of `count`. Below zero (a wall clock that was set) counts as zero.
  void observe(std::chrono::nanoseconds took, std::size_t count = 1) const;

private:
  void* cell_ = nullptr;
  latency what_ = latency::frame_to_reply;
};

/// Counts an event, also one whose line is not printed. Called by the log.
void count_event(event what);

} // namespace breakwater
