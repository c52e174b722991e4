#include "actors/supervisor/restart_policy.hpp"

#include <algorithm>

namespace breakwater {

std::optional<std::chrono::milliseconds> restart_policy::failed(std::size_t slot, mono_time born,
                                                                mono_time now) {
  auto& wait = waits_[slot];
  const bool held = now - born > limits_.within;
  wait = held ? limits_.restart_initial : std::clamp(wait * 2, limits_.restart_initial, limits_.restart_max);
  failures_.push_back(now);
  while (now - failures_.front() > limits_.within) failures_.pop_front();
  if (failures_.size() > limits_.max_restarts) return std::nullopt;
  return wait;
}

std::size_t restart_policy::recent(mono_time now) const {
  return static_cast<std::size_t>(std::count_if(failures_.begin(), failures_.end(),
                                                [&](mono_time at) { return now - at <= limits_.within; }));
}

} // namespace breakwater
