#include "app/diagnosis/redis_probe.hpp"

#include "actors/redis/redis_url.hpp"
#include "actors/support/reply_class.hpp"
#include "actors/support/stream_reply.hpp"
#include "app/redis_client.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <sstream>

namespace breakwater {
namespace {

using json = evidence;
using namespace std::chrono_literals;

/// Groups, consumers and clients beyond these are counted only.
constexpr std::size_t most_groups = 50, most_consumers = 200;

std::int64_t number(std::string_view digits) {
  std::int64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

/// A flat array of names and values as an object.
json object_of(const redis_reply& flat) {
  auto out = json::object();
  for (std::size_t i = 0; i + 1 < flat.items.size(); i += 2) {
    const auto& value = flat.items[i + 1];
    if (value.what == redis_reply::kind::integer)
      out[flat.items[i].text] = value.integer;
    else if (value.what == redis_reply::kind::nil)
      out[flat.items[i].text] = nullptr;
    else if (value.items.empty())
      out[flat.items[i].text] = value.text;
  }
  return out;
}

struct watched_stream {
  std::string name;
  std::string ours;       ///< The group by which breakwater reads it; empty: it does not.
  std::size_t maxlen = 0; ///< 0: not ours to bound.
};

std::vector<watched_stream> streams_of(const settings& what) {
  std::vector<watched_stream> all{
      {what.aggregator.stream, "", what.aggregator.maxlen},
      {what.aggregator.raw_stream, "", what.feeds.raw_maxlen},
      {what.feeds.quality_stream, "", what.feeds.quality_maxlen},
      {what.orders.result_stream, "", 0},
      {what.alerts.stream, "", what.alerts.maxlen},
      {what.health.stream, "", what.health.maxlen},
      {what.position_monitor.stream, "", 0},
  };
  for (const auto& route : what.bridges) {
    all.push_back({route.from, route.group, 0});
    all.push_back({route.from + ".dead", "", route.maxlen});
    all.push_back({route.from + ".blocked", "", route.maxlen});
    all.push_back({route.to, "", route.maxlen});
  }
  std::erase_if(all, [](const watched_stream& one) { return one.name.empty(); });
  return all;
}

class probe {
public:
  probe(redis_client& redis, std::vector<std::string>& unseen) : redis_(redis), unseen_(unseen) {}

  /// What it answers; an error is named among what could not be seen.
  std::optional<redis_reply> ask(const std::vector<std::string>& command) {
    if (broken_) return std::nullopt;
    auto reply = redis_.ask(command);
    if (reply) return std::move(*reply);
    broken_ = reply.error().code == errc::redis_unavailable;
    unseen_.push_back(reply.error().detail);
    return std::nullopt;
  }

  json info() {
    auto told = json::object();
    const auto reply = ask({"INFO"});
    if (!reply) return told;
    std::istringstream lines{reply->text};
    for (std::string line; std::getline(lines, line);) {
      if (line.ends_with('\r')) line.pop_back();
      if (const auto colon = line.find(':'); colon != std::string::npos)
        told[line.substr(0, colon)] = line.substr(colon + 1);
    }
    auto kept = json::object();
    for (const auto* name :
         {"redis_version", "role", "uptime_in_seconds", "loading", "used_memory", "maxmemory",
          "mem_fragmentation_ratio", "connected_clients", "blocked_clients", "rejected_connections",
          "evicted_keys", "instantaneous_ops_per_sec", "rdb_last_bgsave_status", "rdb_last_save_time",
          "aof_enabled", "aof_last_write_status", "aof_last_bgrewrite_status", "master_link_status",
          "connected_slaves"})
      if (told.contains(name)) kept[name] = told[name];
    return kept;
  }

  json config() {
    auto kept = json::object();
    for (const auto* name : {"maxmemory-policy", "save", "appendonly", "appendfsync", "maxclients",
                             "min-replicas-to-write", "latency-monitor-threshold"}) {
      const auto reply = ask({"CONFIG", "GET", name});
      if (!reply) return kept; // not allowed: once is enough
      if (reply->items.size() == 2) kept[name] = reply->items[1].text;
    }
    return kept;
  }

  /// Ours less Redis's, at the middle of the question.
  std::optional<std::int64_t> clock_skew_ms() {
    const auto before = epoch_ms(system_wall_time());
    const auto reply = ask({"TIME"});
    const auto after = epoch_ms(system_wall_time());
    if (!reply || reply->items.size() != 2) return std::nullopt;
    const auto theirs = number(reply->items[0].text) * 1000 + number(reply->items[1].text) / 1000;
    return before + (after - before) / 2 - theirs;
  }

  json clients() {
    const auto reply = ask({"CLIENT", "LIST"});
    if (!reply) return nullptr;
    std::map<std::string, json> by_name;
    std::istringstream lines{reply->text};
    for (std::string line; std::getline(lines, line);) {
      std::string name = "(no name)";
      std::int64_t age = 0, idle = 0;
      std::istringstream words{line};
      for (std::string word; words >> word;) {
        if (word.starts_with("name=") && word.size() > 5) name = word.substr(5);
        if (word.starts_with("age=")) age = number(std::string_view{word}.substr(4));
        if (word.starts_with("idle=")) idle = number(std::string_view{word}.substr(5));
      }
      auto& told = by_name.try_emplace(name, json::object()).first->second;
      told = {{"name", name},
              {"count", told.value("count", 0) + 1},
              {"oldest_s", std::max(told.value("oldest_s", std::int64_t{0}), age)},
              {"longest_idle_s", std::max(told.value("longest_idle_s", std::int64_t{0}), idle)}};
    }
    auto all = json::array();
    for (auto& [name, told] : by_name) all.push_back(std::move(told));
    return all;
  }

  json slowlog() {
    auto all = json::array();
    const auto reply = ask({"SLOWLOG", "GET", "32"});
    if (!reply) return all;
    const auto hour_ago = epoch_ms(system_wall_time()) / 1000 - 3600;
    for (const auto& entry : reply->items) {
      if (entry.items.size() < 4 || entry.items[1].integer < hour_ago || entry.items[3].items.empty())
        continue;
      // The command's name and no more: arguments may be anybody's secrets.
      all.push_back({{"us", entry.items[2].integer},
                     {"command", entry.items[3].items[0].text},
                     {"at", to_rfc3339(wall_time_from_ms(entry.items[1].integer * 1000))}});
    }
    return all;
  }

  json latency() {
    auto all = json::array();
    const auto reply = ask({"LATENCY", "LATEST"});
    if (!reply) return all;
    for (const auto& entry : reply->items)
      if (entry.items.size() >= 4)
        all.push_back({{"event", entry.items[0].text},
                       {"at", to_rfc3339(wall_time_from_ms(entry.items[1].integer * 1000))},
                       {"latest_ms", entry.items[2].integer},
                       {"max_ms", entry.items[3].integer}});
    return all;
  }

  json stream(const watched_stream& which) {
    json told{{"name", which.name}, {"ours", which.ours}, {"maxlen", which.maxlen}, {"exists", false}};
    const auto type = ask({"TYPE", which.name});
    if (!type) return told;
    if (type->text == "none") return told;
    told["exists"] = true;
    if (type->text != "stream") {
      told["problem"] = "it holds a " + type->text + " and no stream";
      return told;
    }
    const auto reply = ask({"XINFO", "STREAM", which.name});
    if (!reply) return told;
    const auto state = parse_stream_state(*reply);
    if (!state) return told;
    told["length"] = state->length;
    told["groups"] = groups(which.name, *state);
    return told;
  }

private:
  json groups(const std::string& stream, const stream_state& state) {
    auto all = json::array();
    const auto reply = ask({"XINFO", "GROUPS", stream});
    if (!reply) return all;
    for (const auto& one : reply->items) {
      if (all.size() == most_groups) {
        unseen_.push_back(stream + ": its groups beyond the first " + std::to_string(most_groups));
        break;
      }
      const auto group = object_of(one);
      json told{{"name", group.value("name", "")},
                {"pending", group.value("pending", 0)},
                {"lag", group.contains("lag") ? group["lag"] : json{}},
                {"last_delivered_id", group.value("last-delivered-id", "")}};
      if (auto hole = trimmed_unread(group, state); !hole.is_null()) told["trimmed_unread"] = std::move(hole);
      told["consumers"] = consumers(stream, told["name"]);
      all.push_back(std::move(told));
    }
    return all;
  }

  /// How many entries were trimmed before the group read them; a text where only that it happened is known;
  /// null: none.
  static json trimmed_unread(const json& group, const stream_state& state) {
    const auto last = parse_entry_id(group.value("last-delivered-id", ""));
    const auto trimmed = state.added >= state.length ? state.added - state.length : 0;
    if (!last || trimmed == 0 || (state.first && *last >= *state.first) || *last >= state.last)
      return nullptr;
    const auto read = group.find("entries-read");
    if (read == group.end() || !read->is_number()) return *last == entry_id{} ? json{} : json("unknown");
    const auto have_read = read->get<std::uint64_t>();
    return trimmed > have_read ? json(trimmed - have_read) : json{};
  }

  json consumers(const std::string& stream, const std::string& group) {
    auto all = json::array();
    const auto reply = ask({"XINFO", "CONSUMERS", stream, group});
    if (!reply) return all;
    for (const auto& one : reply->items) {
      if (all.size() == most_consumers) break;
      const auto consumer = object_of(one);
      // `inactive` is since the last entry (Redis 7.2); `idle` since the last attempt, so it tells who reads.
      all.push_back({{"name", consumer.value("name", "")},
                     {"pending", consumer.value("pending", 0)},
                     {"idle_ms", consumer.value("idle", std::int64_t{0})}});
    }
    return all;
  }

  redis_client& redis_;
  std::vector<std::string>& unseen_;
  bool broken_ = false;
};

json roles_of(const settings& what) {
  const auto role = [&](const char* name) { return "breakwater:" + what.process.instance + ":" + name; };
  auto all = json::array({role("publish")});
  if (!what.orders.result_stream.empty()) all.push_back(role("read"));
  if (what.aggregator.source == candle_source::raw_stream) all.push_back(role("raw"));
  if (!what.bridges.empty()) all.push_back(role("bridge"));
  return all;
}

} // namespace

evidence probe_redis(const settings& what, std::vector<std::string>& unseen) {
  const auto address = address_of(what.redis);
  if (!address) return {{"reached", false}, {"problem", address.error().detail}};
  json told{{"address", to_string(*address)}, {"reached", false}};
  const auto limit = std::min<std::chrono::milliseconds>(what.redis.connect_timeout, 2s);
  auto client = redis_client::connect(*address, limit);
  // That it lives shows in its answer to a command, not in the connection.
  const auto answer = client ? client->ask({"PING"}) : result<redis_reply>{client.error()};
  if (!answer) {
    const auto& detail = answer.error().detail;
    const auto text = detail.rfind("Redis refuses") == 0 ? detail.substr(detail.find(": ") + 2) : "";
    const auto kind = text.empty() ? reply_class::transport : classify_error(text);
    // Whoever loads, is busy or cannot persist refuses even PING, and answers other questions.
    if (!client || kind == reply_class::transport || kind == reply_class::configuration ||
        kind == reply_class::capacity) {
      told["problem"] = detail;
      told["class"] = to_string(kind);
      unseen.push_back("Redis: clients, memory, persistence, streams and clock, because it cannot be asked");
      return told;
    }
  }
  told["reached"] = true;
  probe asks{*client, unseen};
  told["info"] = asks.info();
  told["config"] = asks.config();
  if (const auto skew = asks.clock_skew_ms()) told["clock_skew_ms"] = *skew;
  told["clients"] = asks.clients();
  told["roles"] = roles_of(what);
  told["slowlog"] = asks.slowlog();
  told["latency"] = asks.latency();
  told["streams"] = json::array();
  for (const auto& stream : streams_of(what)) told["streams"].push_back(asks.stream(stream));
  return told;
}

} // namespace breakwater
