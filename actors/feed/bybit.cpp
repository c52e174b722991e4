#include "actors/feed/dialects.hpp"
#include "actors/feed/json_frame.hpp"

#include <array>

namespace breakwater {
namespace {

using namespace std::chrono_literals;
using json::candle_parts;
using json::frame_reader;
using json::value;

/// Source: "Connect" and "Kline" of Bybit's v5 WebSocket documentation.
class bybit final : public dialect {
public:
  bybit(market where, symbol_names names) : dialect(rules_of(where), std::move(names)) {}

  frame_content read(std::string_view text, wall_time received_at, std::vector<candle>& out) override {
    if (!reader_.open(text)) return json::not_json(text);
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
    const bool is_json = reader_.each_field([&](std::string_view key, value x) {
      if (key == "data") {
        seen.has_data = true;
        if (is_minute_candle(seen.topic)) take_data(x);
      } else {
        visit(key, x, seen);
      }
    });
    if (!is_json) return json::not_json(text);
    if (seen.topic.empty()) return without_topic(seen);
    if (!is_minute_candle(seen.topic)) return other_read{};
    if (!seen.has_data) return failure{errc::field_missing, "data"};
    if (!data_was_read && // the data stood before the topic
        !reader_.each_field([&](std::string_view key, value x) {
          if (key == "data") take_data(x);
        }))
      return json::not_json(text);
    if (problem) {
      out.resize(had);
      return *std::move(problem);
    }
    if (out.size() == had) return failure{errc::field_missing, "data[0]"};
    for (auto i = had; i < out.size(); ++i)
      if (out[i].event_at == wall_time{})
        out[i].event_at = seen.ts ? wall_time_from_ms(*seen.ts) : received_at;
    return candles_read{};
  }

  std::string subscribe_text(std::uint64_t id, std::span<const std::string_view> theirs) const override {
    std::string text = R"({"req_id":")" + std::to_string(id) + R"(","op":"subscribe","args":[)";
    for (auto name : theirs) {
      if (name.data() != theirs.front().data()) text += ',';
      ((text += "\"kline.1.") += name) += '"';
    }
    return text += "]}";
  }

private:
  static exchange_rules rules_of(market where) {
    return {
        .url = where == market::spot ? "wss://stream.bybit.com/v5/public/spot"
                                     : "wss://stream.bybit.com/v5/public/linear",
        .messages = 10, // no number is documented
        .per = 1s,
        .symbols_per_request = 10,
        // 21,000 characters of args in all; an arg with its quotes and comma has about 25 at most.
        .symbols_per_connection = 800,
        .ping = R"({"op":"ping"})",
        .ping_after = 20s,
        .dead_after = 45s,
    };
  }

  static constexpr std::string_view minute_topic = "kline.1.";
  static bool is_minute_candle(std::string_view topic) { return topic.starts_with(minute_topic); }

  struct seen_fields {
    std::string_view topic, op, message, request;
    bool has_data = false, has_success = false, success = false;
    std::optional<std::int64_t> ts;
  };

  static void visit(std::string_view key, value x, seen_fields& seen) {
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

  static frame_content without_topic(const seen_fields& seen) {
    if (seen.op == "pong" || seen.message == "pong") return pong_read{};
    if (!seen.has_success) return failure{errc::field_missing, "topic"};
    const auto request = json::integer_in<std::uint64_t>(seen.request).value_or(0);
    if (!seen.success)
      return refusal{request,
                     {},
                     std::string{seen.message},
                     seen.message.find("already subscribed") != seen.message.npos};
    if (seen.op == "subscribe") return acknowledgement{request, {}};
    return other_read{};
  }

  std::optional<failure> read_row(value row, const seen_fields& seen, wall_time received_at,
                                  std::vector<candle>& out) {
    candle_parts parts;
    bool confirmed_is_said = false;
    if (!frame_reader::each_field(row, [&](std::string_view key, value x) {
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

  frame_reader reader_;
};

} // namespace

std::unique_ptr<dialect> make_bybit(market where, symbol_names names) {
  return std::make_unique<bybit>(where, std::move(names));
}

} // namespace breakwater
