#pragma once

#include "messages/error.hpp"
#include "messages/exchange.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace breakwater {

/// A recorded frame the simulator can send.
struct scripted_frame {
  std::int64_t recv_ms = 0;
  exchange from = exchange::binance;
  std::string key; ///< The stream as a venue keys its subscriptions: "btcusdt@kline_1m", "candle1m:BTC-USDT".
  std::string symbol; ///< In our spelling; the venue lists it.
  std::string text;   ///< As recorded, without Binance's envelope.
};

/// The frames of a JSON-lines file, ordered by recv_ms.
struct frame_script {
  std::vector<scripted_frame> frames;
  std::size_t skipped =
      0; ///< Lines without a stream (acknowledgements, heartbeats) or of exchanges not simulated.
};

/// Reads one line `{"recv_ms":...,"exchange":"...","frame":{...}}`. nullopt: nothing to send in it.
/// Fails with errc::frame_not_json, errc::field_missing or errc::exchange_unknown.
result<std::optional<scripted_frame>> parse_scripted_frame(const std::string& line);

/// Reads the whole file. Fails with errc::file_unreadable, or as above for the first bad line; `detail` says
/// file and line number.
result<frame_script> read_frame_script(const std::string& file);

} // namespace breakwater
