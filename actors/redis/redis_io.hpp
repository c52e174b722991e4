#pragma once

#include "actors/redis/redis_port.hpp"

#include <boost/asio/io_context.hpp>

#include <memory>

namespace breakwater {

/// Redis over TCP and Unix sockets. The name is resolved again for each connection.
class redis_io : public redis_port {
public:
  /// `io` must outlive this and every connection made by it; some thread runs it.
  explicit redis_io(boost::asio::io_context& io) : io_(io) {}

  std::unique_ptr<redis_connection> connect(const redis_address& to, std::chrono::milliseconds timeout,
                                            connection_number number, sink events) override;

private:
  boost::asio::io_context& io_;
};

} // namespace breakwater
