#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace breakwater {

/// What HEALTH and main need of the service manager. service_io does it with libsystemd, a fake in memory.
struct service_port {
  virtual ~service_port() = default;
  /// How long it waits for a sign of life before it ends the process; nullopt: for ever.
  [[nodiscard]] virtual std::optional<std::chrono::microseconds> watchdog() const = 0;
  /// Tells it `lines`, NAME=value each, as sd_notify(3) has them. What it does not take is lost; the next
  /// ones come soon.
  virtual void tell(const std::string& lines) = 0;
};

} // namespace breakwater
