#pragma once

#include "messages/breaker.hpp"

#include <nlohmann/json_fwd.hpp>

namespace breakwater {

/// {"number","time","from","to","reason","by","failures","failure_threshold","open_for_ms"}: a move in the
/// API and in the history that is kept.
nlohmann::ordered_json json_of(const breaker_move& move);

} // namespace breakwater
