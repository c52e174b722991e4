#include "config/value_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <vector>

namespace breakwater::config {
namespace {

struct unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array time_units{unit{"ms", 1}, unit{"s", 1000}, unit{"m", 60'000}, unit{"h", 3'600'000}};
constexpr std::array size_units{unit{"B", 1}, unit{"KiB", 1ULL << 10}, unit{"MiB", 1ULL << 20},
                                unit{"GiB", 1ULL << 30}, unit{"TiB", 1ULL << 40}};

/// Digits and a unit; nullopt also when the product is above `max`.
template <std::size_t N>
std::optional<std::uint64_t> parse_with_unit(std::string_view text, const std::array<unit, N>& units,
                                             std::uint64_t max) noexcept {
  std::uint64_t amount = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), amount);
  if (error != std::errc{}) return std::nullopt;
  const auto name = text.substr(static_cast<std::size_t>(end - text.data()));
  const auto found = std::find_if(units.begin(), units.end(), [&](const unit& u) { return u.name == name; });
  if (found == units.end() || amount > max / found->factor) return std::nullopt;
  return amount * found->factor;
}

} // namespace

std::optional<milliseconds> parse_duration(std::string_view text) noexcept {
  const auto ms = parse_with_unit(text, time_units, std::numeric_limits<std::int64_t>::max());
  if (!ms) return std::nullopt;
  return milliseconds{static_cast<std::int64_t>(*ms)};
}

std::string format_duration(milliseconds time) {
  const auto ms = time.count();
  if (ms != 0 && ms % 3'600'000 == 0) return std::to_string(ms / 3'600'000) + "h";
  // People write 90s, 120s, but 5m, 10m.
  if (ms >= 300'000 && ms % 60'000 == 0) return std::to_string(ms / 60'000) + "m";
  if (ms % 1000 == 0) return std::to_string(ms / 1000) + "s";
  return std::to_string(ms) + "ms";
}

std::optional<std::size_t> parse_size(std::string_view text) noexcept {
  return parse_with_unit(text, size_units, std::numeric_limits<std::size_t>::max());
}

std::string format_size(std::size_t bytes) {
  auto best = size_units.front();
  for (const auto& u : size_units)
    if (bytes != 0 && bytes % u.factor == 0) best = u;
  return std::to_string(bytes / best.factor).append(best.name);
}

std::string format_number(double x) {
  std::array<char, 64> digits;
  const auto size = std::abs(x);
  const bool is_ordinary = x == 0 || (size >= 1e-6 && size < 1e15);
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), x,
                                 is_ordinary ? std::chars_format::fixed : std::chars_format::general)
                       .ptr;
  return {digits.data(), end};
}

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      (out += '\\') += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      std::array<char, 8> escape;
      std::snprintf(escape.data(), escape.size(), "\\u%04X", static_cast<unsigned>(byte));
      out += escape.data();
    } else {
      out += c;
    }
  }
  return out += '"';
}

std::string key_text(std::string_view name) {
  const auto is_bare = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  if (!name.empty() && std::all_of(name.begin(), name.end(), is_bare)) return std::string{name};
  return toml_string(name);
}

std::string element(const std::string& key, std::size_t index) {
  return key + "[" + std::to_string(index) + "]";
}

std::string without_user_info(std::string_view url) {
  const auto at = url.rfind('@');
  if (at == std::string_view::npos) return std::string{url};
  const auto scheme_end = url.find("://");
  const bool has_scheme = scheme_end != std::string_view::npos && scheme_end < at;
  std::string shown{has_scheme ? url.substr(0, scheme_end + 3) : std::string_view{}};
  return shown.append("***").append(url.substr(at));
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      const std::size_t replaced = a[i - 1] == b[j - 1] ? 0 : 1;
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  }
  return cost[a.size()][b.size()];
}

} // namespace breakwater::config
