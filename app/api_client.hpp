#pragma once

#include "config/settings.hpp"
#include "messages/error.hpp"
#include "messages/http.hpp"

#include <string>

namespace breakwater {

/// Where the API of a running process is, and how to be let in.
struct api_access {
  std::string host = "127.0.0.1"; ///< Name or address, without brackets.
  std::string port = "8000";
  secret token; ///< Empty: none.
};

/// Reads "host:port"; an address that means "all of this machine's" becomes the loopback.
/// Fails with errc::address_invalid.
result<api_access> parse_api_access(const std::string& address);

/// Sends one request and waits for its answer, 5 s at most. Fails with errc::foreign; `detail` says what to
/// do.
result<http_response> ask_api(const api_access& where, const std::string& method, const std::string& target,
                              const std::string& json_body = {});

} // namespace breakwater
