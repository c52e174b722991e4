#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace breakwater {

/// The fields of one stream entry, in order.
using entry_fields = std::vector<std::pair<std::string, std::string>>;

/// Entries for a Redis stream whose old entries help nobody, so they are not spooled. From: health, alerts.
/// To: notices.
struct notice_batch {
  std::shared_ptr<const std::vector<entry_fields>> entries;
};

} // namespace breakwater
