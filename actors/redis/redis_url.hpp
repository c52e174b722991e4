#pragma once

#include "config/settings.hpp"
#include "messages/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace breakwater {

/// Where a Redis server is and who we are there.
struct redis_address {
  std::string host = "127.0.0.1"; ///< Name or number, IPv6 without brackets. Unused with a socket path.
  std::uint16_t port = 6379;
  std::string socket_path; ///< Not empty: a Unix socket.
  std::string username;    ///< Empty: Redis' "default" user.
  secret password;         ///< Empty: no AUTH.
  unsigned database = 0;
};

/// Without user and password: "redis://127.0.0.1:6379/0", "unix:///run/redis.sock?db=1".
std::string to_string(const redis_address& x);

/// How redis-cli is called for it: "redis-cli -h 127.0.0.1 -p 6379". The password is not in it; it asks for
/// one.
std::string redis_cli(const redis_address& x);

/// Reads `redis://[user[:password]@]host[:port][/db]`, `redis://:password@host`, `unix:///path[?db=N]` and
/// `redis+unix://...`; `%xx` is understood in user, password and path, IPv6 stands in brackets.
/// Fails with errc::address_invalid; the detail never holds the password.
result<redis_address> parse_redis_url(std::string_view url);

/// The address of `settings.url` with `settings.username` and `settings.password`, which win over those in
/// the URL.
result<redis_address> address_of(const redis_settings& settings);

} // namespace breakwater
