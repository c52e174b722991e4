#include "actors/feed/trade_fold.hpp"

#include <algorithm>
#include <cmath>

namespace breakwater {
namespace {

constexpr std::size_t most_holes = 16;
constexpr std::uint64_t steps_of_one = 100'000'000;

} // namespace

void trade_fold::amount::add(double size) noexcept {
  const auto units = std::floor(size);
  whole += static_cast<std::uint64_t>(units);
  steps += static_cast<std::uint64_t>(std::llround((size - units) * static_cast<double>(steps_of_one)));
  whole += steps / steps_of_one;
  steps %= steps_of_one;
}

double trade_fold::amount::value() const noexcept {
  // As long as all digits fit into a double's 53 bits, one division finds the double nearest to the sum.
  constexpr std::uint64_t exact_below = (std::uint64_t{1} << 53) / steps_of_one;
  if (whole < exact_below)
    return static_cast<double>(whole * steps_of_one + steps) / static_cast<double>(steps_of_one);
  return static_cast<double>(whole) + static_cast<double>(steps) / static_cast<double>(steps_of_one);
}

void trade_fold::begin_after(std::uint64_t id) noexcept {
  if (last_id_ == 0) last_id_ = id;
}

trade_fold::outcome trade_fold::take(const trade& x) {
  const auto start_s = epoch_ms(x.at) / 60000 * 60;
  if (!is_news(x.id)) {
    // Of a minute later than all that we know, it cannot be known: the exchange counts anew.
    const auto newest_s = minutes_.front().made.start_s;
    if (newest_s == 0 || start_s <= newest_s) return {};
    missing_.clear();
    tell_missing_ = true;
    last_id_ = x.id;
  }
  if (first_start_s_ == 0) first_start_s_ = start_s;
  // One trade of a minute that we did not hear would pass for all of it.
  if (start_s < first_start_s_) return {};
  std::size_t i = 0;
  while (i < minutes_.size() && minutes_[i].made.start_s > start_s) ++i;
  if (i == minutes_.size()) return {};
  auto& in = minutes_[i];
  auto& made = in.made;
  if (made.start_s != start_s) {
    std::move_backward(minutes_.begin() + static_cast<std::ptrdiff_t>(i), minutes_.end() - 1, minutes_.end());
    in = {{start_s, x.price, x.price, x.price, x.price, 0}, {}, x.id, x.id};
  }
  made.high = std::max(made.high, x.price);
  made.low = std::min(made.low, x.price);
  if (x.id < in.first_id) {
    in.first_id = x.id;
    made.open = x.price;
  }
  if (x.id > in.last_id) {
    in.last_id = x.id;
    made.close = x.price;
  }
  in.volume.add(x.size);
  made.volume = in.volume.value();
  const bool tell = tell_missing_;
  tell_missing_ = false;
  return {&made, tell};
}

bool trade_fold::is_news(std::uint64_t id) {
  if (id <= last_id_) return fill_missing(id);
  if (last_id_ != 0 && id > last_id_ + 1) note_missing({last_id_ + 1, id - 1});
  last_id_ = id;
  return true;
}

void trade_fold::note_missing(id_range ids) {
  tell_missing_ = true;
  if (missing_.size() == most_holes) missing_.erase(missing_.begin());
  missing_.push_back(ids);
}

bool trade_fold::fill_missing(std::uint64_t id) {
  const auto hole = std::find_if(missing_.begin(), missing_.end(),
                                 [&](const id_range& x) { return x.first <= id && id <= x.last; });
  if (hole == missing_.end()) return false;
  const id_range below{hole->first, id - 1}, above{id + 1, hole->last};
  if (below.first > below.last && above.first > above.last) {
    missing_.erase(hole);
  } else if (below.first > below.last) {
    *hole = above;
  } else {
    *hole = below;
    if (above.first <= above.last && missing_.size() < most_holes) missing_.insert(hole + 1, above);
  }
  return true;
}

} // namespace breakwater
