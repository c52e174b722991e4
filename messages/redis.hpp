#pragma once

#include "messages/time.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
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

/// Commands to send in one piece. From: publisher. To: redis, which answers with redis_replies, or
/// with errc::redis_unavailable (nothing was sent, or the connection broke and nobody knows what was applied)
/// or errc::redis_connection_changed (nothing was sent).
struct redis_commands {
  std::shared_ptr<const std::string> wire; ///< RESP, whole commands.
  std::size_t count = 0;                   ///< Commands in `wire`: as many replies come back.
  connection_number only_on = any_connection;
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

} // namespace breakwater
