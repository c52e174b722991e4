#pragma once

#include "actors/breaker/breaker_store_port.hpp"

#include <memory>
#include <string>

namespace breakwater {

/// Keeps each breaker's memory in two files of `folder`: breaker-<name>.state and
/// breaker-<name>.history.jsonl. The folder must exist.
std::shared_ptr<breaker_store_port> open_breaker_store(std::string folder);

} // namespace breakwater
