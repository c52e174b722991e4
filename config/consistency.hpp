#pragma once

#include "config/settings.hpp"

#include <string>
#include <string_view>
#include <vector>

/// Rules that one value's bounds cannot say: forms of texts, and how values fit together.
namespace breakwater::config {

struct finding {
  /// What it is about, full keys ("symbols.list[2]" for an element); told at the first that stands in the
  /// file.
  std::vector<std::string> keys;
  std::string text;
  bool is_warning = false; ///< The settings can be used all the same.
};

/// Everything about these settings that can be judged without looking at the machine.
std::vector<finding> judge(const settings& values);

/// Base and quote joined in capitals, quote one of USDT, USDC, USD, EUR, BTC: "1000PEPEUSDT".
bool is_symbol(std::string_view text) noexcept;

/// "127.0.0.1:8000", "[::1]:8000" in two; both empty when it is not of that form.
struct listen_address {
  std::string host, port;
};
listen_address split_listen(std::string_view listen);
/// A name or address that only this machine reaches.
bool is_loopback(std::string_view host) noexcept;

/// The parts of redis.url this project reads; empty where the URL says nothing.
struct redis_address {
  std::string username;
  std::string password;
  std::string url; ///< The same URL without them.
};
/// Splits redis.url and decodes %XX. It is judged by judge(), not here.
redis_address split_redis_url(std::string_view url);

} // namespace breakwater::config
