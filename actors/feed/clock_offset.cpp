#include "actors/feed/clock_offset.hpp"

#include <algorithm>

namespace breakwater {

void clock_offset::note(wall_time event_at, wall_time received_at, mono_time now) noexcept {
  if (event_at == wall_time{}) return;
  const auto late = received_at - event_at;
  const auto number = number_of(now);
  auto& here = buckets_[static_cast<std::size_t>(number % slices)];
  if (here.number != number) here = {number, late, late, 0};
  here.least = std::min(here.least, late);
  here.most = std::max(here.most, late);
  ++here.samples;
}

std::optional<clock_offset::figures> clock_offset::over_last_minute(mono_time now) const noexcept {
  const auto newest = number_of(now);
  std::optional<figures> all;
  for (const auto& x : buckets_) {
    if (x.samples == 0 || x.number <= newest - slices || x.number > newest) continue;
    if (!all) {
      all = figures{x.least, x.most, x.samples};
      continue;
    }
    all->least = std::min(all->least, x.least);
    all->most = std::max(all->most, x.most);
    all->samples += x.samples;
  }
  return all;
}

} // namespace breakwater
