#pragma once

#include "messages/exchange.hpp"
#include "messages/time.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace breakwater {

/// One exchange's one-minute candle as it stands now. From: feed. To: aggregator.
struct candle {
  std::string symbol; ///< Our spelling: base and quote joined, "BTCUSDT".
  exchange from = exchange::binance;
  std::int64_t start_s = 0; ///< Open of the minute, epoch seconds, a multiple of 60.
  double open = 0;          ///< Quote currency, > 0; so are high, low and close.
  double high = 0;
  double low = 0;
  double close = 0;
  double volume = 0;     ///< Base currency, >= 0.
  bool closed = false;   ///< The exchange (or the rule for exchanges without a mark) closed the minute.
  wall_time event_at;    ///< The exchange's clock.
  wall_time received_at; ///< Our clock.
  bool filled = false;   ///< Asked for after a gap: the final candle of a minute that can be long over.

  bool operator==(const candle&) const = default;
};

/// Candles in the order they came. From: feed, replay, raw_reader. To: aggregator, which answers with
/// intake_answer.
struct candle_batch {
  std::shared_ptr<const std::vector<candle>> candles; ///< Not empty, unless only the position moves on.
  std::string position{}; ///< Of the input behind these candles, opaque; empty: they come from no stream.
  std::string after{};    ///< The position they follow on: nothing that follows on another is taken.
  bool again = false;     ///< Read a second time: what is as old as what was merged is not merged again.
};

/// What is known of an exchange's minutes? From: feed, when it begins. To: aggregator, which answers with
/// coverage_answer.
struct coverage_request {
  exchange of = exchange::binance;
};
struct coverage_answer {
  /// The newest minute of each symbol in which `of` has a candle: only symbol, from, start_s and closed are
  /// set.
  std::vector<candle> newest;
};

/// Where to read on? From: raw_reader. To: aggregator, which answers when it knows.
struct position_request {};
struct position_answer {
  std::string position; ///< Behind the last candle that was merged. Empty: from the beginning.
};

} // namespace breakwater
