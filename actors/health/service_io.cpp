#include "actors/health/service_io.hpp"

#include <cstdint>
#include <cstdlib>
#include <systemd/sd-daemon.h>

namespace breakwater {
namespace {

class systemd final : public service_port {
public:
  [[nodiscard]] std::optional<std::chrono::microseconds> watchdog() const override {
    std::uint64_t us = 0;
    if (sd_watchdog_enabled(0, &us) <= 0) return std::nullopt;
    return std::chrono::microseconds{us};
  }
  void tell(const std::string& lines) override { static_cast<void>(sd_notify(0, lines.c_str())); }
};

} // namespace

std::shared_ptr<service_port> open_service() {
  const auto* socket = std::getenv("NOTIFY_SOCKET");
  if (socket == nullptr || *socket == '\0') return nullptr;
  return std::make_shared<systemd>();
}

} // namespace breakwater
