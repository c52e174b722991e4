#include "actors/feed/candle_closer.hpp"

#include <algorithm>
#include <utility>

namespace breakwater {

wall_time candle_closer::over_at(const candle& x) noexcept {
  return wall_time_from_ms((x.start_s + 60) * 1000) + patience;
}

void candle_closer::take(candle now_known, std::vector<candle>& out) {
  const auto known = by_symbol_.find(now_known.symbol);
  auto& newest = known != by_symbol_.end() ? known->second : by_symbol_[now_known.symbol];
  if (known == by_symbol_.end()) {
    newest = now_known;
  } else {
    if (now_known.start_s < newest.start_s) {
      now_known.closed = true; // the minute after it has begun
      out.push_back(std::move(now_known));
      return;
    }
    if (now_known.start_s == newest.start_s) {
      now_known.closed = now_known.closed || newest.closed;
    } else if (!newest.closed) {
      newest.closed = true;
      newest.received_at = now_known.received_at;
      out.push_back(std::move(newest));
    }
    newest = now_known;
  }
  if (!newest.closed) {
    const auto due = over_at(newest);
    if (!next_close_ || due < *next_close_) next_close_ = due;
  }
  out.push_back(std::move(now_known));
}

void candle_closer::advance(wall_time now, std::vector<candle>& out) {
  if (!next_close_ || now < *next_close_) return;
  next_close_.reset();
  const auto first = out.size();
  for (auto& [symbol, newest] : by_symbol_) {
    if (newest.closed) continue;
    const auto due = over_at(newest);
    if (due <= now) {
      newest.closed = true;
      newest.received_at = now;
      out.push_back(newest);
    } else if (!next_close_ || due < *next_close_) {
      next_close_ = due;
    }
  }
  // The same input gives the same output, whatever order the symbols are kept in.
  std::sort(out.begin() + static_cast<std::ptrdiff_t>(first), out.end(),
            [](const candle& a, const candle& b) { return a.symbol < b.symbol; });
}

} // namespace breakwater
