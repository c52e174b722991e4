#include "actors/bridge/finish.hpp"

#include "actors/support/resp.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace breakwater {
namespace {

/// KEYS: stream, checkpoint, seen, latest, entries, to, dead, blocked; one that is not used is the stream.
/// ARGV: group, consumer, id, verdict, reason, text, duplicate within (s; 0: not looked at), maxlen, keep (0:
/// no latest), 1 if there is `to`, then the entry's fields. A script is not rolled back when a command of it
/// fails, so whatever could fail is looked at before the first write: what the keys hold, and what the ACL
/// allows (Redis 7). Only what this entry needs is looked at: a broken <from>.blocked stops no CLOSE. Redis
/// itself refuses the first write or none when it is out of memory, read-only or cannot persist.
constexpr std::string_view finish_script = R"lua(
local stream, checkpoint, seen, latest, entries, copy, dead, blocked = unpack(KEYS)
local group, consumer, id, verdict, reason, text, within, maxlen, keep, copies = unpack(ARGV, 1, 10)
if #redis.call('XPENDING', stream, group, id, id, 1, consumer) == 0 then return 'gone' end

local problem
local function need(is_used, key, kind, ...)
  if not is_used or problem then return end
  local is = redis.call('TYPE', key)['ok']
  if is ~= 'none' and is ~= kind then
    problem = 'WRONGTYPE ' .. key .. ' holds a ' .. is .. ' and should hold a ' .. kind
  end
  for _, command in ipairs({...}) do
    if redis.acl_check_cmd and not redis.acl_check_cmd(command[1], key, unpack(command, 2)) then
      problem = 'NOPERM the bridge needs ' .. command[1] .. ' on ' .. key .. ', and the ACL does not allow it'
    end
  end
end
local valid = verdict == 'valid'
local looks_for_twin = valid and within ~= '0'
need(true, stream, 'stream', {'XACK', group, id})
need(true, checkpoint, 'string', {'GET'}, {'SET', id})
need(looks_for_twin, seen, 'string', {'GET'}, {'SET', id})
need(valid and copies == '1', copy, 'stream', {'XADD', '*', 'a', 'b'})
need(valid and keep ~= '0', entries, 'list', {'RPUSH', 'a'}, {'LTRIM', '0', '1'}, {'LRANGE', '0', '1'})
need(valid and keep ~= '0', latest, 'string', {'SET', 'a'})
need(verdict == 'invalid' or looks_for_twin, dead, 'stream', {'XADD', '*', 'a', 'b'})
need(verdict == 'held_back', blocked, 'stream', {'XADD', '*', 'a', 'b'})
if problem then return redis.error_reply(problem) end

local function parts(of)
  local ms, number = string.match(of, '^(%d+)-(%d+)$')
  return tonumber(ms) or 0, tonumber(number) or 0
end
local ms, number = parts(id)
local before_ms, before_number = parts(redis.call('GET', checkpoint) or '')

local function add(key, ...)
  local command = {'XADD', key, 'MAXLEN', '~', maxlen, '*'}
  for i = 11, #ARGV do command[#command + 1] = ARGV[i] end
  for _, extra in ipairs({...}) do command[#command + 1] = extra end
  redis.call(unpack(command))
end

if looks_for_twin and not redis.call('SET', seen, id, 'NX', 'EX', within) then
  local first = redis.call('GET', seen)
  if first ~= id then
    verdict = 'duplicate'
    reason = 'duplicate of ' .. first
  end
end
if verdict == 'valid' then
  if copies == '1' then add(copy, 'source_id', id) end
  if keep ~= '0' then
    redis.call('RPUSH', entries, text)
    redis.call('LTRIM', entries, -tonumber(keep), -1)
    local all = redis.call('LRANGE', entries, 0, -1)
    for i, one in ipairs(all) do all[i] = string.sub(one, 2) end
    redis.call('SET', latest, '[' .. table.concat(all, ',') .. ']')
  end
elseif verdict == 'held_back' then
  add(blocked, 'reason', reason, 'source_id', id)
else
  add(dead, 'error', reason, 'source_id', id)
end

if ms > before_ms or (ms == before_ms and number > before_number) then redis.call('SET', checkpoint, id) end
redis.call('XACK', stream, group, id)
return verdict
)lua";

/// KEYS: latest, entries. Like the above it writes all or nothing.
constexpr std::string_view withdraw_script = R"lua(
for _, command in ipairs({{'DEL', KEYS[2]}, {'RPUSH', KEYS[2], 'a'}, {'SET', KEYS[1], 'a'}}) do
  if redis.acl_check_cmd and not redis.acl_check_cmd(unpack(command)) then
    return redis.error_reply('NOPERM the bridge needs ' .. command[1] .. ' on ' .. command[2] ..
                             ', and the ACL does not allow it')
  end
end
local kept, gone = {}, 0
for _, text in ipairs(redis.call('LRANGE', KEYS[2], 0, -1)) do
  if string.sub(text, 1, 1) == '-' then kept[#kept + 1] = text else gone = gone + 1 end
end
if gone == 0 then return 0 end
redis.call('DEL', KEYS[2])
for i, text in ipairs(kept) do
  redis.call('RPUSH', KEYS[2], text)
  kept[i] = string.sub(text, 2)
end
redis.call('SET', KEYS[1], '[' .. table.concat(kept, ',') .. ']')
return gone
)lua";

/// KEYS: latest, entries. ARGV: what latest held when it was read, then the texts.
constexpr std::string_view adopt_script = R"lua(
if redis.call('EXISTS', KEYS[2]) == 1 or redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for i = 2, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[i]) end
return #ARGV - 1
)lua";

/// Pairs of an entry that go into a Lua call; more are cut off, and nobody's intent has so many.
constexpr std::size_t most_fields = 1000;

constexpr std::string_view reduces_mark = "-", adds_mark = "+";

std::string marked(const std::string& text, bool reduces_risk) {
  return std::string{reduces_risk ? reduces_mark : adds_mark} + text;
}

void append(std::string& wire, const std::vector<std::string>& command) {
  const std::vector<std::string_view> views{command.begin(), command.end()};
  append_command(wire, std::span{views});
}

const char* verdict_of(ending::what becomes) {
  switch (becomes) {
  case ending::what::valid: return "valid";
  case ending::what::held_back: return "held_back";
  case ending::what::invalid: break;
  }
  return "invalid";
}

std::string seen_key(const bridge_settings& route, const std::string& identity) {
  return "breakwater:{" + route.from + "}:seen:" + identity;
}

void append_finish(std::string& wire, const bridge_settings& route, const std::string& consumer,
                   const ending& what) {
  const bool looks_for_duplicates = !what.identity.empty();
  const bool keeps = !route.latest_key.empty(), copies = !route.to.empty();
  const auto or_stream = [&](bool used, std::string key) { return used ? std::move(key) : route.from; };
  const std::array keys{route.from,
                        group_reader::checkpoint_key(route.from, route.group),
                        or_stream(looks_for_duplicates, seen_key(route, what.identity)),
                        or_stream(keeps, route.latest_key),
                        or_stream(keeps, entries_key(route.latest_key)),
                        or_stream(copies, route.to),
                        route.from + ".dead",
                        route.from + ".blocked"};
  const auto pairs = std::min(what.entry.fields.size(), most_fields);
  std::vector<std::string> arguments{"EVAL", std::string{finish_script}, std::to_string(keys.size())};
  arguments.insert(arguments.end(), keys.begin(), keys.end());
  arguments.insert(arguments.end(),
                   {route.group, consumer, to_string(what.entry.id), verdict_of(what.becomes), what.reason,
                    marked(what.text, what.reduces_risk),
                    looks_for_duplicates ? std::to_string(intent_rules::duplicate_within.count()) : "0",
                    std::to_string(route.maxlen), keeps ? std::to_string(route.keep) : "0",
                    copies ? "1" : "0"});
  for (std::size_t i = 0; i < pairs; ++i) {
    arguments.push_back(what.entry.fields[i].first);
    arguments.push_back(what.entry.fields[i].second);
  }
  append(wire, arguments);
}

redis_commands of(std::string wire, std::size_t count) {
  redis_commands out;
  out.wire = std::make_shared<const std::string>(std::move(wire));
  out.count = count;
  return out;
}

} // namespace

std::string entries_key(const std::string& latest_key) { return "breakwater:{" + latest_key + "}:entries"; }

redis_commands finish_commands(const bridge_settings& route, const std::string& consumer,
                               const std::vector<ending>& all, const std::vector<entry_id>& bodiless) {
  std::string wire;
  for (const auto& one : all) append_finish(wire, route, consumer, one);
  if (bodiless.empty()) return of(std::move(wire), all.size());
  std::vector<std::string> acknowledge{"XACK", route.from, route.group};
  for (const auto id : bodiless) acknowledge.push_back(to_string(id));
  append(wire, acknowledge);
  return of(std::move(wire), all.size() + 1);
}

std::optional<ended> parse_ended(const redis_reply& reply) {
  constexpr std::array<std::pair<std::string_view, ended>, 5> words{{{"valid", ended::delivered},
                                                                     {"invalid", ended::dead},
                                                                     {"duplicate", ended::duplicate},
                                                                     {"held_back", ended::held_back},
                                                                     {"gone", ended::gone}}};
  if (reply.what != redis_reply::kind::error)
    for (const auto& [word, meaning] : words)
      if (reply.text == word) return meaning;
  return std::nullopt;
}

redis_commands withdraw_commands(const bridge_settings& route) {
  std::string wire;
  append_command(wire, {"EVAL", withdraw_script, "2", route.latest_key, entries_key(route.latest_key)});
  return of(std::move(wire), 1);
}

redis_commands look_at_latest(const bridge_settings& route) {
  std::string wire;
  append_command(wire, {"EXISTS", entries_key(route.latest_key)});
  append_command(wire, {"GET", route.latest_key});
  return of(std::move(wire), 2);
}

std::optional<redis_commands> adopt_commands(const bridge_settings& route, const intent_rules& rules,
                                             const std::vector<redis_reply>& replies) {
  if (replies[0].integer != 0 || replies[1].what != redis_reply::kind::text) return std::nullopt;
  if (nests_too_deep(replies[1].text)) return std::nullopt;
  const auto events = nlohmann::json::parse(replies[1].text, nullptr, false);
  if (!events.is_array() || events.empty()) return std::nullopt;
  std::vector<std::string> arguments{"EVAL",           std::string{adopt_script},     "2",
                                     route.latest_key, entries_key(route.latest_key), replies[1].text};
  const auto skipped = events.size() - std::min(events.size(), route.keep);
  for (auto i = skipped; i < events.size(); ++i)
    arguments.push_back(marked(events[i].dump(), rules.reduces_risk(events[i])));
  std::string wire;
  append(wire, arguments);
  return of(std::move(wire), 1);
}

} // namespace breakwater
