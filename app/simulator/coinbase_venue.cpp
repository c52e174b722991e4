#include "app/simulator/dialects.hpp"
#include "app/simulator/rate_limit.hpp"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <utility>

/// Coinbase Exchange's side.
/// Source: "Exchange WebSocket channels", "Overview" and "Rate limits" in Coinbase's documentation, and
/// recorded frames.
namespace breakwater::dialects {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

/// Trades are made up for so far back when the clock jumped; the rest is left out.
constexpr std::int64_t most_missed_ticks = 1200; // five minutes

class coinbase_venue final : public venue {
public:
  coinbase_venue(venue_address address, invented_market& shared, std::uint64_t connection)
      : venue(std::move(address), shared, connection) {}

private:
  /// What a request asks for; one channel of one product is one subscription.
  struct wish {
    std::string channel, product;
    [[nodiscard]] std::string key() const { return channel + ":" + product; }
  };

  /// Who subscribes to nothing is not kept.
  [[nodiscard]] std::chrono::milliseconds idle_limit() const override {
    return has_subscriptions() ? 0ms : 5s;
  }

  bool admit(venue_reaction& out, wall_time now) override {
    if (mood_ != mood::over_limit && messages_.allow(now)) return true;
    out.cut = "too many messages a second";
    return false;
  }

  void on_other_text(std::string_view, venue_reaction& out, wall_time) override {
    refuse(out, "Malformed JSON", "");
  }

  void on_request(json request, venue_reaction& out, wall_time now) override {
    std::string_view type;
    if (request["type"].get(type) || (type != "subscribe" && type != "unsubscribe"))
      return refuse(out, "Type has to be either subscribe or unsubscribe", "");
    const bool adds = type == "subscribe";
    const char* why = adds ? "Failed to subscribe" : "Failed to unsubscribe";
    if (mood_ == mood::out_of_order) return refuse(out, why, "internal error");
    std::vector<wish> wishes;
    if (auto reason = read_wishes(request, adds, wishes); !reason.empty()) return refuse(out, why, reason);

    for (const auto& each : wishes) {
      const auto key = each.key();
      if (!adds) {
        unsubscribe(key);
        sent_.erase(key);
        continue;
      }
      const bool trades = each.channel == "matches";
      if (!subscribed(key) && trades) greet_with_last_trade(each, now, out);
      subscribe(key, each.product, trades ? find(each.product) : std::nullopt, now);
      if (trades) ++out.granted;
    }
    list(out);
  }

  /// Reads a request's products and channels; one bad name refuses it all. Returns the reason, if any.
  std::string read_wishes(json request, bool adds, std::vector<wish>& out) const {
    std::vector<std::string_view> products;
    if (auto reason = read_products(request, products); !reason.empty()) return reason;
    simdjson::dom::array channels;
    if (request["channels"].get(channels) || channels.size() == 0) return "channels are needed";
    for (auto channel : channels) {
      // A channel is a name, or an object with a name and products of its own.
      std::string_view name;
      auto of_channel = products;
      if (channel.is_object()) {
        if (channel["name"].get(name)) return "a channel without a name";
        if (auto reason = read_products(channel, of_channel); !reason.empty()) return reason;
      } else if (channel.get(name)) {
        return "a channel without a name";
      }
      if (name == "level2") return "level2 requires authentication";
      if (std::find(std::begin(known_channels), std::end(known_channels), name) == std::end(known_channels))
        return std::string{name} + " is not a valid channel";
      if (of_channel.empty() && adds) return "product_ids are needed";
      if (of_channel.empty()) { // unsubscribes the channel altogether
        for (const auto& what : subscriptions_)
          if (what.key.starts_with(std::string{name} + ":")) out.push_back({std::string{name}, what.name});
      }
      for (auto product : of_channel) out.push_back({std::string{name}, std::string{product}});
    }
    return {};
  }

  std::string read_products(json from, std::vector<std::string_view>& out) const {
    simdjson::dom::array products;
    if (from["product_ids"].get(products)) return {};
    for (auto each : products) {
      std::string_view name;
      if (each.get(name)) return "product_ids is not a list of strings";
      if (!find(name)) return std::string{name} + " is not a valid product";
      out.push_back(name);
    }
    return {};
  }

  void list(venue_reaction& out) {
    std::map<std::string, std::string> products;
    for (const auto& what : subscriptions_) {
      auto& text = products[what.key.substr(0, what.key.find(':'))];
      text += (text.empty() ? "" : ",") + in_quotes(what.name);
    }
    std::string text;
    for (const auto& [channel, names] : products)
      text += (text.empty() ? "" : ",") + R"({"name":)"s + in_quotes(channel) + R"(,"product_ids":[)" +
              names + R"(],"account_ids":null})";
    out.texts.push_back(R"({"type":"subscriptions","channels":[)"s + text + "]}");
  }

  static void refuse(venue_reaction& out, std::string_view why, const std::string& reason) {
    std::string text = R"({"type":"error","message":)"s + in_quotes(why);
    if (!reason.empty()) text += R"(,"reason":)"s + in_quotes(reason);
    out.texts.push_back(text + "}");
    ++out.refused;
  }

  [[nodiscard]] std::optional<invented_market::symbol_id> find(std::string_view name) const {
    return dollar_market(market_, name, '-');
  }

  /// A trade of before the subscription, so that the client knows where the numbers begin.
  void greet_with_last_trade(const wish& what, wall_time now, venue_reaction& out) {
    const auto last = market_.last_trade(address_.from, *find(what.product), now);
    sent_[what.key()] = {invented_market::tick_of(now), last.id};
    if (invents_) out.texts.push_back(match_text("last_match", what.product, last));
  }

  /// The trades since the last time.
  void print(const subscription& what, std::span<const row>, wall_time now, venue_reaction& out) override {
    const auto newest = invented_market::tick_of(now);
    auto& sent = sent_[what.key];
    for (auto tick = std::max(sent.tick, newest - most_missed_ticks) + 1; tick <= newest; ++tick) {
      const auto trade = market_.trade(address_.from, *what.symbol, tick);
      if (!trade) continue;
      send_frame(out, match_text("match", what.name, *trade), what.name);
      sent.trade = trade->id;
    }
    sent.tick = newest;
  }

  void heartbeat(venue_reaction& out, wall_time now) override {
    for (const auto& what : subscriptions_) {
      if (!what.key.starts_with("heartbeat:")) continue;
      // The trades it speaks of have been sent.
      const auto sent = sent_.find("matches:" + what.name);
      const auto last = sent != sent_.end() ? sent->second.trade
                                            : market_.last_trade(address_.from, *find(what.name), now).id;
      out.texts.push_back(R"({"type":"heartbeat","sequence":)"s + std::to_string(sequence_of(last)) +
                          R"(,"last_trade_id":)" + std::to_string(last) + R"(,"product_id":)" +
                          in_quotes(what.name) + R"(,"time":)" + time_text(now) + "}");
    }
  }

  /// Orders that do not trade have sequence numbers, too.
  static std::uint64_t sequence_of(std::uint64_t trade) { return trade * 7; }

  [[nodiscard]] std::string match_text(const char* type, const std::string& name,
                                       const invented_trade& trade) const {
    const auto dice = scramble(trade.id ^ std::hash<std::string>{}(name));
    return R"({"type":")"s + type + R"(","trade_id":)" + std::to_string(trade.id) + R"(,"maker_order_id":)" +
           order_text(dice) + R"(,"taker_order_id":)" + order_text(dice + 1) + R"(,"side":)" +
           (dice % 2 == 0 ? R"("buy")" : R"("sell")") + R"(,"size":)" +
           in_quotes(trimmed(trade.quantity, 8)) + R"(,"price":)" +
           in_quotes(fixed(trade.price, market_.price_decimals(address_.from, *find(name)))) +
           R"(,"product_id":)" + in_quotes(name) + R"(,"sequence":)" + std::to_string(sequence_of(trade.id)) +
           R"(,"time":)" + time_text(trade.at) + "}";
  }

  static std::string order_text(std::uint64_t dice) {
    char text[40];
    std::snprintf(text, sizeof text, "\"%08x-%04x-4%03x-9%03x-%012llx\"", static_cast<unsigned>(dice >> 32),
                  static_cast<unsigned>(dice >> 16 & 0xffff), static_cast<unsigned>(dice >> 4 & 0xfff),
                  static_cast<unsigned>(dice & 0xfff), static_cast<unsigned long long>(scramble(dice) >> 16));
    return text;
  }

  /// Microseconds.
  static std::string time_text(wall_time at) {
    auto text = to_rfc3339(at);
    text.pop_back();
    return "\"" + text + "114Z\"";
  }

  /// All but matches and heartbeat are acknowledged and silent.
  static constexpr std::string_view known_channels[] = {"matches",      "heartbeat", "ticker", "ticker_batch",
                                                        "level2_batch", "full",      "status"};

  /// Up to where the trades of a subscription were sent.
  struct progress {
    std::int64_t tick = 0;
    std::uint64_t trade = 0;
  };

  rate_limit messages_{100, 1s};
  std::map<std::string, progress> sent_; ///< By subscription.
};

} // namespace

std::unique_ptr<venue> make_coinbase(venue_address address, invented_market& shared,
                                     std::uint64_t connection) {
  return std::make_unique<coinbase_venue>(std::move(address), shared, connection);
}

} // namespace breakwater::dialects
