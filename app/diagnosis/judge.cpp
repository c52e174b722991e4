#include "app/diagnosis/diagnosis.hpp"

#include "messages/text.hpp"
#include "messages/time.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>

namespace breakwater {
namespace {

using json = evidence;
using level = finding::level;

std::string text(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.is_null() ? "" : value.dump();
}

/// A number, also when it is told as text; nullopt: there is none.
std::optional<double> number(const json& value) {
  if (value.is_number()) return value.get<double>();
  if (!value.is_string() || value.get_ref<const std::string&>().empty()) return std::nullopt;
  char* end = nullptr;
  const auto& digits = value.get_ref<const std::string&>();
  const auto read = std::strtod(digits.c_str(), &end);
  return *end == '\0' ? std::optional{read} : std::nullopt;
}
double number_or(const json& value, double otherwise) { return number(value).value_or(otherwise); }

std::string whole(double x) { return std::to_string(static_cast<long long>(std::llround(x))); }

std::string mebibytes(double bytes) { return whole(bytes / (1 << 20)) + " MiB"; }

constexpr double minute_ms = 60'000, hour_ms = 3'600'000;
constexpr double stuck_after_ms = 5 * minute_ms;
constexpr double ghost_after_ms = hour_ms;
constexpr std::size_t many_idle_consumers = 8;

class judgement {
public:
  explicit judgement(const evidence& seen) : seen_(seen) {}

  std::vector<finding> all() {
    judge_process();
    judge_files();
    judge_redis();
    judge_breakers();
    judge_disk_and_spool();
    judge_parts();
    judge_feeds();
    judge_alerts();
    std::stable_sort(found_.begin(), found_.end(),
                     [](const finding& a, const finding& b) { return a.how < b.how; });
    return std::move(found_);
  }

private:
  void add(level how, std::string area, std::string what, std::string recommendation, std::string command) {
    found_.push_back({how, std::move(area), std::move(what), std::move(recommendation), std::move(command)});
  }
  std::string breakwater(const std::string& words) const {
    return text(at(seen_, {"commands", "breakwater"})) + " " + words +
           text(at(seen_, {"commands", "config"}));
  }
  std::string redis_cli(const std::string& words) const {
    return text(at(seen_, {"commands", "redis"})) + " " + words;
  }
  std::string curl(const std::string& path) const {
    return "curl -s http://" + text(at(seen_, {"process", "api"})) + path;
  }

  void judge_process() {
    const auto& process = at(seen_, {"process"});
    if (at(process, {"answers"}) == true) return;
    if (at(process, {"runs"}) == true)
      return add(level::critical, "process",
                 "it runs, but its API does not answer: " + text(at(process, {"problem"})),
                 "look at its log; if it hangs, restart it: nothing that was accepted is lost",
                 "systemctl restart breakwater");
    if (at(process, {"runs"}) == false)
      add(level::critical, "process", "no breakwater runs on this data_dir", "start it", breakwater("run"));
  }

  void judge_files() {
    for (const auto& one : at(seen_, {"exposed"}))
      add(level::attention, "files", text(at(one, {"text"})), "take that right away",
          text(at(one, {"command"})));
  }

  void judge_redis() {
    const auto& redis = at(seen_, {"redis"});
    if (redis.is_null()) return;
    if (at(redis, {"reached"}) != true) {
      const bool denied = text(at(redis, {"class"})) == "configuration";
      return add(
          level::critical, "redis",
          text(at(redis, {"address"})) + (denied ? " refuses our credentials: " : " does not answer: ") +
              text(at(redis, {"problem"})),
          denied
              ? "correct redis.username and redis.password_file, or the ACL; what was accepted waits in the "
                "spool"
              : "start it, or correct redis.url; what was accepted waits in the spool",
          denied ? redis_cli("ACL WHOAMI") : "systemctl status redis-server");
    }
    judge_memory(redis);
    judge_persistence(redis);
    judge_clients(redis);
    if (const auto skew = number(at(redis, {"clock_skew_ms"}));
        skew && std::abs(*skew) > number_or(at(seen_, {"limits", "clock_skew_ms"}), 2000))
      add(std::abs(*skew) > minute_ms ? level::critical : level::attention, "clock",
          "our clock and Redis's are " + whole(std::abs(*skew)) + " ms apart (ours is " +
              (*skew > 0 ? "ahead" : "behind") + "): the age of trade intents is judged wrongly",
          "have both machines synchronised by NTP", "timedatectl status");
    for (const auto& stream : at(redis, {"streams"})) judge_stream(stream);
    judge_slowness(redis);
  }

  void judge_memory(const json& redis) {
    const auto policy = text(at(redis, {"config", "maxmemory-policy"}));
    const auto max = number_or(at(redis, {"info", "maxmemory"}), 0),
               used = number_or(at(redis, {"info", "used_memory"}), 0);
    if (policy.starts_with("allkeys"))
      add(level::critical, "redis",
          "maxmemory-policy is " + policy + ": when memory is short, Redis throws whole streams away",
          "have it refuse writes instead; breakwater then waits and loses nothing",
          redis_cli("CONFIG SET maxmemory-policy noeviction"));
    else if (policy.starts_with("volatile"))
      add(level::attention, "redis",
          "maxmemory-policy is " + policy +
              ": when memory is short, Redis throws keys with a time to live away",
          "have it refuse writes instead", redis_cli("CONFIG SET maxmemory-policy noeviction"));
    if (max > 0 && used > 0.9 * max)
      add(used >= max ? level::critical : level::attention, "redis",
          "it uses " + mebibytes(used) + " of maxmemory = " + mebibytes(max) + "; full, it refuses writes",
          "find what grows, and raise maxmemory", redis_cli("--bigkeys"));
    if (const auto evicted = number_or(at(redis, {"info", "evicted_keys"}), 0); evicted > 0)
      add(level::attention, "redis", "it has thrown " + whole(evicted) + " keys away since it started",
          "check that no stream is missing", redis_cli("INFO stats"));
  }

  void judge_persistence(const json& redis) {
    const auto& info = at(redis, {"info"});
    const auto failed = [&](const char* name, const char* what, level how) {
      if (text(at(info, {name})) == "err")
        add(how, "redis", std::string{what} + " (" + name + ":err)",
            "make room on Redis's disk or mend its permissions; until then it may refuse writes (MISCONF) "
            "and forget",
            redis_cli("INFO persistence"));
    };
    failed("aof_last_write_status", "writing the append-only file failed", level::critical);
    failed("rdb_last_bgsave_status", "the last snapshot failed", level::critical);
    failed("aof_last_bgrewrite_status", "the last rewrite of the append-only file failed", level::attention);
    if (text(at(info, {"loading"})) == "1")
      add(level::attention, "redis", "it is loading its data and refuses commands until that is done",
          "wait; nothing is lost", redis_cli("INFO persistence"));
    if (text(at(info, {"role"})) == "slave")
      add(level::critical, "redis", "this address is a replica: it refuses writes",
          "point redis.url at the master", redis_cli("INFO replication"));
    if (text(at(info, {"aof_enabled"})) == "0" && at(redis, {"config", "save"}) == "")
      add(level::attention, "redis",
          "it keeps nothing over a restart: neither snapshots nor append-only file are on",
          "turn the append-only file on; breakwater heals its own streams, consumer groups and keys are gone",
          redis_cli("CONFIG SET appendonly yes"));
  }

  void judge_clients(const json& redis) {
    const auto max = number_or(at(redis, {"config", "maxclients"}), 0),
               now = number_or(at(redis, {"info", "connected_clients"}), 0);
    if (max > 0 && now > 0.9 * max)
      add(level::attention, "redis", whole(now) + " of " + whole(max) + " clients are connected",
          "find who leaks connections", redis_cli("CLIENT LIST"));
    if (at(seen_, {"process", "answers"}) != true || !at(redis, {"clients"}).is_array()) return;
    for (const auto& role : at(redis, {"roles"})) {
      const auto has = [&](const json& client) { return at(client, {"name"}) == role; };
      if (std::none_of(at(redis, {"clients"}).begin(), at(redis, {"clients"}).end(), has))
        add(level::attention, "redis", "no connection of the process is named " + text(role),
            "its log says why it does not connect; or the process uses another Redis than this config file",
            redis_cli("CLIENT LIST"));
    }
  }

  void judge_slowness(const json& redis) {
    double slowest = 0;
    std::string what;
    for (const auto& entry : at(redis, {"slowlog"}))
      if (const auto us = number_or(at(entry, {"us"}), 0); us > slowest) {
        slowest = us;
        what = text(at(entry, {"command"}));
      }
    if (slowest > 1e6)
      add(level::attention, "redis",
          "a command of the last hour took " + whole(slowest / 1000) + " ms: " + what, "find who sends it",
          redis_cli("SLOWLOG GET 10"));
    for (const auto& entry : at(redis, {"latency"}))
      if (number_or(at(entry, {"max_ms"}), 0) > 1000)
        add(level::attention, "redis",
            "latency event " + text(at(entry, {"event"})) + ": " + text(at(entry, {"max_ms"})) +
                " ms at the most",
            "Redis says what to do", redis_cli("LATENCY DOCTOR"));
  }

  void judge_stream(const json& stream) {
    const auto name = text(at(stream, {"name"}));
    if (const auto problem = text(at(stream, {"problem"})); !problem.empty())
      add(level::critical, "streams", name + " cannot be used: " + problem, "mend the key, or name another",
          redis_cli("TYPE " + shell_word(name)));
    const auto length = number_or(at(stream, {"length"}), 0), maxlen = number_or(at(stream, {"maxlen"}), 0);
    // MAXLEN ~ leaves up to a node of 100 entries more.
    if (maxlen > 0 && length > 2 * maxlen + 1000)
      add(level::attention, "streams",
          name + " has " + whole(length) +
              " entries, more than twice what we keep: somebody else writes without MAXLEN",
          "find the writer, and trim",
          redis_cli("XTRIM " + shell_word(name) + " MAXLEN '~' " + whole(maxlen)));
    for (const auto& group : at(stream, {"groups"})) judge_group(stream, name, group);
  }

  void judge_group(const json& stream, const std::string& name, const json& group) {
    const auto group_name = text(at(group, {"name"}));
    const auto of = "group " + group_name + " of " + name;
    // Whoever may create a group chose its name, and an operator copies the command into a shell.
    const auto key = shell_word(name) + " " + shell_word(group_name);
    const bool ours = at(stream, {"ours"}) == at(group, {"name"});
    if (const auto& hole = at(group, {"trimmed_unread"}); hole.is_string() || number_or(hole, 0) > 0)
      add(level::critical, "streams",
          of + " stands at " + text(at(group, {"last_delivered_id"})) + ", before the oldest entry: " +
              (hole.is_string() ? "entries" : whole(*number(hole)) + " entries") +
              " were trimmed before it read them, and Redis cannot tell its lag",
          "its reader goes on with the oldest entry; what was trimmed is lost to it. Restart the reader, or "
          "skip to the end",
          redis_cli("XGROUP SETID " + key + " '$'"));
    std::size_t idle = 0;
    std::optional<double> newest_idle;
    for (const auto& consumer : at(group, {"consumers"})) {
      const auto idle_ms = number_or(at(consumer, {"idle_ms"}), 0),
                 pending = number_or(at(consumer, {"pending"}), 0);
      newest_idle = std::min(newest_idle.value_or(idle_ms), idle_ms);
      if (idle_ms < ghost_after_ms) continue;
      ++idle;
      const auto consumer_name = text(at(consumer, {"name"}));
      if (pending > 0)
        add(level::attention, "streams",
            "consumer " + consumer_name + " in " + of + " is a ghost: idle for " +
                whole(idle_ms / minute_ms) + " min with " + whole(pending) + " entries pending",
            ours ? "breakwater takes them over within claim_after; if it does not run, start it"
                 : "have a living consumer take them over, then remove it",
            redis_cli("XAUTOCLAIM " + key + " <living consumer> 3600000 0-0"));
    }
    if (idle > many_idle_consumers)
      add(level::attention, "streams",
          of + " has " + std::to_string(idle) +
              " consumers that did not read for an hour: names that change with every start leave ghosts",
          "give the readers stable names, and remove those without pending entries",
          redis_cli("XINFO CONSUMERS " + key));
    const auto pending = number_or(at(group, {"pending"}), 0), lag = number_or(at(group, {"lag"}), 0);
    if (pending + lag <= 0 || (newest_idle && *newest_idle < stuck_after_ms)) return;
    add(ours ? level::critical : level::attention, "streams",
        of + " is stuck: " + whole(lag) + " entries unread and " + whole(pending) + " pending, and " +
            (newest_idle ? "nobody has read for " + whole(*newest_idle / minute_ms) + " min"
                         : "it has no consumer"),
        ours ? "start breakwater, or see in its log why the bridge waits"
             : "restart its reader: its blocking read may have been lost with a connection",
        redis_cli("XINFO CONSUMERS " + key));
  }

  void judge_breakers() {
    for (const auto& [name, breaker] : at(seen_, {"breakers"}).items()) {
      const auto state = text(at(breaker, {"state"}));
      if (state.empty() || state == "CLOSED") continue;
      const auto opened = parse_rfc3339(text(at(breaker, {"opened_at"}))),
                 now = parse_rfc3339(text(at(seen_, {"at"})));
      const auto open_ms = opened && now ? static_cast<double>((*now - *opened).count()) : 0;
      const bool safe = at(breaker, {"can_reset"}) == true;
      add(open_ms > number_or(at(seen_, {"limits", "breaker_open_for_ms"}), 10 * minute_ms)
              ? level::critical
              : level::attention,
          "breaker",
          name + " is " + state + " for " + whole(open_ms / 1000) +
              " s: " + text(at(breaker, {"trigger_reason"})) +
              (name == "orders" ? "; intents that add risk are held back" : "; records wait in the spool"),
          safe ? "mend the cause; a reset is safe"
               : "mend the cause. A reset is not safe yet: " + text(at(breaker, {"reset_blocked_reason"})),
          breakwater("breaker reset --name " + name + (safe ? "" : " --override --reason '<why>'")));
    }
  }

  void judge_disk_and_spool() {
    const auto& disk = at(seen_, {"disk"});
    if (const auto free = number(at(disk, {"free_bytes"}))) {
      const auto total = std::max(number_or(at(disk, {"total_bytes"}), 1), 1.0);
      const bool full = *free < 64.0 * (1 << 20) || *free < 0.01 * total;
      if (full || *free < 0.05 * total)
        add(full ? level::critical : level::attention, "disk",
            "only " + mebibytes(*free) + " of " + mebibytes(total) + " are free where " +
                text(at(disk, {"folder"})) + " lies; full, nothing more is accepted",
            "make room, or move process.data_dir", "du -xh --max-depth=1 " + text(at(disk, {"folder"})));
    }
    const auto max = number_or(at(seen_, {"limits", "spool_max_bytes"}), 0);
    double bytes = 0;
    for (const auto& stream : at(seen_, {"spool", "streams"})) {
      bytes += number_or(at(stream, {"bytes"}), 0);
      if (const auto dead = number_or(at(stream, {"dead"}), 0); dead > 0)
        add(level::attention, "spool",
            whole(dead) + " records for " + text(at(stream, {"stream"})) + " were set aside",
            "look at them; then publish them again or drop them", breakwater("spool dead"));
    }
    if (max <= 0) return;
    const auto share = bytes / max;
    const auto critical = number_or(at(seen_, {"limits", "spool_critical"}), 0.9);
    if (share > number_or(at(seen_, {"limits", "spool_warn"}), 0.5))
      add(share > critical ? level::critical : level::attention, "spool",
          "the spool is " + whole(share * 100) + " % full (" + mebibytes(bytes) + " of " + mebibytes(max) +
              ")",
          "bring Redis back; or raise spool.max_bytes", breakwater("spool status"));
  }

  /// What the process itself says of its parts, unless it was seen from here.
  void judge_parts() {
    const auto& monitor = at(seen_, {"health", "position_monitor"});
    const auto status = text(at(monitor, {"status"}));
    if (status == "SILENT" || status == "CHECK_NEEDED")
      add(level::attention, "position_monitor",
          "the position monitor is " + status + ": " + text(at(monitor, {"why"})),
          "look whether it runs and what it logs; positions may be unwatched", curl("/health"));
    for (const auto& [name, part] : at(seen_, {"health", "actors"}).items()) {
      const auto how = text(at(part, {"level"}));
      constexpr std::string_view seen_elsewhere[] = {"redis", "position_monitor"};
      const bool elsewhere =
          name.starts_with("breaker/") || name.starts_with("feed/") ||
          std::find(std::begin(seen_elsewhere), std::end(seen_elsewhere), name) != std::end(seen_elsewhere);
      // While Redis is away others wait for it, and say so; it is what has to be mended.
      const bool waits_for_redis = how == "degraded" && at(seen_, {"redis", "reached"}) == false;
      if (how.empty() || how == "ok" || elsewhere || waits_for_redis) continue;
      add(how == "critical" ? level::critical : level::attention, name, text(at(part, {"why"})),
          name.starts_with("publisher") ? "see what waits, and why"
                                        : "see its figures, and its lines in the log",
          name.starts_with("publisher") ? breakwater("spool status") : curl("/api/actors"));
    }
    for (const auto& [name, bridge] : at(seen_, {"health", "bridges"}).items())
      if (const auto dead = number_or(at(bridge, {"dead"}), 0); dead > 0)
        add(level::attention, "bridge/" + name,
            whole(dead) + " invalid events since the start went to the dead letters",
            "see why, and mend whoever writes them",
            redis_cli("XREVRANGE " + shell_word(text(at(bridge, {"stream"})) + ".dead") + " + - COUNT 5"));
  }

  void judge_feeds() {
    for (const auto& [name, feed] : at(seen_, {"feeds"}).items()) {
      std::size_t stale = 0, refused = 0;
      std::string example;
      for (const auto& [symbol, told] : at(feed, {"symbols"}).items()) {
        const auto state = text(at(told, {"state"}));
        if (state == "stale") ++stale;
        if (state == "refused") ++refused;
        if ((state == "stale" || state == "refused") && example.empty()) example = symbol;
      }
      const auto look = curl("/api/feeds?exchange=" + name);
      if (at(feed, {"connected"}) == false)
        add(level::attention, "feeds", name + " is not connected",
            "see its lines in the log; it tries for ever", look);
      if (stale > 0)
        add(level::attention, "feeds",
            name + ": no data for " + std::to_string(stale) + " symbols, such as " + example,
            "see whether the exchange trades them", look);
      if (refused > 0)
        add(level::attention, "feeds",
            name + " refuses " + std::to_string(refused) + " symbols, such as " + example,
            "correct their names in feeds." + name + ".symbols, or leave them out", look);
    }
  }

  /// Those whose matter is not looked at here anyway.
  void judge_alerts() {
    constexpr std::string_view looked_at[] = {"breaker", "redis", "authentication", "position", "feed",
                                              "spool",   "clock", "actor",          "dead"};
    for (const auto& alert : at(seen_, {"alerts"})) {
      const auto rule = text(at(alert, {"rule"}));
      const auto how = text(at(alert, {"level"})) == "critical" ? level::critical : level::attention;
      const bool known = std::any_of(std::begin(looked_at), std::end(looked_at),
                                     [&](std::string_view start) { return rule.starts_with(start); });
      if (!known)
        add(how, "alerts", text(at(alert, {"text"})), text(at(alert, {"what_to_do"})), curl("/api/alerts"));
    }
  }

  const evidence& seen_;
  std::vector<finding> found_;
};

} // namespace

const evidence& at(const evidence& from, std::initializer_list<const char*> path) {
  static const evidence nothing;
  const auto* here = &from;
  for (const auto* step : path) {
    if (!here->is_object()) return nothing;
    const auto next = here->find(step);
    if (next == here->end()) return nothing;
    here = &*next;
  }
  return *here;
}

std::vector<finding> judge(const evidence& seen) { return judgement{seen}.all(); }

int exit_code_of(const evidence& seen, const std::vector<finding>& found) {
  const bool critical =
      std::any_of(found.begin(), found.end(), [](const finding& one) { return one.how == level::critical; });
  if (critical) return 2;
  return found.empty() && at(seen, {"unseen"}).empty() ? 0 : 1;
}

} // namespace breakwater
