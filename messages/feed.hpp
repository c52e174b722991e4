#pragma once

#include "messages/exchange.hpp"
#include "messages/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace breakwater {

/// Symbols in our spelling, the most important first.
struct followed_symbols {
  std::shared_ptr<const std::vector<std::string>> symbols;
};
/// What is to be followed? From: feed, when it begins. To: universe, which answers with followed_symbols, and
/// sends them again at every change.
struct followed_symbols_question {};

/// How is the market data? From: api. To: feed, which answers with feed_report.
struct feed_question {};

/// One exchange's data as its users want to see it.
struct feed_report {
  struct connection {
    std::uint64_t number = 0;
    std::string state; ///< "connecting", "open".
    std::size_t symbols = 0;
    std::chrono::milliseconds age{0}; ///< Since it was opened.
    bool replacement = false;         ///< Takes over from an older one, which is still there.
  };
  struct symbol {
    std::string name;   ///< Ours.
    std::string theirs; ///< The exchange's; empty: it has no name there.
    std::string state;  ///< "wanted", "asked", "subscribed", "stale", "refused".
    std::string reason; ///< Of a refusal.
    std::uint64_t connection = 0;
    std::optional<wall_time> last_data;
    std::optional<wall_time> newest_minute;
  };

  exchange of = exchange::binance;
  std::string url;
  bool connected = false; ///< At least one connection stands.
  std::vector<connection> connections;
  std::vector<symbol> symbols;
  /// How many there were of what: frames, candles, unreadable ..., in the order to print.
  std::vector<std::pair<std::string, std::uint64_t>> counts;
  /// Receipt by our clock less event time by the exchange's, over the last minute: the least of them is clock
  /// offset and shortest way together, the spread is what queues add. Absent where frames carry no time.
  std::optional<std::chrono::milliseconds> clock_offset, clock_spread;
};

} // namespace breakwater
