#include "actors/feed/dialects.hpp"
#include "actors/feed/json_frame.hpp"

#include <array>

namespace breakwater {
namespace {

using namespace std::chrono_literals;
using json::candle_parts;
using json::frame_reader;
using json::value;

/// Source: "OHLC", "Ping" and "Status" of Kraken's WebSocket v2 documentation. Nothing in its frames says
/// that a minute is over; a snapshot after subscribing brings past ones.
class kraken final : public dialect {
public:
  kraken(market where, symbol_names names) : dialect(rules_of(where), std::move(names)) {}

  frame_content read(std::string_view text, wall_time received_at, std::vector<candle>& out) override {
    if (!reader_.open(text)) return json::not_json(text);
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
    const bool is_json = reader_.each_field([&](std::string_view key, value x) {
      if (key == "data") {
        seen.has_data = true;
        if (seen.channel == candle_channel) take_data(x);
      } else {
        visit(key, x, seen);
      }
    });
    if (!is_json) return json::not_json(text);
    if (!seen.method.empty()) return answer(seen);
    if (seen.channel.empty()) {
      if (!seen.error.empty()) return refusal{0, {}, std::string{seen.error}};
      return failure{errc::field_missing, "channel"};
    }
    if (seen.channel == "heartbeat") return pong_read{};
    if (seen.channel != candle_channel) return other_read{};
    if (!seen.has_data) return failure{errc::field_missing, "data"};
    if (!data_was_read && // the data stood before the channel
        !reader_.each_field([&](std::string_view key, value x) {
          if (key == "data") take_data(x);
        }))
      return json::not_json(text);
    if (seen.problem) {
      out.resize(had);
      return *std::move(seen.problem);
    }
    if (out.size() == had) {
      if (seen.has_other_interval) return other_read{};
      return failure{errc::field_missing, "data[0]"};
    }
    const auto event_at = parse_rfc3339(seen.timestamp).value_or(received_at);
    for (auto i = had; i < out.size(); ++i) out[i].event_at = event_at;
    return candles_read{};
  }

  std::string subscribe_text(std::uint64_t id, std::span<const std::string_view> theirs) const override {
    std::string text = R"({"method":"subscribe","params":{"channel":"ohlc","symbol":[)";
    for (auto name : theirs) {
      if (name.data() != theirs.front().data()) text += ',';
      ((text += '"') += name) += '"';
    }
    return text += R"(],"interval":1,"snapshot":true},"req_id":)" + std::to_string(id) + "}";
  }

private:
  static exchange_rules rules_of(market where) {
    return {
        .url = where == market::spot ? "wss://ws.kraken.com/v2" : "", // its futures speak another protocol
        .messages = 5,
        .per = 1s,
        .symbols_per_request = 50,
        .symbols_per_connection = 1000,
        .ping = R"({"method":"ping"})",
        .ping_after = 10s, // heartbeats come each second
        .ping_when_quiet = true,
        .dead_after = 30s,
        .marks_closed = false,
    };
  }

  static constexpr std::string_view candle_channel = "ohlc";

  struct seen_fields {
    std::string_view channel, timestamp, method, error, symbol, acknowledged_channel, acknowledged_symbol;
    bool has_data = false, has_other_interval = false, success = false;
    std::uint64_t request = 0;
    std::optional<failure> problem;
  };

  static void visit(std::string_view key, value x, seen_fields& seen) {
    if (key == "channel")
      seen.channel = json::text_of(x);
    else if (key == "timestamp")
      seen.timestamp = json::text_of(x);
    else if (key == "method")
      seen.method = json::text_of(x);
    else if (key == "success")
      seen.success = json::text_of(x) == "true";
    else if (key == "error")
      seen.error = json::text_of(x);
    else if (key == "symbol")
      seen.symbol = json::text_of(x);
    else if (key == "req_id")
      seen.request = json::integer_in<std::uint64_t>(json::text_of(x)).value_or(0);
    else if (key == "result")
      (void)frame_reader::each_field(x, [&](std::string_view k, value y) {
        if (k == "symbol")
          seen.acknowledged_symbol = json::text_of(y);
        else if (k == "channel")
          seen.acknowledged_channel = json::text_of(y);
      });
  }

  frame_content answer(const seen_fields& seen) {
    if (seen.method == "pong") return pong_read{};
    if (seen.method != "subscribe") return other_read{};
    const auto theirs = seen.acknowledged_symbol.empty() ? seen.symbol : seen.acknowledged_symbol;
    const auto* ours = names_.ours(theirs);
    if (!seen.success) {
      const auto already = seen.error.find("lready subscribed") != seen.error.npos;
      return refusal{seen.request, ours ? *ours : std::string{}, std::string{seen.error}, already};
    }
    if (seen.acknowledged_channel != candle_channel || !ours) return other_read{};
    return acknowledgement{seen.request, *ours};
  }

  void read_row(value row, seen_fields& seen, wall_time received_at, std::vector<candle>& out) {
    candle_parts parts;
    std::string_view theirs, interval;
    if (!frame_reader::each_field(row, [&](std::string_view key, value x) {
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
      seen.has_other_interval = true;
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

  frame_reader reader_;
};

} // namespace

std::unique_ptr<dialect> make_kraken(market where, symbol_names names) {
  return std::make_unique<kraken>(where, std::move(names));
}

} // namespace breakwater
