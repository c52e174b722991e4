#pragma once

#include "app/simulator/misbehaviour.hpp"
#include "messages/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// What can be chosen about the simulated exchanges.
namespace breakwater {

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
  int quiet_minutes =
      0; ///< Of ten minutes of a symbol, so many have no trade at Kraken and Coinbase; 0 to 9.
  std::string certificate_file; ///< PEM; with private_key_file the server speaks wss, with neither ws.
  std::string private_key_file;
  std::string frames_file; ///< JSON lines to send instead of invented prices; empty: invent.
  double speed = 1;        ///< Of the frames file: 2 sends a minute's frames in half a minute.
  std::size_t queue_bytes = std::size_t{8} << 20; ///< Unsent bytes a client may cause before it is cut.
  std::vector<fault_rule> faults{};               ///< What goes wrong on purpose.
  /// Every kind of fault once in that time, besides `faults`; 0: not.
  std::chrono::milliseconds all_faults_every{0};
  wall_clock wall = system_wall_time;
};

} // namespace breakwater
