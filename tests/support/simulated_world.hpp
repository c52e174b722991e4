#pragma once

#include "actors/feed/rest_port.hpp"
#include "actors/feed/websocket_port.hpp"
#include "app/simulator/options.hpp"
#include "app/simulator/simulated_exchanges.hpp"
#include "tests/support/fake_time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace breakwater::test {

/// The exchanges of `breakwater simulate`, with their faults, behind FEED's ports and in the test's time.
class simulated_world final : public websocket_port,
                              public rest_port,
                              public std::enable_shared_from_this<simulated_world> {
public:
  simulated_world(fake_time time, simulator_options options)
      : time_(std::move(time)), options_(std::move(options)) {
    behaves();
  }

  /// What to write as feeds.<from>.url; feeds.<from>.rest_url is "http://simulated".
  static std::string url(exchange from) {
    return "ws://simulated" + std::string{venue_path(from, market::spot)};
  }

  std::unique_ptr<websocket> open(std::string url, std::uint64_t number,
                                  std::function<void(socket_event)> sink) override;
  void get(std::string url, std::uint64_t number, std::function<void(fetched)> sink) override;

  /// From now on each kind of fault has its turn within `every`. All connections break.
  void misbehaves(std::chrono::milliseconds every);
  /// From now on nothing goes wrong. All connections break.
  void behaves();

  /// What the whole minute was; nothing of it depends on who was connected. Without trades there is no
  /// candle.
  invented_candle truth(exchange from, const std::string& symbol, std::int64_t start_s);

  /// What went wrong since misbehaves() or behaves().
  [[nodiscard]] const fault_counts& faults() const noexcept { return exchanges_->faults_done(); }
  [[nodiscard]] std::size_t connects() const noexcept { return connects_; }
  [[nodiscard]] std::size_t requests() const noexcept { return requests_; }

private:
  struct line {
    std::function<void(socket_event)> sink; ///< Empty once the feed let go, or the connection ended.
    std::uint64_t number = 0;
    std::unique_ptr<simulated_connection> side;
    wall_time ping_due{};
  };
  struct handle;

  void begin(const simulator_options& how);
  void perform(line& on, wire_actions what);
  void tick();
  static std::string target_of(const std::string& url) {
    return url.substr(url.find('/', url.find("//") + 2));
  }

  fake_time time_;
  simulator_options options_;
  std::unique_ptr<simulated_exchanges> exchanges_;
  std::vector<std::shared_ptr<line>> lines_;
  bool ticking_ = false;
  std::size_t connects_ = 0, requests_ = 0;
};

} // namespace breakwater::test
