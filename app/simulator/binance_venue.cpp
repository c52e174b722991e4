#include "app/simulator/dialects.hpp"
#include "app/simulator/rate_limit.hpp"

#include <utility>

/// Binance's side: spot, and USD-M futures on the paths below /market.
/// Source: "WebSocket Streams" in Binance's Spot documentation, and recorded frames.
namespace breakwater::dialects {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

constexpr std::size_t most_streams = 1024;

class binance_venue final : public venue {
public:
  binance_venue(venue_address address, invented_market& shared, std::uint64_t connection)
      : venue(std::move(address), shared, connection),
        messages_(address_.kind == market::spot ? 5 : 10, 1s) {}

private:
  void greet(venue_reaction&, wall_time now) override {
    for (const auto& stream : address_.streams) subscribe_stream(stream, now);
  }

  /// Pings and pongs count like any other message; over the limit Binance hangs up without a word.
  bool admit(venue_reaction& out, wall_time now) override {
    if (mood_ != mood::over_limit && messages_.allow(now)) return true;
    out.cut = "too many messages a second";
    return false;
  }
  void admit_control(venue_reaction& out, wall_time now) override { admit(out, now); }

  void on_other_text(std::string_view, venue_reaction& out, wall_time) override {
    out.texts.emplace_back(R"({"error":{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}})");
    ++out.refused;
  }

  void on_request(json request, venue_reaction& out, wall_time now) override {
    std::string id = "null";
    if (json given; !request["id"].get(given)) id = simdjson::minify(given);
    const auto error = [&](int code, const std::string& why) {
      out.texts.push_back(R"({"error":{"code":)"s + std::to_string(code) + R"(,"msg":)" + in_quotes(why) +
                          R"(},"id":)" + id + "}");
      ++out.refused;
    };
    const auto refuse = [&](const char* why) { error(2, "Invalid request: "s + why); };
    if (mood_ == mood::out_of_order) return error(1, "Internal error");

    std::string_view method;
    if (request["method"].get(method)) return refuse("missing field `method`");
    if (method == "LIST_SUBSCRIPTIONS") {
      std::string list;
      for (const auto& what : subscriptions_)
        list += std::string{list.empty() ? "" : ","} + in_quotes(what.key);
      out.texts.push_back(R"({"result":[)"s + list + R"(],"id":)" + id + "}");
      return;
    }
    if (method != "SUBSCRIBE" && method != "UNSUBSCRIBE") return refuse("unknown variant");

    simdjson::dom::array params;
    if (request["params"].get(params)) return refuse("missing field `params`");
    std::vector<std::string> streams;
    for (auto param : params) {
      std::string_view stream;
      if (param.get(stream) || stream.find('@') == std::string_view::npos) return refuse("invalid stream");
      streams.emplace_back(stream);
    }
    const bool adds = method == "SUBSCRIBE";
    if (adds && subscriptions_.size() + streams.size() > most_streams) return refuse("too many streams");
    for (const auto& stream : streams) {
      if (adds)
        subscribe_stream(stream, now);
      else
        unsubscribe(stream);
    }
    if (adds) out.granted += streams.size();
    out.texts.push_back(R"({"result":null,"id":)"s + id + "}");
  }

  /// A stream nobody knows is acknowledged like any other and stays silent; so is one in capitals.
  void subscribe_stream(const std::string& stream, wall_time now) {
    const auto at = stream.find('@');
    const auto name = stream.substr(0, at);
    const auto symbol = joined_name(name);
    const bool candles = at != std::string::npos && stream.substr(at) == "@kline_1m" && name != symbol;
    subscribe(stream, symbol, candles ? market_.find(symbol) : std::nullopt, now);
  }

  void print(const subscription& what, std::span<const row> rows, wall_time now,
             venue_reaction& out) override {
    const bool spot = address_.kind == market::spot;
    const int price = spot ? 8 : market_.price_decimals(address_.from, *what.symbol);
    const int amount = spot ? 8 : 3;
    for (const auto& [candle, closed] : rows) {
      const auto symbol = in_quotes(what.name);
      std::string data =
          R"({"e":"kline","E":)"s + std::to_string(epoch_ms(now)) + R"(,"s":)" + symbol + R"(,"k":{"t":)" +
          std::to_string(candle.start_ms) + R"(,"T":)" + std::to_string(candle.start_ms + minute_ms - 1) +
          R"(,"s":)" + symbol + R"(,"i":"1m","f":)" + std::to_string(candle.first_trade) + R"(,"L":)" +
          std::to_string(candle.first_trade + candle.trades - 1) + R"(,"o":")" + fixed(candle.open, price) +
          R"(","c":")" + fixed(candle.close, price) + R"(","h":")" + fixed(candle.high, price) +
          R"(","l":")" + fixed(candle.low, price) + R"(","v":")" + fixed(candle.volume, amount) +
          R"(","n":)" + std::to_string(candle.trades) + R"(,"x":)" + (closed ? "true" : "false") +
          R"(,"q":")" + fixed(candle.quote_volume, price) + R"(","V":")" + fixed(candle.volume / 2, amount) +
          R"(","Q":")" + fixed(candle.quote_volume / 2, price) + R"(","B":"0"}})";
      if (address_.envelope) data = R"({"stream":)"s + in_quotes(what.key) + R"(,"data":)" + data + "}";
      send_frame(out, std::move(data), what.name);
    }
  }

  rate_limit messages_;
};

} // namespace

std::unique_ptr<venue> make_binance(venue_address address, invented_market& shared,
                                    std::uint64_t connection) {
  return std::make_unique<binance_venue>(std::move(address), shared, connection);
}

} // namespace breakwater::dialects
