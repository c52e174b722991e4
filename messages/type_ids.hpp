#pragma once

#include "messages/alert.hpp"
#include "messages/audit.hpp"
#include "messages/breaker.hpp"
#include "messages/candle.hpp"
#include "messages/error.hpp"
#include "messages/feed.hpp"
#include "messages/fetch.hpp"
#include "messages/happening.hpp"
#include "messages/health.hpp"
#include "messages/http.hpp"
#include "messages/intake.hpp"
#include "messages/lifecycle.hpp"
#include "messages/merged.hpp"
#include "messages/notice.hpp"
#include "messages/position.hpp"
#include "messages/quality.hpp"
#include "messages/record.hpp"
#include "messages/redis.hpp"
#include "messages/socket.hpp"
#include "messages/spool.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/error.hpp>
#include <caf/make_message.hpp>

// Names our messages to CAF. "Unsafe" means: not serializable, and nothing here ever leaves the process.

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::socket_event)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::fetched)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::followed_symbols)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::followed_symbols_question)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::feed_question)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::feed_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::quality_batch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::candle_batch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::coverage_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::coverage_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::merge_question)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::merge_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::price_question)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::price_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::notice_batch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::position_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::position_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::record_batch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::checkpoint_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::checkpoint_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::spool_event)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::spool_question)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::spool_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::intake_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::redis_commands)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::redis_replies)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::link_event)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::link_up)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::redis_question)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::redis_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::permit_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::permit)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::gate_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::gate_outcome)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::call_outcome)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::breaker_standing)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::dependency_restored)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::breaker_question)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::breaker_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::breaker_history_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::breaker_history)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::breaker_reset)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::breaker_force_open)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::breaker_order_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::breaker_turned)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::wake)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::drain_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::drained)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::stop_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::stopped)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::restart_due)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::stop_overdue)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::child_unresponsive)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::supervision_question)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::supervision_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::chaos_kill)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::health_question)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::health_answer)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::health_report_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::health_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::position_heartbeat)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::log_sightings)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::position_question)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::position_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::alerts_question)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::alerts_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::webhook_answered)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::audit_record)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::audit_order)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::audit_written)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::audit_tail_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::audit_tail)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::http_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::http_stream_ended)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::happening)

CAF_ERROR_CODE_ENUM(breakwater::errc, "breakwater")

namespace breakwater {

/// A failure as CAF carries it between actors.
inline caf::error make_error(const failure& why) { return caf::make_error(why.code, why.detail); }

/// The other way round: an error some request ended with, ours or CAF's own (time-out, receiver down).
failure to_failure(const caf::error& error);

} // namespace breakwater
