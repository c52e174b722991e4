#include "actors/support/events.hpp"

#include <array>

namespace breakwater {
namespace {

using namespace std::chrono_literals;
using enum severity;

constexpr std::array rows{
    event_info{event::process_started, "process_started", info, "Started"},
    event_info{event::process_stopping, "process_stopping", info,
               "Stopping: intake ends, what was taken is drained"},
    event_info{event::process_stopped, "process_stopped", info, "Stopped"},
    event_info{event::drain_gave_up, "drain_gave_up", error,
               "Gave up draining: what was not yet on disk is lost"},
    event_info{event::actor_failed, "actor_failed", error, "Actor failed"},
    event_info{event::actor_started_again, "actor_started_again", info, "Actor restarted"},
    event_info{event::actor_unresponsive, "actor_unresponsive", error,
               "Actor missed two health ticks; it is told to end"},
    event_info{event::actor_hangs, "actor_hangs", error,
               "Actor hangs in a handler and did not end within the grace; the process exits"},
    event_info{event::restarts_exhausted, "restarts_exhausted", error,
               "Too many restarts within the window; the process exits"},
    event_info{event::unhandled_error, "unhandled_error", warn, "Unhandled error", 10s},
    event_info{event::universe_read, "universe_read", info, "Symbols to follow were read"},
    event_info{event::universe_waits, "universe_waits", warn,
               "The universe key is absent or cannot be read now; what is followed stays as it is", 60s},
    event_info{event::universe_unreadable, "universe_unreadable", warn,
               "The universe key is not what it should be: JSON {\"symbols\": [...]}", 60s},
    event_info{event::universe_cut, "universe_cut", warn,
               "More symbols than symbols.max; the rest is left out"},
    event_info{event::feed_symbols_changed, "feed_symbols_changed", info, "Other symbols are followed"},
    event_info{event::feed_connecting, "feed_connecting", info, "Connecting"},
    event_info{event::feed_connected, "feed_connected", info, "Connected; subscribing"},
    event_info{event::feed_subscribed, "feed_subscribed", info, "Every symbol is subscribed"},
    event_info{event::feed_subscription_refused, "feed_subscription_refused", error,
               "The exchange refused a subscription; check the symbol's name there"},
    event_info{event::feed_subscription_silent, "feed_subscription_silent", warn,
               "No acknowledgement in time; asking again"},
    event_info{event::feed_disconnected, "feed_disconnected", warn,
               "Disconnected; connecting again after the wait"},
    event_info{event::feed_quiet, "feed_quiet", warn, "Nothing heard on the connection; replacing it"},
    event_info{event::feed_stale, "feed_stale", warn, "No data for a symbol; other symbols may be fine", 60s},
    event_info{event::feed_fresh, "feed_fresh", info, "Data for a symbol again"},
    event_info{event::feed_notice, "feed_notice", warn,
               "The exchange announced that it will close the connection"},
    event_info{event::feed_replacing, "feed_replacing", info,
               "A new connection is opened to take over from an old one"},
    event_info{event::feed_replaced, "feed_replaced", info, "The new connection took over"},
    event_info{event::feed_gap, "feed_gap", warn, "Minutes are missing; asking the exchange for them", 10s},
    event_info{event::feed_recovered, "feed_recovered", info, "Missing minutes were filled", 10s},
    event_info{event::feed_gap_stays, "feed_gap_stays", error, "Missing minutes could not be filled", 10s},
    event_info{event::feed_fetch_failed, "feed_fetch_failed", warn,
               "Asking for past candles failed; asking again after the wait", 10s},
    event_info{event::quality_unwritten, "quality_unwritten", warn,
               "Quality markers cannot be written to Redis now; the newest wait", 60s},
    event_info{event::quality_dropped, "quality_dropped", warn,
               "Too many quality markers wait; the oldest were dropped", 60s},
    event_info{event::frame_unreadable, "frame_unreadable", warn, "Frame could not be read; it was dropped",
               10s},
    event_info{event::candles_conflated, "candles_conflated", warn,
               "Downstream is full: older states of a candle were replaced by newer ones", 10s},
    event_info{event::candles_dropped, "candles_dropped", error,
               "Downstream is full for long: the oldest candles were dropped", 10s},
    event_info{event::raw_reading, "raw_reading", info, "Reading the raw stream"},
    event_info{
        event::raw_unread, "raw_unread", warn,
        "The raw stream cannot be read now; its entries wait in Redis, and reading goes on where it was"},
    event_info{event::raw_hole, "raw_hole", error,
               "Entries of the raw stream were removed before they were read; reading goes on behind them"},
    event_info{
        event::raw_again, "raw_again", warn,
        "The raw stream is older than what was read of it; it is read again from its beginning, and what "
        "was merged before is not merged again"},
    event_info{event::raw_entry_unreadable, "raw_entry_unreadable", warn,
               "Entries of the raw stream could not be read as candles; they were skipped", 10s},
    event_info{event::minutes_restored, "minutes_restored", info,
               "The open minutes stand where the last run left them"},
    event_info{event::minutes_unreadable, "minutes_unreadable", error,
               "Open minutes of the last run cannot be read; they begin anew"},
    event_info{event::late_candles, "late_candles", warn,
               "Candles came after their minute was closed for good", 60s},
    event_info{event::publisher_busy, "publisher_busy", warn, "No room for records; intake waits", 10s},
    event_info{event::publisher_room, "publisher_room", info, "Room for records again"},
    event_info{event::publisher_synced, "publisher_synced", info, "In step with the stream", 1s},
    event_info{event::publisher_refused, "publisher_refused", warn,
               "Redis refused a batch; nothing was stored, the same batch is sent again after the wait", 10s},
    event_info{event::publisher_halted, "publisher_halted", error,
               "The stream cannot be written to; records wait and it is looked at again after the wait. Mend "
               "the key",
               60s},
    event_info{event::publisher_intruder, "publisher_intruder", warn,
               "Somebody else wrote to the stream; `count` records of ours got new ids behind that", 1s},
    event_info{event::publisher_restamped, "publisher_restamped", warn,
               "Redis took a part of a transaction; what it refused got new ids behind that"},
    event_info{event::publisher_sends_again, "publisher_sends_again", warn,
               "Redis came back older than it was; what it lost is sent again under the same ids"},
    event_info{event::publisher_hole, "publisher_hole", error,
               "Redis came back older than what is retained here; acknowledged records are gone from it"},
    event_info{event::publisher_not_owner, "publisher_not_owner", error,
               "Another spool owns the stream; nothing is published, records wait. Stop its process, or move "
               "the claim: breakwater spool take-over"},
    event_info{event::publisher_owner, "publisher_owner", info, "The stream is ours again"},
    event_info{event::publisher_waits_for_readers, "publisher_waits_for_readers", warn,
               "A consumer group has not read what trimming would remove; catching up waits for it", 10s},
    event_info{event::publisher_trimmed_unread, "publisher_trimmed_unread", error,
               "A consumer group did not read for spool.trim_patience; entries it has not read are trimmed"},
    event_info{event::spool_opened, "spool_opened", info, "Spool opened"},
    event_info{event::spool_unreserved, "spool_unreserved", warn,
               "The disk does not set spool.max_bytes aside; it may be full before the spool is"},
    event_info{event::spool_failed, "spool_failed", error,
               "The spool cannot be written, so nothing is accepted; intake waits. Make room on the disk of "
               "process.data_dir"},
    event_info{event::spool_works, "spool_works", info, "The spool can be written again"},
    event_info{event::spool_quarantined, "spool_quarantined", error,
               "Records were set aside and are not published; breakwater spool dead lists them"},
    event_info{event::spool_keeps, "spool_keeps", warn,
               "Stopped before Redis took every record; the spool keeps the rest for the next start"},
    event_info{event::redis_connecting, "redis_connecting", info, "Connecting to Redis"},
    event_info{event::redis_connected, "redis_connected", info, "Connected to Redis"},
    event_info{event::redis_lost, "redis_lost", warn, "Connection lost"},
    event_info{event::redis_connect_failed, "redis_connect_failed", warn, "Connection attempt failed"},
    event_info{event::redis_reconnect_waits, "redis_reconnect_waits", info,
               "Reconnect goes on behind the open circuit"},
    event_info{event::redis_reconnected, "redis_reconnected", info, "Reconnect succeeded"},
    event_info{event::redis_reads_connected, "redis_reads_connected", info,
               "The connection for blocking reads stands"},
    event_info{event::redis_reads_lost, "redis_reads_lost", warn,
               "The connection for blocking reads was lost; it is opened again", 10s},
    event_info{event::redis_waits, "redis_waits", info,
               "Redis is busy (loading or a long script); waiting for it", 10s},
    event_info{event::redis_denied, "redis_denied", error,
               "Redis refused our credentials or rights; correct username and password_file or the ACL", 60s},
    event_info{event::breaker_opened, "breaker_opened", warn, "Circuit OPEN"},
    event_info{event::breaker_forced_open, "breaker_forced_open", warn,
               "Circuit OPEN by an operator, until an operator resets it"},
    event_info{event::breaker_half_open, "breaker_half_open", info, "Circuit HALF-OPEN"},
    event_info{event::breaker_closed, "breaker_closed", info, "Circuit CLOSED"},
    event_info{event::breaker_would_refuse, "breaker_would_refuse", warn,
               "Circuit would refuse this call, but mode is observe", 10s},
    event_info{event::breaker_forgot, "breaker_forgot", error,
               "The breaker's state on disk cannot be read; it starts CLOSED and without history"},
    event_info{event::breaker_unsaved, "breaker_unsaved", error,
               "The breaker's state cannot be kept; a restart would forget it. Check process.data_dir", 60s},
    event_info{event::results_unread, "results_unread", warn,
               "Execution results cannot be read now; none is lost, reading goes on where it was"},
    event_info{event::bridge_reading, "bridge_reading", info, "Reading events"},
    event_info{event::bridge_adopted, "bridge_adopted", info,
               "The key of the newest events held some already; they were taken over"},
    event_info{event::bridge_group_created, "bridge_group_created", info, "The consumer group was created"},
    event_info{event::bridge_group_gone, "bridge_group_gone", warn,
               "The consumer group is gone; it is created again behind the last event that was finished"},
    event_info{event::bridge_hole, "bridge_hole", error,
               "Events were trimmed before the group read them; reading goes on with the oldest"},
    event_info{event::bridge_claimed, "bridge_claimed", warn,
               "Events that another consumer left unfinished were taken over"},
    event_info{event::bridge_bodiless, "bridge_bodiless", error,
               "Events were trimmed before they were finished; they are gone, and acknowledged"},
    event_info{event::bridge_delivered, "bridge_delivered", debug, "Event delivered"},
    event_info{event::bridge_late, "bridge_late", warn,
               "An event older than max_age was delivered because it reduces risk", 1s},
    event_info{event::bridge_refused, "bridge_refused", warn,
               "Event is invalid; it went to the dead letters with its reason", 1s},
    event_info{event::bridge_held_back, "bridge_held_back", warn,
               "Event held back by the breaker; it will not be delivered later", 1s},
    event_info{event::bridge_withdrew, "bridge_withdrew", info,
               "The circuit is open: events that add risk were removed from the key of the newest"},
    event_info{
        event::bridge_withdrawal_waits, "bridge_withdrawal_waits", error,
        "The circuit is open, but events that add risk cannot be removed from the key of the newest; trying "
        "again",
        10s},
    event_info{event::bridge_waits, "bridge_waits", warn,
               "Events cannot be read or finished now; they wait in Redis, and none is lost"},
    event_info{event::bridge_reads_on, "bridge_reads_on", info, "Events are read and finished again"},
    event_info{event::api_listening, "api_listening", info, "API is listening"},
    event_info{event::api_order, "api_order", info, "Breaker API order"},
    event_info{event::api_asked, "api_asked", debug, "Breaker API call"},
    event_info{event::api_refused, "api_refused", warn, "Breaker API order that was no order, or not allowed",
               1s},
    event_info{event::api_failed, "api_failed", error, "The API cannot listen; trying again after the wait",
               60s},
    event_info{event::health_reported, "health_reported", info, "Health"},
    event_info{event::audit_failed, "audit_failed", error, "The audit log cannot be written"},
    event_info{event::audit_broken, "audit_broken", error,
               "The audit log was tampered with; breakwater audit verify says where"},
    event_info{
        event::audit_torn, "audit_torn", warn,
        "A crash left an unfinished line in the audit log; nothing depended on it, and it was removed"},
    event_info{event::replay_started, "replay_started", info, "Replay started"},
    event_info{event::replay_finished, "replay_finished", info, "Replay finished"},
    event_info{event::replay_line_skipped, "replay_line_skipped", warn, "Line of the frames file skipped",
               10s},
    event_info{event::chaos_ordered, "chaos_ordered", warn, "[chaos] is enabled: an actor fails on purpose"},
    event_info{event::repeats_counted, "repeats_counted", info, "Repeats that were not printed"},
};

constexpr bool rows_stand_in_the_order_of_the_enum() {
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (static_cast<std::size_t>(rows[i].what) != i) return false;
  return true;
}
static_assert(rows_stand_in_the_order_of_the_enum());

struct tag {
  std::string_view actor, shown;
};
constexpr std::array tags{tag{"redis", "REDIS-MGR"}, tag{"breaker/redis", "REDIS-MGR"},
                          tag{"aggregator", "AGGREGATOR"}, tag{"api/breaker", "CB_API"}};

} // namespace

const event_info& info_of(event what) noexcept { return rows[static_cast<std::size_t>(what)]; }

std::string_view tag_of(std::string_view actor) noexcept {
  if (actor.starts_with("bridge/")) return "BRIDGE";
  for (const auto& t : tags)
    if (t.actor == actor) return t.shown;
  return actor;
}

} // namespace breakwater
