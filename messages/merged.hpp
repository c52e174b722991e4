#pragma once

#include "messages/exchange.hpp"
#include "messages/time.hpp"

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace breakwater {

/// One minute of one symbol, merged across exchanges. Produced by the aggregator's merge window, published as
/// a record.
struct merged {
  std::string symbol;                                         ///< "BTCUSDT".
  std::int64_t start_s = 0;                                   ///< Open of the minute, epoch seconds.
  std::array<std::optional<double>, exchange_count> prices{}; ///< Close per exchange, also of the excluded.
  std::bitset<exchange_count> excluded{}; ///< Left out of the figures: too far from the median.
  unsigned contributing = 0;              ///< Exchanges the figures are made of.
  double mean = 0;                        ///< Of the closes; quote currency.
  double deviation = 0;                   ///< Population standard deviation of the closes.
  double spread_bps = 0;                  ///< (highest - lowest) / mean, basis points.
  double vwap = 0;                        ///< Volume-weighted close; the mean if nobody traded.
  double volume = 0;                      ///< Base currency, all contributing exchanges.
  std::optional<double> lead_lag;         ///< (binance - bybit) / mean, if both contribute.
  bool suspect = false;                   ///< Two are left and differ by more than allowed.
  bool closed = false;                    ///< Every contributing exchange closed the minute.
  wall_time event_at;                     ///< Newest exchange time that went in.
  wall_time ingest_at;                    ///< When the candle that caused it was received.

  bool operator==(const merged&) const = default;
};

/// How do the exchanges' prices agree? From: api. To: aggregator, which answers with merge_report.
struct merge_question {};

struct merge_report {
  struct of_exchange {
    std::uint64_t contributed = 0; ///< Records it was part of the figures of,
    std::uint64_t excluded = 0;    ///< and records it was left out of, too far from the median.
  };
  std::array<of_exchange, exchange_count> exchanges{};
  std::uint64_t records = 0;
  std::uint64_t suspect = 0;        ///< Records whose two exchanges differ by more than allowed.
  std::uint64_t filled = 0;         ///< Candles of long past minutes that were merged after all.
  std::optional<double> lead_lag{}; ///< The mean of (binance - bybit) / mean over the records that have it.
};

/// What do these symbols cost now? From: bridge, alerts, api. To: aggregator, which answers with
/// price_answer.
struct price_question {
  std::vector<std::string> symbols; ///< Empty: all.
};

/// The last merged record of a symbol. Symbols without one are absent.
struct live_price {
  std::string symbol;
  double price = 0;          ///< Mean of the closes; quote currency.
  wall_time at;              ///< When the candle that caused the record was received.
  bool suspect = false;      ///< The two exchanges it is made of differ by more than allowed.
  double deviation = 0;      ///< Population standard deviation of the closes.
  double spread_bps = 0;     ///< (highest - lowest) / mean, basis points.
  unsigned contributing = 0; ///< Exchanges it is made of.
  std::array<std::optional<double>, exchange_count> prices{}; ///< Close per exchange, also of the excluded.
  std::bitset<exchange_count> excluded{};                     ///< Too far from the median.
  std::int64_t minute_s = 0;                                  ///< Open of the minute, epoch seconds.
};
struct price_answer {
  std::vector<live_price> prices;
};

} // namespace breakwater
