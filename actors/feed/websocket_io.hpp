#pragma once

#include "actors/feed/websocket_port.hpp"

#include <chrono>
#include <cstddef>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace breakwater {

struct websocket_limits {
  std::chrono::milliseconds connect_timeout{10000};  ///< Name, TCP, TLS and WebSocket handshake together.
  std::chrono::milliseconds close_timeout{2000};     ///< For saying goodbye.
  std::size_t message_bytes = std::size_t{16} << 20; ///< A longer message ends the connection.
  std::size_t unconsumed_texts = 512;                ///< Reading stops until some are consumed.
  std::size_t queued_sends = 1024;                   ///< The other side does not read: the connection ends.
};

/// WebSockets by Boost.Beast on the given I/O context, which outlives it; wss:// verifies certificate and
/// host name with OpenSSL's default store (SSL_CERT_FILE and SSL_CERT_DIR count).
class websocket_io : public websocket_port {
public:
  explicit websocket_io(boost::asio::io_context& io, websocket_limits limits = {});
  ~websocket_io() override;

  std::unique_ptr<websocket> open(std::string url, std::uint64_t number,
                                  std::function<void(socket_event)> sink) override;

private:
  struct shared;
  std::unique_ptr<shared> shared_;
};

} // namespace breakwater
