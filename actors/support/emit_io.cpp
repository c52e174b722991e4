#include "actors/support/emit_io.hpp"

#include "actors/support/emit.hpp"
#include "actors/support/metrics.hpp"
#include "messages/text.hpp"
#include "messages/time.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <span>

namespace breakwater {
namespace {

using clock = std::chrono::steady_clock;

/// Whose repeats are kept apart; more of them, such as symbols of a universe that changes and changes, are
/// one subject.
constexpr std::size_t most_subjects = 4096;

struct repeats {
  clock::time_point said_at;
  std::size_t count = 0;
};

/// The one log of the process: a sink, a form, and what is being kept quiet.
struct log_state {
  std::mutex mutex;
  std::shared_ptr<spdlog::logger> out;
  log_format format = log_format::text;
  severity threshold = severity::info;
  std::map<std::string, repeats> quiet; ///< By actor, event and the fields that tell subjects apart.
  std::shared_ptr<const std::function<void(happening)>> ear;
};

log_state& state() {
  static log_state the_log;
  return the_log;
}

std::shared_ptr<spdlog::logger> logger_on(spdlog::sink_ptr sink) {
  auto made = std::make_shared<spdlog::logger>("breakwater", std::move(sink));
  made->set_pattern("%v");
  made->flush_on(spdlog::level::trace);
  return made;
}

constexpr const char* text_of(severity level) {
  constexpr std::array names{"DEBUG", "INFO ", "WARN ", "ERROR"};
  return names[static_cast<std::size_t>(level)];
}

std::string_view level_of(const event_info& row) {
  std::string_view level{text_of(row.level)};
  if (level.back() == ' ') level.remove_suffix(1);
  return level;
}

void append_json(std::string& line, std::string_view text) {
  line += '"';
  for (std::size_t at = 0; at < text.size();) {
    const auto size = shown_bytes(text, at);
    const auto byte = static_cast<unsigned char>(text[at]);
    if (text[at] == '"' || text[at] == '\\')
      (line += '\\') += text[at];
    else if (size > 0)
      line += text.substr(at, size);
    else // of a longer character, or of what is none, each byte by itself: JSON has no other way
      line += fmt::format("\\u{:04x}", static_cast<unsigned>(byte));
    at += std::max<std::size_t>(size, 1);
  }
  line += '"';
}

/// Whether nothing in it is obeyed by a terminal. Values come from exchanges, Redis and the network.
bool can_be_shown(std::string_view value) {
  for (std::size_t at = 0; at < value.size();) {
    const auto size = shown_bytes(value, at);
    if (size == 0) return false;
    at += size;
  }
  return true;
}

/// A value as it stands behind `key=`: bare, or in quotes when it would break the line apart.
void append_value(std::string& line, std::string_view value) {
  const bool plain =
      !value.empty() && value.find_first_of(" \"=\\") == std::string_view::npos && can_be_shown(value);
  plain ? void(line += value) : append_json(line, value);
}

std::string as_text(const event_info& row, std::string_view actor, std::span<const field> details) {
  auto line = fmt::format("{} {} [{}] {} event={}", to_rfc3339(system_wall_time()), text_of(row.level),
                          tag_of(actor), row.text, row.name);
  for (const auto& f : details) {
    ((line += ' ') += f.key) += '=';
    append_value(line, f.value);
  }
  return line;
}

std::string as_json(const event_info& row, std::string_view actor, std::span<const field> details) {
  auto line = fmt::format(R"({{"time":"{}","level":"{}","actor":"{}","message":"{}","event":"{}")",
                          to_rfc3339(system_wall_time()), level_of(row), tag_of(actor), row.text, row.name);
  for (const auto& f : details) {
    line += ',';
    append_json(line, f.key);
    line += ':';
    f.quoted ? append_json(line, f.value) : void(line += f.value);
  }
  return line += '}';
}

/// What is the same event again: the subject fields count, the figures do not.
std::string repeat_key(std::string_view actor, const event_info& row, std::span<const field> details) {
  std::string key{actor};
  (key += '|') += row.name;
  for (const auto& f : details)
    if (f.key == "exchange" || f.key == "symbol" || f.key == "actor") (key += '|') += f.value;
  return key;
}

happening happening_of(const event_info& row, std::string_view actor, std::span<const field> details) {
  happening what{
      system_wall_time(), std::string{level_of(row)}, std::string{tag_of(actor)}, row.name, row.text, {}};
  for (const auto& f : details) what.details.emplace_back(f.key, f.value);
  return what;
}

void write(std::string_view actor, event what, std::span<const field> details) {
  count_event(what);
  const auto& row = info_of(what);
  auto& log = state();
  std::unique_lock guard{log.mutex};
  if (row.level < log.threshold) return;
  std::vector<field> all{details.begin(), details.end()};
  if (row.quiet_for.count() > 0) {
    const auto now = clock::now();
    auto key = repeat_key(actor, row, details);
    if (log.quiet.size() >= most_subjects && !log.quiet.contains(key)) key = repeat_key(actor, row, {});
    auto [place, is_new] = log.quiet.try_emplace(std::move(key), repeats{now, 0});
    auto& seen = place->second;
    if (!is_new && now - seen.said_at < row.quiet_for) {
      ++seen.count;
      return;
    }
    if (seen.count > 0) all.emplace_back("repeated", seen.count);
    seen = {now, 0};
  }
  if (!log.out) log.out = logger_on(std::make_shared<spdlog::sinks::stderr_sink_mt>());
  const auto line = log.format == log_format::json ? as_json(row, actor, all) : as_text(row, actor, all);
  log.out->log(spdlog::level::critical, fmt::string_view{line});
  if (!log.ear || row.level == severity::debug) return;
  const auto ear = log.ear;
  guard.unlock(); // it may emit itself
  (*ear)(happening_of(row, actor, all));
}

} // namespace

void emit(std::string_view actor, event what, std::initializer_list<field> details) {
  write(actor, what, {details.begin(), details.size()});
}

void emit(std::string_view actor, event what, const fields& details) { write(actor, what, details); }

void let_hear(std::function<void(happening)> ear) {
  auto& log = state();
  std::lock_guard guard{log.mutex};
  log.ear = ear ? std::make_shared<const std::function<void(happening)>>(std::move(ear)) : nullptr;
}

result<done> open_log(const log_settings& how) {
  auto& log = state();
  std::lock_guard guard{log.mutex};
  log.format = how.format;
  log.threshold = static_cast<severity>(how.level);
  try {
    log.out = how.file.empty() ? logger_on(std::make_shared<spdlog::sinks::stderr_sink_mt>())
                               : logger_on(std::make_shared<spdlog::sinks::basic_file_sink_mt>(how.file));
  } catch (const spdlog::spdlog_ex& e) {
    return failure{errc::file_unreadable, "log.file: " + std::string{e.what()}};
  }
  return done{};
}

void tell_repeats() {
  std::vector<std::pair<std::string, std::size_t>> untold;
  {
    auto& log = state();
    std::lock_guard guard{log.mutex};
    for (const auto& [key, seen] : log.quiet)
      if (seen.count > 0) untold.emplace_back(key, seen.count);
    log.quiet.clear();
  }
  for (const auto& [what, count] : untold)
    emit("log", event::repeats_counted, {{"what", what}, {"count", count}});
}

void close_log() {
  tell_repeats();
  auto& log = state();
  std::lock_guard guard{log.mutex};
  if (log.out) log.out->flush();
}

} // namespace breakwater
