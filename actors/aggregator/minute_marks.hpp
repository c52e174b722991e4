#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace breakwater {

/// One mark for each of the last minutes: a bit, in a ring that turns with the newest minute.
class minute_marks {
public:
  /// Holds as many minutes, the newest included.
  explicit minute_marks(std::size_t minutes = 0) : marks_(minutes) {}

  /// `start_s` is in the newest minute from now on. Minutes that came new have no mark.
  void move_on(std::int64_t start_s) {
    const auto minute = minute_at(start_s);
    const auto came = std::min(minute - newest_, static_cast<std::int64_t>(marks_.size()));
    for (std::int64_t i = 0; i < came; ++i) marks_[place_of(minute - i)] = false;
    newest_ = std::max(newest_, minute);
  }
  /// Nothing, if the minute of `start_s` is not among those held.
  void mark(std::int64_t start_s) {
    if (holds(start_s)) marks_[place_of(minute_at(start_s))] = true;
  }
  [[nodiscard]] bool has(std::int64_t start_s) const {
    return holds(start_s) && marks_[place_of(minute_at(start_s))];
  }

private:
  static std::int64_t minute_at(std::int64_t start_s) noexcept { return start_s / 60; }
  [[nodiscard]] bool holds(std::int64_t start_s) const noexcept {
    const auto age = newest_ - minute_at(start_s);
    return age >= 0 && age < static_cast<std::int64_t>(marks_.size());
  }
  [[nodiscard]] std::size_t place_of(std::int64_t minute) const noexcept {
    return static_cast<std::size_t>(minute) % marks_.size();
  }

  std::vector<bool> marks_;
  std::int64_t newest_ = 0; ///< Minutes since the epoch.
};

} // namespace breakwater
