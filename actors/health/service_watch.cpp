#include "actors/health/service_watch.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <utility>

namespace breakwater {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;

constexpr std::size_t longest_status = 400; // one line of systemctl status, or a few
// How long a look that was fine so far lets a start go on. The next one comes well before that.
constexpr microseconds start_goes_on = std::chrono::seconds{60};
constexpr microseconds margin = std::chrono::seconds{5};

std::uint64_t count_in(const health_answer& answer, std::string_view name) {
  std::uint64_t count = 0;
  for (const auto& [key, value] : answer.facts)
    if (key == name) std::from_chars(value.data(), value.data() + value.size(), count);
  return count;
}

const health_answer* find(const std::vector<health_report::part>& parts, std::string_view name) {
  const auto found =
      std::find_if(parts.begin(), parts.end(), [name](const auto& part) { return part.name == name; });
  return found == parts.end() ? nullptr : &found->answer;
}

/// What is critical, part by part.
std::string critical_of(const std::vector<health_report::part>& parts) {
  std::string all;
  for (const auto& [name, answer] : parts)
    if (answer.level == health_level::critical) all += (all.empty() ? "" : "; ") + name + ": " + answer.why;
  return all;
}

/// One line of at most longest_status bytes: a line feed would begin another variable.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  if (text.size() <= longest_status) return text;
  auto end = longest_status;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end; // not inside a character
  return text.substr(0, end) + "...";
}

std::string extend(microseconds time) { return "EXTEND_TIMEOUT_USEC=" + std::to_string(time.count()); }

} // namespace

service_watch::service_watch(limits how, std::optional<microseconds> watchdog)
    : how_(how), watchdog_(watchdog) {}

service_watch::words service_watch::after_look(const std::vector<health_report::part>& parts,
                                               bool everyone_answered, const std::string& attention,
                                               mono_time now) {
  words says;
  auto level = health_level::ok;
  for (const auto& part : parts) level = std::max(level, part.answer.level);
  const auto stalled = find_stalled(parts, now);
  const auto moves = rate(parts, now);
  if (!std::exchange(said_stalled_, !stalled.empty())) says.stalled = stalled;

  std::string status;
  const bool alive = everyone_answered && stalled.empty();
  if (!ready_ && alive && level != health_level::critical) {
    ready_ = says.ready = true;
    says.lines = "READY=1\n";
  }
  if (!ready_) {
    if (everyone_answered) says.lines = extend(start_goes_on) + "\n";
    status = "starting, waits for: " + critical_of(parts);
  } else if (!stalled.empty()) {
    status = "stalled: " + stalled;
  } else {
    status = std::string{to_string(level)} + ": " + moves + (attention.empty() ? "" : "; ") + attention;
  }
  if (ready_ && alive) says.lines += "WATCHDOG=1\n";
  says.lines += "STATUS=" + one_line(std::move(status));
  return says;
}

std::optional<std::chrono::milliseconds> service_watch::too_short() const {
  const auto least = 2 * how_.interval + how_.answer_within;
  if (!watchdog_ || *watchdog_ >= least) return std::nullopt;
  return least;
}

bool service_watch::stalls(passage& which, bool should_move, std::uint64_t moved, mono_time now) const {
  if (!should_move || which.moved != moved) which = {moved, now};
  return now - which.since >= how_.stalled_after;
}

std::string service_watch::find_stalled(const std::vector<health_report::part>& parts, mono_time now) {
  const auto* publisher = find(parts, "publisher");
  if (publisher == nullptr) return {};
  // Its level says so when Redis, its owner, the disk or a full spool is why nothing moves; that is no reason
  // to start again.
  const bool free = publisher->level == health_level::ok;
  const auto* redis = find(parts, "redis");
  const bool connected = redis != nullptr && redis->level == health_level::ok;
  if (stalls(publisher_, free && connected && count_in(*publisher, "waiting") > 0,
             count_in(*publisher, "acknowledged"), now))
    return "records wait in the spool, and none reaches Redis";

  // Candles out of a raw stream wait in Redis, and their reader says why.
  const auto* aggregator = find(parts, "aggregator");
  if (aggregator == nullptr || find(parts, "raw_reader") != nullptr) return {};
  const bool wait = std::any_of(parts.begin(), parts.end(), [](const auto& part) {
    return part.name.starts_with("feed/") && count_in(part.answer, "waiting") > 0;
  });
  if (stalls(feeds_, free && wait, count_in(*aggregator, "candles"), now))
    return "candles wait at the feeds, and none reaches the aggregator";
  return {};
}

std::string service_watch::rate(const std::vector<health_report::part>& parts, mono_time now) {
  const auto* publisher = find(parts, "publisher");
  if (publisher == nullptr) return "no publisher";
  const auto total = count_in(*publisher, "acknowledged");
  const auto before = std::exchange(acknowledged_, total);
  const auto seconds = std::chrono::duration<double>(now - std::exchange(looked_at_, now)).count();
  std::array<char, 64> text{};
  // A publisher that was started again counts from 0.
  const auto grown = before && total >= *before ? total - *before : 0;
  std::snprintf(text.data(), text.size(), "%.1f records/s",
                seconds > 0 ? static_cast<double>(grown) / seconds : 0.0);
  return std::string{text.data()} + ", " + std::to_string(count_in(*publisher, "waiting")) + " waiting";
}

std::string stopping_lines(std::string_view what, std::chrono::milliseconds at_most) {
  return "STOPPING=1\n" + extend(duration_cast<microseconds>(at_most) + margin) +
         "\nSTATUS=" + one_line(std::string{what});
}

} // namespace breakwater
