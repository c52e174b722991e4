#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

/// The exchanges breakwater speaks with, in the order their prices stand in a merged record.
namespace breakwater {

enum class exchange : std::uint8_t { binance, bybit, coinbase, okx, kraken };

inline constexpr std::size_t exchange_count = 5;
inline constexpr std::array<exchange, exchange_count> all_exchanges{
    exchange::binance, exchange::bybit, exchange::coinbase, exchange::okx, exchange::kraken};

constexpr std::size_t index_of(exchange x) noexcept { return static_cast<std::size_t>(x); }

constexpr const char* to_string(exchange x) noexcept {
  constexpr std::array names{"binance", "bybit", "coinbase", "okx", "kraken"};
  return names[index_of(x)];
}

constexpr std::optional<exchange> parse_exchange(std::string_view name) noexcept {
  for (auto x : all_exchanges)
    if (name == to_string(x)) return x;
  return std::nullopt;
}

} // namespace breakwater
