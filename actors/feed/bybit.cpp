#include "actors/feed/dialects.hpp"
#include "actors/feed/json_frame.hpp"

#include <array>
#include <utility>

namespace breakwater {
namespace {

using namespace std::chrono_literals;
using json::candle_parts;
using json::field_name;
using json::frame_reader;
using json::value;

/// Source: "Connect" and "Kline" of Bybit's v5 WebSocket documentation.
class bybit final : public dialect {
public:
  bybit(market where, symbol_names names) : dialect(rules_of(where), std::move(names)), market_(where) {}

  std::string subscribe_text(std::uint64_t id, std::span<const std::string_view> theirs) const override {
    return request("subscribe", id, theirs);
  }
  std::string unsubscribe_text(std::uint64_t id, std::span<const std::string_view> theirs) const override {
    return request("unsubscribe", id, theirs);
  }

  std::string history_target(std::string_view theirs, std::int64_t from_s, std::int64_t to_s) const override {
    return std::string{"/v5/market/kline?category="} + (market_ == market::spot ? "spot" : "linear") +
           "&symbol=" + std::string{theirs} + "&interval=1&start=" + std::to_string(from_s * 1000) +
           "&end=" + std::to_string(to_s * 1000) + "&limit=" + std::to_string((to_s - from_s) / 60 + 1);
  }

protected:
  frame_content read_frame(std::string_view text, wall_time received_at, std::vector<candle>& out) override {
    if (!reader_.open(text)) return no_object(text);
    seen_fields seen;
    const auto had = out.size();
    std::optional<failure> problem;
    bool data_was_read = false;
    const auto take_data = [&](value x) {
      data_was_read = true;
      if (!frame_reader::each_element(x, [&](value row) {
            if (!problem) problem = read_row(row, seen, received_at, out);
          }))
        problem = failure{errc::field_malformed, "data"};
    };
    const bool is_json = reader_.each_field([&](field_name key, value x) {
      if (key == "data") {
        seen.has_data = true;
        if (is_minute_candle(seen.topic)) take_data(x);
      } else {
        visit(key, x, seen);
      }
    });
    if (!is_json) return no_object(text);
    if (seen.topic.empty()) return without_topic(seen, text);
    if (!is_minute_candle(seen.topic)) return other_topic(seen.topic, text);
    if (!seen.has_data) return failure{errc::field_missing, "data"};
    if (!data_was_read && // the data stood before the topic
        !reader_.each_field([&](field_name key, value x) {
          if (key == "data") take_data(x);
        }))
      return json::unknown(text);
    if (problem) return *std::move(problem);
    if (out.size() == had) return failure{errc::field_missing, "data[0]"};
    for (auto i = had; i < out.size(); ++i)
      if (out[i].event_at == wall_time{})
        out[i].event_at = seen.ts ? wall_time_from_ms(*seen.ts) : received_at;
    return candles_read{};
  }

  /// {"retCode":0,"retMsg":"OK","result":{"list":[...]}}; the newest row comes first.
  result<done> read_rows(std::string_view body, const std::string& ours, wall_time received_at,
                         std::vector<candle>& out) override {
    if (!reader_.open(body) || reader_.is_array()) return json::unknown(body);
    std::string_view code;
    std::string message;
    bool has_list = false;
    auto read = json::read_past_rows(body, out, [&](auto&& take) {
      return reader_.each_field([&](field_name key, value x) {
        if (key == "retCode")
          code = json::text_of(x);
        else if (key == "retMsg")
          message = json::text_of(x);
        else if (key == "result")
          (void)frame_reader::each_field(x, [&](field_name k, value y) {
            if (k == "list")
              has_list = frame_reader::each_element(y, [&](value row) {
                take(json::read_past_row(row, past_columns, exchange::bybit, ours, received_at, out));
              });
          });
      });
    });
    if (read && (code != "0" || !has_list)) return json::refused_history(message, body);
    return read;
  }

private:
  static std::string request(const char* what, std::uint64_t id, std::span<const std::string_view> theirs) {
    std::string text = R"({"req_id":")" + std::to_string(id) + R"(","op":")" + what + R"(","args":[)";
    for (auto name : theirs) {
      if (name.data() != theirs.front().data()) text += ',';
      ((text += "\"kline.1.") += name) += '"';
    }
    return text += "]}";
  }

  static exchange_rules rules_of(market where) {
    return {
        .url = where == market::spot ? "wss://stream.bybit.com/v5/public/spot"
                                     : "wss://stream.bybit.com/v5/public/linear",
        .messages = {10, 1s},    // no number is documented
        .connects = {300, 5min}, // documented: 500
        .symbols_per_request = where == market::spot ? 10u : 50u,
        .symbols_per_connection = 800,
        .name_bytes_per_connection = 20000, // documented: 21,000 characters of args
        .ping = R"({"op":"ping"})",
        .ping_after = 20s,
        .dead_after = 45s,
        .one_refused_refuses_all = true,
        .rest_url = "https://api.bybit.com",
        .history_requests = {10, 1s}, // documented: 600 in 5 s
        .minutes_per_history_request = 900,
    };
  }

  static constexpr std::string_view minute_topic = "kline.1.";
  static bool is_minute_candle(std::string_view topic) { return topic.starts_with(minute_topic); }

  static constexpr std::array<std::string_view, 34> other_channels{
      "publicTrade",    "tickers",       "orderbook.1",    "orderbook.25",
      "orderbook.50",   "orderbook.100", "orderbook.200",  "orderbook.500",
      "orderbook.1000", "orderbook.rpi", "kline.3",        "kline.5",
      "kline.15",       "kline.30",      "kline.60",       "kline.120",
      "kline.240",      "kline.360",     "kline.720",      "kline.D",
      "kline.W",        "kline.M",       "allLiquidation", "liquidation",
      "kline_lt.1",     "kline_lt.5",    "tickers_lt",     "lt",
      "insurance",      "adlAlert",      "priceLimit",     "system.status",
      "kline_lt",       "kline"};

  /// A topic is a channel and, behind the last point, a symbol.
  static frame_content other_topic(std::string_view topic, std::string_view text) {
    for (auto name : {topic.substr(0, topic.rfind('.')), topic, topic.substr(0, topic.find('.'))})
      if (const auto channel = json::one_of(other_channels, name); !channel.empty())
        return other_read{channel};
    return json::unknown(text);
  }

  /// What it cannot read itself, Bybit answers in plain words.
  static frame_content no_object(std::string_view text) {
    auto why = json::unknown(text);
    const bool is_words = !text.empty() && ((text.front() >= 'a' && text.front() <= 'z') ||
                                            (text.front() >= 'A' && text.front() <= 'Z'));
    if (why.code == errc::frame_not_json && is_words) return refusal{0, {}, std::move(why.detail)};
    return why;
  }

  struct seen_fields {
    std::string_view topic, op, message, request;
    bool has_data = false, has_success = false, success = false;
    std::optional<std::int64_t> ts;
  };

  static void visit(field_name key, value x, seen_fields& seen) {
    if (key == "topic")
      seen.topic = json::text_of(x);
    else if (key == "ts")
      seen.ts = json::ms_of(x);
    else if (key == "op")
      seen.op = json::text_of(x);
    else if (key == "success") {
      seen.has_success = true;
      seen.success = json::text_of(x) == "true";
    } else if (key == "ret_msg")
      seen.message = json::text_of(x);
    else if (key == "req_id")
      seen.request = json::text_of(x);
  }

  frame_content without_topic(const seen_fields& seen, std::string_view text) {
    if (seen.op == "pong" || seen.message == "pong") return pong_read{};
    if (!seen.has_success) return json::unknown(text);
    const auto request = json::integer_in<std::uint64_t>(seen.request).value_or(0);
    if (seen.success)
      return seen.op == "subscribe" ? frame_content{acknowledgement{request, {}}} : other_read{};
    refusal why{
        request, {}, std::string{seen.message}, seen.message.find("already subscribed") != seen.message.npos};
    if (seen.op == "subscribe")
      if (const auto* ours = names_.ours(symbol_in(seen.message))) why.symbol = *ours;
    return why;
  }

  /// "error:handler not found,topic:kline.1.BTCUSDT" refuses all that were asked for with it.
  static std::string_view symbol_in(std::string_view message) {
    constexpr std::string_view before = "topic:kline.1.";
    const auto at = message.find(before);
    if (at == message.npos) return {};
    const auto rest = message.substr(at + before.size());
    return rest.substr(0, rest.find_first_of(", \""));
  }

  std::optional<failure> read_row(value row, const seen_fields& seen, wall_time received_at,
                                  std::vector<candle>& out) {
    candle_parts parts;
    bool confirmed_is_said = false;
    if (!frame_reader::each_field(row, [&](field_name key, value x) {
          if (key == "start")
            parts.start_ms(json::ms_of(x));
          else if (key == "open")
            parts.number(candle_parts::open, &candle::open, x);
          else if (key == "high")
            parts.number(candle_parts::high, &candle::high, x);
          else if (key == "low")
            parts.number(candle_parts::low, &candle::low, x);
          else if (key == "close")
            parts.number(candle_parts::close, &candle::close, x);
          else if (key == "volume")
            parts.number(candle_parts::volume, &candle::volume, x);
          else if (key == "confirm") {
            const auto text = json::text_of(x);
            parts.made.closed = text == "true";
            confirmed_is_said = parts.made.closed || text == "false";
          } else if (key == "timestamp") {
            if (auto ms = json::ms_of(x)) parts.made.event_at = wall_time_from_ms(*ms);
          }
        }))
      return failure{errc::field_malformed, "data[]"};
    const auto theirs = seen.topic.substr(minute_topic.size());
    const auto* ours = names_.ours(theirs);
    if (!ours) return failure{errc::symbol_unknown, std::string{theirs}};
    parts.ours(*ours);
    static constexpr std::array names{"start", "open", "high", "low", "close", "volume", "topic"};
    if (auto problem = parts.problem(names)) return problem;
    if (!confirmed_is_said) return failure{errc::field_missing, "confirm"};
    parts.made.from = exchange::bybit;
    parts.made.received_at = received_at;
    out.push_back(std::move(parts.made));
    return std::nullopt;
  }

  static constexpr json::row_columns past_columns{
      .start = 0, .open = 1, .high = 2, .low = 3, .close = 4, .volume = 5};

  market market_;
  frame_reader reader_;
};

} // namespace

std::unique_ptr<dialect> make_bybit(market where, symbol_names names) {
  return std::make_unique<bybit>(where, std::move(names));
}

} // namespace breakwater
