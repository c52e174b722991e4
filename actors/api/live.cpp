#include "actors/api/live.hpp"

#include <nlohmann/json.hpp>

#include <charconv>
#include <utility>

namespace breakwater {
namespace {

using json = nlohmann::ordered_json;

/// JSON on one line, whatever bytes are in its texts.
std::string text_of(const json& what) { return what.dump(-1, ' ', false, json::error_handler_t::replace); }

} // namespace

live_piece live::happened(const happening& what) {
  auto details = json::object();
  for (const auto& [key, value] : what.details) details[key] = value;
  const json body{{"at", to_rfc3339(what.at)}, {"level", what.level}, {"actor", what.actor},
                  {"event", what.event},       {"text", what.text},   {"details", std::move(details)}};
  auto piece = std::make_shared<const std::string>("id: " + life_ + "-" + std::to_string(++last_) +
                                                   "\nevent: happening\ndata: " + text_of(body) + "\n\n");
  happened_.push_back({last_, piece});
  if (happened_.size() > kept) happened_.pop_front();
  return piece;
}

live_piece live::stands(const std::string& part, std::string body) {
  while (body.ends_with('\n')) body.pop_back(); // an empty line would end the event
  auto& before = told_[part];
  if (before == body) return nullptr;
  auto piece = std::make_shared<const std::string>("event: " + part + "\ndata: " + body + "\n\n");
  before = std::move(body);
  return piece;
}

std::string live::greeting(std::string_view last_seen) const {
  // Behind the last one seen; of another life or nothing: the newest.
  std::uint64_t after = last_ > told_at_first ? last_ - told_at_first : 0;
  if (last_seen.starts_with(life_ + "-")) {
    const auto digits = last_seen.substr(life_.size() + 1);
    std::uint64_t seen = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seen);
    if (error == std::errc{} && end == digits.data() + digits.size()) after = seen;
  }
  std::string first = "retry: 2000\n\n";
  for (const auto& [number, piece] : happened_)
    if (number > after) first += *piece;
  return first;
}

} // namespace breakwater
