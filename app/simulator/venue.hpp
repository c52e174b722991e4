#pragma once

#include "app/simulator/frame_script.hpp"
#include "app/simulator/market.hpp"
#include "config/settings.hpp"
#include "messages/exchange.hpp"
#include "messages/time.hpp"

#include <simdjson.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace breakwater {

/// Where a client is connected, as the request path of the real URLs says it.
struct venue_address {
  exchange from = exchange::binance;
  market kind = market::spot;
  bool envelope = true; ///< Binance: /stream wraps frames in {"stream","data"}, /ws does not.
  bool candles = true;  ///< Whether this address serves them; OKX has them on the business address only.
  std::vector<std::string> streams; ///< Binance: subscribed to by the address itself.
};

/// Reads a request target such as "/stream?streams=btcusdt@kline_1m". nullopt: no simulated exchange serves
/// it.
std::optional<venue_address> parse_venue_address(std::string_view target);

/// The path a client of `from` needs for candles of `kind`; empty: not simulated.
std::string_view venue_path(exchange from, market kind) noexcept;

/// How an exchange takes a request.
enum class mood : std::uint8_t {
  well,
  over_limit,   ///< As if the client had broken its limit of requests.
  out_of_order, ///< It refuses, through no fault of the client.
};

/// What the exchange does in answer to something.
struct venue_reaction {
  /// One of `texts` that is market data.
  struct data_text {
    std::size_t at = 0; ///< Index into texts.
    std::string symbol; ///< The exchange's name of what it is about.
  };
  std::vector<std::string> texts; ///< To send, in order.
  std::vector<data_text> data;    ///< In the order of texts.
  std::size_t granted = 0;        ///< Subscriptions acknowledged.
  std::size_t refused = 0;        ///< Requests, or parts of them, answered with an error.
  std::string cut;                ///< Not empty: the exchange ends the connection, for this reason.
};

/// An exchange's side of one connection: what it says at once, in answer, and as time passes. A plain value
/// of the time it is given: it has no socket and no clock.
class venue {
public:
  /// The dialect of `address.from`. `invents` false: candles come from a frames file, so it makes none of its
  /// own. `connection` numbers the connection; `shared` must outlive the venue.
  static std::unique_ptr<venue> make(venue_address address, invented_market& shared, std::uint64_t connection,
                                     std::chrono::milliseconds interval, bool invents);
  virtual ~venue() = default;

  /// The client is connected.
  venue_reaction on_open(wall_time now);
  /// The client sent a text message.
  venue_reaction on_text(std::string_view text, wall_time now, mood how = mood::well);
  /// The client sent a WebSocket ping or pong.
  venue_reaction on_control(wall_time now);
  /// What is due by now: candles, heartbeats, the end of an idle connection. To be asked several times an
  /// interval.
  venue_reaction frames_due(wall_time now);
  /// When frames_due is worth asking again; it may be asked at any time.
  [[nodiscard]] wall_time next_due() const;

  /// A frame from a file is due: it goes to a client that subscribed to its stream.
  venue_reaction on_scripted(const scripted_frame& frame, wall_time now);
  [[nodiscard]] bool has_subscriptions() const noexcept { return !subscriptions_.empty(); }
  [[nodiscard]] exchange from() const noexcept { return address_.from; }
  [[nodiscard]] const venue_address& address() const noexcept { return address_; }
  /// Of the server's WebSocket pings; 0: it sends none.
  [[nodiscard]] std::chrono::milliseconds ping_interval() const noexcept;

protected:
  struct subscription {
    std::string key;  ///< As the client named it; unique within the connection.
    std::string name; ///< The exchange's symbol.
    std::optional<invented_market::symbol_id> symbol; ///< nullopt: acknowledged and silent.
    std::int64_t minute = 0;                          ///< Start of the last candle sent; 0: none yet.
    std::uint64_t trades = 0;                         ///< Trades in it.
    wall_time due{};
  };
  struct row {
    invented_candle candle;
    bool closed = false;
  };
  using json = simdjson::dom::element;

  venue(venue_address address, invented_market& shared, std::uint64_t connection);

  virtual void greet(venue_reaction& /*out*/, wall_time /*now*/) {}
  /// Every message, before it is read; false: the limit is broken and `out` says what follows. The mood
  /// tells both this and on_request what to do.
  virtual bool admit(venue_reaction& /*out*/, wall_time /*now*/) { return true; }
  /// Answers a message that is not JSON.
  virtual void on_other_text(std::string_view text, venue_reaction& out, wall_time now) = 0;
  virtual void on_request(json request, venue_reaction& out, wall_time now) = 0;
  /// Prints a candle's new state: rows of minutes that ended, oldest first, then the open one.
  virtual void print(const subscription& what, std::span<const row> rows, wall_time now,
                     venue_reaction& out) = 0;
  /// A WebSocket ping or pong of the client, where they count.
  virtual void admit_control(venue_reaction& /*out*/, wall_time /*now*/) {}
  /// About each second while something is subscribed.
  virtual void heartbeat(venue_reaction& /*out*/, wall_time /*now*/) {}
  /// Silence after which the exchange cuts; 0: never.
  [[nodiscard]] virtual std::chrono::milliseconds idle_limit() const { return {}; }

  [[nodiscard]] bool subscribed(const std::string& key) const { return by_key_.contains(key); }
  subscription& subscribe(std::string key, std::string name, std::optional<invented_market::symbol_id> symbol,
                          wall_time now);
  bool unsubscribe(const std::string& key);
  static void send_frame(venue_reaction& out, std::string text, const std::string& symbol);
  [[nodiscard]] row candle_at(const subscription& what, std::int64_t start_ms, wall_time now) const;

  const venue_address address_;
  invented_market& market_;
  const std::uint64_t connection_;
  std::chrono::milliseconds interval_{250};
  bool invents_ = true;
  mood mood_ = mood::well; ///< Of the message at hand.
  wall_time active_at_{};  ///< The last message or frame that counts against idleness.
  std::vector<subscription> subscriptions_;

private:
  void print_due(subscription& what, wall_time now, venue_reaction& out);

  std::unordered_map<std::string, std::size_t> by_key_; ///< Index into subscriptions_.
  wall_time heartbeat_due_{};
  simdjson::dom::parser parser_;
};

} // namespace breakwater
