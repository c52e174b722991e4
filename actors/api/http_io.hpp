#pragma once

#include "actors/api/http_port.hpp"

#include <boost/asio/io_context.hpp>

namespace breakwater {

/// An HTTP/1.1 server on Boost.Beast. A slow, broken or greedy client costs others nothing: everything it may
/// do is bounded in size, number and time.
class http_io : public http_port {
public:
  /// `io` must outlive this and every listener made by it; one thread runs it.
  explicit http_io(boost::asio::io_context& io) : io_(io) {}

  result<std::unique_ptr<http_listener>> serve(const std::string& listen, const http_limits& limits,
                                               sink into) override;

private:
  boost::asio::io_context& io_;
};

} // namespace breakwater
