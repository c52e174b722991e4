#pragma once

#include "app/diagnosis/diagnosis.hpp"
#include "config/settings.hpp"

#include <string>
#include <vector>

namespace breakwater {

/// Looks at Redis itself: the member `redis` of the evidence. What its ACL, or its version, does not let us
/// see is added to `unseen`. Takes no longer than a few command time-outs, 2 s at most each.
evidence probe_redis(const settings& what, std::vector<std::string>& unseen);

} // namespace breakwater
