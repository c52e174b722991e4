#include "app/simulator/market.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace breakwater {
namespace {

constexpr std::int64_t tick_ms = 250;
constexpr std::int64_t ticks_per_minute = minute_ms / tick_ms;
constexpr std::int64_t quiet_of = 10; ///< So many minutes have the same number of quiet ones.

/// The walk returns to the base price every 2^21 ticks (six days), so prices stay near what people expect.
constexpr int walk_levels = 21;
constexpr double walk_step = 3e-5; ///< Standard deviation of one tick's relative move: 0.05 % a minute.
/// An exchange's own deviation from the walk is forgotten within 2^8 ticks (a minute).
constexpr int own_levels = 8;
constexpr double own_step = 5e-6;
constexpr std::array<double, exchange_count> standing_offset{0, 4e-5, 8e-5, -3e-5, -6e-5};

/// SplitMix64's finalizer: every bit of the input changes half of the output's.
constexpr std::uint64_t mix(std::uint64_t x) noexcept {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

constexpr std::uint64_t hash_of(std::string_view text) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325; // FNV-1a
  for (auto c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

/// 0 <= x < 1.
constexpr double uniform(std::uint64_t x) noexcept { return static_cast<double>(mix(x) >> 11) * 0x1p-53; }

/// Mean 0, standard deviation 1, and never far out: the sum of four uniform numbers.
constexpr double noise(std::uint64_t x) noexcept {
  return (uniform(x) + uniform(x + 1) + uniform(x + 2) + uniform(x + 3) - 2) * 1.7320508;
}

/// A random walk that can be asked for any tick: Lévy's construction adds, for each power of two, how far the
/// middle of that stretch lies off the line between its ends.
double walk(std::uint64_t seed, std::int64_t tick, int levels) {
  double sum = 0;
  for (int level = 1; level <= levels; ++level) {
    const auto length = std::int64_t{1} << level;
    const auto stretch = tick / length;
    const auto inside = tick % length;
    const auto height =
        static_cast<double>(std::min(inside, length - inside)) / static_cast<double>(length / 2);
    const auto key =
        mix(seed ^ (static_cast<std::uint64_t>(level) << 56) ^ static_cast<std::uint64_t>(stretch));
    sum += noise(key) * height * std::sqrt(static_cast<double>(length)) / 2;
  }
  return sum;
}

/// What the coin costs about; a coin we have no figure for gets one between 0.05 and 50.
double base_price_of(std::string_view symbol, std::uint64_t hash) {
  constexpr std::pair<std::string_view, double> known[] = {
      {"BTCUSD", 84000}, {"ETHUSD", 3200},  {"ETHBTC", 0.038}, {"SOLUSD", 140},        {"BNBUSD", 640},
      {"XRPUSD", 2.3},   {"DOGEUSD", 0.17}, {"ADAUSD", 0.55},  {"TRXUSD", 0.27},       {"LINKUSD", 14},
      {"AVAXUSD", 19},   {"LTCUSD", 92},    {"DOTUSD", 4.2},   {"1000PEPEUSD", 0.0085}};
  for (auto [prefix, price] : known)
    if (symbol.starts_with(prefix)) return price;
  return 0.05 * std::pow(1000.0, uniform(hash));
}

double rounded(double value, int decimals) {
  const double scale = std::pow(10.0, decimals);
  return std::round(value * scale) / scale;
}

} // namespace

invented_market::invented_market(std::uint64_t seed, const std::vector<std::string>& symbols, int quiet)
    : quiet_(quiet) {
  for (const auto& symbol : symbols) {
    const auto hash = hash_of(symbol);
    if (ids_.emplace(symbol, listings_.size()).second)
      listings_.push_back({base_price_of(symbol, hash), mix(hash ^ mix(seed)), {}});
  }
}

std::optional<invented_market::symbol_id> invented_market::find(std::string_view symbol) const {
  const auto found = ids_.find(std::string{symbol});
  return found == ids_.end() ? std::nullopt : std::optional{found->second};
}

int invented_market::price_decimals(exchange from, symbol_id symbol) const {
  const auto magnitude = static_cast<int>(std::floor(std::log10(listings_[symbol].base_price)));
  const auto decimals = std::clamp(4 - magnitude, 2, 8);
  return from == exchange::kraken ? decimals - 1 : decimals; // Kraken's price steps are coarser
}

double invented_market::price_at(const listing& what, exchange from, std::int64_t tick) const {
  const auto own_seed = mix(what.seed + 1 + index_of(from));
  const auto moved =
      walk(what.seed, tick, walk_levels) * walk_step + walk(own_seed, tick, own_levels) * own_step;
  return what.base_price * std::exp(moved) * (1 + standing_offset[index_of(from)]);
}

bool invented_market::is_quiet(const listing& what, exchange from, std::int64_t minute) const {
  if (quiet_ == 0 || (from != exchange::kraken && from != exchange::coinbase)) return false;
  // The minutes of a block, in an order that differs from block to block; the first ones are quiet.
  const auto drawn =
      mix(mix(what.seed + 201 + index_of(from)) ^ static_cast<std::uint64_t>(minute / quiet_of));
  return (minute % quiet_of * 7 + static_cast<std::int64_t>(drawn % quiet_of)) % quiet_of < quiet_;
}

std::int64_t invented_market::quiet_before(const listing& what, exchange from, std::int64_t minute) const {
  if (quiet_ == 0) return 0;
  auto count = minute / quiet_of * quiet_;
  for (auto each = minute / quiet_of * quiet_of; each < minute; ++each) count += is_quiet(what, from, each);
  return count;
}

std::int64_t invented_market::tick_of(wall_time now) noexcept { return epoch_ms(now) / tick_ms; }

std::optional<invented_trade> invented_market::trade(exchange from, symbol_id symbol,
                                                     std::int64_t tick) const {
  const auto& what = listings_[symbol];
  const auto minute = tick / ticks_per_minute;
  if (is_quiet(what, from, minute)) return std::nullopt;
  const auto dice = mix(mix(what.seed + 101 + index_of(from)) ^ static_cast<std::uint64_t>(tick));
  const bool opens_minute = tick % ticks_per_minute == 0;
  if (!opens_minute && from != exchange::coinbase && uniform(dice) >= 0.6) return std::nullopt;
  const auto price = rounded(price_at(what, from, tick), price_decimals(from, symbol));
  const auto worth = -1500 * std::log(1 - uniform(dice + 1)) + 10; // exponential: many small, few large
  const auto id =
      tick - (from == exchange::coinbase ? quiet_before(what, from, minute) * ticks_per_minute : 0);
  return invented_trade{static_cast<std::uint64_t>(id), price, rounded(worth / price, 8),
                        wall_time_from_ms(tick * tick_ms)};
}

invented_trade invented_market::last_trade(exchange from, symbol_id symbol, wall_time now) const {
  for (auto tick = tick_of(now);; --tick)
    if (auto found = trade(from, symbol, tick)) return *found;
}

invented_candle invented_market::candle(exchange from, symbol_id symbol, std::int64_t start_ms,
                                        wall_time now) {
  auto& what = listings_[symbol];
  auto& open = what.open[index_of(from)];
  const auto passed = std::clamp<std::int64_t>(epoch_ms(now) - start_ms, 0, minute_ms - 1);
  const auto until = passed / tick_ms + 1;
  const auto first_tick = start_ms / tick_ms;
  if (open.candle.start_ms != start_ms || open.ticks > until) {
    open = {};
    open.candle.start_ms = start_ms;
    open.candle.first_trade = static_cast<std::uint64_t>(first_tick);
  }

  for (; open.ticks < until; ++open.ticks) {
    const auto happened = trade(from, symbol, first_tick + open.ticks);
    if (!happened) continue;
    auto& candle = open.candle;
    if (candle.trades == 0) candle.open = candle.high = candle.low = happened->price;
    candle.high = std::max(candle.high, happened->price);
    candle.low = std::min(candle.low, happened->price);
    candle.close = happened->price;
    candle.volume = rounded(candle.volume + happened->quantity, 8);
    candle.quote_volume = rounded(candle.quote_volume + happened->quantity * happened->price, 8);
    candle.last_trade_at = happened->at;
    ++candle.trades;
  }
  return open.candle;
}

} // namespace breakwater
