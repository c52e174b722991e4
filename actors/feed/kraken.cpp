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

/// Source: "OHLC", "Ping" and "Status" of Kraken's WebSocket v2 documentation. Nothing in its frames says
/// that a minute is over; a snapshot after subscribing brings past ones.
class kraken final : public dialect {
public:
  kraken(market where, symbol_names names) : dialect(rules_of(where), std::move(names)) {}

  std::string subscribe_text(std::uint64_t id, std::span<const std::string_view> theirs) const override {
    return request("subscribe", R"(,"interval":1,"snapshot":true)", id, theirs);
  }
  std::string unsubscribe_text(std::uint64_t id, std::span<const std::string_view> theirs) const override {
    return request("unsubscribe", R"(,"interval":1)", id, theirs);
  }

  /// `since` excludes; everything up to now comes. REST calls the pairs otherwise: XBTUSD for BTC/USD.
  std::string history_target(std::string_view theirs, std::int64_t from_s, std::int64_t) const override {
    const auto slash = std::min(theirs.find('/'), theirs.size());
    const auto asset = [](std::string_view name) {
      return std::string{name == "BTC" ? "XBT" : name == "DOGE" ? "XDG" : name};
    };
    return "/0/public/OHLC?pair=" + asset(theirs.substr(0, slash)) +
           (slash < theirs.size() ? asset(theirs.substr(slash + 1)) : std::string{}) +
           "&interval=1&since=" + std::to_string(from_s - 1);
  }

protected:
  frame_content read_frame(std::string_view text, wall_time received_at, std::vector<candle>& out) override {
    if (!reader_.open(text)) return json::unknown(text);
    if (reader_.is_array()) return list(text);
    seen_fields seen;
    const auto had = out.size();
    bool data_was_read = false;
    const auto take_data = [&](value x) {
      data_was_read = true;
      if (!frame_reader::each_element(x, [&](value row) {
            if (!seen.problem) read_row(row, seen, received_at, out);
          }))
        seen.problem = failure{errc::field_malformed, "data"};
    };
    const bool is_json = reader_.each_field([&](field_name key, value x) {
      if (key == "data") {
        seen.has_data = true;
        if (seen.channel == candle_channel) take_data(x);
      } else {
        visit(key, x, seen);
      }
    });
    if (!is_json) return json::unknown(text);
    if (!seen.method.empty()) return answer(seen, text);
    if (seen.channel.empty()) return without_channel(seen, text);
    if (seen.channel == "heartbeat") return pong_read{};
    if (seen.channel != candle_channel) return other(other_channels, seen.channel, text);
    if (!seen.has_data) return failure{errc::field_missing, "data"};
    if (!data_was_read && // the data stood before the channel
        !reader_.each_field([&](field_name key, value x) {
          if (key == "data") take_data(x);
        }))
      return json::unknown(text);
    if (seen.problem) return *std::move(seen.problem);
    if (out.size() == had) {
      if (!seen.other_interval.empty()) return other_candles(seen.other_interval);
      return failure{errc::field_missing, "data[0]"};
    }
    const auto event_at = parse_rfc3339(seen.timestamp).value_or(received_at);
    for (auto i = had; i < out.size(); ++i) out[i].event_at = event_at;
    return candles_read{};
  }

  /// {"error":[],"result":{"XXBTZUSD":[...],"last":1}}; `last` is the last finished minute, and one row, the
  /// running minute's, stands behind it.
  result<done> read_rows(std::string_view body, const std::string& ours, wall_time received_at,
                         std::vector<candle>& out) override {
    if (!reader_.open(body) || reader_.is_array()) return json::unknown(body);
    const auto had = out.size();
    std::string message;
    bool has_rows = false;
    std::optional<std::int64_t> last_s;
    auto read = json::read_past_rows(body, out, [&](auto&& take) {
      return reader_.each_field([&](field_name key, value x) {
        if (key == "error")
          (void)frame_reader::each_element(x, [&](value why) {
            if (message.empty()) message = json::text_of(why);
          });
        else if (key == "result")
          (void)frame_reader::each_field(x, [&](field_name k, value y) {
            if (k == "last")
              last_s = json::integer_in<std::int64_t>(json::text_of(y));
            else if (!has_rows)
              has_rows = frame_reader::each_element(y, [&](value row) {
                take(json::read_past_row(row, past_columns, exchange::kraken, ours, received_at, out));
              });
          });
      });
    });
    if (read && !has_rows) return json::refused_history(message, body);
    // Its word on what is finished does not hang on our clock.
    while (read && last_s && out.size() > had && out.back().start_s > *last_s) out.pop_back();
    return read;
  }

private:
  static std::string request(const char* method, const char* more, std::uint64_t id,
                             std::span<const std::string_view> theirs) {
    std::string text = std::string{R"({"method":")"} + method + R"(","params":{"channel":"ohlc","symbol":[)";
    for (auto name : theirs) {
      if (name.data() != theirs.front().data()) text += ',';
      ((text += '"') += name) += '"';
    }
    return ((text += ']') += more) += R"(},"req_id":)" + std::to_string(id) + "}";
  }

  static exchange_rules rules_of(market where) {
    return {
        .url = where == market::spot ? "wss://ws.kraken.com/v2" : "", // its futures speak another protocol
        .messages = {5, 1s},
        .connects = {100, 10min}, // documented: about 150
        .symbols_per_request = 50,
        .symbols_per_connection = 1000,
        .ping = R"({"method":"ping"})",
        .ping_after = 10s, // heartbeats come each second
        .ping_when_quiet = true,
        .dead_after = 30s,
        .marks_closed = false,
        .sends_every_minute = false,
        .rest_url = "https://api.kraken.com",
        .history_requests = {1, 1100ms}, // documented: about one a second
        .minutes_per_history_request = 700,
    };
  }

  static constexpr std::string_view candle_channel = "ohlc";
  static constexpr std::array<std::string_view, 8> other_channels{
      "trade", "ticker", "book", "level3", "instrument", "status", "executions", "balances"};
  // Version 1 and the futures speak otherwise; nobody asks them for anything here.
  static constexpr std::array<std::string_view, 17> other_channels_of_v1{
      "trade",  "ticker",  "spread",  "book-10", "book-25",  "book-100",  "book-500",   "book-1000", "ohlc-1",
      "ohlc-5", "ohlc-15", "ohlc-30", "ohlc-60", "ohlc-240", "ohlc-1440", "ohlc-10080", "ohlc-21600"};
  static constexpr std::array<std::string_view, 6> other_feeds{
      "trade", "trade_snapshot", "ticker", "ticker_lite", "book", "book_snapshot"};

  template <std::size_t N>
  static frame_content other(const std::array<std::string_view, N>& known, std::string_view name,
                             std::string_view text) {
    const auto channel = json::one_of(known, name);
    return channel.empty() ? frame_content{json::unknown(text)} : other_read{channel};
  }

  static frame_content other_candles(std::string_view interval) {
    constexpr std::string_view before = "ohlc-";
    for (const auto& name : other_channels_of_v1)
      if (name.starts_with(before) && name.substr(before.size()) == interval) return other_read{name};
    return other_read{"ohlc"};
  }

  struct seen_fields {
    std::string_view channel, timestamp, method, error, symbol, acknowledged_channel, acknowledged_symbol;
    std::string_view event, feed, status; ///< Of version 1 and the futures.
    std::string_view other_interval;      ///< Of candles that are no minutes.
    bool has_data = false, success = false;
    std::uint64_t request = 0;
    std::optional<failure> problem;
  };

  static void visit(field_name key, value x, seen_fields& seen) {
    if (key == "channel")
      seen.channel = json::text_of(x);
    else if (key == "timestamp")
      seen.timestamp = json::text_of(x);
    else if (key == "method")
      seen.method = json::text_of(x);
    else if (key == "success")
      seen.success = json::text_of(x) == "true";
    else if (key == "error" || key == "errorMessage" || key == "message")
      seen.error = json::text_of(x);
    else if (key == "symbol" || key == "pair")
      seen.symbol = json::text_of(x);
    else if (key == "event")
      seen.event = json::text_of(x);
    else if (key == "feed")
      seen.feed = json::text_of(x);
    else if (key == "status")
      seen.status = json::text_of(x);
    else if (key == "req_id" || key == "reqid")
      seen.request = json::integer_in<std::uint64_t>(json::text_of(x)).value_or(0);
    else if (key == "result")
      (void)frame_reader::each_field(x, [&](field_name k, value y) {
        if (k == "symbol")
          seen.acknowledged_symbol = json::text_of(y);
        else if (k == "channel")
          seen.acknowledged_channel = json::text_of(y);
      });
  }

  frame_content answer(const seen_fields& seen, std::string_view text) {
    if (seen.method == "pong") return pong_read{};
    if (seen.method == "unsubscribe") return other_read{};
    if (seen.method != "subscribe")
      return seen.error.empty() ? frame_content{json::unknown(text)} : refused(seen);
    if (!seen.success) return refused(seen);
    const auto* ours = names_.ours(seen.acknowledged_symbol);
    if (seen.acknowledged_channel != candle_channel || !ours) return other_read{};
    return acknowledgement{seen.request, *ours};
  }

  frame_content refused(const seen_fields& seen) {
    const auto* ours = names_.ours(seen.acknowledged_symbol.empty() ? seen.symbol : seen.acknowledged_symbol);
    return refusal{seen.request, ours ? *ours : std::string{}, std::string{seen.error},
                   seen.error.find("lready subscribed") != seen.error.npos};
  }

  frame_content without_channel(const seen_fields& seen, std::string_view text) {
    if (seen.event.empty()) {
      if (seen.feed == "heartbeat") return pong_read{};
      if (!seen.feed.empty()) return other(other_feeds, seen.feed, text);
      return seen.error.empty() ? frame_content{json::unknown(text)} : refused(seen);
    }
    if (seen.event == "heartbeat" || seen.event == "pong") return pong_read{};
    if (seen.event == "error" || seen.event == "alert" || seen.status == "error") return refused(seen);
    if (seen.event == "systemStatus" || seen.event == "info") return other_read{"status"};
    if (seen.event == "subscriptionStatus" || seen.event == "subscribed" || seen.event == "unsubscribed")
      return other_read{};
    return json::unknown(text);
  }

  /// Version 1 sends [number, payload ..., channel, pair].
  frame_content list(std::string_view text) {
    std::string_view before_last, last;
    if (!reader_.each_element([&](value x) {
          before_last = std::exchange(last, json::is_string(x) ? json::text_of(x) : std::string_view{});
        }))
      return json::unknown(text);
    return other(other_channels_of_v1, before_last, text);
  }

  void read_row(value row, seen_fields& seen, wall_time received_at, std::vector<candle>& out) {
    candle_parts parts;
    std::string_view theirs, interval;
    if (!frame_reader::each_field(row, [&](field_name key, value x) {
          if (key == "symbol")
            theirs = json::text_of(x);
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
          else if (key == "interval_begin") {
            const auto begin = parse_rfc3339(json::text_of(x));
            parts.start_ms(begin ? std::optional{epoch_ms(*begin)} : std::nullopt);
          } else if (key == "interval")
            interval = json::text_of(x);
        })) {
      seen.problem = failure{errc::field_malformed, "data[]"};
      return;
    }
    if (interval.empty()) {
      seen.problem = failure{errc::field_missing, "interval"};
      return;
    }
    if (interval != "1") {
      seen.other_interval = interval;
      return;
    }
    if (!theirs.empty()) {
      const auto* ours = names_.ours(theirs);
      if (!ours) {
        seen.problem = failure{errc::symbol_unknown, std::string{theirs}};
        return;
      }
      parts.ours(*ours);
    }
    static constexpr std::array names{"interval_begin", "open", "high", "low", "close", "volume", "symbol"};
    seen.problem = parts.problem(names);
    if (seen.problem) return;
    parts.made.from = exchange::kraken;
    parts.made.received_at = received_at;
    out.push_back(std::move(parts.made));
  }

  static constexpr json::row_columns past_columns{
      .start = 0, .open = 1, .high = 2, .low = 3, .close = 4, .volume = 6, .ms_of_start = 1000};

  frame_reader reader_;
};

} // namespace

std::unique_ptr<dialect> make_kraken(market where, symbol_names names) {
  return std::make_unique<kraken>(where, std::move(names));
}

} // namespace breakwater
