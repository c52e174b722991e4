#pragma once

#include "messages/socket.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace breakwater {

/// One WebSocket connection. Destroying it closes it, saying goodbye if that is possible at once; no event
/// follows.
struct websocket {
  virtual ~websocket() = default;
  /// Queues one text message. What is sent before socket_opened, or after socket_closed, is dropped. Never
  /// blocks.
  virtual void send(std::string text) = 0;
  /// So many socket_text events were dealt with. The edge stops reading while too many are not.
  virtual void consumed(std::size_t texts) = 0;
};

/// What FEED needs of a network. websocket_io does it with Boost.Beast, a fake in memory.
struct websocket_port {
  virtual ~websocket_port() = default;
  /// Connects to a ws:// or wss:// address. Events carry `number` and come on the I/O thread, never from
  /// inside this call: socket_opened once, then texts; socket_closed last, or first if connecting fails.
  /// `sink` must not destroy the websocket. Never blocks.
  virtual std::unique_ptr<websocket> open(std::string url, std::uint64_t number,
                                          std::function<void(socket_event)> sink) = 0;
};

} // namespace breakwater
