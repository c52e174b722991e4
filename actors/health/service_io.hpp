#pragma once

#include "actors/health/service_port.hpp"

#include <memory>

namespace breakwater {

/// systemd, by the socket that NOTIFY_SOCKET names; nullptr: the process was not started by a service manager
/// that wants to know.
std::shared_ptr<service_port> open_service();

} // namespace breakwater
