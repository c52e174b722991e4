#pragma once

#include "actors/redis/redis_url.hpp"
#include "messages/redis.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace breakwater {

/// One connection to Redis, being opened or open. Destroying it closes it at once; it never blocks.
struct redis_connection {
  virtual ~redis_connection() = default;
  /// Queues `count` whole commands; their replies come as one link_answered with this tag, in the order of
  /// submission. Commands submitted before link_connected are sent then. Never blocks; nothing is said about
  /// a closed connection.
  virtual void submit(std::uint64_t tag, std::shared_ptr<const std::string> wire, std::size_t count) = 0;
};

/// What REDIS needs of the network. redis_io does it with hiredis on Asio, the tests' fake in memory.
struct redis_port {
  using sink = std::function<void(link_event)>;

  virtual ~redis_port() = default;
  /// Resolves and opens, within `timeout`. `events` is called on a thread of the port, also after the
  /// connection was destroyed if an event was under way then: it must be safe to call for ever, and `number`
  /// tells the stale ones.
  virtual std::unique_ptr<redis_connection> connect(const redis_address& to,
                                                    std::chrono::milliseconds timeout,
                                                    connection_number number, sink events) = 0;
};

} // namespace breakwater
