#include "tests/support/fake_exchanges.hpp"

#include "actors/aggregator/number.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace breakwater::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

std::string text_of(double number) { return std::string{number_text{}.of(number)}; }

std::string lower(std::string text) {
  for (auto& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// "Kline/Candlestick Streams", in the combined form of /stream.
json binance_frame(const candle& x) {
  const auto name = their_name(exchange::binance, x.symbol);
  return {{"stream", lower(name) + "@kline_1m"},
          {"data",
           {{"e", "kline"},
            {"E", epoch_ms(x.event_at)},
            {"s", name},
            {"k",
             {{"t", x.start_s * 1000},
              {"T", x.start_s * 1000 + 59999},
              {"s", name},
              {"i", "1m"},
              {"f", 100},
              {"L", 200},
              {"o", text_of(x.open)},
              {"c", text_of(x.close)},
              {"h", text_of(x.high)},
              {"l", text_of(x.low)},
              {"v", text_of(x.volume)},
              {"n", 100},
              {"x", x.closed},
              {"q", "1.0000"},
              {"V", "500"},
              {"Q", "0.500"},
              {"B", "0"}}}}}};
}

/// "Kline" of the v5 public topics.
json bybit_frame(const candle& x) {
  return {{"topic", "kline.1." + their_name(exchange::bybit, x.symbol)},
          {"data",
           {{{"start", x.start_s * 1000},
             {"end", x.start_s * 1000 + 59999},
             {"interval", "1"},
             {"open", text_of(x.open)},
             {"close", text_of(x.close)},
             {"high", text_of(x.high)},
             {"low", text_of(x.low)},
             {"volume", text_of(x.volume)},
             {"turnover", "1"},
             {"confirm", x.closed},
             {"timestamp", epoch_ms(x.event_at)}}}},
          {"ts", epoch_ms(x.event_at)},
          {"type", "snapshot"}};
}

/// "Candlesticks channel": [ts, o, h, l, c, vol, volCcy, volCcyQuote, confirm].
json okx_frame(const candle& x) {
  return {{"arg", {{"channel", "candle1m"}, {"instId", their_name(exchange::okx, x.symbol)}}},
          {"data",
           {{std::to_string(x.start_s * 1000), text_of(x.open), text_of(x.high), text_of(x.low),
             text_of(x.close), text_of(x.volume), "0", "0", x.closed ? "1" : "0"}}}};
}

/// "OHLC" of v2. It marks no closed candle.
json kraken_frame(const candle& x) {
  return {{"channel", "ohlc"},
          {"type", "update"},
          {"timestamp", to_rfc3339(x.event_at)},
          {"data",
           {{{"symbol", their_name(exchange::kraken, x.symbol)},
             {"open", x.open},
             {"high", x.high},
             {"low", x.low},
             {"close", x.close},
             {"trades", 7},
             {"volume", x.volume},
             {"vwap", x.close},
             {"interval_begin", to_rfc3339(wall_time_from_ms(x.start_s * 1000))},
             {"interval", 1},
             {"timestamp", to_rfc3339(wall_time_from_ms((x.start_s + 60) * 1000))}}}}};
}

exchange exchange_at(const std::string& url) {
  for (auto x : all_exchanges)
    if (url.find(to_string(x)) != std::string::npos) return x;
  throw std::logic_error("no exchange at " + url);
}

} // namespace

std::string their_name(exchange which, const std::string& ours) {
  const auto quote = ours.size() - 4; // every symbol here is against USDT
  switch (which) {
  case exchange::okx: return ours.substr(0, quote) + "-" + ours.substr(quote);
  case exchange::kraken: return ours.substr(0, quote) + "/" + ours.substr(quote);
  default: return ours;
  }
}

std::string candle_frame(const candle& what) {
  switch (what.from) {
  case exchange::binance: return binance_frame(what).dump();
  case exchange::bybit: return bybit_frame(what).dump();
  case exchange::okx: return okx_frame(what).dump();
  case exchange::kraken: return kraken_frame(what).dump();
  default: throw std::logic_error("this exchange has no candles here");
  }
}

struct fake_exchanges::handle final : websocket {
  handle(std::shared_ptr<fake_exchanges> s, std::shared_ptr<socket> w)
      : server(std::move(s)), who(std::move(w)) {}
  ~handle() override {
    who->open = false;
    who->sink = nullptr; // it holds the feed
  }
  void send(std::string text) override {
    if (who->open) server->time_.later(1ms, [s = server, w = who, text] { s->answer(w, text); });
  }
  void consumed(std::size_t) override {}
  std::shared_ptr<fake_exchanges> server;
  std::shared_ptr<socket> who;
};

std::unique_ptr<websocket> fake_exchanges::open(std::string url, std::uint64_t number,
                                                std::function<void(socket_event)> sink) {
  auto who = std::make_shared<socket>();
  who->at = exchange_at(url);
  who->number = number;
  who->sink = std::move(sink);
  auto& venue = at(who->at);
  ++venue.connects;
  venue.newest = who;
  time_.later(1ms, [this, who, self = shared_from_this()] {
    if (at(who->at).refusing) return tell(*who, socket_closed{"Connection refused"});
    who->open = true;
    tell(*who, socket_opened{});
    beat(who);
  });
  return std::make_unique<handle>(shared_from_this(), who);
}

void fake_exchanges::tell(socket& whom,
                          std::variant<socket_opened, socket_text, socket_alive, socket_closed> what) {
  if (whom.sink) whom.sink({whom.number, std::move(what)});
}

void fake_exchanges::say(socket& whom, std::string text) {
  if (whom.open && !at(whom.at).silent) tell(whom, socket_text{std::move(text), time_.wall()});
}

/// The WebSocket's own pings.
void fake_exchanges::beat(const std::shared_ptr<socket>& who) {
  if (!who->open) return;
  if (!at(who->at).silent) tell(*who, socket_alive{});
  time_.later(20s, [this, who, self = shared_from_this()] { beat(who); });
}

void fake_exchanges::answer(const std::shared_ptr<socket>& who, const std::string& text) {
  auto& venue = at(who->at);
  if (!who->open || venue.silent) return;
  if (text == "ping") return say(*who, "pong"); // OKX
  const auto request = json::parse(text);
  const bool to_bybit_or_okx = request.contains("op"), to_kraken = who->at == exchange::kraken;
  if (to_kraken && request["method"] == "ping")
    return say(*who,
               R"({"method":"pong","time_in":"2026-01-05T00:00:00Z","time_out":"2026-01-05T00:00:00Z"})");
  if (to_bybit_or_okx && request["op"] == "ping")
    return say(*who, R"({"success":true,"ret_msg":"pong","conn_id":"1","req_id":"","op":"ping"})");

  ++venue.requests;
  if (venue.overhears > 0) {
    --venue.overhears;
    return;
  }
  switch (who->at) {
  case exchange::binance:
    for (std::string name : request["params"]) {
      name = name.substr(0, name.find('@'));
      for (auto& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      who->subscribed.insert(name);
    }
    return say(*who, json{{"result", nullptr}, {"id", request["id"]}}.dump());
  case exchange::bybit:
    for (const std::string topic : request["args"])
      who->subscribed.insert(topic.substr(topic.rfind('.') + 1));
    return say(*who, json{{"success", true},
                          {"ret_msg", "subscribe"},
                          {"conn_id", "1"},
                          {"req_id", request["req_id"]},
                          {"op", "subscribe"}}
                         .dump());
  case exchange::okx:
    for (const auto& asked : request["args"]) {
      who->subscribed.insert(asked["instId"].get<std::string>());
      say(*who, json{{"id", request["id"]}, {"event", "subscribe"}, {"arg", asked}, {"connId", "1"}}.dump());
    }
    return;
  case exchange::kraken:
    for (const std::string name : request["params"]["symbol"]) {
      who->subscribed.insert(name);
      say(*who, json{{"method", "subscribe"},
                     {"result", {{"channel", "ohlc"}, {"interval", 1}, {"snapshot", true}, {"symbol", name}}},
                     {"success", true},
                     {"req_id", request["req_id"]}}
                    .dump());
    }
    return;
  default: return;
  }
}

bool fake_exchanges::is_heard(exchange which, const std::string& symbol) const {
  const auto& who = at(which).newest;
  return who && who->open && who->sink && !at(which).silent &&
         who->subscribed.contains(their_name(which, symbol));
}

bool fake_exchanges::sends(const candle& what) {
  if (!is_heard(what.from, what.symbol)) return false;
  sends_text(what.from, candle_frame(what));
  return true;
}

void fake_exchanges::sends_text(exchange which, const std::string& text) {
  if (const auto& who = at(which).newest) say(*who, text);
}

void fake_exchanges::cuts(exchange which, const std::string& reason) {
  const auto who = at(which).newest;
  if (!who || !who->open) return;
  who->open = false;
  tell(*who, socket_closed{reason});
}

} // namespace breakwater::test
