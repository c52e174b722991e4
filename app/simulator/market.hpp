#pragma once

#include "messages/exchange.hpp"
#include "messages/time.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace breakwater {

/// One exchange's one-minute candle in the invented market.
struct invented_candle {
  std::int64_t start_ms = 0;
  double open = 0, high = 0, low = 0, close = 0; ///< Quote currency, rounded to the exchange's price step.
  double volume = 0;                             ///< Base currency, 8 decimals.
  double quote_volume = 0;
  std::uint64_t trades = 0;      ///< 0 in a quiet minute; any other opens with a trade.
  std::uint64_t first_trade = 0; ///< Its id; ids grow through all minutes.
  wall_time last_trade_at{};
  bool operator==(const invented_candle&) const = default;
};

/// One trade of the invented market; those of a minute make its candle.
struct invented_trade {
  std::uint64_t id = 0; ///< Grows; at Coinbase by one from trade to trade.
  double price = 0, quantity = 0;
  wall_time at{};
};

inline constexpr std::int64_t minute_ms = 60'000;
constexpr std::int64_t minute_of(wall_time at) noexcept { return epoch_ms(at) / minute_ms * minute_ms; }

/// A seeded random walk per symbol, seen by each exchange with small differences of its own. Past and future
/// are fixed: the same question always has the same answer, so a restarted simulator goes on in the same
/// market.
class invented_market {
public:
  /// Of ten minutes of a symbol, `quiet` (0 to 9) pass without a trade at Kraken and Coinbase.
  invented_market(std::uint64_t seed, const std::vector<std::string>& symbols, int quiet = 0);

  using symbol_id = std::size_t;
  [[nodiscard]] std::optional<symbol_id> find(std::string_view symbol) const;

  /// The candle of the minute at `start_ms` with the trades up to `now`; the whole minute when `now` lies
  /// behind it.
  [[nodiscard]] invented_candle candle(exchange from, symbol_id symbol, std::int64_t start_ms, wall_time now);

  /// The number of the newest tick, of which a second has four; an exchange has one trade a tick at most,
  /// Coinbase one in each of a minute that is not quiet.
  static std::int64_t tick_of(wall_time now) noexcept;
  /// The trade of that tick, if there was one.
  [[nodiscard]] std::optional<invented_trade> trade(exchange from, symbol_id symbol, std::int64_t tick) const;
  /// The newest trade up to `now`.
  [[nodiscard]] invented_trade last_trade(exchange from, symbol_id symbol, wall_time now) const;

  /// How many decimals `from` prints in prices of `symbol`.
  [[nodiscard]] int price_decimals(exchange from, symbol_id symbol) const;

private:
  /// A candle under way, so that the next question only adds the trades in between.
  struct progress {
    std::int64_t ticks = 0; ///< How many of the minute's ticks are in.
    invented_candle candle;
  };
  struct listing {
    double base_price;
    std::uint64_t seed;
    std::array<progress, exchange_count> open;
  };

  [[nodiscard]] double price_at(const listing& what, exchange from, std::int64_t tick) const;
  [[nodiscard]] bool is_quiet(const listing& what, exchange from, std::int64_t minute) const;
  /// Quiet minutes since the epoch.
  [[nodiscard]] std::int64_t quiet_before(const listing& what, exchange from, std::int64_t minute) const;

  int quiet_;
  std::vector<listing> listings_;
  std::unordered_map<std::string, symbol_id> ids_;
};

} // namespace breakwater
