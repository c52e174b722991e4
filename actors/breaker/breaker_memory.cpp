#include "actors/breaker/breaker_memory.hpp"

#include "actors/support/breaker_json.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <stdexcept>

namespace breakwater {
namespace {

using json = nlohmann::ordered_json;
using std::chrono::milliseconds;

/// Of state_text(); a newer one is refused, for it may mean something else.
constexpr int format_version = 1;

std::string text_of(const json& document) {
  // Whatever an exchange or Redis wrote may be in a reason, also bytes that are no UTF-8.
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

breaker_phase phase_of(const std::string& name) {
  using enum breaker_phase;
  for (const auto phase : {closed, open, half_open, forced_open})
    if (name == to_string(phase)) return phase;
  throw std::invalid_argument{"no phase is called " + name};
}

wall_time time_of(const json& text) {
  const auto at = parse_rfc3339(text.get<std::string>());
  if (!at) throw std::invalid_argument{"not a time: " + text.get<std::string>()};
  return *at;
}

breaker_move move_of(const json& document) {
  breaker_move move;
  move.number = document.at("number");
  move.at = time_of(document.at("time"));
  move.from = phase_of(document.at("from"));
  move.to = phase_of(document.at("to"));
  move.reason = document.at("reason");
  move.by = document.at("by");
  move.failures = document.at("failures");
  move.failure_threshold = document.at("failure_threshold");
  move.open_for = milliseconds{document.at("open_for_ms").get<std::int64_t>()};
  return move;
}

json json_of(const breaker_statistics& seen) {
  return {{"allowed", seen.allowed},
          {"blocked", seen.blocked},
          {"would_block", seen.would_block},
          {"successes", seen.successes},
          {"failures", seen.failures},
          {"times_opened", seen.times_opened},
          {"time_open_ms", seen.time_open.count()},
          {"longest_open_ms", seen.longest_open.count()}};
}

breaker_statistics statistics_of(const json& document) {
  breaker_statistics seen;
  seen.allowed = document.at("allowed");
  seen.blocked = document.at("blocked");
  seen.would_block = document.at("would_block");
  seen.successes = document.at("successes");
  seen.failures = document.at("failures");
  seen.times_opened = document.at("times_opened");
  seen.time_open = milliseconds{document.at("time_open_ms").get<std::int64_t>()};
  seen.longest_open = milliseconds{document.at("longest_open_ms").get<std::int64_t>()};
  return seen;
}

breaker_memory state_of(const json& document) {
  if (document.at("version").get<int>() > format_version)
    throw std::invalid_argument{"it was written by a newer version"};
  breaker_memory memory;
  memory.phase = phase_of(document.at("state"));
  memory.failures = document.at("failure_count");
  memory.open_for = milliseconds{document.at("open_for_ms").get<std::int64_t>()};
  memory.open_until = time_of(document.at("open_until"));
  memory.left_closed_at = time_of(document.at("left_closed_at"));
  memory.trigger = document.at("trigger");
  memory.last_failure = document.at("last_failure");
  memory.cursor = document.at("cursor");
  memory.seen = statistics_of(document.at("statistics"));
  for (const auto& at : document.at("recent_failures_ms"))
    memory.recent_failures.push_back(wall_time_from_ms(at.get<std::int64_t>()));
  return memory;
}

std::optional<breaker_move> read_move(const std::string& line) {
  try {
    return move_of(json::parse(line));
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

} // namespace

std::string state_text(const breaker_memory& memory) {
  json failures = json::array();
  for (const auto at : memory.recent_failures) failures.push_back(epoch_ms(at));
  return text_of({{"version", format_version},
                  {"state", to_string(memory.phase)},
                  {"failure_count", memory.failures},
                  {"open_for_ms", memory.open_for.count()},
                  {"open_until", to_rfc3339(memory.open_until)},
                  {"left_closed_at", to_rfc3339(memory.left_closed_at)},
                  {"trigger", memory.trigger},
                  {"last_failure", memory.last_failure},
                  {"cursor", memory.cursor},
                  {"statistics", json_of(memory.seen)},
                  {"newest_move", memory.history.empty() ? json{} : json_of(memory.history.back())},
                  {"recent_failures_ms", std::move(failures)}});
}

std::string move_text(const breaker_move& move) { return text_of(json_of(move)); }

result<breaker_memory> read_memory(std::string_view state, const std::vector<std::string>& moves) {
  try {
    const auto document = json::parse(state);
    auto memory = state_of(document);
    for (const auto& line : moves)
      if (auto move = read_move(line)) memory.history.push_back(std::move(*move));
    if (const auto& newest = document.at("newest_move"); !newest.is_null()) {
      auto move = move_of(newest);
      if (memory.history.empty() || memory.history.back().number < move.number)
        memory.history.push_back(std::move(move));
    }
    return memory;
  } catch (const std::exception& e) {
    return failure{errc::field_malformed, e.what()};
  }
}

} // namespace breakwater
