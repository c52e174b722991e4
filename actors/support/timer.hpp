#pragma once

#include "messages/lifecycle.hpp"
#include "messages/time.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace breakwater {

/// Keeps an actor woken at the time its core asks for. CAF cannot cancel a timer, so only the newest one
/// counts.
class timer {
public:
  /// Has `self` woken at `due`, unless it will be by then anyway. A `due` that has passed means: at once.
  template <class Self>
  void set(Self* self, std::optional<mono_time> due) {
    if (!due || (set_for_ && *set_for_ <= *due)) return;
    set_for_ = due;
    self->scheduled_send(self, std::max(*due, self->clock().now()), wake{++number_});
  }

  /// Whether this is the timer that was set last; an older one is to be ignored.
  [[nodiscard]] bool is_due(wake which) noexcept {
    if (which.number != number_) return false;
    set_for_.reset();
    return true;
  }

private:
  std::optional<mono_time> set_for_;
  std::uint64_t number_ = 0;
};

} // namespace breakwater
