#pragma once

#include "messages/type_ids.hpp"

#include <caf/fwd.hpp>
#include <caf/replies_to.hpp>

/// What each actor can be told and asked, in the order data flows. Every line says who sends it and why.
namespace breakwater {

/// HEALTH asks every actor each tick how it is.
using tells_health = caf::replies_to<health_question>::with<health_answer>;

/// UNIVERSE: which symbols to follow, from a Redis key behind the configured ones. Only if there is such a
/// key.
using universe_actor = caf::typed_actor<
    // Itself: reads the key again.
    caf::reacts_to<wake>,
    // FEED, when it begins.
    caf::replies_to<followed_symbols_question>::with<followed_symbols>, tells_health>;

/// FEED: one exchange's WebSockets, candles out. One per exchange.
using feed_actor = caf::typed_actor<
    // The websocket edge: opened, text, alive, closed.
    caf::reacts_to<socket_event>,
    // The rest edge: past candles, or why there are none.
    caf::reacts_to<fetched>,
    // UNIVERSE: other symbols than before.
    caf::reacts_to<followed_symbols>,
    // API, for people.
    caf::replies_to<feed_question>::with<feed_report>,
    // Itself: pacing, pings, acknowledgement deadlines, backoff.
    caf::reacts_to<wake>,
    // Main, before the process ends: close the socket, pass on what was taken.
    caf::replies_to<drain_request>::with<drained>, tells_health>;

/// REPLAY: recorded frames through the same parsers, instead of the feeds.
using replay_actor = caf::typed_actor<
    // Itself: the next frames are due.
    caf::reacts_to<wake>,
    // The replay command: answer when the file is at its end and every candle is with the aggregator.
    caf::replies_to<drain_request>::with<drained>, tells_health>;

/// NOTICES: what is wrong with which exchange's data, alerts, health: each into a Redis stream of its own.
/// Old entries help nobody, so they are not spooled.
using notices_actor = caf::typed_actor<
    // FEED.
    caf::reacts_to<quality_batch>,
    // HEALTH, ALERTS.
    caf::reacts_to<notice_batch>,
    // Itself: tries again.
    caf::reacts_to<wake>, tells_health>;

/// RAW_READER: candles out of a Redis stream, instead of the feeds.
using raw_reader_actor = caf::typed_actor<
    // Itself: reads on after a pause.
    caf::reacts_to<wake>,
    // Main, before the process ends: stop reading.
    caf::replies_to<drain_request>::with<drained>, tells_health>;

/// AGGREGATOR: candles of several exchanges in, merged records out, and the candles themselves into the raw
/// stream.
using aggregator_actor = caf::typed_actor<
    // FEED, REPLAY and RAW_READER; the answer is their credit for the next batch.
    caf::replies_to<candle_batch>::with<intake_answer>,
    // FEED, when it begins: what is known of its exchange.
    caf::replies_to<coverage_request>::with<coverage_answer>,
    // API, for people.
    caf::replies_to<merge_question>::with<merge_report>,
    // BRIDGE, ALERTS and API: the last prices.
    caf::replies_to<price_question>::with<price_answer>,
    // RAW_READER, when it begins, when a batch was not taken, and now and then while nothing comes.
    caf::replies_to<position_request>::with<position_answer>,
    // Itself: the emit interval; trying again a publisher that was busy.
    caf::reacts_to<wake>,
    // Main, before the process ends, and REPLAY's command at the end of the file.
    caf::replies_to<drain_request>::with<drained>, tells_health>;

/// PUBLISHER: records in, stream entries with our own ids out, each exactly once. One per output stream.
using publisher_actor = caf::typed_actor<
    // AGGREGATOR; the answer is its credit for the next batch.
    caf::replies_to<record_batch>::with<intake_answer>,
    // AGGREGATOR, when it begins to read a stream.
    caf::replies_to<checkpoint_request>::with<checkpoint_answer>,
    // The spool's edge: what became of a batch.
    caf::reacts_to<spool_event>,
    // REDIS: a new connection stands, so resync and send.
    caf::reacts_to<link_up>,
    // API, for people.
    caf::replies_to<spool_question>::with<spool_report>,
    // Itself: pauses after a refusal.
    caf::reacts_to<wake>,
    // Main, before the process ends: answer when Redis has acknowledged everything.
    caf::replies_to<drain_request>::with<drained>, tells_health>;

/// REDIS: the one owner of Redis connections.
using redis_actor = caf::typed_actor<
    // PUBLISHER, RESULT_READER and RAW_READER: commands to send.
    caf::replies_to<redis_commands>::with<redis_replies>,
    // The redis edge: connected, answered, closed.
    caf::reacts_to<link_event>,
    // Itself: backoff, command time-outs, health pings.
    caf::reacts_to<wake>,
    // API, for people.
    caf::replies_to<redis_question>::with<redis_report>, tells_health>;

/// BREAKER: decides whether calls to a dependency may be made. One per guarded dependency.
using breaker_actor = caf::typed_actor<
    // REDIS asks before each call.
    caf::replies_to<permit_request>::with<permit>,
    // REDIS reports how a call, or a connect attempt, ended; the answer says whether the circuit is open now.
    caf::replies_to<call_outcome>::with<breaker_standing>,
    // BRIDGE, for each trade intent, and what became of it.
    caf::replies_to<gate_request>::with<permit>, caf::reacts_to<gate_outcome>,
    // REDIS reached the server again: no need to wait out the open time.
    caf::reacts_to<dependency_restored>,
    // API, for people: how it stands, what happened. RESULT_READER: where to read on.
    caf::replies_to<breaker_question>::with<breaker_report>,
    caf::replies_to<breaker_history_request>::with<breaker_history>,
    // API, from an operator.
    caf::replies_to<breaker_reset>::with<breaker_order_answer>,
    caf::replies_to<breaker_force_open>::with<breaker_order_answer>,
    // Itself: says in the log when the open time is over. The state never depends on it.
    caf::reacts_to<wake>, tells_health>;

/// BRIDGE: trade intents out of a stream, each judged, gated and finished exactly once. One per route.
using bridge_actor = caf::typed_actor<
    // BREAKER: the phase has changed.
    caf::reacts_to<breaker_turned>,
    // Itself: reads or tries again after a pause, claims what others left.
    caf::reacts_to<wake>, tells_health>;

/// RESULT_READER: how trade intents ended, read from a stream and told to their breaker.
using result_reader_actor = caf::typed_actor<
    // Itself: reads on after a pause.
    caf::reacts_to<wake>, tells_health>;

/// POSITION_MONITOR: when the external position monitor was last seen active, and how. Needs no Redis.
using position_monitor_actor = caf::typed_actor<
    // API: it said so itself.
    caf::replies_to<position_heartbeat>::with<position_report>,
    // The log edge: what it wrote.
    caf::reacts_to<log_sightings>,
    // API, for people; ALERTS.
    caf::replies_to<position_question>::with<position_report>,
    // Itself: reads its stream again; judges its silence.
    caf::reacts_to<wake>, tells_health>;

/// Anything HEALTH watches: every handle above converts to it.
using watched_actor = caf::typed_actor<tells_health>;

/// HEALTH: asks everyone each 30 s and logs one line.
using health_actor = caf::typed_actor<
    // Itself: the tick, and the end of its time to answer.
    caf::reacts_to<wake>,
    // API, for people.
    caf::replies_to<health_report_request>::with<health_report>, tells_health>;

/// ALERTS: judges every few seconds what an operator must know, and tells each alert once when it rises and
/// once when it clears.
using alerts_actor = caf::typed_actor<
    // Itself: looks again.
    caf::reacts_to<wake>,
    // The webhook edge.
    caf::reacts_to<webhook_answered>,
    // API, for people.
    caf::replies_to<alerts_question>::with<alerts_report>, tells_health>;

/// AUDIT: the append-only log of what an operator must be able to look up later.
using audit_actor = caf::typed_actor<
    // SUPERVISOR, BREAKER and main, of what happened.
    caf::reacts_to<audit_record>,
    // BREAKER, before an operator's order takes effect.
    caf::replies_to<audit_order>::with<audit_written>,
    // API: the newest lines.
    caf::replies_to<audit_tail_request>::with<audit_tail>, tells_health>;

/// API: what people and programs ask over HTTP.
using api_actor = caf::typed_actor<
    // The http edge.
    caf::reacts_to<http_request>, caf::reacts_to<http_stream_ended>,
    // The log: what has just happened, for who watches live.
    caf::reacts_to<happening>,
    // Itself: binds the port again when it was taken; looks again for who watches live.
    caf::reacts_to<wake>, tells_health>;

/// SUPERVISOR: starts, restarts and stops all the others.
using supervisor_actor = caf::typed_actor<
    // Main: SIGTERM came, or a command is done.
    caf::replies_to<stop_request>::with<stopped>,
    // Itself: a backoff is over; a child overstays its grace.
    caf::reacts_to<restart_due>, caf::reacts_to<stop_overdue>,
    // HEALTH: a child missed two ticks.
    caf::reacts_to<child_unresponsive>,
    // API, for people.
    caf::replies_to<supervision_question>::with<supervision_report>,
    // API, only when chaos.enabled.
    caf::reacts_to<chaos_kill>, tells_health>;

} // namespace breakwater
