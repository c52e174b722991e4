#include "actors/bridge/event_time.hpp"

#include <charconv>
#include <cmath>
#include <string>
#include <string_view>

namespace breakwater {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr double first_of_milliseconds = 1e11; // as seconds that would be the year 5138
constexpr double last_time = 253402300799999;  // the year 9999, which is as far as a calendar date goes

std::optional<wall_time> of_number(double epoch) {
  if (!std::isfinite(epoch) || epoch < 0 || epoch > last_time) return std::nullopt;
  const auto ms = epoch < first_of_milliseconds ? epoch * 1000 : epoch;
  // A double of seconds can lie a hair below the millisecond it was made of.
  return wall_time_from_ms(static_cast<std::int64_t>(std::floor(ms + 1e-4)));
}

/// Reads a text from left to right.
class scanner {
public:
  explicit scanner(std::string_view text) : rest_(text) {}

  /// Exactly so many digits.
  std::optional<int> digits(std::size_t count) {
    if (rest_.size() < count) return std::nullopt;
    int value = 0;
    const auto part = rest_.substr(0, count);
    if (part.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    std::from_chars(part.data(), part.data() + part.size(), value);
    rest_.remove_prefix(count);
    return value;
  }
  bool takes(std::string_view any_of) {
    if (rest_.empty() || any_of.find(rest_.front()) == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }
  /// The digits that come, as a fraction of a second; nullopt: there is none, or there are too many.
  std::optional<milliseconds> fraction() {
    const auto count = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    if (count == 0 || count > 9) return std::nullopt;
    auto padded = std::string{rest_.substr(0, count)} + "00";
    rest_.remove_prefix(count);
    return milliseconds{std::stoi(padded.substr(0, 3))};
  }
  [[nodiscard]] char next() const { return rest_.empty() ? '\0' : rest_.front(); }
  [[nodiscard]] bool done() const { return rest_.empty(); }

private:
  std::string_view rest_;
};

/// "Z", "+02:00", "-0330", "+02"; nothing means UTC. nullopt: none of these.
std::optional<minutes> offset(scanner& text) {
  if (text.done() || text.takes("Zz")) return minutes{0};
  const bool behind = text.next() == '-';
  if (!text.takes("+-")) return std::nullopt;
  const auto hours = text.digits(2);
  if (!hours || *hours > 23) return std::nullopt;
  if (text.done()) return minutes{*hours * 60 * (behind ? -1 : 1)};
  text.takes(":");
  const auto rest = text.digits(2);
  if (!rest || *rest > 59) return std::nullopt;
  return minutes{(*hours * 60 + *rest) * (behind ? -1 : 1)};
}

std::optional<wall_time> of_iso(std::string_view whole) {
  using namespace std::chrono;
  scanner text{whole};
  const auto y = text.digits(4);
  if (!y || !text.takes("-")) return std::nullopt;
  const auto m = text.digits(2);
  if (!m || !text.takes("-")) return std::nullopt;
  const auto d = text.digits(2);
  if (!d || !text.takes("Tt ")) return std::nullopt;
  const auto hour = text.digits(2);
  if (!hour || !text.takes(":")) return std::nullopt;
  const auto minute = text.digits(2);
  if (!minute) return std::nullopt;
  std::optional<int> second = 0;
  std::optional<milliseconds> part = milliseconds{0};
  if (text.takes(":")) {
    second = text.digits(2);
    if (second && text.takes(".,")) part = text.fraction();
  }
  if (!second || !part || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  const year_month_day date{year{*y}, month{static_cast<unsigned>(*m)}, day{static_cast<unsigned>(*d)}};
  const auto away = offset(text);
  if (!date.ok() || !away || !text.done()) return std::nullopt;
  return wall_time{sys_days{date}.time_since_epoch() + hours{*hour} + minutes{*minute} + seconds{*second} +
                   *part - *away};
}

std::optional<wall_time> of_text(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size()) return of_number(number);
  return of_iso(text);
}

} // namespace

std::optional<wall_time> parse_event_time(const nlohmann::json& value) {
  if (value.is_number()) return of_number(value.get<double>());
  if (value.is_string()) return of_text(value.get_ref<const std::string&>());
  return std::nullopt;
}

} // namespace breakwater
