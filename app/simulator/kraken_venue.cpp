#include "app/simulator/dialects.hpp"
#include "app/simulator/rate_limit.hpp"

#include <utility>

/// Kraken's side, v2.
/// Source: "WebSocket v2" in Kraken's documentation, and recorded frames.
namespace breakwater::dialects {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

/// How many past candles a subscription brings.
constexpr std::int64_t snapshot_minutes = 10;

/// Kraken prints micro- and nanoseconds.
std::string time_text(wall_time at, std::string_view digits_behind_ms) {
  auto text = to_rfc3339(at);
  text.pop_back();
  return text.append(digits_behind_ms) + "Z";
}

class kraken_venue final : public venue {
public:
  kraken_venue(venue_address address, invented_market& shared, std::uint64_t connection)
      : venue(std::move(address), shared, connection) {}

private:
  [[nodiscard]] std::chrono::milliseconds idle_limit() const override { return 60s; }

  void greet(venue_reaction& out, wall_time) override {
    // The id does not fit into a signed 64-bit integer.
    const auto id = scramble(connection_) | (std::uint64_t{1} << 63);
    out.texts.push_back(
        R"({"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online","api_version":"v2","connection_id":)"s +
        std::to_string(id) + "}]}");
  }

  void heartbeat(venue_reaction& out, wall_time) override {
    out.texts.emplace_back(R"({"channel":"heartbeat"})");
  }

  void on_other_text(std::string_view, venue_reaction& out, wall_time now) override {
    refuse(out, "Malformed request", "", "", "", now);
  }

  void on_request(json request, venue_reaction& out, wall_time now) override {
    std::string id;
    if (json given; !request["req_id"].get(given)) id = R"(,"req_id":)"s + simdjson::minify(given);
    std::string_view method;
    if (request["method"].get(method)) return refuse(out, "Malformed request", "", "", id, now);
    if (mood_ == mood::over_limit || !messages_.allow(now))
      return refuse(out, "Exceeded msg rate", method, "", id, now);
    if (method == "ping") {
      out.texts.push_back(R"({"method":"pong")"s + id + times(now) + "}");
      return;
    }
    if (method != "subscribe" && method != "unsubscribe")
      return refuse(out, "Unsupported method", method, "", id, now);

    std::string_view channel;
    simdjson::dom::array symbols;
    if (request["params"]["channel"].get(channel) || request["params"]["symbol"].get(symbols))
      return refuse(out, "Malformed request", method, "", id, now);
    std::int64_t interval = 1;
    bool snapshot = true;
    if (std::int64_t given = 0; !request["params"]["interval"].get(given)) interval = given;
    if (bool given = true; !request["params"]["snapshot"].get(given)) snapshot = given;

    std::vector<std::string> fresh;
    for (auto each : symbols) {
      std::string_view name;
      if (each.get(name)) {
        refuse(out, "Malformed request", method, "", id, now);
        continue;
      }
      const auto symbol = find(name);
      if (mood_ == mood::out_of_order) {
        refuse(out, "Service unavailable", method, name, id, now);
        continue;
      }
      if (!symbol) {
        refuse(out, "Currency pair not supported "s + std::string{name}, method, name, id, now);
        continue;
      }
      const bool candles = channel == "ohlc" && interval == 1;
      auto key = std::string{channel} + ":" + std::string{name};
      if (channel == "ohlc" && interval != 1) key += ":" + std::to_string(interval);
      if (method == "subscribe") {
        if (candles && snapshot && !subscribed(key)) fresh.push_back(key);
        subscribe(key, std::string{name}, candles ? symbol : std::nullopt, now);
        ++out.granted;
      } else {
        unsubscribe(key);
      }
      acknowledge(out, method, channel, name, interval, snapshot, id, now);
    }
    if (invents_)
      for (const auto& key : fresh) send_snapshot(key, now, out);
  }

  static void acknowledge(venue_reaction& out, std::string_view method, std::string_view channel,
                          std::string_view name, std::int64_t interval, bool snapshot, const std::string& id,
                          wall_time now) {
    const bool adds = method == "subscribe", candles = channel == "ohlc";
    std::string result = R"({"channel":)"s + in_quotes(channel);
    if (candles) result += R"(,"interval":)"s + std::to_string(interval);
    if (adds) result += R"(,"snapshot":)"s + (snapshot ? "true" : "false");
    result += R"(,"symbol":)"s + in_quotes(name);
    if (adds && candles) result += R"(,"warnings":["timestamp is deprecated, use interval_begin"])";
    out.texts.push_back(R"({"method":)"s + in_quotes(method) + R"(,"result":)" + result +
                        R"(},"success":true)" + times(now) + id + "}");
  }

  static void refuse(venue_reaction& out, std::string_view why, std::string_view method,
                     std::string_view name, const std::string& id, wall_time now) {
    std::string text = R"({"error":)"s + in_quotes(why);
    if (!method.empty()) text += R"(,"method":)"s + in_quotes(method);
    text += R"(,"success":false)";
    if (!name.empty()) text += R"(,"symbol":)"s + in_quotes(name);
    out.texts.push_back(text + times(now) + id + "}");
    ++out.refused;
  }

  static std::string times(wall_time now) {
    return R"(,"time_in":")"s + time_text(now, "130") + R"(","time_out":")" + time_text(now, "175") + R"(")";
  }

  /// v2 knows BTC and DOGE, not v1's XBT and XDG. Each coin that trades against USDT trades against USD too.
  [[nodiscard]] std::optional<invented_market::symbol_id> find(std::string_view name) const {
    return dollar_market(market_, name, '/');
  }

  void send_snapshot(const std::string& key, wall_time now, venue_reaction& out) {
    for (auto& what : subscriptions_) {
      if (what.key != key) continue;
      const auto minute = minute_of(now);
      std::string data;
      for (auto past = minute - snapshot_minutes * minute_ms; past <= minute; past += minute_ms) {
        const auto each = candle_at(what, past, now);
        if (each.candle.trades == 0) continue;
        data += std::string{data.empty() ? "" : ","} + row_text(what, each);
        what.minute = past;
        what.trades = each.candle.trades;
      }
      send_frame(out, frame_text("snapshot", data, now), what.name);
    }
  }

  void print(const subscription& what, std::span<const row> rows, wall_time now,
             venue_reaction& out) override {
    // No candle is marked closed: the ended minute's last state comes like any other update.
    for (const auto& each : rows) {
      const auto text = frame_text("update", row_text(what, each), now);
      // The same update can come twice.
      if (scramble(each.candle.trades + *what.symbol) % 16 == 0) send_frame(out, text, what.name);
      send_frame(out, text, what.name);
    }
  }

  static std::string frame_text(std::string_view type, const std::string& data, wall_time now) {
    return R"({"channel":"ohlc","type":)"s + in_quotes(type) + R"(,"timestamp":")" +
           time_text(now, "114810") + R"(","data":[)" + data + "]}";
  }

  /// Prices and amounts are JSON numbers with a fixed number of decimals.
  [[nodiscard]] std::string row_text(const subscription& what, const row& each) const {
    const auto& candle = each.candle;
    const int price = market_.price_decimals(address_.from, *what.symbol);
    const auto mean = candle.volume > 0 ? candle.quote_volume / candle.volume : candle.close;
    const auto start = wall_time_from_ms(candle.start_ms);
    return R"({"symbol":)"s + in_quotes(what.name) + R"(,"open":)" + fixed(candle.open, price) +
           R"(,"high":)" + fixed(candle.high, price) + R"(,"low":)" + fixed(candle.low, price) +
           R"(,"close":)" + fixed(candle.close, price) + R"(,"trades":)" + std::to_string(candle.trades) +
           R"(,"volume":)" + fixed(candle.volume, 8) + R"(,"vwap":)" + fixed(mean, price) +
           R"(,"interval_begin":")" + time_text(start, "000000") + R"(","interval":1,"timestamp":")" +
           time_text(start + 1min, "000") + R"("})";
  }

  rate_limit messages_{20, 1s};
};

} // namespace

std::unique_ptr<venue> make_kraken(venue_address address, invented_market& shared, std::uint64_t connection) {
  return std::make_unique<kraken_venue>(std::move(address), shared, connection);
}

} // namespace breakwater::dialects
