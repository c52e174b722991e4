#include "app/commands/diagnose.hpp"

#include "actors/api/answers.hpp"
#include "actors/breaker/breaker.hpp"
#include "actors/breaker/breaker_store_io.hpp"
#include "actors/publisher/spool_view_io.hpp"
#include "actors/redis/redis_url.hpp"
#include "app/api_client.hpp"
#include "app/commands/common.hpp"
#include "app/diagnosis/diagnosis.hpp"
#include "app/diagnosis/redis_probe.hpp"
#include "app/folder_lock.hpp"
#include "messages/text.hpp"

#include <filesystem>
#include <fstream>
#include <ostream>

namespace breakwater {
namespace {

using json = evidence;

/// Asks the process's API and keeps what it tells.
class process_look {
public:
  process_look(const settings& what, json& seen, std::vector<std::string>& unseen)
      : what_(what), seen_(seen), unseen_(unseen) {}

  void look() {
    auto& process = seen_["process"] = {{"runs", runs()}, {"api", what_.api.listen}, {"answers", false}};
    const auto access = what_.api.listen.empty()
                            ? result<api_access>{failure{errc::address_invalid, "api.listen is empty"}}
                            : parse_api_access(what_.api.listen);
    if (!access) {
      process["problem"] = access.error().detail;
    } else if (const auto health = ask_api(*access, "GET", "/health"); !health) {
      process["problem"] = health.error().detail;
    } else if (auto told = json::parse(health->body, nullptr, false);
               !told.is_object() || !told.contains("actors")) {
      process["problem"] = "something else answers there";
    } else if (told.value("instance", "") != what_.process.instance) {
      process["problem"] = "another instance answers there: " + told.value("instance", "");
    } else {
      process["answers"] = true;
      seen_["health"] = std::move(told);
      access_ = *access;
      return look_further();
    }
    unseen_.push_back(
        "The process: health, feeds, alerts, position monitor and bridges, because its API cannot be asked");
  }

private:
  /// Whether a process holds data_dir; null: that cannot be told.
  json runs() const {
    std::error_code ignored;
    if (!std::filesystem::is_directory(what_.process.data_dir, ignored)) return false;
    const auto lock = folder_lock::take(what_.process.data_dir);
    if (lock) return false;
    return lock.error().code == errc::already_running ? json(true) : json{};
  }

  void look_further() {
    if (auto told = get("/api/circuit-breaker/status"); told.contains("breakers")) {
      seen_["breakers"] = told["breakers"];
      seen_["breakers_from"] = "api";
    }
    for (const auto& [name, ignored] : at(seen_, {"breakers"}).items())
      if (auto told = get("/api/circuit-breaker/history?limit=10&breaker=" + name); told.contains("history"))
        seen_["history"][name] = told["history"];
    if (auto told = get("/api/feeds"); told.contains("feeds")) seen_["feeds"] = told["feeds"];
    if (auto told = get("/api/alerts"); told.contains("alerts")) seen_["alerts"] = told["alerts"];
  }

  json get(const std::string& path) {
    const auto answer = ask_api(access_, "GET", path);
    auto told = answer ? json::parse(answer->body, nullptr, false) : json{};
    if (answer && answer->status == 200 && told.is_object()) return told;
    unseen_.push_back("GET " + path + ": " +
                      (answer ? "status " + std::to_string(answer->status) : answer.error().detail));
    return json::object();
  }

  const settings& what_;
  json& seen_;
  std::vector<std::string>& unseen_;
  api_access access_;
};

/// The breakers as they lie on disk, in the words of the API.
void look_at_breakers_on_disk(const settings& what, json& seen, std::vector<std::string>& unseen) {
  const auto store = open_breaker_store(what.process.data_dir);
  const moment now{std::chrono::steady_clock::now(), system_wall_time()};
  breaker_reports reports;
  for (const auto& [name, how] :
       {std::pair{std::string{"redis"}, what.breaker_redis}, {"orders", what.breaker_orders}}) {
    const auto kept = store->load(name, 10);
    if (kept.state.empty()) {
      unseen.push_back("breaker " + name + ": " +
                       (kept.problem.empty() ? "there is no state of it on disk" : kept.problem));
      continue;
    }
    auto memory = read_memory(kept.state, kept.history);
    if (!memory) {
      unseen.push_back("breaker " + name + ": " + memory.error().detail);
      continue;
    }
    const breaker read{name, how, std::move(*memory), now};
    seen["history"][name] = json::parse(history_answer(name, read.history(10)).body)["history"];
    reports.push_back(read.report(now));
  }
  if (reports.empty()) return;
  seen["breakers"] = json::parse(status_answer(reports.front().name, reports).body)["breakers"];
  seen["breakers_from"] = "disk";
}

void look_at_disk(const settings& what, json& seen, std::vector<std::string>& unseen) {
  const auto& folder = what.process.data_dir;
  std::error_code problem;
  const auto space = std::filesystem::space(folder, problem);
  if (problem) {
    unseen.push_back("the disk of " + folder + ": " + problem.message());
    return;
  }
  seen["disk"] = {{"folder", folder}, {"free_bytes", space.available}, {"total_bytes", space.capacity}};
  if (!seen.contains("breakers")) look_at_breakers_on_disk(what, seen, unseen);
  try {
    const auto spool = spool_view::open(folder + "/spool");
    if (!spool) {
      unseen.push_back("the spool: " + spool.error().detail);
      return;
    }
    auto streams = json::array();
    for (const auto& one : spool->streams())
      streams.push_back({{"stream", one.name},
                         {"waiting", one.waiting},
                         {"retained", one.retained},
                         {"dead", one.dead},
                         {"bytes", one.bytes}});
    seen["spool"] = {{"streams", std::move(streams)}};
  } catch (const std::exception& error) {
    unseen.push_back(std::string{"the spool: "} + error.what());
  }
}

evidence look_around(const settings& what, const std::string& config, const std::vector<exposure>& exposed) {
  std::vector<std::string> unseen;
  const auto address = *address_of(what.redis); // the loader has checked it
  json seen{{"at", to_rfc3339(system_wall_time())},
            {"instance", what.process.instance},
            {"config", config},
            {"commands",
             {{"breakwater", "breakwater"},
              {"config", config.empty() ? "" : " --config " + shell_word(config)},
              {"redis", redis_cli(address)}}},
            {"limits",
             {{"clock_skew_ms", what.alerts.clock_skew.count()},
              {"breaker_open_for_ms", what.alerts.breaker_open_for.count()},
              {"spool_max_bytes", what.spool.max_bytes},
              {"spool_warn", what.alerts.spool_warn},
              {"spool_critical", what.alerts.spool_critical}}}};
  for (const auto& one : exposed) seen["exposed"].push_back({{"text", one.text}, {"command", one.command}});
  process_look{what, seen, unseen}.look();
  look_at_disk(what, seen, unseen);
  seen["redis"] = probe_redis(what, unseen);
  seen["unseen"] = unseen;
  return seen;
}

/// Writes to a file beside, and then over the old one, so that nobody reads half of it.
result<done> write_whole(const std::string& path, const std::string& text) {
  const auto beside = path + ".new";
  std::ofstream file{beside, std::ios::trunc};
  file << text << '\n';
  file.close();
  std::error_code problem;
  if (file) std::filesystem::rename(beside, path, problem);
  if (!file || problem)
    return failure{errc::file_unreadable,
                   path + " cannot be written: " +
                       (problem ? problem.message() : "name a file in a folder that exists")};
  return done{};
}

} // namespace

int diagnose_command(const diagnose_options& options, std::ostream& out, std::ostream& err) {
  settings what;
  std::vector<exposure> exposed;
  if (!options.config.empty()) {
    const auto loaded = load_whole(options.config);
    if (!loaded) return exit_unusable;
    what = loaded->values;
    exposed = loaded->exposed;
  }
  const auto seen = look_around(what, options.config, exposed);
  const auto found = judge(seen);
  const auto whole = diagnosis_json(seen, found);
  // What others wrote may be no UTF-8.
  constexpr auto replace = nlohmann::json::error_handler_t::replace;
  if (options.json == "-") {
    out << whole.dump(2, ' ', false, replace) << '\n';
    return exit_code_of(seen, found);
  }
  print_diagnosis(seen, found, out);
  if (!options.json.empty())
    if (const auto written = write_whole(options.json, whole.dump(2, ' ', false, replace)); !written) {
      err << "breakwater: " << written.error().detail << '\n';
      return exit_unusable;
    }
  return exit_code_of(seen, found);
}

} // namespace breakwater
