#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace breakwater {

/// The parts of a ws://, wss://, http:// or https:// address.
struct url {
  bool tls = false;
  std::string host;   ///< Without the brackets of an IPv6 address.
  std::string port;   ///< As given, else 443 with TLS and 80 without.
  std::string target; ///< Path and query; at least "/".

  /// Host and port as the Host field wants them: without a port that goes without saying.
  [[nodiscard]] std::string authority() const;
};

/// Reads "<plain>://host[:port][/path][?query]", or <secure>:// with TLS; nullopt if `text` is nothing like
/// it. Users, fragments, blanks and anything beyond ASCII are refused.
std::optional<url> parse_url(std::string_view text, std::string_view plain, std::string_view secure);

} // namespace breakwater
