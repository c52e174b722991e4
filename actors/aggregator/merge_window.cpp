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

/// Whether `distance` is more than that share of `base`. Prices and shares are decimals, which doubles only
/// come near to: 1.05 is 5 % above 1, not more, and so is 105 above 100.
bool is_beyond(double distance, double share, double base) {
  constexpr double rounding = 1e-9;
  return distance > share * base * (1 + rounding);
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
    if (present[i] && is_beyond(std::fabs(close[i] - mid), max_deviation, mid)) excluded.set(i);
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

merge_window::merge_window(const aggregator_settings& rules, std::chrono::milliseconds fill_within,
                           const merge_limits& limits)
    : rules_(rules),
      window_s_(std::chrono::duration_cast<std::chrono::seconds>(rules.window).count()),
      fill_within_s_(std::chrono::duration_cast<std::chrono::seconds>(fill_within).count()),
      limits_(limits) {}

void merge_window::take(const candle& in, std::vector<merged>& out, reading how) {
  auto place = symbols_.find(std::string_view{in.symbol});
  if (place == symbols_.end()) {
    if (symbols_.size() >= limits_.symbols) {
      ++counts_.over_limit;
      return;
    }
    place = symbols_.try_emplace(in.symbol).first;
    place->second.newest_s = in.start_s;
    if (fill_within_s_ > window_s_) {
      place->second.told = minute_marks{static_cast<std::size_t>(fill_within_s_ / 60 + 1)};
      place->second.told.move_on(in.start_s);
    }
  }
  auto* of = minute_of(*place, in, out);
  const bool past = of == nullptr;
  if (past) of = past_minute_of(*place, in, out);
  if (of == nullptr) {
    ++(how == reading::again ? counts_.again : counts_.late);
    if (how == reading::first && in.filled) ++counts_.late_filled;
    return;
  }
  if (!merge(*place, *of, in, how)) return;
  if (past) {
    ++counts_.filled;
    place->second.newest_behind.note(*of);
  }
  if (past || (in.filled && rules_.emit == emit_mode::close)) {
    of->held_since = in.received_at;
    filled_.insert_or_assign({in.symbol, in.start_s}, 0u);
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
  if (rules_.emit != emit_mode::interval) return tell(*of, std::move(now), out);
  of->untold = false;
  of->told_closed = now.closed;
  of->held_since = in.received_at;
  if (!std::exchange(of->held, true)) held_.emplace(in.symbol, in.start_s);
}

bool merge_window::merge(symbol_place& place, minute& of, const candle& in, reading how) {
  const auto i = index_of(in.from);
  const bool changed = !of.present[i] || of.close[i] != in.close || of.volume[i] != in.volume;
  if (of.present[i]) {
    if (how == reading::again && in.event_at <= of.event_at[i]) {
      ++counts_.again;
      return false;
    }
    if (in.filled) { // final, whenever the exchange says it happened
      if (!changed && of.closed[i]) {
        ++counts_.unchanged;
        return false;
      }
    } else if ((in.event_at < of.event_at[i] && in.event_at != in.received_at) ||
               (of.closed[i] && !in.closed)) {
      ++counts_.out_of_order;
      return false;
    }
  }
  note_change(place, of);
  of.close[i] = in.close;
  of.volume[i] = in.volume;
  of.event_at[i] = std::max(of.event_at[i], in.event_at);
  of.present.set(i);
  if (in.closed) of.closed.set(i);
  of.untold |= changed;
  if (changed || in.closed) return true;
  ++counts_.unchanged; // the common case of a repeat; a close mark may still change the record
  return false;
}

void merge_window::tell(minute& of, merged&& figures, std::vector<merged>& out) {
  of.untold = false;
  of.told = true;
  of.told_closed = figures.closed;
  out.push_back(std::move(figures));
}

void merge_window::tell_held(std::vector<merged>& out) {
  for (const auto& [symbol, start_s] : std::exchange(held_, {})) {
    auto& place = *symbols_.find(symbol);
    auto& open = place.second.open;
    auto& of = *std::find_if(open.begin(), open.end(),
                             [start = start_s](const minute& m) { return m.start_s == start; });
    of.held = false;
    note_change(place, of);
    auto now = figures(of, symbol, of.held_since);
    if (now.contributing >= rules_.min_exchanges)
      tell(of, std::move(now), out);
    else
      of.untold = true; // who moved away in the meantime may come back
  }
}

void merge_window::tell_filled(std::size_t most, std::vector<merged>& out) {
  constexpr unsigned at_rest = 2;
  for (auto next = filled_.begin(); next != filled_.end();) {
    if (next->second < at_rest) {
      ++next->second;
      ++next;
    } else if (out.size() >= most) {
      ++next;
    } else {
      tell_filled_minute(next->first, out);
      next = filled_.erase(next);
    }
  }
}

void merge_window::tell_all_filled(std::vector<merged>& out) {
  for (const auto& [which, calls] : std::exchange(filled_, {})) tell_filled_minute(which, out);
}

void merge_window::tell_filled_minute(const minute_key& which, std::vector<merged>& out) {
  const auto& [symbol, start_s] = which;
  auto& [newest_s, open, past, told, newest_behind] = symbols_.find(symbol)->second;
  const auto is_it = [start = start_s](const minute& m) { return m.start_s == start; };
  const auto kept = past.find(start_s);
  const bool is_past = kept != past.end();
  minute* of = nullptr;
  if (is_past)
    of = &kept->second;
  else if (const auto found = std::find_if(open.begin(), open.end(), is_it); found != open.end())
    of = &*found;
  if (of == nullptr) return; // told when it left the window
  auto now = figures(*of, symbol, of->held_since);
  if (now.contributing < rules_.min_exchanges) {
    ++counts_.alone;
    return;
  }
  if (!of->untold && now.closed == of->told_closed) return;
  // An open minute that not everyone closed yet has its time to come. A past one had it.
  if (is_past || now.closed) tell(*of, std::move(now), out);
}

merge_window::minute* merge_window::minute_of(symbol_place& place, const candle& in,
                                              std::vector<merged>& out) {
  auto& newest_s = place.second.newest_s;
  auto& open = place.second.open;
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
  auto& [newest_s, open, past, told, newest_behind] = place.second;
  told.move_on(newest_s);
  while (!past.empty() && past.begin()->first < newest_s - fill_within_s_)
    forget(place, past.begin()->first, out);
  const auto kept =
      std::find_if(open.begin(), open.end(),
                   [&, oldest = newest_s - window_s_](const minute& m) { return m.start_s >= oldest; });
  for (auto m = open.begin(); m != kept; ++m) {
    note_change(place, *m);
    newest_behind.note(*m);
    if (m->held) held_.erase({in.symbol, m->start_s});
    if (m->held || (rules_.emit == emit_mode::close && m->untold)) {
      auto last = figures(*m, in.symbol, m->held ? m->held_since : in.received_at);
      if (last.contributing >= rules_.min_exchanges) tell(*m, std::move(last), out);
    }
    if (m->told)
      told.mark(m->start_s);
    else
      keep(place, *m, out);
  }
  open.erase(open.begin(), kept);
}

void merge_window::keep(symbol_place& place, minute of, std::vector<merged>& out) {
  auto& symbol = place.second;
  if (of.start_s < symbol.newest_s - fill_within_s_) return;
  // A symbol that too few exchanges have is never told, whatever is filled.
  const auto newest = symbol.newest();
  const auto known_to = std::count_if(newest.start_s.begin(), newest.start_s.end(),
                                      [](const auto& start_s) { return start_s.has_value(); });
  if (static_cast<std::size_t>(known_to) < rules_.min_exchanges || !make_room(of.start_s, out)) return;
  of.held = of.told_closed = false;
  of.untold = true;
  past_.emplace(of.start_s, &place);
  symbol.past.emplace(of.start_s, of);
}

merge_window::minute* merge_window::past_minute_of(symbol_place& place, const candle& in,
                                                   std::vector<merged>& out) {
  auto& symbol = place.second;
  if (!in.filled || in.start_s < symbol.newest_s - fill_within_s_) return nullptr;
  if (const auto kept = symbol.past.find(in.start_s); kept != symbol.past.end()) return &kept->second;
  if (symbol.told.has(in.start_s) || !make_room(in.start_s, out)) return nullptr;
  past_.emplace(in.start_s, &place);
  auto& made = symbol.past[in.start_s];
  made.start_s = in.start_s;
  return &made;
}

bool merge_window::make_room(std::int64_t start_s, std::vector<merged>& out) {
  if (past_.size() < limits_.past_minutes) return true;
  if (past_.empty() || start_s <= past_.begin()->first) {
    ++counts_.past_dropped;
    return false;
  }
  const auto [oldest_s, place] = *past_.begin();
  forget(*place, oldest_s, out);
  const bool told = place->second.told.has(oldest_s);
  if (!told) ++counts_.past_dropped;
  return true;
}

void merge_window::forget(symbol_place& place, std::int64_t start_s, std::vector<merged>& out) {
  if (const auto waits = filled_.find({place.first, start_s}); waits != filled_.end()) {
    tell_filled_minute(waits->first, out);
    filled_.erase(waits);
  }
  auto& symbol = place.second;
  const auto of = symbol.past.find(start_s);
  if (of->second.told) symbol.told.mark(start_s);
  symbol.past.erase(of);
  past_.erase({start_s, &place});
}

void merge_window::newest_minutes::note(const minute& of) {
  for (std::size_t i = 0; i < exchange_count; ++i) {
    if (!of.present[i] || (start_s[i] && *start_s[i] > of.start_s)) continue;
    start_s[i] = of.start_s;
    closed[i] = of.closed[i];
  }
}

merge_window::newest_minutes merge_window::symbol_minutes::newest() const {
  auto all = newest_behind;
  for (const auto& m : open) all.note(m);
  return all;
}

std::vector<candle> merge_window::newest_of(exchange of) const {
  std::vector<candle> all;
  for (const auto& [symbol, minutes] : symbols_) {
    const auto newest = minutes.newest();
    const auto& start_s = newest.start_s[index_of(of)];
    if (!start_s) continue;
    auto& told = all.emplace_back();
    told.symbol = symbol;
    told.from = of;
    told.start_s = *start_s;
    told.closed = newest.closed[index_of(of)];
  }
  return all;
}

void merge_window::note_change(symbol_place& place, minute& of) {
  if (rules_.source != candle_source::raw_stream) return; // nobody asks for them
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
  m.mean = std::clamp(sum / m.contributing, lowest, highest); // three times 0.1 is 0.1 on average, exactly
  double squares = 0;
  for (std::size_t i = 0; i < exchange_count; ++i)
    if (left[i]) squares += (of.close[i] - m.mean) * (of.close[i] - m.mean);
  m.deviation = std::sqrt(squares / m.contributing);
  m.spread_bps = (highest - lowest) / m.mean * 1e4;
  m.vwap = m.volume > 0 ? std::clamp(traded / m.volume, lowest, highest) : m.mean;
  m.suspect = m.contributing == 2 && is_beyond(highest - lowest, rules_.max_deviation, m.mean);
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

  auto& of = symbols_.try_emplace(std::string{symbol}).first->second;
  of.newest_s = of.open.empty() ? m.start_s : std::max(of.newest_s, m.start_s);
  if (m.held) held_.emplace(symbol, m.start_s);
  const auto place = std::find_if(of.open.rbegin(), of.open.rend(),
                                  [&](const minute& other) { return other.start_s < m.start_s; });
  of.open.insert(place.base(), std::move(m));
  return true;
}

} // namespace breakwater
