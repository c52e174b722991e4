#pragma once

#include "config/settings.hpp"
#include "messages/time.hpp"

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

namespace breakwater {

/// Whom a failure takes along.
enum class restart_strategy : std::uint8_t {
  one_for_one,  ///< Only the child that failed is started again.
  rest_for_one, ///< Also those started after it: they hold on to what it was.
};

/// When a failed child is started again, and when its supervisor gives up. A plain value.
class restart_policy {
public:
  restart_policy(const supervisor_settings& limits, std::size_t children)
      : limits_(limits), waits_(children) {}

  /// Child `slot`, started at `born`, failed at `now`. Returns the wait before its restart:
  /// `restart_initial`, doubling to `restart_max` while it keeps failing within `within` of its start.
  /// nullopt: more than `max_restarts` failures of all children lie within `within`, so give up.
  [[nodiscard]] std::optional<std::chrono::milliseconds> failed(std::size_t slot, mono_time born,
                                                                mono_time now);

  /// Failures of all children within the window that ends at `now`.
  [[nodiscard]] std::size_t recent(mono_time now) const;

private:
  supervisor_settings limits_;
  std::vector<std::chrono::milliseconds> waits_;
  std::deque<mono_time> failures_;
};

} // namespace breakwater
