#pragma once

#include "messages/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// What can be chosen about the simulated exchanges.
namespace breakwater {

/// What goes wrong on purpose: the place for faults (slow, cut, silent, garbled). There are none yet.
struct behaviour {};

struct simulator_options {
  std::string listen =
      "127.0.0.1:9001"; ///< host:port or [IPv6]:port; port 0: any free one, see simulator::port().
  std::chrono::milliseconds interval{250}; ///< Between two updates of one candle; 10 ms to 1 minute.
  std::uint64_t seed = 1;                  ///< The same seed shows the same market at the same time.
  /// What the exchanges list, in our spelling. Anything else is unknown to them. Left aside with a frames
  /// file.
  std::vector<std::string> symbols{"BTCUSDT",  "ETHUSDT", "SOLUSDT",     "BNBUSDT",  "XRPUSDT",
                                   "DOGEUSDT", "ADAUSDT", "TRXUSDT",     "LINKUSDT", "AVAXUSDT",
                                   "LTCUSDT",  "DOTUSDT", "1000PEPEUSDT"};
  std::string certificate_file; ///< PEM; with private_key_file the server speaks wss, with neither ws.
  std::string private_key_file;
  std::string frames_file; ///< JSON lines to send instead of invented prices; empty: invent.
  double speed = 1;        ///< Of the frames file: 2 sends a minute's frames in half a minute.
  std::size_t queue_bytes = std::size_t{8} << 20; ///< Unsent bytes a client may cause before it is cut.
  behaviour faults;
  wall_clock wall = system_wall_time;
};

} // namespace breakwater
