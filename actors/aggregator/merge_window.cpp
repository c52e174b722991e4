#include "actors/aggregator/merge_window.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>

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

/// A saved minute: this version, then plain values one behind the other. Read by the machine that wrote
/// it, or by one of its kind.
constexpr std::uint8_t saved_version = 1;

class value_writer {
public:
  template <class T>
  void put(T value) {
    static_assert(std::is_arithmetic_v<T>);
    std::array<char, sizeof value> bytes;
    std::memcpy(bytes.data(), &value, sizeof value);
    text.append(bytes.data(), bytes.size());
  }
  std::string text;
};

class value_reader {
public:
  explicit value_reader(std::string_view text) : rest_(text) {}

  /// 0 once the text is at its end.
  template <class T>
  T get() {
    static_assert(std::is_arithmetic_v<T>);
    T value{};
    if (rest_.size() < sizeof value) {
      cut_short_ = true;
      return value;
    }
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }
  [[nodiscard]] bool at_end() const noexcept { return rest_.empty() && !cut_short_; }

private:
  std::string_view rest_;
  bool cut_short_ = false;
};

enum saved_mark : std::uint8_t { saved_untold = 1, saved_told_closed = 2, saved_held = 4 };

} // namespace

merge_window::merge_window(const aggregator_settings& rules, std::size_t max_symbols)
    : rules_(rules),
      window_s_(std::chrono::duration_cast<std::chrono::seconds>(rules.window).count()),
      max_symbols_(max_symbols) {}

void merge_window::take(const candle& in, std::vector<merged>& out, reading how) {
  auto place = symbols_.find(std::string_view{in.symbol});
  if (place == symbols_.end()) {
    if (symbols_.size() >= max_symbols_) {
      ++counts_.over_limit;
      return;
    }
    place = symbols_.emplace(in.symbol, symbol_minutes{in.start_s, {}}).first;
  }
  auto* of = minute_of(*place, in, out);
  if (of == nullptr) {
    ++(how == reading::again ? counts_.again : counts_.late);
    return;
  }

  const auto i = index_of(in.from);
  if (of->present[i]) {
    if (how == reading::again && in.event_at <= of->event_at[i]) {
      ++counts_.again;
      return;
    }
    if (in.event_at < of->event_at[i] || (of->closed[i] && !in.closed)) {
      ++counts_.out_of_order;
      return;
    }
  }
  note_change(*place, *of);
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

  auto now = figures(*of, in.symbol, in.received_at);
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
  if (rules_.emit != emit_mode::interval) {
    out.push_back(std::move(now));
    return;
  }
  of->held_since = in.received_at;
  if (!std::exchange(of->held, true)) held_.emplace(in.symbol, in.start_s);
}

void merge_window::tell_held(std::vector<merged>& out) {
  for (const auto& [symbol, start_s] : std::exchange(held_, {})) {
    auto& place = *symbols_.find(symbol);
    auto& open = place.second.open;
    auto& of = *std::find_if(open.begin(), open.end(), [&](const minute& m) { return m.start_s == start_s; });
    of.held = false;
    note_change(place, of);
    auto now = figures(of, symbol, of.held_since);
    if (now.contributing >= rules_.min_exchanges)
      out.push_back(std::move(now));
    else
      of.untold = true; // who moved away in the meantime may come back
  }
}

merge_window::minute* merge_window::minute_of(symbol_place& place, const candle& in,
                                              std::vector<merged>& out) {
  auto& [newest_s, open] = place.second;
  if (in.start_s < newest_s - window_s_) return nullptr;
  auto before =
      std::find_if(open.rbegin(), open.rend(), [&](const minute& m) { return m.start_s <= in.start_s; });
  if (before != open.rend() && before->start_s == in.start_s) return &*before;
  auto made = open.insert(before.base(), minute{});
  made->start_s = in.start_s;
  if (in.start_s > newest_s) {
    newest_s = in.start_s;
    let_go(place, in, out);
  }
  return &*std::find_if(open.begin(), open.end(), [&](const minute& m) { return m.start_s == in.start_s; });
}

void merge_window::let_go(symbol_place& place, const candle& in, std::vector<merged>& out) {
  auto& [newest_s, open] = place.second;
  const auto kept = std::find_if(open.begin(), open.end(),
                                 [&](const minute& m) { return m.start_s >= newest_s - window_s_; });
  for (auto m = open.begin(); m != kept; ++m) {
    note_change(place, *m);
    if (m->held) held_.erase({in.symbol, m->start_s});
    if (!m->held && !(rules_.emit == emit_mode::close && m->untold)) continue;
    auto last = figures(*m, in.symbol, m->held ? m->held_since : in.received_at);
    if (last.contributing >= rules_.min_exchanges) out.push_back(std::move(last));
  }
  open.erase(open.begin(), kept);
}

void merge_window::note_change(symbol_place& place, minute& of) {
  if (!std::exchange(of.changed, true)) changed_.emplace_back(&place, of.start_s);
}

merged merge_window::figures(const minute& of, std::string_view symbol, wall_time ingest_at) const {
  merged m;
  m.symbol = symbol;
  m.start_s = of.start_s;
  m.ingest_at = ingest_at;
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

std::vector<merge_window::saved_minute> merge_window::take_changed() {
  std::vector<saved_minute> saved;
  saved.reserve(changed_.size());
  for (const auto& [place, start_s] : std::exchange(changed_, {})) {
    auto& [name, text] = saved.emplace_back(place->first + ' ' + std::to_string(start_s), std::string{});
    auto& open = place->second.open;
    const auto of = std::find_if(open.rbegin(), open.rend(),
                                 [start = start_s](const minute& m) { return m.start_s <= start; });
    if (of == open.rend() || of->start_s != start_s) continue;
    of->changed = false;
    text = text_of(*of);
  }
  return saved;
}

std::string merge_window::text_of(const minute& of) {
  value_writer to;
  to.put(saved_version);
  to.put(static_cast<std::uint8_t>(of.present.to_ulong()));
  to.put(static_cast<std::uint8_t>(of.closed.to_ulong()));
  to.put(static_cast<std::uint8_t>((of.untold ? saved_untold : 0) | (of.told_closed ? saved_told_closed : 0) |
                                   (of.held ? saved_held : 0)));
  if (of.held) to.put(epoch_ms(of.held_since));
  for (std::size_t i = 0; i < exchange_count; ++i) {
    if (!of.present[i]) continue;
    to.put(of.close[i]);
    to.put(of.volume[i]);
    to.put(epoch_ms(of.event_at[i]));
  }
  return std::move(to.text);
}

bool merge_window::restore(std::string_view name, std::string_view text) {
  minute m;
  const auto blank = name.rfind(' ');
  if (blank == std::string_view::npos || blank == 0) return false;
  const auto symbol = name.substr(0, blank), start = name.substr(blank + 1);
  const auto [rest, error] = std::from_chars(start.data(), start.data() + start.size(), m.start_s);
  if (error != std::errc{} || rest != start.data() + start.size()) return false;

  value_reader from{text};
  if (from.get<std::uint8_t>() != saved_version) return false;
  const auto present = from.get<std::uint8_t>(), closed = from.get<std::uint8_t>();
  const auto marks = from.get<std::uint8_t>();
  if (present >> exchange_count != 0 || closed >> exchange_count != 0) return false;
  m.present = present;
  m.closed = closed;
  m.untold = (marks & saved_untold) != 0;
  m.told_closed = (marks & saved_told_closed) != 0;
  m.held = (marks & saved_held) != 0;
  if (m.held) m.held_since = wall_time_from_ms(from.get<std::int64_t>());
  for (std::size_t i = 0; i < exchange_count; ++i) {
    if (!m.present[i]) continue;
    m.close[i] = from.get<double>();
    m.volume[i] = from.get<double>();
    m.event_at[i] = wall_time_from_ms(from.get<std::int64_t>());
  }
  if (!from.at_end()) return false;

  auto& of = symbols_.try_emplace(std::string{symbol}, symbol_minutes{m.start_s, {}}).first->second;
  of.newest_s = std::max(of.newest_s, m.start_s);
  if (m.held) held_.emplace(symbol, m.start_s);
  const auto place = std::find_if(of.open.rbegin(), of.open.rend(),
                                  [&](const minute& other) { return other.start_s < m.start_s; });
  of.open.insert(place.base(), std::move(m));
  return true;
}

} // namespace breakwater
