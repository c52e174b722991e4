#include "actors/bridge/group_reader.hpp"

#include "actors/support/reply_class.hpp"
#include "actors/support/resp.hpp"
#include "actors/support/stream_reply.hpp"

#include <algorithm>
#include <utility>

namespace breakwater {
namespace {

using kind = redis_reply::kind;

/// Sets how many entries the group has read, unless somebody read on meanwhile: XGROUP SETID would take that
/// back. KEYS: stream. ARGV: group, its last-delivered-id, entries read.
constexpr std::string_view mend_count = R"lua(
for _, told in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for i = 1, #told, 2 do group[told[i]] = told[i + 1] end
  if group['name'] == ARGV[1] and group['last-delivered-id'] == ARGV[2] then
    redis.call('XGROUP', 'SETID', KEYS[1], ARGV[1], ARGV[2], 'ENTRIESREAD', ARGV[3])
  end
end
return 'done'
)lua";

const redis_reply* find_group(const redis_reply& groups, const std::string& name) {
  for (const auto& group : groups.items)
    if (const auto* told = value_of(group, "name"); told && told->text == name) return &group;
  return nullptr;
}

/// Adds an array of [id, [field, value ...]] to what was found; nil stands for a body that was trimmed.
void add_entries(const redis_reply& list, group_reader::found& out) {
  for (const auto& told : list.items) {
    const auto id = entry_id_of(told);
    if (!id || told.items.size() < 2) continue;
    if (told.items[1].what == kind::nil) {
      out.bodiless.push_back(*id);
      continue;
    }
    group_reader::entry entry{*id, {}};
    const auto& flat = told.items[1].items;
    for (std::size_t i = 0; i + 1 < flat.size(); i += 2)
      entry.fields.emplace_back(flat[i].text, flat[i + 1].text);
    out.entries.push_back(std::move(entry));
  }
}

/// The entries in a reply to XREADGROUP: [[stream, [entry ...]]], or nil.
const redis_reply* entries_of(const redis_reply& reply) {
  if (reply.items.empty() || reply.items.front().items.size() < 2) return nullptr;
  return &reply.items.front().items[1];
}

} // namespace

group_reader::group_reader(options what) : options_(std::move(what)) {}

std::string group_reader::checkpoint_key(const std::string& stream, const std::string& group) {
  return "breakwater:{" + stream + "}:" + group + ":checkpoint";
}

void group_reader::start_over() noexcept {
  step_ = step::look;
  own_after_ = {};
}

redis_commands group_reader::commands(std::string wire, std::size_t count,
                                      std::chrono::milliseconds blocks_for) const {
  return {std::make_shared<const std::string>(std::move(wire)), count, any_connection, options_.lane,
          blocks_for};
}

redis_commands group_reader::next(mono_time now) {
  const auto& [stream, group, consumer, lane, claim_after] = options_;
  const auto count = std::to_string(entries_a_read);
  if (step_ == step::fresh && now >= claim_at_) step_ = step::claim;
  if (step_ == step::fresh && now >= look_at_) step_ = step::look;
  std::string wire;
  switch (step_) {
  case step::look:
    look_at_ = now + look_every;
    append_command(wire, {"GET", checkpoint_key(stream, group)});
    append_command(wire, {"XINFO", "STREAM", stream});
    append_command(wire, {"XINFO", "GROUPS", stream});
    return commands(std::move(wire), 3);
  case step::create:
    append_command(wire,
                   {"XGROUP", "CREATE", stream, group, created_at_, "MKSTREAM", "ENTRIESREAD", read_before_});
    return commands(std::move(wire), 1);
  case step::mend:
    append_command(wire, {"EVAL", mend_count, "1", stream, group, delivered_, read_before_});
    return commands(std::move(wire), 1);
  case step::own:
    append_command(wire, {"XREADGROUP", "GROUP", group, consumer, "COUNT", count, "STREAMS", stream,
                          to_string(own_after_)});
    return commands(std::move(wire), 1);
  case step::claim:
    append_command(wire, {"XAUTOCLAIM", stream, group, consumer, std::to_string(claim_after.count()),
                          claim_from_, "COUNT", count});
    return commands(std::move(wire), 1);
  case step::fresh: break;
  }
  append_command(wire, {"XREADGROUP", "GROUP", group, consumer, "COUNT", count, "BLOCK",
                        std::to_string(block_for.count()), "STREAMS", stream, ">"});
  return commands(std::move(wire), 1, block_for);
}

result<group_reader::found> group_reader::take(const std::vector<redis_reply>& replies, mono_time now) {
  found out;
  if (step_ == step::look) {
    if (replies[0].what == kind::error) return failure{errc::redis_refused, replies[0].text};
    if (const auto stream = parse_stream_state(replies[1]); !stream) return stream.error();
    on_look(replies, out);
    return out;
  }
  const auto& reply = replies.front();
  if (reply.what == kind::error) {
    const bool vanished = classify_error(reply.text) == reply_class::group_gone ||
                          reply.text.starts_with("UNBLOCKED"); // the stream was removed under a blocking read
    const bool there_already = step_ == step::create && reply.text.starts_with("BUSYGROUP");
    if (!vanished && !there_already) return failure{errc::redis_refused, reply.text};
    start_over();
    return out;
  }
  const auto* entries = entries_of(reply);
  switch (step_) {
  case step::create:
    out.notices.push_back({event::bridge_group_created, {{"from", created_at_}}});
    step_ = step::own;
    break;
  case step::mend: step_ = step::own; break;
  case step::own:
    if (entries == nullptr || entries->items.empty()) {
      after_own(now);
      break;
    }
    add_entries(*entries, out);
    if (const auto last = entry_id_of(entries->items.back())) own_after_ = *last;
    break;
  case step::claim: on_claimed(reply, out, now); break;
  case step::look:
  case step::fresh:
    if (entries != nullptr) add_entries(*entries, out);
    break;
  }
  return out;
}

void group_reader::on_look(const std::vector<redis_reply>& replies, found& out) {
  const auto stream = parse_stream_state(replies[1]);
  const auto trimmed = stream->added >= stream->length ? stream->added - stream->length : 0;
  read_before_ = std::to_string(trimmed);
  const auto* group = find_group(replies[2], options_.group);
  if (group == nullptr) {
    const auto checkpoint = parse_entry_id(replies[0].text);
    // A stream that ends before what was finished of it is another one: all of it is new.
    const bool goes_on = checkpoint && *checkpoint <= stream->last;
    created_at_ = goes_on || (checkpoint && stream->last == entry_id{}) ? to_string(*checkpoint) : "0-0";
    if (created_at_ != "0-0") {
      read_before_ = "-1"; // not known
      out.notices.push_back({event::bridge_group_gone, {{"from", created_at_}}});
    }
    step_ = step::create;
    return;
  }
  if (!std::exchange(said_, true))
    out.notices.push_back({event::bridge_reading, {{"consumer", options_.consumer}}});
  step_ = step::own;
  const auto* delivered = value_of(*group, "last-delivered-id");
  const auto last = delivered ? parse_entry_id(delivered->text) : std::nullopt;
  const auto* read = value_of(*group, "entries-read");
  if (!last || !read || read->what != kind::integer) return; // an older Redis, or a group set by hand
  const auto have_read = static_cast<std::uint64_t>(read->integer);
  const bool begins_behind = !stream->first || *last < *stream->first;
  if (!begins_behind || trimmed <= have_read) return;
  out.trimmed_unread = trimmed - have_read;
  out.notices.push_back({event::bridge_hole,
                         {{"count", std::to_string(out.trimmed_unread)},
                          {"behind", delivered->text},
                          {"from", stream->first ? to_string(*stream->first) : ""}}});
  delivered_ = delivered->text;
  step_ = step::mend;
}

/// [where to go on, [entry ...], [id of a trimmed one ...]]; Redis has dropped the trimmed ones already.
void group_reader::on_claimed(const redis_reply& reply, found& out, mono_time now) {
  if (reply.items.size() < 2) return after_own(now);
  add_entries(reply.items[1], out);
  out.claimed = out.entries.size();
  if (out.claimed > 0)
    out.notices.push_back({event::bridge_claimed, {{"count", std::to_string(out.claimed)}}});
  if (reply.items.size() > 2) out.dropped = reply.items[2].items.size();
  if (out.dropped > 0)
    out.notices.push_back({event::bridge_bodiless, {{"count", std::to_string(out.dropped)}}});
  claim_from_ = reply.items[0].text;
  if (claim_from_ != "0-0") return;
  step_ = step::fresh;
  claim_at_ = now + std::clamp(options_.claim_after / 2, std::chrono::milliseconds{100},
                               std::chrono::milliseconds{30'000});
}

void group_reader::after_own(mono_time now) { step_ = now >= claim_at_ ? step::claim : step::fresh; }

} // namespace breakwater
