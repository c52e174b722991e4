#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <string>
#include <vector>

namespace breakwater {

/// Everything `diagnose` could see, as JSON; what it could not see is absent, and named in `unseen`:
///
///   at, instance, config, commands {breakwater, redis}   how to call the two programs
///   exposed [{text, command}]                            files of the config that others may get at
///   limits {clock_skew_ms, breaker_open_for_ms, spool_max_bytes, spool_warn, spool_critical}
///   process {runs, api, answers, problem}
///   health, breakers, history, feeds, alerts             as the API tells them; breakers and history from
///   the breakers_from                                        "api", or "disk" when no process answers spool
///   {streams [{stream, waiting, retained, dead, bytes}]} disk {folder, free_bytes, total_bytes} redis
///   {address, reached, problem, class, info {...}, config {...}, clock_skew_ms,
///          clients [{name, count, oldest_s, longest_idle_s}], roles [name], slowlog [{us, command, at}],
///          latency [{event, at, latest_ms, max_ms}],
///          streams [{name, ours, exists, length, maxlen, groups [{name, pending, lag, last_delivered_id,
///                    trimmed_unread, consumers [{name, pending, idle_ms}]}]}]}
///   unseen [text]
using evidence = nlohmann::ordered_json;

/// The member at the end of a path of names; null where there is none.
const evidence& at(const evidence& from, std::initializer_list<const char*> path);

/// Something to attend to.
struct finding {
  enum class level : std::uint8_t { critical, attention };
  level how = level::attention;
  std::string area;           ///< "redis", "breaker", "spool" ...
  std::string text;           ///< What is wrong, with its figures.
  std::string recommendation; ///< What to do.
  std::string command;        ///< To run for that.
};

constexpr const char* to_string(finding::level how) noexcept {
  return how == finding::level::critical ? "critical" : "attention";
}

/// What is to be done, the most urgent first.
std::vector<finding> judge(const evidence& seen);

/// 0 healthy, 1 attention (something is to be done, or could not be seen), 2 critical.
int exit_code_of(const evidence& seen, const std::vector<finding>& found);

void print_diagnosis(const evidence& seen, const std::vector<finding>& found, std::ostream& out);
/// {"status", "exit", "findings", "unseen", "evidence"}
nlohmann::ordered_json diagnosis_json(const evidence& seen, const std::vector<finding>& found);

} // namespace breakwater
