#include "actors/feed/outbox.hpp"

#include <algorithm>

namespace breakwater {

bool recent_candles::has(const candle& x) const {
  const auto found = by_symbol_.find(x.symbol);
  if (found == by_symbol_.end()) return false;
  return std::any_of(found->second.begin(), found->second.end(), [&](const candle& known) {
    return known.start_s == x.start_s && known.open == x.open && known.high == x.high && known.low == x.low &&
           known.close == x.close && known.volume == x.volume && (known.closed || !x.closed);
  });
}

bool recent_candles::note(const candle& x) {
  auto& kept = by_symbol_[x.symbol]; // newest minute first
  std::size_t i = 0;
  while (i < minutes && kept[i].start_s > x.start_s) ++i;
  if (i == minutes) return x.closed; // older than what is kept
  const bool known = kept[i].start_s == x.start_s && !kept[i].symbol.empty();
  const bool closed = x.closed || (known && kept[i].closed);
  if (!known) std::move_backward(kept.begin() + static_cast<std::ptrdiff_t>(i), kept.end() - 1, kept.end());
  kept[i] = x;
  kept[i].closed = closed;
  return closed;
}

std::vector<candle> recent_candles::all() const {
  std::vector<candle> out;
  for (const auto& [symbol, kept] : by_symbol_)
    for (const auto& x : kept)
      if (!x.symbol.empty()) out.push_back(x);
  std::sort(out.begin(), out.end(), [](const candle& a, const candle& b) {
    return a.start_s != b.start_s ? a.start_s < b.start_s : a.symbol < b.symbol;
  });
  return out;
}

void outbox::put(candle x) {
  // A fill can tell what a close told before.
  if (recent_.has(x)) return;
  x.closed = recent_.note(x);
  if (const auto known = place_of_.find({x.symbol, x.start_s}); known != place_of_.end()) {
    auto& older = waiting_.at(known->second);
    x.closed = x.closed || older.closed;
    older = std::move(x);
    ++conflated_;
    return;
  }
  add(back_++, std::move(x));
  make_room();
}

std::vector<candle> outbox::take(std::size_t max) {
  std::vector<candle> out;
  out.reserve(std::min(max, waiting_.size()));
  while (out.size() < max && !waiting_.empty()) {
    const auto first = waiting_.begin();
    by_minute_.erase({first->second.start_s, first->first});
    place_of_.erase({first->second.symbol, first->second.start_s});
    out.push_back(std::move(first->second));
    waiting_.erase(first);
  }
  return out;
}

void outbox::give_back(const std::vector<candle>& batch) {
  for (auto x = batch.rbegin(); x != batch.rend(); ++x) {
    const key same{x->symbol, x->start_s};
    auto state = *x;
    if (const auto known = place_of_.find(same); known != place_of_.end()) {
      // The newer state takes the older one's place in front.
      const auto newer = waiting_.find(known->second);
      state = std::move(newer->second);
      state.closed = state.closed || x->closed;
      by_minute_.erase({same.second, known->second});
      waiting_.erase(newer);
      place_of_.erase(known);
      ++conflated_;
    }
    add(--front_, std::move(state));
  }
  make_room();
}

void outbox::refill() {
  for (auto& x : recent_.all())
    if (!place_of_.contains({x.symbol, x.start_s})) add(back_++, std::move(x));
  make_room();
}

void outbox::add(std::int64_t place, candle x) {
  place_of_[{x.symbol, x.start_s}] = place;
  by_minute_.insert({x.start_s, place});
  waiting_.emplace(place, std::move(x));
}

void outbox::make_room() {
  while (waiting_.size() > capacity_) {
    const auto oldest = by_minute_.begin();
    const auto place = waiting_.find(oldest->second);
    place_of_.erase({place->second.symbol, place->second.start_s});
    waiting_.erase(place);
    by_minute_.erase(oldest);
    ++dropped_;
  }
}

} // namespace breakwater
