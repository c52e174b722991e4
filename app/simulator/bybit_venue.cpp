#include "app/simulator/dialects.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

/// Bybit's side, v5 public spot and linear.
/// Source: "Connect" and "Kline" in Bybit's v5 documentation, and recorded frames.
namespace breakwater::dialects {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

constexpr std::size_t most_args_on_spot = 10;
constexpr std::size_t most_args_characters = 21'000;

class bybit_venue final : public venue {
public:
  bybit_venue(venue_address address, invented_market& shared, std::uint64_t connection)
      : venue(std::move(address), shared, connection) {
    std::array<char, 64> text{};
    const auto drawn = scramble(connection);
    std::snprintf(text.data(), text.size(), "%08x-%04x-4%03x-8%03x-%012llx", static_cast<unsigned>(drawn),
                  static_cast<unsigned>(drawn >> 32) & 0xffff, static_cast<unsigned>(drawn >> 48) & 0xfff,
                  static_cast<unsigned>(connection) & 0xfff,
                  static_cast<unsigned long long>(scramble(drawn) & 0xffffffffffff));
    connection_id_ = text.data();
  }

private:
  [[nodiscard]] std::chrono::milliseconds idle_limit() const override { return 10min; }

  void on_other_text(std::string_view, venue_reaction& out, wall_time) override {
    out.texts.emplace_back("Request is not valid JSON"); // plain text, as Bybit does
    ++out.refused;
  }

  void on_request(json request, venue_reaction& out, wall_time now) override {
    std::string id;
    if (json given; !request["req_id"].get(given)) id = R"("req_id":)"s + simdjson::minify(given) + ",";
    std::string_view op;
    if (request["op"].get(op)) op = "";

    if (op == "ping") return answer(out, true, "pong", id, op);
    if (mood_ == mood::out_of_order) return answer(out, false, "error:system busy", id, op);
    if (op != "subscribe" && op != "unsubscribe") {
      out.texts.push_back(R"({"success":false,"ret_msg":"error:invalid op","conn_id":)"s +
                          in_quotes(connection_id_) + R"(,"request":{"op":)" + in_quotes(op) +
                          R"(,"args":null}})");
      ++out.refused;
      return;
    }
    simdjson::dom::array args;
    if (request["args"].get(args) || args.size() == 0)
      return answer(out, false, "error:args is empty", id, op);
    if (address_.kind == market::spot && args.size() > most_args_on_spot)
      return answer(out, false, "args size >10", id, op);

    // One bad topic refuses the whole request, so all are looked at before any is taken.
    std::vector<std::string> topics;
    auto characters = args_characters_;
    for (auto arg : args) {
      std::string_view topic;
      if (arg.get(topic)) return answer(out, false, "error:args is not a list of strings", id, op);
      if (op == "subscribe") {
        if (!serves(topic))
          return answer(out, false, "error:handler not found,topic:"s + std::string{topic}, id, op);
        if (subscribed(std::string{topic}) || std::find(topics.begin(), topics.end(), topic) != topics.end())
          return answer(out, false, "error:already subscribed,topic:"s + std::string{topic}, id, op);
        characters += topic.size();
      }
      topics.emplace_back(topic);
    }
    if (characters > most_args_characters) return answer(out, false, "error:args length over 21000", id, op);

    args_characters_ = characters;
    for (const auto& topic : topics) {
      if (op == "subscribe")
        subscribe(topic, symbol_of(topic), candles_of(topic), now);
      else if (unsubscribe(topic))
        args_characters_ -= topic.size();
    }
    if (op == "subscribe") out.granted += topics.size();
    // Spot names the operation in ret_msg, linear leaves it empty.
    answer(out, true, address_.kind == market::spot ? op : "", id, op);
  }

  void answer(venue_reaction& out, bool success, std::string_view message, const std::string& id,
              std::string_view op) const {
    out.texts.push_back(R"({"success":)"s + (success ? "true" : "false") + R"(,"ret_msg":)" +
                        in_quotes(message) + R"(,"conn_id":)" + in_quotes(connection_id_) + "," + id +
                        R"("op":)" + in_quotes(op) + "}");
    if (!success) ++out.refused;
  }

  static std::string symbol_of(std::string_view topic) {
    const auto point = topic.rfind('.');
    return std::string{point == std::string_view::npos ? std::string_view{} : topic.substr(point + 1)};
  }
  [[nodiscard]] std::optional<invented_market::symbol_id> candles_of(std::string_view topic) const {
    return topic.starts_with("kline.1.") ? market_.find(symbol_of(topic)) : std::nullopt;
  }
  [[nodiscard]] bool serves(std::string_view topic) const {
    constexpr std::string_view channels[] = {"kline.", "publicTrade.", "tickers.", "orderbook.",
                                             "allLiquidation."};
    const bool known = std::any_of(std::begin(channels), std::end(channels),
                                   [&](auto channel) { return topic.starts_with(channel); });
    return known && market_.find(symbol_of(topic));
  }

  void print(const subscription& what, std::span<const row> rows, wall_time now,
             venue_reaction& out) override {
    // When a minute ends, the closed row and the new one come in one frame about every third time.
    const auto minute = static_cast<std::uint64_t>(rows.back().candle.start_ms / minute_ms);
    const bool together = rows.size() == 2 && scramble(minute + *what.symbol) % 3 == 0;
    std::string data;
    for (const auto& each : rows) {
      data += std::string{data.empty() ? "" : ","} + row_text(what, each);
      if (together && &each != &rows.back()) continue;
      const auto ts = std::to_string(epoch_ms(now));
      send_frame(out,
                 R"({"topic":)"s + in_quotes(what.key) + R"(,"type":"snapshot","ts":)" + ts + R"(,"data":[)" +
                     data + "]}",
                 symbol_of(what.key));
      data.clear();
    }
  }

  [[nodiscard]] std::string row_text(const subscription& what, const row& each) const {
    const auto& [candle, closed] = each;
    const int price = market_.price_decimals(address_.from, *what.symbol);
    const auto matched_ms = closed ? candle.start_ms + minute_ms : epoch_ms(candle.last_trade_at);
    return R"({"start":)"s + std::to_string(candle.start_ms) + R"(,"end":)" +
           std::to_string(candle.start_ms + minute_ms - 1) + R"(,"interval":"1","open":")" +
           trimmed(candle.open, price) + R"(","close":")" + trimmed(candle.close, price) + R"(","high":")" +
           trimmed(candle.high, price) + R"(","low":")" + trimmed(candle.low, price) + R"(","volume":")" +
           trimmed(candle.volume, 8) + R"(","turnover":")" + trimmed(candle.quote_volume, 8) +
           R"(","confirm":)" + (closed ? "true" : "false") + R"(,"timestamp":)" + std::to_string(matched_ms) +
           "}";
  }

  std::string connection_id_;
  std::size_t args_characters_ = 0; ///< Of all topics now subscribed.
};

} // namespace

std::unique_ptr<venue> make_bybit(venue_address address, invented_market& shared, std::uint64_t connection) {
  return std::make_unique<bybit_venue>(std::move(address), shared, connection);
}

} // namespace breakwater::dialects
