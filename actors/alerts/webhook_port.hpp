#pragma once

#include "messages/alert.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace breakwater {

/// What ALERTS needs of HTTP. webhook_io does it with Boost.Beast, a fake in memory.
struct webhook_port {
  virtual ~webhook_port() = default;
  /// POSTs `body`, JSON, to the port's address. `sink` is called once, on the I/O thread, never from inside
  /// this call; or not at all when the port is gone. Never blocks.
  virtual void post(std::uint64_t number, std::string body, std::function<void(webhook_answered)> sink) = 0;
};

} // namespace breakwater
