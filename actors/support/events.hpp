#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

/// Everything that can happen and is worth a log line: one row each, in the order data flows.
namespace breakwater {

enum class severity : std::uint8_t {
  debug, ///< Per message.
  info,  ///< The normal life of a part.
  warn,  ///< Odd, nothing lost.
  error, ///< Data lost, or a human is needed.
};

enum class event : std::uint8_t {
  process_started,
  process_stopping,
  process_stopped,
  drain_gave_up,
  actor_failed,
  actor_started_again,
  actor_unresponsive,
  actor_hangs,
  restarts_exhausted,
  unhandled_error,
  universe_read,
  universe_waits,
  universe_unreadable,
  universe_cut,
  feed_symbols_changed,
  feed_connecting,
  feed_connected,
  feed_subscribed,
  feed_subscription_refused,
  feed_subscription_silent,
  feed_disconnected,
  feed_quiet,
  feed_stale,
  feed_fresh,
  feed_notice,
  feed_replacing,
  feed_replaced,
  feed_gap,
  feed_recovered,
  feed_gap_stays,
  feed_fetch_failed,
  notices_unwritten,
  notices_dropped,
  frame_unreadable,
  candles_conflated,
  candles_dropped,
  raw_reading,
  raw_unread,
  raw_hole,
  raw_again,
  raw_entry_unreadable,
  minutes_restored,
  minutes_unreadable,
  late_candles,
  publisher_busy,
  publisher_room,
  publisher_synced,
  publisher_refused,
  publisher_halted,
  publisher_intruder,
  publisher_restamped,
  publisher_sends_again,
  publisher_hole,
  publisher_not_owner,
  publisher_owner,
  publisher_waits_for_readers,
  publisher_trimmed_unread,
  spool_opened,
  spool_unreserved,
  spool_failed,
  spool_works,
  spool_quarantined,
  spool_keeps,
  redis_connecting,
  redis_connected,
  redis_lost,
  redis_connect_failed,
  redis_reconnect_waits,
  redis_reconnected,
  redis_reads_connected,
  redis_reads_lost,
  redis_waits,
  redis_denied,
  redis_password_unread,
  breaker_opened,
  breaker_forced_open,
  breaker_half_open,
  breaker_closed,
  breaker_would_refuse,
  breaker_forgot,
  breaker_unsaved,
  results_unread,
  bridge_reading,
  bridge_adopted,
  bridge_group_created,
  bridge_group_gone,
  bridge_hole,
  bridge_claimed,
  bridge_bodiless,
  bridge_delivered,
  bridge_late,
  bridge_refused,
  bridge_held_back,
  bridge_withdrew,
  bridge_withdrawal_waits,
  bridge_waits,
  bridge_reads_on,
  position_seen_again,
  position_silent,
  position_error,
  position_stream_unread,
  position_log_unread,
  position_source_read,
  api_listening,
  api_order,
  api_asked,
  api_refused,
  api_failed,
  health_reported,
  service_ready,
  service_stalled,
  service_watchdog_short,
  alert_raised,
  alert_raised_warning,
  alert_cleared,
  webhook_failed,
  webhook_dropped,
  audit_failed,
  audit_broken,
  audit_torn,
  replay_started,
  replay_finished,
  replay_line_skipped,
  chaos_ordered,
  repeats_counted,
};

/// How an event is told. `text` is what operators read and grep for.
struct event_info {
  event what;
  const char* name;
  severity level;
  const char* text;
  /// A repeat of the same event by the same actor within this time is counted, not printed.
  std::chrono::milliseconds quiet_for{0};
};

const event_info& info_of(event what) noexcept;

/// The tag an actor logs under: its name, but for the few names that operators grep for since the old
/// scripts.
std::string_view tag_of(std::string_view actor) noexcept;

} // namespace breakwater
