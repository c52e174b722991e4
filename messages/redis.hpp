#pragma once

#include "messages/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace breakwater {

/// One Redis reply, RESP2.
struct redis_reply {
  enum class kind : std::uint8_t { nil, status, error, integer, text, array };
  kind what = kind::nil;
  std::string text;               ///< Of status, error and text.
  std::int64_t integer = 0;       ///< Of integer.
  std::vector<redis_reply> items; ///< Of array.
};

/// Says what a command may be sent on. A connection's number grows with every connect and is never 0.
using connection_number = std::uint64_t;
inline constexpr connection_number any_connection = 0;

/// Which connection commands go over: one that Redis holds back must not hold up the others.
enum class redis_lane : std::uint8_t {
  commands, ///< Answered at once; guarded by the breaker.
  reads,    ///< Blocking reads of execution results. Open from the first read on.
  raw,      ///< Blocking reads of the raw stream, likewise: who blocks holds up everyone on his connection.
  bridge,   ///< Those of the first bridge. Behind it stand those of the others, one each.
};
constexpr redis_lane lane_of_bridge(std::size_t index) noexcept {
  return static_cast<redis_lane>(static_cast<std::size_t>(redis_lane::bridge) + index);
}
/// Lanes there are with so many bridges.
constexpr std::size_t redis_lanes(std::size_t bridges) noexcept {
  return static_cast<std::size_t>(redis_lane::bridge) + bridges;
}

/// Commands to send in one piece. From: publisher, result_reader, raw_reader, bridge, and others. To: redis,
/// which answers with redis_replies, or with errc::redis_unavailable (nothing was sent, or the connection
/// broke and nobody knows what was applied) or errc::redis_connection_changed (nothing was sent).
struct redis_commands {
  std::shared_ptr<const std::string> wire; ///< RESP, whole commands.
  std::size_t count = 0;                   ///< Commands in `wire`: as many replies come back.
  connection_number only_on = any_connection;
  redis_lane lane = redis_lane::commands;
  std::chrono::milliseconds blocks_for{0}; ///< How long Redis may hold the answer back, as the command says.
};

/// The replies to one redis_commands, in its order. An error reply of Redis is a reply, not a failed request.
struct redis_replies {
  std::shared_ptr<const std::vector<redis_reply>> replies;
  connection_number connection = any_connection;
};

struct link_connected {}; ///< The transport stands; nothing was said yet.
struct link_answered {    ///< All replies to the commands submitted under `tag`.
  std::uint64_t tag = 0;
  std::shared_ptr<const std::vector<redis_reply>> replies;
};
struct link_closed { ///< It could not be opened, or it ended. Nothing follows.
  std::string reason;
  std::string
      error_reply; ///< What Redis said before it hung up ("ERR max number of clients reached"), if anything.
};

/// What happened on a Redis connection. From: redis edge. To: redis.
struct link_event {
  connection_number connection = any_connection;
  std::variant<link_connected, link_answered, link_closed> what;
};

/// Redis can be spoken to (again). From: redis. To: publisher.
struct link_up {
  connection_number connection = any_connection;
};

/// How is the connection? From: api. To: redis, which answers with redis_report.
struct redis_question {};

/// What operators want to know of the connection, in the words of the old scripts.
struct redis_report {
  bool connected = false;
  bool healthy = false; ///< The last PING was answered with PONG.
  std::string phase;    ///< "ready", "backing_off" ...
  std::string address;  ///< Without user and password.
  std::uint64_t connection_attempts = 0;
  std::uint64_t successful_operations = 0;
  std::uint64_t failed_operations = 0;
  std::uint64_t consecutive_failures = 0; ///< Attempts, operations and health pings together.
  std::uint64_t reconnects = 0;
  std::size_t reconnects_last_hour = 0;
  std::optional<wall_time> last_health_check;   ///< When a PING was answered last.
  std::chrono::microseconds last_round_trip{0}; ///< Of that PING.
  std::string last_error;
  std::string last_error_class; ///< "transport", "waiting" ...; empty when there was no error.
  std::optional<wall_time> last_error_time;
  std::size_t in_flight = 0; ///< Commands sent together count as one.
};

} // namespace breakwater
