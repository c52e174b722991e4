#include "actors/support/breaker_json.hpp"

#include <nlohmann/json.hpp>

namespace breakwater {

nlohmann::ordered_json json_of(const breaker_move& move) {
  return {{"number", move.number},
          {"time", to_rfc3339(move.at)},
          {"from", to_string(move.from)},
          {"to", to_string(move.to)},
          {"reason", move.reason},
          {"by", move.by},
          {"failures", move.failures},
          {"failure_threshold", move.failure_threshold},
          {"open_for_ms", move.open_for.count()}};
}

} // namespace breakwater
