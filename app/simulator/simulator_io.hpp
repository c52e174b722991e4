#pragma once

#include "app/simulator/options.hpp"
#include "config/settings.hpp"
#include "messages/error.hpp"
#include "messages/exchange.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>

namespace breakwater {

/// What the simulator has done since its start.
struct simulator_statistics {
  std::uint64_t connections = 0;      ///< WebSocket handshakes completed.
  std::uint64_t connections_open = 0; ///< Of these, still there.
  std::uint64_t refused_connects = 0; ///< Too many in the exchange's time window, or an unknown path.
  std::uint64_t acknowledgements = 0; ///< Subscriptions granted, one per symbol.
  std::uint64_t refusals = 0;         ///< Requests, or parts of them, answered with an error.
  std::uint64_t limit_cuts = 0;       ///< Connections ended because the client broke a documented limit.
  std::uint64_t slow_cuts = 0;        ///< Connections ended because the client did not read.
  std::array<std::uint64_t, exchange_count> frames{}; ///< Market data frames queued, by index_of(exchange).
  std::uint64_t rest_answers = 0;                     ///< Requests for past candles, also those refused.
  fault_counts faults{};        ///< What went wrong on purpose, by fault: frames, answers, connections.
  bool script_finished = false; ///< The frames file was sent to its end.

  [[nodiscard]] std::uint64_t frames_sent() const noexcept {
    std::uint64_t sum = 0;
    for (auto count : frames) sum += count;
    return sum;
  }
};

/// The exchanges' side of the WebSockets: one server, the exchange chosen by the request path as in the real
/// URLs, and their past candles over HTTP on the same port. Has one thread of its own between start() and
/// stop().
class simulator {
public:
  explicit simulator(simulator_options options = {});
  ~simulator(); ///< Stops.
  simulator(const simulator&) = delete;
  simulator& operator=(const simulator&) = delete;

  /// Binds and serves. Fails with errc::address_invalid (also: in use), errc::file_unreadable (certificate,
  /// key, frames file), errc::frame_not_json and the like for the first bad line of the frames file,
  /// errc::config_invalid.
  result<done> start();
  void stop(); ///< Cuts all connections and ends the thread. Harmless when not started.

  [[nodiscard]] std::uint16_t port() const noexcept; ///< The bound one; 0 before start().
  /// What to write as feeds.<from>.url. Empty for markets the exchange does not have.
  [[nodiscard]] std::string url(exchange from, market kind = market::spot) const;
  /// What to write as feeds.<x>.rest_url, the same for all.
  [[nodiscard]] std::string rest_url() const;
  [[nodiscard]] simulator_statistics statistics() const; ///< From any thread.

private:
  [[nodiscard]] std::string address(const char* scheme) const;

  class server;
  simulator_options options_;
  std::unique_ptr<server> server_;
};

} // namespace breakwater
