#include "app/commands/breaker.hpp"

#include "app/api_client.hpp"
#include "app/commands/common.hpp"
#include "messages/text.hpp"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <iomanip>
#include <ostream>

namespace breakwater {
namespace {

using json = nlohmann::json;

/// A member as text; "-" when it is null or not there.
std::string text_of(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return "-";
  return printable(found->is_string() ? found->get<std::string>() : found->dump());
}

result<api_access> access_of(const breaker_command_options& options) {
  settings what;
  if (!options.config.empty()) {
    auto loaded = load_without_log(options.config);
    if (!loaded) return failure{errc::config_invalid, {}}; // everything was said
    what = std::move(*loaded);
  }
  if (options.api.empty() && what.api.listen.empty())
    return failure{errc::address_invalid,
                   "api.listen is empty in " + options.config + ": that process has no API"};
  auto access = parse_api_access(options.api.empty() ? what.api.listen : options.api);
  if (!access) return access;
  access->token = what.api.token;
  if (const char* given = std::getenv("BREAKWATER_TOKEN"); given && *given != '\0')
    access->token = secret{given};
  return access;
}

std::string query(std::string_view value) {
  std::string out;
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (plain)
      out += c;
    else
      ((out += '%') += digits[byte >> 4]) += digits[byte & 15];
  }
  return out;
}

result<http_response> ask(const api_access& access, const breaker_command_options& options) {
  const std::string path = "/api/circuit-breaker/";
  const auto name = "?breaker=" + query(options.name);
  json body{{"breaker", options.name}};
  if (!options.reason.empty()) body["reason"] = options.reason;
  switch (options.verb) {
  case breaker_verb::status: return ask_api(access, "GET", path + "status" + name);
  case breaker_verb::history:
    return ask_api(access, "GET", path + "history" + name + "&limit=" + std::to_string(options.limit));
  case breaker_verb::reset:
    body["override"] = options.override;
    return ask_api(access, "POST", path + "reset", body.dump(-1, ' ', false, json::error_handler_t::replace));
  case breaker_verb::open:
    return ask_api(access, "POST", path + "open", body.dump(-1, ' ', false, json::error_handler_t::replace));
  }
  return failure{errc::foreign, "unknown verb"};
}

void print_status(const json& breaker, std::ostream& out) {
  const auto row = [&](const char* label, const std::string& value) {
    out << std::left << std::setw(16) << label << value << "\n";
  };
  const auto& seen = breaker.at("statistics");
  row("breaker", text_of(breaker, "name"));
  row("state", text_of(breaker, "state") +
                   (text_of(breaker, "mode") == "enforce" ? "" : " (mode " + text_of(breaker, "mode") + ")"));
  row("opened at", text_of(breaker, "opened_at"));
  row("because", text_of(breaker, "trigger_reason"));
  row("lets through at", text_of(breaker, "retry_at"));
  row("failures",
      text_of(breaker, "failure_count") + " in a row; it opens at " + text_of(breaker, "threshold"));
  const bool failed = !breaker.at("last_failure").is_null();
  row("last failure",
      text_of(breaker, "last_failure") + (failed ? "  " + text_of(breaker, "last_failure_reason") : ""));
  if (breaker.at("active").get<bool>())
    row("reset", breaker.at("can_reset").get<bool>()
                     ? "is safe"
                     : "is not safe: " + text_of(breaker, "reset_blocked_reason"));
  row("calls", text_of(seen, "allowed_orders") + " let through, " + text_of(seen, "blocked_orders") +
                   " refused, " + text_of(seen, "failures") + " failed");
  row("opened", text_of(seen, "times_opened") + " times, " + text_of(seen, "time_open_ms") + " ms in all");
}

void print_history(const json& history, std::ostream& out) {
  for (const auto& move : history)
    out << text_of(move, "time") << "  #" << text_of(move, "number") << "  " << text_of(move, "from")
        << " -> " << text_of(move, "to") << "  by " << text_of(move, "by") << "  after "
        << text_of(move, "failures") << " failures: " << text_of(move, "reason") << "\n";
  if (history.empty()) out << "it never moved\n";
}

int print_answer(const breaker_command_options& options, const json& answer, std::ostream& out) {
  switch (options.verb) {
  case breaker_verb::status:
    print_status(answer.at("circuit_breaker"), out);
    return answer.at("circuit_breaker").at("active").get<bool>() ? exit_failed : exit_ok;
  case breaker_verb::history: print_history(answer.at("history"), out); return exit_ok;
  case breaker_verb::reset:
    out << "breaker " << text_of(answer, "breaker") << " is reset"
        << (answer.at("override_used").get<bool>() ? " (override used)" : "") << "\n";
    return exit_ok;
  case breaker_verb::open:
    out << "breaker " << text_of(answer, "breaker") << " is open until it is reset\n";
    return exit_ok;
  }
  return exit_failed;
}

void print_refusal(const json& answer, std::ostream& err) {
  err << "breakwater: " << text_of(answer, "error") << "\n";
  if (const auto reasons = answer.find("reasons"); reasons != answer.end() && reasons->is_array())
    for (const auto& reason : *reasons)
      if (reason.is_string()) err << "  - " << printable(reason.get<std::string>()) << "\n";
  if (answer.contains("hint")) err << "  " << text_of(answer, "hint") << "\n";
}

} // namespace

int breaker_command(const breaker_command_options& options, std::ostream& out, std::ostream& err) {
  const auto unusable = [&](const failure& why) {
    if (!why.detail.empty()) err << "breakwater: " << printable(why.detail) << "\n";
    return exit_unusable;
  };
  const auto access = access_of(options);
  if (!access) return unusable(access.error());
  const auto heard = ask(*access, options);
  if (!heard) return unusable(heard.error());
  try {
    const auto answer = json::parse(heard->body);
    if (options.json)
      out << heard->body; // JSON only: anything else might be meant for the
                          // terminal
    if (heard->status == 200) {
      std::ostream nowhere{nullptr};
      return print_answer(options, answer, options.json ? nowhere : out);
    }
    print_refusal(answer, err);
    return heard->status == 409 ? exit_failed : exit_unusable;
  } catch (const json::exception&) {
    return unusable({errc::foreign, "what answered with status " + std::to_string(heard->status) + " on " +
                                        access->host + ":" + access->port + " is no breakwater"});
  }
}

} // namespace breakwater
