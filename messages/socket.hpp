#pragma once

#include "messages/time.hpp"

#include <cstdint>
#include <string>
#include <variant>

namespace breakwater {

struct socket_opened {}; ///< The WebSocket handshake is done.
struct socket_text {     ///< A whole text message.
  std::string text;
  wall_time received_at;
};
struct socket_alive {}; ///< A WebSocket ping or pong came: the other side lives, though it says nothing.
struct socket_closed {  ///< It could not be opened, or it ended. Nothing follows.
  std::string reason;
};

/// What happened on a WebSocket. From: websocket edge. To: the feed that opened it.
struct socket_event {
  std::uint64_t socket = 0; ///< Which one, as the feed numbered it.
  std::variant<socket_opened, socket_text, socket_alive, socket_closed> what;
};

} // namespace breakwater
