#pragma once

#include "actors/position_monitor/log_tail_port.hpp"

#include <memory>
#include <utility>

namespace breakwater::test {

/// A log in memory: what the test says is told to whoever follows it last.
struct fake_log_tail final : log_tail_port {
  struct followed final : log_tail {
    explicit followed(fake_log_tail& in) : of(in) { ++of.following; }
    ~followed() override { --of.following; }
    followed(const followed&) = delete;
    followed& operator=(const followed&) = delete;
    fake_log_tail& of;
  };

  std::unique_ptr<log_tail> follow(log_source from, sink sightings) override {
    source = std::move(from);
    tell = std::move(sightings);
    return std::make_unique<followed>(*this);
  }

  log_source source;
  sink tell;
  int following = 0;
};

} // namespace breakwater::test
