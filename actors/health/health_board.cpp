#include "actors/health/health_board.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace breakwater {
namespace {

constexpr std::size_t facts_in_line = 2;
constexpr std::size_t misses_until_told = 2;

} // namespace

health_board::health_board(std::vector<std::string> names) {
  for (auto& name : names) {
    parts_.emplace_back();
    parts_.back().name = std::move(name);
  }
}

void health_board::ask_everyone() {
  for (auto& part : parts_) part.owes = true;
}

void health_board::answered(std::size_t who, health_answer answer) {
  auto& part = parts_[who];
  part.newest = std::move(answer);
  part.owes = false;
  part.is_silent = false;
  part.missed_ticks = 0;
}

bool health_board::everyone_answered() const {
  return std::none_of(parts_.begin(), parts_.end(), [](const part_state& p) { return p.owes; });
}

void health_board::close_look() {
  for (auto& part : parts_)
    if (part.owes) part.is_silent = true;
}

std::vector<std::string> health_board::close_tick() {
  close_look();
  std::vector<std::string> unresponsive;
  for (auto& part : parts_)
    if (part.owes && ++part.missed_ticks % misses_until_told == 0) unresponsive.push_back(part.name);
  return unresponsive;
}

bool health_board::silent(const part_state& of) { return of.is_silent || !of.newest; }

health_level health_board::level_of(const part_state& of) {
  return silent(of) ? health_level::critical : of.newest->level;
}

health_level health_board::overall() const {
  auto worst = health_level::ok;
  for (const auto& part : parts_) worst = std::max(worst, level_of(part));
  return worst;
}

std::string health_board::attention() const {
  std::string wrong;
  for (const auto& part : parts_) {
    if (level_of(part) == health_level::ok) continue;
    wrong += (wrong.empty() ? "" : "; ") + part.name + ": " + (silent(part) ? "no answer" : part.newest->why);
  }
  return wrong;
}

entry_fields health_board::entry(wall_time at, const std::string& instance,
                                 const std::string& version) const {
  auto levels = nlohmann::ordered_json::object();
  for (const auto& part : parts_) levels[part.name] = to_string(level_of(part));
  return {{"time", to_rfc3339(at)}, {"status", to_string(overall())}, {"instance", instance},
          {"version", version},     {"parts", levels.dump()},         {"why", attention()}};
}

std::vector<std::pair<std::string, std::string>> health_board::line() const {
  const auto answers =
      std::count_if(parts_.begin(), parts_.end(), [](const part_state& p) { return !silent(p); });
  std::vector<std::pair<std::string, std::string>> says{
      {"level", to_string(overall())},
      {"answered", std::to_string(answers) + "/" + std::to_string(parts_.size())}};
  if (auto wrong = attention(); !wrong.empty()) says.emplace_back("attention", std::move(wrong));
  for (const auto& part : parts_) {
    if (!part.newest) continue;
    const auto& facts = part.newest->facts;
    for (std::size_t i = 0; i < std::min(facts.size(), facts_in_line); ++i)
      says.emplace_back(part.name + "." + facts[i].first, facts[i].second);
  }
  return says;
}

std::vector<health_report::part> health_board::parts() const {
  std::vector<health_report::part> all;
  for (const auto& part : parts_) {
    auto answer = part.newest.value_or(health_answer{});
    if (silent(part)) answer.level = health_level::critical, answer.why = "no answer";
    all.push_back({part.name, std::move(answer)});
  }
  return all;
}

} // namespace breakwater
