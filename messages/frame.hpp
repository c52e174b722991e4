#pragma once

#include "messages/exchange.hpp"
#include "messages/time.hpp"

#include <string>

namespace breakwater {

/// One WebSocket text message as the exchange sent it. From: websocket edge or replay file. To: feed.
struct frame {
  exchange from = exchange::binance;
  std::string text;      ///< JSON, or the plain text some exchanges send ("pong").
  wall_time received_at; ///< Our clock when the message was complete.
};

} // namespace breakwater
