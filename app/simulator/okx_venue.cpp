#include "app/simulator/dialects.hpp"
#include "app/simulator/rate_limit.hpp"

#include <array>
#include <cstdio>
#include <utility>

/// OKX's side, v5 public and business addresses.
/// Source: "WebSocket" in OKX's v5 documentation, and recorded frames.
namespace breakwater::dialects {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

constexpr std::size_t most_request_bytes = 64 * 1024;
constexpr std::string_view swap = "-SWAP";

class okx_venue final : public venue {
public:
  okx_venue(venue_address address, invented_market& shared, std::uint64_t connection)
      : venue(std::move(address), shared, connection) {
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), "%08x", static_cast<unsigned>(scramble(connection)));
    connection_id_ = in_quotes(text.data());
  }

private:
  [[nodiscard]] std::chrono::milliseconds idle_limit() const override { return 30s; }

  void on_other_text(std::string_view text, venue_reaction& out, wall_time) override {
    if (text == "ping")
      out.texts.emplace_back("pong");
    else
      refuse(out, "60012", "Invalid request: "s + std::string{text}, "");
  }

  void on_request(json request, venue_reaction& out, wall_time now) override {
    std::string id;
    if (json given; !request["id"].get(given)) id = R"("id":)"s + simdjson::minify(given) + ",";
    const std::string text = simdjson::minify(request);
    const auto invalid = [&] { refuse(out, "60012", "Invalid request: "s + text, id); };

    std::string_view op;
    if (request["op"].get(op) || (op != "subscribe" && op != "unsubscribe")) return invalid();
    if (mood_ == mood::over_limit || !requests_.allow(now))
      return refuse(out, "60014", "Requests too frequent", id);
    if (mood_ == mood::out_of_order) return refuse(out, "63999", "Internal system error", id);
    simdjson::dom::array args;
    if (text.size() > most_request_bytes || request["args"].get(args) || args.size() == 0) return invalid();
    for (auto arg : args) {
      std::string_view channel, instrument;
      if (arg["channel"].get(channel) || arg["instId"].get(instrument)) {
        invalid();
        continue;
      }
      if (!serves(channel, instrument)) {
        refuse(out, "60018",
               "Wrong URL or channel:"s + std::string{channel} + ",instId:" + std::string{instrument} +
                   " doesn't exist. Please use the correct URL, channel and parameters referring to API "
                   "document.",
               id);
        continue;
      }
      const auto key = std::string{channel} + ":" + std::string{instrument};
      if (op == "subscribe") {
        subscribe(key, std::string{instrument}, channel == "candle1m" ? find(instrument) : std::nullopt, now);
        ++out.granted;
      } else {
        unsubscribe(key);
      }
      out.texts.push_back("{"s + id + R"("event":)" + in_quotes(op) + R"(,"arg":)" + simdjson::minify(arg) +
                          R"(,"connId":)" + connection_id_ + "}");
    }
  }

  void refuse(venue_reaction& out, std::string_view code, std::string_view message,
              const std::string& id) const {
    out.texts.push_back("{"s + id + R"("event":"error","code":)" + in_quotes(code) + R"(,"msg":)" +
                        in_quotes(message) + R"(,"connId":)" + connection_id_ + "}");
    ++out.refused;
  }

  [[nodiscard]] std::optional<invented_market::symbol_id> find(std::string_view instrument) const {
    if (instrument.ends_with(swap)) instrument.remove_suffix(swap.size());
    if (instrument.find('-') == std::string_view::npos) return std::nullopt;
    return market_.find(joined_name(instrument));
  }
  [[nodiscard]] bool serves(std::string_view channel, std::string_view instrument) const {
    const bool business = channel.starts_with("candle") || channel == "trades-all";
    const bool open = channel == "trades" || channel == "tickers" || channel == "bbo-tbt" ||
                      channel.starts_with("books") || channel == "mark-price" || channel == "funding-rate" ||
                      channel == "index-tickers" || channel == "open-interest";
    return (address_.candles ? business : open) && find(instrument);
  }

  void print(const subscription& what, std::span<const row> rows, wall_time, venue_reaction& out) override {
    const int price = market_.price_decimals(address_.from, *what.symbol);
    for (const auto& [candle, closed] : rows) {
      const auto coins = trimmed(candle.volume, 8);
      const auto amount = what.name.ends_with(swap) ? trimmed(candle.volume / okx_contract_size, 2) : coins;
      send_frame(out,
                 R"({"arg":{"channel":"candle1m","instId":)"s + in_quotes(what.name) + R"(},"data":[[")" +
                     std::to_string(candle.start_ms) + R"(",")" + trimmed(candle.open, price) + R"(",")" +
                     trimmed(candle.high, price) + R"(",")" + trimmed(candle.low, price) + R"(",")" +
                     trimmed(candle.close, price) + R"(",")" + amount + R"(",")" + coins + R"(",")" +
                     trimmed(candle.quote_volume, 8) + R"(",")" + (closed ? "1" : "0") + R"("]]})",
                 what.name);
    }
  }

  std::string connection_id_; ///< With its quotes.
  rate_limit requests_{480, 1h};
};

} // namespace

std::unique_ptr<venue> make_okx(venue_address address, invented_market& shared, std::uint64_t connection) {
  return std::make_unique<okx_venue>(std::move(address), shared, connection);
}

} // namespace breakwater::dialects
