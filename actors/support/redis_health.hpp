#pragma once

#include "messages/health.hpp"
#include "messages/redis.hpp"

namespace breakwater {

/// How well the connection is, for the health tick and for who asks in between: critical while Redis is away,
/// degraded while it answers PING with an error.
health_answer health_of(const redis_report& told);

} // namespace breakwater
