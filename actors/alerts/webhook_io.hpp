#pragma once

#include "actors/alerts/webhook_port.hpp"

#include <chrono>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace breakwater {

/// POSTs to one http:// or https:// address by Boost.Beast on the given I/O context, which outlives it;
/// https:// verifies certificate and host name. One connection a request.
class webhook_io : public webhook_port {
public:
  explicit webhook_io(boost::asio::io_context& io, std::string address,
                      std::chrono::milliseconds timeout = std::chrono::seconds{5});
  ~webhook_io() override; ///< No sink is called any more, and what is under way is dropped.

  void post(std::uint64_t number, std::string body, std::function<void(webhook_answered)> sink) override;

private:
  class desk;
  std::shared_ptr<desk> desk_;
};

} // namespace breakwater
