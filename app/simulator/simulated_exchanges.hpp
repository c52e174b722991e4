#pragma once

#include "app/simulator/market.hpp"
#include "app/simulator/misbehaviour.hpp"
#include "app/simulator/options.hpp"
#include "app/simulator/rate_limit.hpp"
#include "app/simulator/rest_venue.hpp"
#include "app/simulator/simulated_connection.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

namespace breakwater {

/// All exchanges behind one address: who may connect, what past candles there are, and what goes wrong when.
/// A plain value of the time it is given: it has no socket and no clock.
class simulated_exchanges {
public:
  /// Of `options` it heeds seed, symbols, quiet_minutes, interval, both kinds of faults, and whether there is
  /// a frames file.
  simulated_exchanges(const simulator_options& options, wall_time began);
  simulated_exchanges(const simulated_exchanges&) = delete; ///< Connections point into it.
  simulated_exchanges& operator=(const simulated_exchanges&) = delete;

  struct admission {
    std::unique_ptr<simulated_connection> connection; ///< nullptr: refused. Must not outlive the exchanges.
    rest_answer refusal;                              ///< Without a body.
  };
  /// A client asks for a WebSocket at `target`, path and query.
  [[nodiscard]] admission connect(std::string_view target, wall_time now);
  /// A client GETs `target`. nullopt: nothing is there.
  [[nodiscard]] std::optional<rest_answer> get(std::string_view target, wall_time now);

  [[nodiscard]] invented_market& market() noexcept { return market_; } ///< The truth.
  [[nodiscard]] const fault_counts& faults_done() const noexcept { return faults_done_; }

private:
  using connect_limit = std::variant<rate_limit, burst_limit>;
  static connect_limit connect_limit_of(exchange from);
  [[nodiscard]] bool seems_over_limit(exchange from, wall_time now);

  bool invents_;
  std::chrono::milliseconds interval_;
  std::uint64_t seed_;
  invented_market market_;
  rest_venue rest_;
  fault_plan plan_;
  fault_counts faults_done_{};
  std::vector<connect_limit> connects_; ///< By index_of(exchange).
  std::uint64_t connections_ = 0;
};

} // namespace breakwater
