#pragma once

#include "messages/error.hpp"
#include "messages/http.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace breakwater {

/// What a client may do, and for how long. What goes beyond is answered by the edge itself, in JSON.
struct http_limits {
  std::size_t connections = 512; ///< Above: the longest idle one is closed; if none is idle, 503.
  std::size_t header_bytes = std::size_t{8} << 10; ///< Request line and headers; above: 431.
  std::size_t body_bytes = std::size_t{64} << 10;  ///< Above: 413.
  std::chrono::milliseconds request_within{10000}; ///< From a request's first byte to its last; later: 408.
  std::chrono::milliseconds idle_for{60000};       ///< A connection without a request is closed then.
  std::chrono::milliseconds answer_within{5000};   ///< Nobody answered the request: 503.
  std::chrono::milliseconds write_within{10000};   ///< A client that does not read its answer is closed then.
  std::size_t stream_bytes = std::size_t{8}
                             << 20; ///< Unread pieces of a stream; above: its client is closed.
};

/// A bound port and its connections. Destroying it closes them; it never blocks.
struct http_listener {
  virtual ~http_listener() = default;
  /// Answers a request. An answer to a request that nobody waits for any more is dropped. Any thread may
  /// call.
  virtual void answer(http_response response) = 0;
  /// The next piece of the stream that answered request `number`. Dropped if nobody reads it any more. Any
  /// thread may call.
  virtual void push(std::uint64_t number, std::shared_ptr<const std::string> piece) = 0;
  /// "127.0.0.1:8000"; the port that was taken when 0 was asked for.
  [[nodiscard]] virtual std::string address() const = 0;
};

/// What API needs of the network. http_io does it with Boost.Beast, the tests' fake in memory.
struct http_port {
  /// What happens: requests come, streams end that the owner has not ended.
  struct sink {
    std::function<void(http_request)> asked;
    std::function<void(http_stream_ended)> ended{};
  };

  virtual ~http_port() = default;
  /// Binds `listen` ("127.0.0.1:8000", "[::1]:0") and serves. `into` is called on a thread of the port, also
  /// after the listener was destroyed if a request was under way then: it must be safe to call for ever.
  /// Fails with errc::address_invalid; `detail` says what cannot be bound and why.
  virtual result<std::unique_ptr<http_listener>> serve(const std::string& listen, const http_limits& limits,
                                                       sink into) = 0;
};

} // namespace breakwater
