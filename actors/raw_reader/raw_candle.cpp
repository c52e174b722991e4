#include "actors/raw_reader/raw_candle.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

namespace breakwater {
namespace {

enum field : std::size_t { f_exchange, f_symbol, f_timestamp, f_open, f_high, f_low, f_close, f_volume };
constexpr std::array<std::string_view, 8> names{"exchange", "symbol", "timestamp", "open",
                                                "high",     "low",    "close",     "volume"};
using values = std::array<const std::string*, names.size()>;

/// The fields as they are nearly always: those eight, in that order.
bool in_order(const redis_reply& fields, values& of) noexcept {
  if (fields.items.size() < 2 * names.size()) return false;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (fields.items[2 * i].text != names[i]) return false;
    of[i] = &fields.items[2 * i + 1].text;
  }
  return true;
}

void in_any_order(const redis_reply& fields, values& of) noexcept {
  of.fill(nullptr);
  for (std::size_t i = 0; i + 1 < fields.items.size(); i += 2) {
    const auto place = std::find(names.begin(), names.end(), fields.items[i].text);
    if (place == names.end()) continue;
    auto& value = of[static_cast<std::size_t>(place - names.begin())];
    if (value == nullptr) value = &fields.items[i + 1].text;
  }
}

std::optional<double> number(const std::string& text) noexcept {
  double value = 0;
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || rest != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

/// Epoch seconds; "1767571200.0" is how some write them.
std::optional<std::int64_t> seconds(const std::string& text) noexcept {
  constexpr std::int64_t past_every_year = 100'000'000'000; // milliseconds look like this
  std::int64_t value = 0;
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || value < 0 || value >= past_every_year) return std::nullopt;
  if (rest == end) return value;
  const auto whole = number(text);
  if (!whole || *whole != static_cast<double>(value)) return std::nullopt;
  return value;
}

bool is_symbol(std::string_view text) noexcept {
  constexpr std::size_t longest = 32;
  return !text.empty() && text.size() <= longest && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  });
}

raw_content unreadable(const char* why) noexcept { return {raw_content::kind::unreadable, why}; }

} // namespace

raw_content read_raw_candle(const redis_reply& fields, candle& out) noexcept {
  values of;
  if (!in_order(fields, of)) {
    if (fields.items.size() == 2 && fields.items.front().text == "init")
      return {raw_content::kind::marker, ""};
    in_any_order(fields, of);
    constexpr std::array missing{"exchange is missing", "symbol is missing", "timestamp is missing",
                                 "open is missing",     "high is missing",   "low is missing",
                                 "close is missing",    "volume is missing"};
    for (std::size_t i = 0; i < names.size(); ++i)
      if (of[i] == nullptr) return unreadable(missing[i]);
  }
  const auto from = parse_exchange(*of[f_exchange]);
  if (!from) return unreadable("exchange is unknown");
  if (!is_symbol(*of[f_symbol])) return unreadable("symbol is none of capitals and digits");
  const auto start_s = seconds(*of[f_timestamp]);
  if (!start_s) return unreadable("timestamp is no number of seconds");

  std::array<double, 5> figures;
  for (std::size_t i = 0; i < figures.size(); ++i) {
    constexpr std::array bad{"open is no price", "high is no price", "low is no price", "close is no price",
                             "volume is no amount"};
    const auto figure = number(*of[f_open + i]);
    const bool is_price = i + f_open != f_volume;
    if (!figure || *figure < 0 || (is_price && *figure == 0)) return unreadable(bad[i]);
    figures[i] = *figure;
  }
  out.from = *from;
  out.symbol = *of[f_symbol];
  out.start_s = *start_s;
  out.open = figures[0];
  out.high = figures[1];
  out.low = figures[2];
  out.close = figures[3];
  out.volume = figures[4];
  out.closed = false;
  return {raw_content::kind::candle, ""};
}

} // namespace breakwater
