#pragma once

#include "messages/time.hpp"

#include <nlohmann/json.hpp>

#include <optional>

namespace breakwater {

/// The time an event names: epoch seconds, epoch milliseconds (from 1e11 on), either as number or as text, or
/// ISO 8601 with date and time ("2026-01-05T12:30:00.5+02:00"; a blank may stand for the T; without an offset
/// it is UTC). Cut to milliseconds. nullopt: none of these.
std::optional<wall_time> parse_event_time(const nlohmann::json& value);

} // namespace breakwater
