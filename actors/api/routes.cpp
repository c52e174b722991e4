#include "actors/api/routes.hpp"

#include "actors/api/json_answer.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <map>
#include <optional>
#include <stdexcept>
#include <string_view>

namespace breakwater {
namespace {

constexpr std::size_t longest_reason = 500;

/// Ends the reading of a request with this answer.
struct refused {
  http_response answer;
};

[[noreturn]] void bad_request(const std::string& error, const std::string& hint = {}) {
  throw refused{json_error(400, error, hint)};
}

std::string header(const http_request& request, std::string_view name) {
  for (const auto& [key, value] : request.headers)
    if (key == name) return value;
  return {};
}

bool has_header(const http_request& request, std::string_view name) {
  return std::any_of(request.headers.begin(), request.headers.end(),
                     [&](const auto& field) { return field.first == name; });
}

/// %XX and '+' replaced. Anything else after a '%' is refused.
std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] == '%') {
      unsigned byte = 0;
      const auto digits = text.substr(i + 1, 2);
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
      if (digits.size() != 2 || error != std::errc{} || end != digits.data() + 2)
        bad_request("a '%' that no two hex digits follow", "write a percent sign as %25");
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

/// The parameters of a request, from its query and its body (a JSON object or a form). Each may be given
/// once, and only those a route knows.
class parameters {
public:
  parameters(const http_request& request, std::initializer_list<std::string_view> known) : known_(known) {
    const auto question = request.target.find('?');
    if (question != std::string::npos) read_form(std::string_view{request.target}.substr(question + 1));
    if (request.body.empty()) return;
    if (header(request, "content-type").starts_with("application/x-www-form-urlencoded") &&
        request.body.front() != '{')
      read_form(request.body);
    else
      read_json(request.body);
  }

  [[nodiscard]] std::optional<std::string> text(const std::string& name) const {
    const auto found = given_.find(name);
    if (found == given_.end()) return std::nullopt;
    return found->second;
  }

  [[nodiscard]] bool truth(const std::string& name, bool otherwise) const {
    const auto given = text(name);
    if (!given) return otherwise;
    if (*given == "true" || *given == "1") return true;
    if (*given == "false" || *given == "0") return false;
    bad_request(name + " is '" + *given + "'; it must be true or false");
  }

  [[nodiscard]] std::size_t number(const std::string& name, std::size_t otherwise, std::size_t most) const {
    const auto given = text(name);
    if (!given) return otherwise;
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(given->data(), given->data() + given->size(), value);
    if (error != std::errc{} || end != given->data() + given->size() || value < 1 || value > most)
      bad_request(name + " is '" + *given + "'; it must be a whole number from 1 to " + std::to_string(most));
    return value;
  }

  [[nodiscard]] std::string reason() const {
    auto given = text("reason").value_or("");
    if (given.size() > longest_reason)
      bad_request("reason is longer than " + std::to_string(longest_reason) + " bytes");
    const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
    return std::all_of(given.begin(), given.end(), is_blank) ? std::string{} : given;
  }

private:
  void add(const std::string& name, std::string value) {
    if (std::find(known_.begin(), known_.end(), name) == known_.end()) {
      std::string all;
      for (const auto& one : known_) (all += all.empty() ? "" : ", ") += one;
      bad_request("parameter '" + name + "' is unknown",
                  all.empty() ? "this request takes no parameters" : "it takes " + all);
    }
    if (!given_.emplace(name, std::move(value)).second)
      bad_request("parameter '" + name + "' is given twice");
  }

  void read_form(std::string_view form) {
    while (!form.empty()) {
      const auto end = form.find('&');
      const auto pair = form.substr(0, end);
      form.remove_prefix(end == std::string_view::npos ? form.size() : end + 1);
      if (pair.empty()) continue;
      const auto equals = pair.find('=');
      if (equals == std::string_view::npos)
        bad_request("parameter '" + decoded(pair) + "' has no value", "write it as name=value");
      add(decoded(pair.substr(0, equals)), decoded(pair.substr(equals + 1)));
    }
  }

  void read_json(const std::string& body) {
    const auto read = nlohmann::json::parse(body, nullptr, false);
    if (!read.is_object()) bad_request("the body is no JSON object", R"(such as {"reason": "..."})");
    for (const auto& [name, value] : read.items()) {
      if (value.is_string())
        add(name, value.get<std::string>());
      else if (value.is_boolean() || value.is_number())
        add(name, value.dump());
      else
        bad_request("parameter '" + name + "' must be a text, a number, true or false");
    }
  }

  std::vector<std::string_view> known_;
  std::map<std::string, std::string> given_;
};

std::optional<exchange> feed_of(const parameters& given, const api_rules& rules) {
  const auto name = given.text("exchange");
  if (!name) return std::nullopt;
  std::string all;
  for (const auto one : rules.feeds) {
    if (*name == to_string(one)) return one;
    (all += all.empty() ? "" : ", ") += to_string(one);
  }
  throw refused{json_error(404, "there is no feed of exchange '" + *name + "'",
                           all.empty() ? "no exchange is followed" : "there are: " + all)};
}

/// Empty: none was named.
std::string symbol_of(const parameters& given) {
  const auto symbol = given.text("symbol");
  if (symbol && symbol->empty()) bad_request("symbol is empty", "such as symbol=BTCUSDT");
  return symbol.value_or("");
}

std::string breaker_of(const parameters& given, const api_rules& rules) {
  const auto name = given.text("breaker").value_or(rules.breakers.front());
  if (std::find(rules.breakers.begin(), rules.breakers.end(), name) != rules.breakers.end()) return name;
  std::string all;
  for (const auto& one : rules.breakers) (all += all.empty() ? "" : ", ") += one;
  throw refused{json_error(404, "there is no breaker '" + name + "'", "there are: " + all)};
}

/// How an operator named himself; whoever has the token is believed.
std::string operator_of(const http_request& request) {
  const auto named = header(request, "x-operator").substr(0, 100);
  return named.empty() ? "anonymous" : named;
}

bool same_text(std::string_view given, std::string_view secret) noexcept {
  // Always as long as `given`, wherever the two part.
  unsigned differs = given.size() == secret.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i)
    differs |= static_cast<unsigned>(given[i] ^ secret[i % secret.size()]);
  return differs == 0;
}

void need_token(const http_request& request, const api_rules& rules) {
  if (rules.token.empty()) return;
  constexpr std::string_view scheme = "bearer ";
  const auto given = header(request, "authorization");
  auto named = given.substr(0, scheme.size());
  std::transform(named.begin(), named.end(), named.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (named == scheme && same_text(std::string_view{given}.substr(scheme.size()), rules.token.reveal()))
    return;
  auto answer = json_error(401, given.empty() ? "this request needs a token" : "the token is wrong",
                           "send the header Authorization: Bearer <first line of api.token_file>");
  answer.headers.emplace_back("WWW-Authenticate", "Bearer");
  throw refused{std::move(answer)};
}

/// The name before the port of "localhost:8000", "[::1]:8000".
std::string_view host_of(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(0, authority.find(']') + 1);
  return authority.substr(0, authority.find(':'));
}

/// Whether nobody can have this name lead elsewhere: a number, or localhost and what is below it.
bool is_nobodys_name(std::string_view host) {
  if (host.starts_with('[') || host.find_first_not_of("0123456789.") == std::string_view::npos) return true;
  std::string name{host};
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return name == "localhost" || name.ends_with(".localhost");
}

/// A site can have a name of its own point at this machine: to a browser that visits it, all that is here is
/// that site's then, to be read and, but for a token, ordered about. With a token the API is meant to be
/// reached by names, and what can be read is for everybody who reaches it.
void need_known_host(const http_request& request, const api_rules& rules) {
  if (!rules.token.empty() || is_nobodys_name(host_of(header(request, "host")))) return;
  throw refused{json_error(403, "requests to a name of another site are refused",
                           "call it by 127.0.0.1 or localhost; behind a name it needs api.token_file")};
}

/// A page of another site must not give orders through an operator's browser. Programs send neither header.
void need_own_site(const http_request& request) {
  const auto refuse = [] {
    throw refused{json_error(403, "requests of other sites are refused",
                             "send it from breakwater's own page or by a program, without Origin")};
  };
  const auto site = header(request, "sec-fetch-site");
  if (!site.empty() && site != "same-origin" && site != "none") refuse();
  const auto host = header(request, "host");
  if (has_header(request, "origin")) {
    const auto origin = header(request, "origin");
    const auto scheme = origin.find("://");
    if (scheme == std::string::npos || origin.substr(scheme + 3) != host) refuse();
  }
}

struct route_row {
  std::string_view method, path;
  api_question (*read)(const http_request&, const api_rules&);
};

call_outcome reported(const parameters& given) {
  if (!given.text("ok")) bad_request("ok is missing", R"(send {"ok": false, "reason": "..."})");
  const bool fine = given.truth("ok", true);
  auto reason = given.reason();
  if (!fine && reason.empty()) reason = "reported without a reason";
  return {0, fine, std::move(reason), true};
}

const route_row rows[] = {
    {"GET", "/api/circuit-breaker/status",
     [](const http_request& request, const api_rules& rules) -> api_question {
       return ask_status{breaker_of(parameters{request, {"breaker"}}, rules)};
     }},
    {"POST", "/api/circuit-breaker/reset",
     [](const http_request& request, const api_rules& rules) -> api_question {
       const parameters given{request, {"breaker", "override", "reason"}};
       const bool override = given.truth("override", false);
       auto reason = given.reason();
       if (override && reason.empty())
         bad_request("an override needs a reason", "add reason=<why>; it is kept in the audit log");
       return order_reset{breaker_of(given, rules),
                          {override, std::move(reason), operator_of(request), request.remote}};
     }},
    {"POST", "/api/circuit-breaker/open",
     [](const http_request& request, const api_rules& rules) -> api_question {
       const parameters given{request, {"breaker", "reason"}};
       auto reason = given.reason();
       if (reason.empty()) bad_request("reason is missing", "add reason=<why>; it is kept in the audit log");
       return order_open{breaker_of(given, rules), {std::move(reason), operator_of(request), request.remote}};
     }},
    {"POST", "/api/circuit-breaker/report",
     [](const http_request& request, const api_rules& rules) -> api_question {
       const parameters given{request, {"breaker", "ok", "reason"}};
       if (!given.text("breaker"))
         bad_request("breaker is missing", "results are reported with breaker=orders");
       auto name = breaker_of(given, rules);
       if (name == "redis")
         bad_request("breaker redis counts its own calls", "results are reported with breaker=orders");
       return report_outcome{std::move(name), reported(given)};
     }},
    {"GET", "/api/circuit-breaker/history",
     [](const http_request& request, const api_rules& rules) -> api_question {
       const parameters given{request, {"breaker", "limit"}};
       const auto limit = given.number("limit", 50, 1000);
       return ask_history{breaker_of(given, rules), limit};
     }},
    {"GET", "/health", [](const http_request&, const api_rules&) -> api_question { return ask_health{}; }},
    {"GET", "/health/live", [](const http_request&, const api_rules&) -> api_question { return ask_live{}; }},
    {"GET", "/health/ready",
     [](const http_request&, const api_rules&) -> api_question { return ask_ready{}; }},
    {"GET", "/api/actors",
     [](const http_request&, const api_rules&) -> api_question { return ask_actors{}; }},
    {"GET", "/api/audit",
     [](const http_request& request, const api_rules&) -> api_question {
       return ask_audit{parameters{request, {"limit"}}.number("limit", 50, 1000)};
     }},
    {"GET", "/api/alerts",
     [](const http_request&, const api_rules&) -> api_question { return ask_alerts{}; }},
    {"GET", "/metrics", [](const http_request&, const api_rules&) -> api_question { return ask_metrics{}; }},
    {"GET", "/api/feeds",
     [](const http_request& request, const api_rules& rules) -> api_question {
       const parameters given{request, {"exchange", "symbol"}};
       return ask_feeds{feed_of(given, rules), symbol_of(given)};
     }},
    {"GET", "/api/spool", [](const http_request&, const api_rules&) -> api_question { return ask_spool{}; }},
    {"GET", "/api/prices",
     [](const http_request& request, const api_rules&) -> api_question {
       return ask_prices{symbol_of(parameters{request, {"symbol"}})};
     }},
    {"GET", "/", [](const http_request&, const api_rules&) -> api_question { return ask_page{}; }},
    {"GET", "/api/events",
     [](const http_request& request, const api_rules&) -> api_question {
       return ask_events{header(request, "last-event-id")};
     }},
    {"POST", "/api/position-monitor/heartbeat",
     [](const http_request& request, const api_rules&) -> api_question {
       (void)parameters{request, {}};
       return order_heartbeat{{request.remote}};
     }},
};

constexpr std::string_view actors_path = "/api/actors/";

/// "/api/actors/feed/okx/kill": whom and what; nullopt: not of that form.
std::optional<chaos_kill> chaos_in(std::string_view path) {
  if (!path.starts_with(actors_path)) return std::nullopt;
  path.remove_prefix(actors_path.size());
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto verb = path.substr(slash + 1);
  if (verb != "kill" && verb != "hang") return std::nullopt;
  return chaos_kill{std::string{path.substr(0, slash)}, verb == "hang"};
}

void need_method(const http_request& request, std::string_view method) {
  if (request.method == method || (method == "GET" && request.method == "HEAD")) return;
  auto answer = json_error(405, "this is asked with " + std::string{method});
  answer.headers.emplace_back("Allow", method == "GET" ? "GET, HEAD" : std::string{method});
  throw refused{std::move(answer)};
}

void need_leave(const http_request& request, const api_rules& rules) {
  need_own_site(request);
  need_token(request, rules);
}

api_question read(const http_request& request, const api_rules& rules) {
  need_known_host(request, rules);
  const auto path = std::string_view{request.target}.substr(0, request.target.find('?'));
  for (const auto& row : rows) {
    if (row.path != path) continue;
    need_method(request, row.method);
    if (row.method == "POST") need_leave(request, rules);
    return row.read(request, rules);
  }
  if (auto chaos = chaos_in(path)) {
    need_method(request, "POST");
    need_leave(request, rules);
    if (!rules.chaos)
      throw refused{json_error(403, "chaos.enabled is false: actors are not killed on request")};
    if (std::find(rules.actors.begin(), rules.actors.end(), chaos->name) == rules.actors.end())
      throw refused{json_error(404, "there is no actor '" + chaos->name + "'", "GET /api/actors names them")};
    return order_chaos{std::move(*chaos)};
  }
  throw refused{json_error(404, "there is nothing at " + std::string{path.substr(0, 200)})};
}

} // namespace

std::variant<api_question, http_response> route(const http_request& request, const api_rules& rules) {
  try {
    return read(request, rules);
  } catch (refused& no) {
    return std::move(no.answer);
  }
}

} // namespace breakwater
