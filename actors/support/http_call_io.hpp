#pragma once

#include "actors/support/url.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace boost::asio {
class io_context;
namespace ssl {
class context;
}
} // namespace boost::asio

/// One HTTP request to the world outside and its answer, by Boost.Beast.
namespace breakwater {

struct http_question {
  url to;
  std::optional<std::string> body{}; ///< JSON to POST; none: a GET.
};

struct http_call_limits {
  std::chrono::milliseconds timeout{10000}; ///< Of name, TCP, TLS and answer together.
  std::uint32_t header_bytes = 32768;
  std::size_t body_bytes = std::size_t{4} << 20; ///< Of the answer.
};

struct http_outcome {
  unsigned status = 0; ///< 0: there was no answer, and `why` says why.
  std::string body;
  std::chrono::seconds retry_after{0}; ///< 0: unsaid.
  std::string why;
};

/// One call, on a connection of its own. Redirects are not followed: the status is handed on.
struct http_call {
  virtual ~http_call() = default;
  virtual void start() = 0;
  virtual void drop() = 0; ///< Ends it without a report.
};

/// `report` is called at most once, on the I/O thread, never from inside start(). `io` and `tls` outlive the
/// call.
std::shared_ptr<http_call> make_http_call(boost::asio::io_context& io, boost::asio::ssl::context& tls,
                                          http_question what, http_call_limits limits,
                                          std::function<void(http_outcome)> report);

} // namespace breakwater
