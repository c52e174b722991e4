#include "app/diagnosis/diagnosis.hpp"

#include "messages/text.hpp"

#include <algorithm>
#include <ostream>
#include <string_view>

namespace breakwater {
namespace {

using json = evidence;

const char* status_of(int exit_code) {
  return exit_code == 0 ? "healthy" : exit_code == 1 ? "attention" : "critical";
}

std::string shown(const json& value) {
  return printable(value.is_string() ? value.get<std::string>() : value.is_null() ? "-" : value.dump());
}

std::string member(const json& from, const char* name) {
  const auto found = from.is_object() ? from.find(name) : from.end();
  return !from.is_object() || found == from.end() ? "-" : shown(*found);
}

/// "  name: a=1 b=2", only of the members that are there.
void line(std::ostream& out, const std::string& title, const json& from,
          std::initializer_list<const char*> names) {
  out << "  " << printable(title) << ':';
  for (const auto* name : names)
    if (from.is_object() && from.contains(name) && !from[name].is_null() && from[name] != "")
      out << ' ' << name << '=' << shown(from[name]);
  out << '\n';
}

/// The first rows of a list, and how many more there are.
template <class Print>
void rows(std::ostream& out, const json& list, Print print) {
  constexpr std::size_t most = 20;
  std::size_t printed = 0;
  for (const auto& [key, value] : list.items()) {
    if (printed++ == most) {
      out << "  and " << list.size() - most << " more (--json has all)\n";
      return;
    }
    print(key, value);
  }
}

void print_redis(const json& redis, std::ostream& out) {
  out << "Redis\n";
  line(out, "address", redis, {"address", "reached", "problem", "clock_skew_ms"});
  if (redis.contains("info"))
    line(out, "server", redis["info"],
         {"redis_version", "role", "uptime_in_seconds", "used_memory", "maxmemory", "connected_clients",
          "aof_enabled", "aof_last_write_status", "rdb_last_bgsave_status", "evicted_keys"});
  if (redis.contains("config"))
    line(out, "config", redis["config"], {"maxmemory-policy", "save", "appendonly"});
  if (redis.contains("clients"))
    rows(out, redis["clients"], [&](const auto&, const json& client) {
      line(out, "clients " + member(client, "name"), client, {"count", "oldest_s", "longest_idle_s"});
    });
  if (redis.contains("streams"))
    rows(out, redis["streams"], [&](const auto&, const json& stream) {
      line(out, "stream " + member(stream, "name"), stream, {"exists", "length", "problem"});
      if (stream.contains("groups"))
        rows(out, stream["groups"], [&](const auto&, const json& group) {
          line(out, "  group " + member(group, "name"), group,
               {"pending", "lag", "last_delivered_id", "trimmed_unread"});
        });
    });
}

} // namespace

void print_diagnosis(const evidence& seen, const std::vector<finding>& found, std::ostream& out) {
  const auto& unseen = seen["unseen"];
  out << "breakwater diagnose, " << member(seen, "at") << ", instance " << member(seen, "instance") << ": "
      << status_of(exit_code_of(seen, found)) << "\n\n";
  std::size_t number = 0;
  for (const auto& one : found)
    out << ++number << ". [" << to_string(one.how) << "] " << printable(one.area) << ": "
        << printable(one.text) << "\n   " << printable(one.recommendation) << "\n     $ "
        << printable(one.command) << '\n';
  if (found.empty()) out << "Nothing was found that is wrong.\n";
  if (!unseen.empty()) out << "\nCould not be seen, and so is not known to be fine\n";
  for (const auto& what : unseen) out << "  " << shown(what) << '\n';

  out << "\nProcess\n";
  line(out, "process", at(seen, {"process"}), {"runs", "api", "answers", "problem"});
  if (seen.contains("health"))
    line(out, "health", seen["health"], {"status", "version", "uptime_s", "as_of"});
  for (const auto& [name, told] : at(seen, {"breakers"}).items())
    line(out, "breaker " + name, told, {"state", "failure_count", "trigger_reason", "opened_at", "retry_at"});
  for (const auto& [name, moves] : at(seen, {"history"}).items())
    for (std::size_t i = 0; i < std::min<std::size_t>(moves.size(), 5); ++i)
      line(out, "  " + name + " " + member(moves[i], "time"), moves[i], {"from", "to", "reason", "by"});
  if (seen.contains("health") && seen["health"].contains("position_monitor"))
    line(out, "position monitor", seen["health"]["position_monitor"],
         {"status", "last_seen", "seen_by", "why"});
  for (const auto& [name, told] : at(seen, {"feeds"}).items())
    line(out, "feed " + name, told, {"connected", "clock_offset_ms"});
  if (seen.contains("disk")) line(out, "disk", seen["disk"], {"folder", "free_bytes", "total_bytes"});
  if (seen.contains("spool"))
    for (const auto& stream : seen["spool"]["streams"])
      line(out, "spool " + member(stream, "stream"), stream, {"waiting", "retained", "dead", "bytes"});
  if (seen.contains("redis")) print_redis(seen["redis"], out);
}

nlohmann::ordered_json diagnosis_json(const evidence& seen, const std::vector<finding>& found) {
  auto findings = json::array();
  for (const auto& one : found)
    findings.push_back({{"level", to_string(one.how)},
                        {"area", one.area},
                        {"text", one.text},
                        {"recommendation", one.recommendation},
                        {"command", one.command}});
  const auto code = exit_code_of(seen, found);
  return {{"status", status_of(code)},
          {"exit", code},
          {"findings", std::move(findings)},
          {"unseen", seen["unseen"]},
          {"evidence", seen}};
}

} // namespace breakwater
