#include "app/diagnosis/diagnosis.hpp"

#include <boost/test/unit_test.hpp>

#include <sstream>
#include <string>
#include <vector>

using namespace breakwater;
using json = evidence;

namespace {

/// Everything in order.
json healthy() {
  return json::parse(R"({
    "at": "2026-01-05T00:00:00.000Z", "instance": "a", "config": "b.toml",
    "commands": {"breakwater": "breakwater", "config": " --config b.toml", "redis": "redis-cli -h h -p 1"},
    "limits": {"clock_skew_ms": 2000, "breaker_open_for_ms": 600000, "spool_max_bytes": 1000, "spool_warn": 0.5,
               "spool_critical": 0.9},
    "process": {"runs": true, "api": "127.0.0.1:8000", "answers": true},
    "health": {"status": "ok", "actors": {"publisher": {"level": "ok"}, "redis": {"level": "ok"}},
               "bridges": {"trade-intent": {"level": "ok", "dead": "0", "stream": "in"}},
               "position_monitor": {"status": "HEALTHY"}},
    "breakers": {"redis": {"state": "CLOSED"}, "orders": {"state": "CLOSED"}}, "breakers_from": "api",
    "feeds": {"okx": {"connected": true, "symbols": {"BTCUSDT": {"state": "subscribed"}}}},
    "alerts": [],
    "disk": {"folder": "/d", "free_bytes": 90000000000, "total_bytes": 100000000000},
    "spool": {"streams": [{"stream": "out", "waiting": 0, "dead": 0, "bytes": 100}]},
    "redis": {"address": "redis://h:1/0", "reached": true, "clock_skew_ms": 3,
      "info": {"used_memory": "100", "maxmemory": "0", "aof_enabled": "1", "aof_last_write_status": "ok",
               "rdb_last_bgsave_status": "ok", "aof_last_bgrewrite_status": "ok", "loading": "0", "role": "master",
               "connected_clients": "9", "evicted_keys": "0"},
      "config": {"maxmemory-policy": "noeviction", "save": "", "maxclients": "10000"},
      "clients": [{"name": "breakwater:a:publish", "count": 1}], "roles": ["breakwater:a:publish"],
      "slowlog": [], "latency": [],
      "streams": [{"name": "in", "ours": "g", "exists": true, "length": 5, "maxlen": 0, "groups": [
        {"name": "g", "pending": 0, "lag": 0, "last_delivered_id": "5-0",
         "consumers": [{"name": "a", "pending": 0, "idle_ms": 900}]}]}]},
    "unseen": []})");
}

json group(const char* changes) {
  auto made = healthy()["redis"]["streams"][0];
  made["groups"][0].update(json::parse(changes));
  return made;
}

struct row {
  std::string path; ///< JSON pointer of what is different.
  json value;
  const char* level;
  std::string said, command;
};

} // namespace

BOOST_AUTO_TEST_CASE(nothing_wrong_is_exit_0_and_something_unseen_is_1) {
  auto seen = healthy();
  BOOST_TEST(judge(seen).empty());
  BOOST_TEST(exit_code_of(seen, {}) == 0);
  seen["unseen"].push_back("the disk");
  BOOST_TEST(judge(seen).empty());
  BOOST_TEST(exit_code_of(seen, {}) == 1);
}

BOOST_AUTO_TEST_CASE(each_thing_that_is_wrong_is_found_with_what_to_run) {
  const std::string cli = "redis-cli -h h -p 1 ";
  const std::vector<row> table{
      {"/process/answers", false, "critical", "its API does not answer", "systemctl restart breakwater"},
      {"/process",
       {{"runs", false}, {"answers", false}},
       "critical",
       "no breakwater runs",
       "breakwater run --config b.toml"},
      {"/redis",
       {{"address", "redis://h:1/0"}, {"reached", false}, {"problem", "refused"}},
       "critical",
       "does not answer: refused",
       "systemctl status redis-server"},
      {"/redis",
       {{"address", "redis://h:1/0"},
        {"reached", false},
        {"problem", "WRONGPASS"},
        {"class", "configuration"}},
       "critical",
       "refuses our credentials",
       cli + "ACL WHOAMI"},
      {"/redis/config/maxmemory-policy", "allkeys-lru", "critical", "throws whole streams away",
       cli + "CONFIG SET maxmemory-policy noeviction"},
      {"/redis/config/maxmemory-policy", "volatile-ttl", "attention", "throws keys",
       cli + "CONFIG SET maxmemory-policy noeviction"},
      {"/redis/info/maxmemory", "110", "attention", "maxmemory", cli + "--bigkeys"},
      {"/redis/info/maxmemory", "100", "critical", "maxmemory", cli + "--bigkeys"},
      {"/redis/info/evicted_keys", "7", "attention", "thrown 7 keys away", cli + "INFO stats"},
      {"/redis/info/aof_last_write_status", "err", "critical", "append-only file failed",
       cli + "INFO persistence"},
      {"/redis/info/rdb_last_bgsave_status", "err", "critical", "snapshot failed", cli + "INFO persistence"},
      {"/redis/info/aof_last_bgrewrite_status", "err", "attention", "rewrite", cli + "INFO persistence"},
      {"/redis/info/loading", "1", "attention", "loading", cli + "INFO persistence"},
      {"/redis/info/role", "slave", "critical", "replica", cli + "INFO replication"},
      {"/redis/info/aof_enabled", "0", "attention", "keeps nothing", cli + "CONFIG SET appendonly yes"},
      {"/redis/info/connected_clients", "9500", "attention", "9500 of 10000 clients", cli + "CLIENT LIST"},
      {"/redis/clients", json::array(), "attention", "breakwater:a:publish", cli + "CLIENT LIST"},
      {"/redis/clock_skew_ms", 2001, "attention", "2001 ms apart (ours is ahead)", "timedatectl status"},
      {"/redis/clock_skew_ms", -61000, "critical", "behind", "timedatectl status"},
      {"/redis/slowlog", json::array({{{"us", 2500000}, {"command", "KEYS"}}}), "attention", "2500 ms: KEYS",
       cli + "SLOWLOG GET 10"},
      {"/redis/latency", json::array({{{"event", "fork"}, {"max_ms", 1500}}}), "attention", "fork: 1500 ms",
       cli + "LATENCY DOCTOR"},
      {"/redis/streams/0/problem", "it holds a list and no stream", "critical", "in cannot be used",
       cli + "TYPE in"},
      {"/redis/streams/0",
       {{"name", "out"}, {"maxlen", 100}, {"length", 1201}},
       "attention",
       "without MAXLEN",
       cli + "XTRIM out MAXLEN '~' 100"},
      {"/redis/streams/0", group(R"({"lag": null, "trimmed_unread": 12, "last_delivered_id": "1-0"})"),
       "critical", "12 entries were trimmed before it read them", cli + "XGROUP SETID in g '$'"},
      {"/redis/streams/0",
       group(R"({"consumers": [{"name":"a","idle_ms":5},{"name":"w-4711","pending":3,"idle_ms":7200000}]})"),
       "attention", "consumer w-4711 in group g of in is a ghost: idle for 120 min with 3",
       cli + "XAUTOCLAIM in g <living consumer> 3600000 0-0"},
      {"/redis/streams/0", group(R"({"lag": 4, "consumers": [{"name":"a","pending":0,"idle_ms":300001}]})"),
       "critical", "is stuck: 4 entries unread", cli + "XINFO CONSUMERS in g"},
      {"/redis/streams/0", group(R"({"name": "theirs", "pending": 1, "consumers": []})"), "attention",
       "it has no consumer", cli + "XINFO CONSUMERS in theirs"},
      {"/breakers/redis",
       {{"state", "OPEN"},
        {"opened_at", "2026-01-04T23:55:00.000Z"},
        {"trigger_reason", "transport: x"},
        {"can_reset", false},
        {"reset_blocked_reason", "5 failures"}},
       "attention",
       "redis is OPEN for 300 s: transport: x",
       "breakwater breaker reset --name redis --override --reason '<why>' --config b.toml"},
      {"/breakers/orders",
       {{"state", "FORCED_OPEN"}, {"opened_at", "2026-01-04T23:49:59.000Z"}, {"can_reset", true}},
       "critical",
       "intents that add risk are held back",
       "breakwater breaker reset --name orders --config b.toml"},
      {"/disk/free_bytes", 1000, "critical", "nothing more is accepted", "du -xh --max-depth=1 /d"},
      {"/disk/free_bytes", 4900000000, "attention", "are free", "du -xh --max-depth=1 /d"},
      {"/spool/streams/0/dead", 2, "attention", "2 records for out were set aside",
       "breakwater spool dead --config b.toml"},
      {"/spool/streams/0/bytes", 501, "attention", "50 % full", "breakwater spool status --config b.toml"},
      {"/spool/streams/0/bytes", 901, "critical", "90 % full", "breakwater spool status --config b.toml"},
      {"/health/position_monitor",
       {{"status", "SILENT"}, {"why", "6 min"}},
       "attention",
       "SILENT: 6 min",
       "curl -s http://127.0.0.1:8000/health"},
      {"/health/actors/publisher",
       {{"level", "critical"}, {"why", "halted"}},
       "critical",
       "halted",
       "breakwater spool status --config b.toml"},
      {"/health/bridges/trade-intent/dead", "3", "attention", "3 invalid events",
       cli + "XREVRANGE in.dead + - COUNT 5"},
      {"/feeds/okx/connected", false, "attention", "okx is not connected",
       "curl -s http://127.0.0.1:8000/api/feeds?exchange=okx"},
      {"/feeds/okx/symbols/BTCUSDT/state", "stale", "attention", "no data for 1 symbols, such as BTCUSDT",
       "curl -s http://127.0.0.1:8000/api/feeds?exchange=okx"},
      {"/feeds/okx/symbols/BTCUSDT/state", "refused", "attention", "refuses 1 symbols",
       "curl -s http://127.0.0.1:8000/api/feeds?exchange=okx"},
      {"/alerts", json::array({{{"rule", "no_record"}, {"level", "critical"}, {"text", "no record"}}}),
       "critical", "no record", "curl -s http://127.0.0.1:8000/api/alerts"},
  };
  for (const auto& [path, value, how, said, command] : table)
    BOOST_TEST_CONTEXT(path << " = " << value.dump()) {
      auto seen = healthy();
      seen[json::json_pointer(path)] = value;
      const auto found = judge(seen);
      BOOST_REQUIRE(found.size() == 1u);
      BOOST_TEST(to_string(found[0].how) == std::string{how});
      BOOST_TEST(found[0].text.find(said) != std::string::npos, found[0].text);
      BOOST_TEST(found[0].command == command);
      BOOST_TEST(!found[0].recommendation.empty() == (path != "/alerts"));
      BOOST_TEST(exit_code_of(seen, found) == (how == std::string{"critical"} ? 2 : 1));
    }
}

BOOST_AUTO_TEST_CASE(many_idle_consumers_are_told_together) {
  auto consumers = json::array({{{"name", "a"}, {"idle_ms", 5}}});
  for (int i = 0; i < 9; ++i)
    consumers.push_back({{"name", "w-" + std::to_string(i)}, {"pending", 0}, {"idle_ms", 3600000}});
  auto seen = healthy();
  seen["redis"]["streams"][0]["groups"][0]["consumers"] = consumers;
  const auto found = judge(seen);
  BOOST_REQUIRE(found.size() == 1u);
  BOOST_TEST(found[0].text.find("9 consumers") != std::string::npos, found[0].text);
}

BOOST_AUTO_TEST_CASE(the_most_urgent_comes_first) {
  auto seen = healthy();
  seen["redis"]["clock_skew_ms"] = 3000;
  seen["disk"]["free_bytes"] = 1000;
  const auto found = judge(seen);
  BOOST_REQUIRE(found.size() == 2u);
  BOOST_TEST(found[0].area == "disk");
  BOOST_TEST(exit_code_of(seen, found) == 2);
}

BOOST_AUTO_TEST_CASE(it_is_printed_for_people_and_as_json) {
  auto seen = healthy();
  seen["redis"]["clock_skew_ms"] = 3000;
  seen["unseen"].push_back("the spool: why \x1b[31m");
  const auto found = judge(seen);
  std::ostringstream out;
  print_diagnosis(seen, found, out);
  for (const auto* text :
       {"attention\n", "1. [attention] clock: ", "     $ timedatectl status\n",
        "Could not be seen, and so is not known to be fine\n  the spool: why \\x1b[31m",
        "  breaker redis: state=CLOSED\n", "    group g: pending=0 lag=0 last_delivered_id=5-0\n"})
    BOOST_TEST(out.str().find(text) != std::string::npos, std::string{text} + " in\n" + out.str());
  const auto whole = diagnosis_json(seen, found);
  BOOST_TEST(whole["exit"] == 1);
  BOOST_TEST(whole["status"] == "attention");
  BOOST_TEST(whole["findings"][0]["command"] == "timedatectl status");
  BOOST_TEST(whole["evidence"]["instance"] == "a");
}

BOOST_AUTO_TEST_CASE(names_that_others_chose_are_one_word_of_the_command_that_is_shown) {
  auto seen = healthy();
  seen["redis"]["streams"] = json::parse(
      R"([{"name": "s", "exists": true, "length": 9,
           "groups": [{"name": "$(reboot)'; reboot", "pending": 1, "lag": 2, "consumers": []}]}])");
  const auto found = judge(seen);
  BOOST_TEST_REQUIRE(found.size() == 1u);
  BOOST_TEST(found[0].command == R"(redis-cli -h h -p 1 XINFO CONSUMERS s '$(reboot)'\''; reboot')");
}

BOOST_AUTO_TEST_CASE(files_that_others_can_get_at_are_named_with_the_command_that_ends_it) {
  auto seen = healthy();
  seen["exposed"] = json::parse(R"([{"text": "x can be read", "command": "chmod o-r x"}])");
  const auto found = judge(seen);
  BOOST_TEST_REQUIRE(found.size() == 1u);
  BOOST_TEST(found[0].text == "x can be read");
  BOOST_TEST(found[0].command == "chmod o-r x");
  BOOST_TEST((found[0].how == finding::level::attention));
}

BOOST_AUTO_TEST_CASE(what_was_not_seen_is_not_judged) {
  const auto seen =
      json::parse(R"({"at": "x", "instance": "a", "process": {"answers": true}, "unseen": ["all"]})");
  BOOST_TEST(judge(seen).empty());
  std::ostringstream out;
  print_diagnosis(seen, {}, out);
  BOOST_TEST(out.str().find("Nothing was found") != std::string::npos);
}
