#include "actors/breaker/execution_results.hpp"

#include "actors/support/resp.hpp"
#include "actors/support/stream_reply.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <string_view>

namespace breakwater {
namespace {

constexpr std::array<std::string_view, 3> success_statuses{"filled", "partially_filled", "success"};

std::string lower_case(std::string text) {
  for (auto& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

/// A value of the entry: a field of its own, or a member of the JSON object in `payload` or `data`.
std::string find(const redis_reply& fields, const nlohmann::json& payload, const char* name) {
  if (const auto* found = value_of(fields, name)) return found->text;
  if (!payload.is_object()) return {};
  const auto member = payload.find(name);
  return member != payload.end() && member->is_string() ? member->get<std::string>() : std::string{};
}

nlohmann::json payload_of(const redis_reply& fields) {
  for (const auto* name : {"payload", "data"})
    if (const auto* found = value_of(fields, name)) return nlohmann::json::parse(found->text, nullptr, false);
  return {};
}

} // namespace

execution_results::execution_results(std::string stream, std::vector<std::string> failure_statuses)
    : stream_(std::move(stream)), failure_statuses_(std::move(failure_statuses)) {
  for (auto& status : failure_statuses_) status = lower_case(std::move(status));
}

redis_commands execution_results::next() const {
  auto wire = std::make_shared<std::string>();
  append_command(*wire, {"XINFO", "STREAM", stream_});
  redis_commands read{nullptr, 1, any_connection, redis_lane::reads, block_for};
  if (cursor_) {
    append_command(*wire, {"XREAD", "COUNT", std::to_string(entries_a_read), "BLOCK",
                           std::to_string(block_for.count()), "STREAMS", stream_, to_string(*cursor_)});
    read.count = 2;
  }
  read.wire = std::move(wire);
  return read;
}

result<std::vector<call_outcome>> execution_results::take(const std::vector<redis_reply>& replies) {
  const auto stream = parse_stream_state(replies.front());
  if (!stream) return stream.error();
  std::vector<call_outcome> outcomes;
  if (!cursor_ || *cursor_ > stream->last) cursor_ = stream->last;
  if (replies.size() < 2) return outcomes;
  const auto& read = replies[1];
  if (read.what == redis_reply::kind::error) return failure{errc::redis_refused, read.text};
  // [[stream, [[id, [field, value ...]] ...]]], or nil when nothing came.
  if (read.items.empty() || read.items.front().items.size() < 2) return outcomes;
  for (const auto& entry : read.items.front().items[1].items) {
    const auto id = entry_id_of(entry);
    if (!id || entry.items.size() < 2) continue;
    outcomes.push_back(outcome_of(*id, entry.items[1]));
    cursor_ = *id;
  }
  return outcomes;
}

call_outcome execution_results::outcome_of(entry_id id, const redis_reply& fields) const {
  const auto payload = payload_of(fields);
  const auto status = lower_case(find(fields, payload, "status"));
  call_outcome outcome;
  outcome.cursor = to_string(id);
  outcome.succeeded = std::ranges::find(success_statuses, status) != success_statuses.end();
  const bool failed = std::ranges::find(failure_statuses_, status) != failure_statuses_.end();
  outcome.decides = outcome.succeeded || failed;
  if (!failed) return outcome;
  outcome.succeeded = false; // where the config calls a success a failure, it is one
  outcome.reason = "execution " + status;
  for (const auto* name : {"symbol", "error", "reason"})
    if (const auto text = find(fields, payload, name); !text.empty()) outcome.reason += " " + text;
  return outcome;
}

} // namespace breakwater
