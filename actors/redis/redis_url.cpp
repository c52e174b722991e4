#include "actors/redis/redis_url.hpp"

#include "messages/text.hpp"

#include <charconv>
#include <optional>

namespace breakwater {
namespace {

failure wrong(std::string what) { return {errc::address_invalid, "redis url: " + std::move(what)}; }

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// With every "%xx" replaced; nullopt: a '%' without two hex digits behind it, or a NUL.
std::optional<std::string> decoded(std::string_view text) {
  std::string made;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      made += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
    made += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return made;
}

template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Takes "user:password@" off the front of `rest`. False: not decodable.
bool take_login(std::string_view& rest, redis_address& to) {
  const auto authority = rest.substr(0, rest.find('/'));
  const auto at = authority.rfind('@');
  if (at == std::string_view::npos) return true;
  const auto login = authority.substr(0, at);
  const auto colon = login.find(':');
  const auto user = decoded(login.substr(0, colon));
  const auto password =
      colon == std::string_view::npos ? std::optional<std::string>{""} : decoded(login.substr(colon + 1));
  rest.remove_prefix(at + 1);
  if (!user || !password) return false;
  to.username = *user;
  to.password = secret{*password};
  return true;
}

result<redis_address> parse_socket(std::string_view rest) {
  redis_address made;
  if (!take_login(rest, made)) return wrong("user or password has a '%' that no two hex digits follow");
  const auto query = rest.find('?');
  const auto path = decoded(rest.substr(0, query));
  if (!path) return wrong("the path has a '%' that no two hex digits follow");
  if (!path->starts_with('/') || path->size() == 1)
    return wrong("unix: needs an absolute path, as in unix:///run/redis.sock");
  // sockaddr_un has room for 107 characters and the end.
  if (path->size() > 107) return wrong("the socket's path is longer than 107 characters");
  made.socket_path = *path;
  if (query == std::string_view::npos) return made;
  auto parameter = rest.substr(query + 1);
  if (!parameter.starts_with("db=")) return wrong("'?' must be followed by db=<number>");
  const auto database = number_in<unsigned>(parameter.substr(3));
  if (!database) return wrong("db is no number");
  made.database = *database;
  return made;
}

result<redis_address> parse_tcp(std::string_view rest) {
  redis_address made;
  if (!take_login(rest, made)) return wrong("user or password has a '%' that no two hex digits follow");
  const auto slash = rest.find('/');
  auto place = rest.substr(0, slash);
  std::string_view port;
  bool has_port = false;
  if (place.starts_with('[')) {
    const auto end = place.find(']');
    if (end == std::string_view::npos) return wrong("'[' without ']'");
    made.host = place.substr(1, end - 1);
    const auto behind = place.substr(end + 1);
    has_port = behind.starts_with(':');
    if (has_port)
      port = behind.substr(1);
    else if (!behind.empty())
      return wrong("after ']' only :port may follow");
    if (made.host.find(':') == std::string::npos) return wrong("only an IPv6 address stands in brackets");
  } else {
    const auto colon = place.find(':');
    if (colon != place.rfind(':')) return wrong("an IPv6 address stands in brackets: redis://[::1]:6379");
    made.host = place.substr(0, colon);
    has_port = colon != std::string_view::npos;
    if (has_port) port = place.substr(colon + 1);
  }
  if (made.host.empty()) return wrong("the host is missing");
  if (made.host.find_first_of(" \t\r\n?#%") != std::string::npos)
    return wrong("the host has a character it cannot have");
  if (has_port) {
    const auto number = number_in<std::uint16_t>(port);
    if (!number || *number == 0) return wrong("the port is no number from 1 to 65535");
    made.port = *number;
  }
  if (slash == std::string_view::npos || slash + 1 == rest.size()) return made;
  const auto database = number_in<unsigned>(rest.substr(slash + 1));
  if (!database)
    return wrong("behind the host's '/' the database's number must follow, as in redis://host:6379/0");
  made.database = *database;
  return made;
}

} // namespace

std::string to_string(const redis_address& x) {
  if (!x.socket_path.empty())
    return "unix://" + x.socket_path + (x.database == 0 ? "" : "?db=" + std::to_string(x.database));
  const bool six = x.host.find(':') != std::string::npos;
  return "redis://" + (six ? "[" + x.host + "]" : x.host) + ":" + std::to_string(x.port) + "/" +
         std::to_string(x.database);
}

std::string redis_cli(const redis_address& x) {
  auto words = x.socket_path.empty() ? "redis-cli -h " + shell_word(x.host) + " -p " + std::to_string(x.port)
                                     : "redis-cli -s " + shell_word(x.socket_path);
  if (x.database != 0) words += " -n " + std::to_string(x.database);
  if (!x.username.empty()) words += " --user " + shell_word(x.username);
  if (!x.password.empty()) words += " --askpass";
  return words;
}

result<redis_address> parse_redis_url(std::string_view url) {
  for (const std::string_view scheme : {"unix://", "redis+unix://"})
    if (url.starts_with(scheme)) return parse_socket(url.substr(scheme.size()));
  if (url.starts_with("redis://")) return parse_tcp(url.substr(8));
  if (url.starts_with("rediss://")) return wrong("rediss (TLS) is not supported");
  // Not shown: what stands there may well be a password.
  return wrong("it must begin with redis:// or unix://");
}

result<redis_address> address_of(const redis_settings& settings) {
  auto made = parse_redis_url(settings.url);
  if (!made) return made;
  if (!settings.username.empty()) made->username = settings.username;
  if (!settings.password.empty()) made->password = settings.password;
  if (!made->username.empty() && made->password.empty())
    return wrong("a username needs a password: set redis.password_file");
  return made;
}

} // namespace breakwater
