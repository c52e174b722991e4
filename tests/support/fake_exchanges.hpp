#pragma once

#include "actors/feed/websocket_port.hpp"
#include "messages/candle.hpp"
#include "messages/exchange.hpp"
#include "tests/support/fake_time.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace breakwater::test {

/// How an exchange writes a candle as a frame; from each exchange's documentation of its candle channel.
std::string candle_frame(const candle& what);
/// How an exchange spells "BTCUSDT".
std::string their_name(exchange which, const std::string& ours);

/// Binance, Bybit, OKX and Kraken behind the websocket port: they acknowledge what is subscribed, answer
/// pings, and send the candles a test lets them send, to whoever subscribed to them.
class fake_exchanges final : public websocket_port, public std::enable_shared_from_this<fake_exchanges> {
public:
  explicit fake_exchanges(fake_time time) : time_(std::move(time)) {}

  std::unique_ptr<websocket> open(std::string url, std::uint64_t number,
                                  std::function<void(socket_event)> sink) override;

  /// Sends a candle of `what.from`; false if nobody hears it.
  bool sends(const candle& what);
  void sends_text(exchange which, const std::string& text);

  void cuts(exchange which, const std::string& reason = "closed by the exchange");
  /// Nothing comes any more, not even answers to pings; connections stand and are accepted.
  void falls_silent(exchange which) { at(which).silent = true; }
  void speaks_again(exchange which) { at(which).silent = false; }
  void refuses(exchange which) { at(which).refusing = true; }
  void accepts(exchange which) { at(which).refusing = false; }
  /// The next so many subscription requests are not heard.
  void overhears_subscriptions(exchange which, std::size_t count) { at(which).overhears = count; }

  [[nodiscard]] std::size_t connects(exchange which) const { return at(which).connects; } ///< Attempts.
  [[nodiscard]] std::size_t requests(exchange which) const { return at(which).requests; } ///< To subscribe.
  /// Whether a candle of this symbol (ours) would be heard.
  [[nodiscard]] bool is_heard(exchange which, const std::string& symbol) const;

private:
  struct socket {
    exchange at = exchange::binance;
    std::uint64_t number = 0;
    std::function<void(socket_event)> sink; ///< Empty once the feed dropped it.
    bool open = false;
    std::set<std::string> subscribed; ///< In the exchange's spelling.
  };
  struct venue_state {
    bool silent = false, refusing = false;
    std::size_t overhears = 0, connects = 0, requests = 0;
    std::shared_ptr<socket> newest;
  };
  struct handle;

  void tell(socket& whom, std::variant<socket_opened, socket_text, socket_alive, socket_closed> what);
  void answer(const std::shared_ptr<socket>& who, const std::string& text);
  void say(socket& whom, std::string text);
  void beat(const std::shared_ptr<socket>& who);
  venue_state& at(exchange which) { return venues_[index_of(which)]; }
  [[nodiscard]] const venue_state& at(exchange which) const { return venues_[index_of(which)]; }

  fake_time time_;
  std::array<venue_state, exchange_count> venues_;
};

} // namespace breakwater::test
