#pragma once

#include "actors/feed/rest_port.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace breakwater {

struct rest_limits {
  std::chrono::milliseconds timeout{10000}; ///< Of one request: name, TCP, TLS, answer together.
  std::uint32_t header_bytes = 32768;
  std::size_t body_bytes = std::size_t{4} << 20;
  /// Requests beyond wait. Above what all feeds ask at a time, so that one silent exchange stops no other.
  std::size_t at_a_time = 32;
  std::size_t waiting = 256; ///< And beyond so many fail at once.
};

/// HTTP GETs by Boost.Beast on the given I/O context, which outlives it; https:// verifies certificate and
/// host name. One connection a request. Redirects are not followed: the status is handed on.
class rest_io : public rest_port {
public:
  explicit rest_io(boost::asio::io_context& io, rest_limits limits = {});
  ~rest_io() override; ///< No sink is called any more, and what is under way is dropped.

  void get(std::string url, std::uint64_t number, std::function<void(fetched)> sink) override;

private:
  class desk;
  std::shared_ptr<desk> desk_;
};

} // namespace breakwater
