#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace breakwater {

using http_headers = std::vector<std::pair<std::string, std::string>>;

/// One whole HTTP request. From: http edge. To: api, which answers through the port under the same number.
struct http_request {
  std::uint64_t number = 0; ///< Of this listener: 1, 2, 3 ...
  std::string method;       ///< "GET", as sent.
  std::string target;   ///< Path and query as sent, not decoded: "/api/circuit-breaker/status?breaker=redis".
  http_headers headers; ///< Names in lower case, values trimmed, in the order sent.
  std::string body;     ///< At most 64 KiB.
  std::string remote;   ///< Who asks: "127.0.0.1:51234".
};

/// What to answer. From: api. To: http edge.
struct http_response {
  std::uint64_t number = 0; ///< Of the request.
  unsigned status = 200;
  http_headers headers; ///< Beside Content-Length, Date, Connection and Server, which the edge adds.
  std::string body;
  bool streams =
      false; ///< The body is only its beginning: the rest follows in pieces, until one side ends it.
};

/// Nobody reads the stream that answered this request any more: its client went, or was too slow.
/// From: http edge. To: api.
struct http_stream_ended {
  std::uint64_t number = 0; ///< Of the request.
};

} // namespace breakwater
