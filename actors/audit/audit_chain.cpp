#include "actors/audit/audit_chain.hpp"

#include <nlohmann/json.hpp>

#include <utility>

namespace breakwater {
namespace {

using json = nlohmann::ordered_json;

constexpr std::string_view hash_key = R"(,"hash":")";

struct read_line {
  audit_tip tip;
  std::string previous, time;
  std::string_view hashed; ///< The text its hash is of.
};

std::optional<read_line> read(std::string_view line) {
  const auto object = json::parse(line, nullptr, false);
  const auto key = line.rfind(hash_key);
  if (!object.is_object() || key == std::string_view::npos) return std::nullopt;
  const auto text = [&](const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
  };
  const auto number = object.find("number");
  if (number == object.end() || !number->is_number_unsigned()) return std::nullopt;
  read_line found{
      {number->get<std::uint64_t>(), text("hash")}, text("previous"), text("time"), line.substr(0, key)};
  // Nothing may stand behind the hash, for nothing would cover it.
  const auto end = std::string{hash_key} + found.tip.hash + "\"}";
  if (found.tip.number == 0 || found.tip.hash.empty() || line.substr(key) != end) return std::nullopt;
  return found;
}

std::string numbers(std::uint64_t first, std::uint64_t last) {
  if (first == last) return "number " + std::to_string(first) + " is";
  return "numbers " + std::to_string(first) + " to " + std::to_string(last) + " are";
}

} // namespace

audit_entry next_entry(const audit_tip& before, wall_time at, std::string_view instance,
                       const audit_record& record, hash_function hash) {
  auto details = json::object();
  for (const auto& [key, value] : record.details) details[key] = value;
  const json object{{"number", before.number + 1}, {"time", to_rfc3339(at)}, {"instance", instance},
                    {"what", record.what},         {"actor", record.actor},  {"details", std::move(details)},
                    {"previous", before.hash}};
  // Whatever an exchange or Redis wrote may be in a reason, also bytes that are no UTF-8.
  auto text = object.dump(-1, ' ', false, json::error_handler_t::replace);
  text.pop_back();
  audit_entry made{{}, {before.number + 1, hash(text)}};
  made.line = std::move(text.append(hash_key).append(made.tip.hash).append("\"}"));
  return made;
}

audit_check::audit_check(hash_function hash, std::optional<audit_tip> head)
    : hash_(hash), head_(std::move(head)) {}

void audit_check::take(std::string_view line) {
  ++lines_;
  const auto found = read(line);
  if (!found) return report(lines_, "is no line of an audit log, or was changed so that it cannot be read");
  const auto& tip = found->tip;
  const auto name = "number " + std::to_string(tip.number);
  if (hash_(found->hashed) != tip.hash)
    report(lines_, name + " was changed: its hash is not that of its text");
  if (head_ && head_->number == tip.number) {
    head_was_met_ = true;
    if (head_->hash != tip.hash) report(lines_, name + " was replaced: audit.head has another hash for it");
  }
  if (tip.number <= tip_.number)
    return report(lines_, name + " stands behind number " + std::to_string(tip_.number) +
                              ": it was moved, inserted or is there twice");
  if (tip.number > tip_.number + 1)
    report(lines_, numbers(tip_.number + 1, tip.number - 1) + " missing before it");
  else if (found->previous != tip_.hash)
    report(lines_, name + " does not follow the line before it: that one was replaced");
  tip_ = tip;
  newest_time_ = found->time;
}

void audit_check::finish(const std::optional<audit_tip>& head) {
  if (head && tip_.number > head->number + 1)
    report(0, "audit.head stands at number " + std::to_string(head->number) + ", far behind the log");
  if (!head_) {
    // The very first line may have been written and its head not, when the machine went down.
    if (tip_.number > 1)
      report(0, "audit.head is missing, so nobody can tell whether lines are missing at the end");
    return;
  }
  if (head_->number > tip_.number)
    report(0, numbers(tip_.number + 1, head_->number) + " missing at the end");
  else if (head_->number > 0 && !head_was_met_)
    report(0, "number " + std::to_string(head_->number) + " of audit.head is missing");
}

void audit_check::report(std::size_t line, std::string text) {
  ++problem_count_;
  if (problems_.size() < max_problems) problems_.push_back({line, std::move(text)});
}

} // namespace breakwater
