#include "actors/aggregator/merge_window.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace breakwater {
namespace {

/// Middle of ascending `values`; of an even number the mean of the two in the middle. `count` >= 1.
double median(const std::array<double, exchange_count>& values, std::size_t count) {
  const auto middle = count / 2;
  return count % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// Who is too far from the median of three or more to be believed.
std::bitset<exchange_count> too_far(const std::array<double, exchange_count>& close,
                                    const std::bitset<exchange_count>& present, double max_deviation) {
  std::bitset<exchange_count> excluded;
  const auto count = present.count();
  if (count < 3) return excluded;
  std::array<double, exchange_count> ascending;
  ascending.fill(std::numeric_limits<double>::infinity()); // the absent sort behind
  for (std::size_t i = 0; i < exchange_count; ++i)
    if (present[i]) ascending[i] = close[i];
  std::sort(ascending.begin(), ascending.end());
  const double mid = median(ascending, count);
  for (std::size_t i = 0; i < exchange_count; ++i)
    if (present[i] && std::fabs(close[i] - mid) > max_deviation * mid) excluded.set(i);
  return excluded;
}

} // namespace

merge_window::merge_window(const aggregator_settings& rules, std::size_t max_symbols)
    : rules_(rules),
      window_s_(std::chrono::duration_cast<std::chrono::seconds>(rules.window).count()),
      max_symbols_(max_symbols) {}

void merge_window::take(const candle& in, std::vector<merged>& out) {
  auto place = symbols_.find(std::string_view{in.symbol});
  if (place == symbols_.end()) {
    if (symbols_.size() >= max_symbols_) {
      ++counts_.over_limit;
      return;
    }
    place = symbols_.emplace(in.symbol, symbol_minutes{in.start_s, {}}).first;
  }
  auto* of = minute_of(place->second, in.start_s, in.symbol, out);
  if (of == nullptr) {
    ++counts_.late;
    return;
  }

  const auto i = index_of(in.from);
  if (of->present[i] && (in.event_at < of->event_at[i] || (of->closed[i] && !in.closed))) {
    ++counts_.out_of_order;
    return;
  }
  const bool changed = !of->present[i] || of->close[i] != in.close || of->volume[i] != in.volume;
  of->close[i] = in.close;
  of->volume[i] = in.volume;
  of->event_at[i] = in.event_at;
  of->present.set(i);
  if (in.closed) of->closed.set(i);
  of->untold |= changed;
  if (!changed && !in.closed) { // the common case of a repeat; a close mark may still change the record
    ++counts_.unchanged;
    return;
  }

  auto now = figures(*of, in.symbol);
  if (now.contributing < rules_.min_exchanges) {
    ++counts_.alone;
    return;
  }
  const bool closing = now.closed != of->told_closed;
  if (!of->untold && !closing) {
    ++counts_.unchanged;
    return;
  }
  if (rules_.emit == emit_mode::close && !now.closed) return;
  of->untold = false;
  of->told_closed = now.closed;
  out.push_back(std::move(now));
}

merge_window::minute* merge_window::minute_of(symbol_minutes& of, std::int64_t start_s,
                                              std::string_view symbol, std::vector<merged>& out) {
  if (start_s < of.newest_s - window_s_) return nullptr;
  auto place =
      std::find_if(of.open.rbegin(), of.open.rend(), [&](const minute& m) { return m.start_s <= start_s; });
  if (place != of.open.rend() && place->start_s == start_s) return &*place;
  auto made = of.open.insert(place.base(), minute{});
  made->start_s = start_s;
  if (start_s > of.newest_s) {
    of.newest_s = start_s;
    let_go(of, symbol, out);
  }
  return &*std::find_if(of.open.begin(), of.open.end(),
                        [&](const minute& m) { return m.start_s == start_s; });
}

void merge_window::let_go(symbol_minutes& of, std::string_view symbol, std::vector<merged>& out) {
  const auto kept = std::find_if(of.open.begin(), of.open.end(),
                                 [&](const minute& m) { return m.start_s >= of.newest_s - window_s_; });
  if (rules_.emit == emit_mode::close) {
    for (auto m = of.open.begin(); m != kept; ++m) {
      if (!m->untold) continue;
      if (auto last = figures(*m, symbol); last.contributing >= rules_.min_exchanges)
        out.push_back(std::move(last));
    }
  }
  of.open.erase(of.open.begin(), kept);
}

merged merge_window::figures(const minute& of, std::string_view symbol) const {
  merged m;
  m.symbol = symbol;
  m.start_s = of.start_s;
  m.excluded = too_far(of.close, of.present, rules_.max_deviation);
  const auto left = of.present & ~m.excluded;
  m.contributing = static_cast<unsigned>(left.count());
  m.closed = (of.closed & left) == left && left.any();

  double sum = 0, traded = 0, lowest = 0, highest = 0;
  for (std::size_t i = 0; i < exchange_count; ++i) {
    if (of.present[i]) {
      m.prices[i] = of.close[i];
      m.event_at = std::max(m.event_at, of.event_at[i]);
    }
    if (!left[i]) continue;
    lowest = sum == 0 ? of.close[i] : std::min(lowest, of.close[i]);
    highest = std::max(highest, of.close[i]);
    sum += of.close[i];
    m.volume += of.volume[i];
    traded += of.close[i] * of.volume[i];
  }
  if (m.contributing == 0) return m;
  m.mean = sum / m.contributing;
  double squares = 0;
  for (std::size_t i = 0; i < exchange_count; ++i)
    if (left[i]) squares += (of.close[i] - m.mean) * (of.close[i] - m.mean);
  m.deviation = std::sqrt(squares / m.contributing);
  m.spread_bps = (highest - lowest) / m.mean * 1e4;
  m.vwap = m.volume > 0 ? traded / m.volume : m.mean;
  m.suspect = m.contributing == 2 && highest - lowest > rules_.max_deviation * m.mean;
  constexpr auto binance = index_of(exchange::binance), bybit = index_of(exchange::bybit);
  if (left[binance] && left[bybit]) m.lead_lag = (of.close[binance] - of.close[bybit]) / m.mean;
  return m;
}

} // namespace breakwater
