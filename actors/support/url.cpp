#include "actors/support/url.hpp"

#include <algorithm>
#include <charconv>

namespace breakwater {

namespace {

bool is_port(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && value >= 1 && value <= 65535;
}

} // namespace

std::string url::authority() const {
  const bool is_ipv6 = host.find(':') != host.npos;
  auto text = is_ipv6 ? "[" + host + "]" : host;
  return port == (tls ? "443" : "80") ? text : text + ":" + port;
}

std::optional<url> parse_url(std::string_view text, std::string_view plain, std::string_view secure) {
  // A blank or a line break in the target would change the request's meaning.
  if (std::any_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c > '~' || c == '#'; }))
    return std::nullopt;
  const auto scheme_end = text.find("://");
  if (scheme_end == text.npos) return std::nullopt;
  const auto scheme = text.substr(0, scheme_end);
  if (scheme != plain && scheme != secure) return std::nullopt;
  text.remove_prefix(scheme_end + 3);
  url out;
  out.tls = scheme == secure;
  const auto end = std::min(text.find_first_of("/?"), text.size());
  auto authority = text.substr(0, end);
  out.target = std::string{text.substr(end)};
  if (out.target.empty() || out.target.front() != '/') out.target.insert(0, "/");
  out.port = out.tls ? "443" : "80";
  if (authority.starts_with('[')) {
    const auto close = authority.find(']');
    if (close == authority.npos) return std::nullopt;
    out.host = std::string{authority.substr(1, close - 1)};
    authority.remove_prefix(close + 1);
    if (!authority.empty() && authority.front() != ':') return std::nullopt;
  } else {
    const auto colon = std::min(authority.find(':'), authority.size());
    out.host = std::string{authority.substr(0, colon)};
    authority.remove_prefix(colon);
  }
  if (!authority.empty()) {
    authority.remove_prefix(1);
    if (!is_port(authority)) return std::nullopt;
    out.port = std::string{authority};
  }
  if (out.host.empty() || out.host.find('@') != out.host.npos) return std::nullopt;
  return out;
}

} // namespace breakwater
