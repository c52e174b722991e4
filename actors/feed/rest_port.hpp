#pragma once

#include "messages/fetch.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace breakwater {

/// What FEED needs of HTTP. rest_io does it with Boost.Beast, a fake in memory.
struct rest_port {
  virtual ~rest_port() = default;
  /// GETs `url` (http:// or https://). `sink` is called exactly once, on the I/O thread, never from inside
  /// this call. Never blocks.
  virtual void get(std::string url, std::uint64_t number, std::function<void(fetched)> sink) = 0;
};

} // namespace breakwater
