#include "actors/feed/dialects.hpp"
#include "actors/feed/json_frame.hpp"

#include <array>

namespace breakwater {
namespace {

using namespace std::chrono_literals;
using json::candle_parts;
using json::frame_reader;
using json::value;

/// Source: "Candlesticks channel", "Connect" and "Notification" of OKX's v5 WebSocket documentation.
class okx final : public dialect {
public:
  okx(market where, symbol_names names) : dialect(rules_of(where), std::move(names)), market_(where) {}

  frame_content read(std::string_view text, wall_time received_at, std::vector<candle>& out) override {
    if (text == "pong") return pong_read{};
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
        if (seen.channel == minute_channel) take_data(x);
      } else {
        visit(key, x, seen);
      }
    });
    if (!is_json) return json::not_json(text);
    if (!seen.event.empty()) return control(seen);
    if (seen.channel.empty()) return failure{errc::field_missing, "arg.channel"};
    if (seen.channel != minute_channel) return other_read{};
    if (!seen.has_data) return failure{errc::field_missing, "data"};
    if (!data_was_read && // the data stood before the arg
        !reader_.each_field([&](std::string_view key, value x) {
          if (key == "data") take_data(x);
        }))
      return json::not_json(text);
    if (problem) {
      out.resize(had);
      return *std::move(problem);
    }
    if (out.size() == had) return failure{errc::field_missing, "data[0]"};
    return candles_read{};
  }

  std::string subscribe_text(std::uint64_t id, std::span<const std::string_view> theirs) const override {
    std::string text = R"({"id":")" + std::to_string(id) + R"(","op":"subscribe","args":[)";
    for (auto name : theirs) {
      if (name.data() != theirs.front().data()) text += ',';
      ((text += R"({"channel":"candle1m","instId":")") += name) += "\"}";
    }
    return text += "]}";
  }

private:
  static exchange_rules rules_of(market) {
    return {
        .url = "wss://ws.okx.com:8443/ws/v5/business", // candles are refused on /public
        .messages = 3,                                 // and 480 an hour, which 800 symbols do not come near
        .per = 1s,
        .symbols_per_request = 50, // older servers take 4,096 bytes
        .symbols_per_connection = 1000,
        .ping = "ping",
        .ping_after = 20s, // closed after 30 s without a message
        .ping_when_quiet = true,
        .dead_after = 35s,
    };
  }

  static constexpr std::string_view minute_channel = "candle1m";

  struct seen_fields {
    std::string_view channel, instrument, event, code, message, id;
    bool has_data = false;
  };

  static void visit(std::string_view key, value x, seen_fields& seen) {
    if (key == "arg") {
      (void)frame_reader::each_field(x, [&](std::string_view k, value y) {
        if (k == "channel")
          seen.channel = json::text_of(y);
        else if (k == "instId")
          seen.instrument = json::text_of(y);
      });
    } else if (key == "event") {
      seen.event = json::text_of(x);
    } else if (key == "code") {
      seen.code = json::text_of(x);
    } else if (key == "msg") {
      seen.message = json::text_of(x);
    } else if (key == "id") {
      seen.id = json::text_of(x);
    }
  }

  frame_content control(const seen_fields& seen) {
    const auto request = json::integer_in<std::uint64_t>(seen.id).value_or(0);
    if (seen.event == "subscribe") {
      if (seen.channel != minute_channel) return other_read{};
      const auto* ours = names_.ours(seen.instrument);
      if (!ours) return other_read{};
      return acknowledgement{request, *ours};
    }
    if (seen.event == "error") {
      const auto* ours = names_.ours(instrument_in(seen.message));
      return refusal{request, ours ? *ours : std::string{},
                     std::string{seen.code} + " " + std::string{seen.message}};
    }
    if (seen.event == "notice" && seen.code == "64008") return closing_announced{std::string{seen.message}};
    return other_read{};
  }

  /// Errors name the instrument in their text only: "... instId:BTC-USDT doesn't exist", or a quoted request.
  static std::string_view instrument_in(std::string_view message) {
    constexpr std::string_view field = "instId";
    const auto at = message.find(field);
    if (at == message.npos || message.find(field, at + field.size()) != message.npos)
      return {}; // none, or several
    auto rest = message.substr(at + field.size());
    const auto begin = rest.find_first_not_of("\\\": ");
    if (begin == rest.npos) return {};
    rest.remove_prefix(begin);
    return rest.substr(0, rest.find_first_of("\\\" ,}"));
  }

  /// [ts, open, high, low, close, vol, volCcy, volCcyQuote, confirm]; rows of old end after volCcy, and do
  /// not tell whether they are closed. The base volume is vol on spot and volCcy on swaps, where vol counts
  /// contracts.
  std::optional<failure> read_row(value row, const seen_fields& seen, wall_time received_at,
                                  std::vector<candle>& out) {
    candle_parts parts;
    const unsigned volume_column = market_ == market::spot ? 5 : 6;
    unsigned column = 0;
    bool confirm_is_bad = false;
    if (!frame_reader::each_element(row, [&](value x) {
          switch (column) {
          case 0: parts.start_ms(json::ms_of(x)); break;
          case 1: parts.number(candle_parts::open, &candle::open, x); break;
          case 2: parts.number(candle_parts::high, &candle::high, x); break;
          case 3: parts.number(candle_parts::low, &candle::low, x); break;
          case 4: parts.number(candle_parts::close, &candle::close, x); break;
          case 8: {
            const auto text = json::text_of(x);
            parts.made.closed = text == "1";
            confirm_is_bad = text != "1" && text != "0";
            break;
          }
          default:
            if (column == volume_column) parts.number(candle_parts::volume, &candle::volume, x);
          }
          ++column;
        }))
      return failure{errc::field_malformed, "data[]"};
    if (!seen.instrument.empty()) {
      const auto* ours = names_.ours(seen.instrument);
      if (!ours) return failure{errc::symbol_unknown, std::string{seen.instrument}};
      parts.ours(*ours);
    }
    static constexpr std::array names{"data[0]", "data[1]",      "data[2]",   "data[3]",
                                      "data[4]", "data[volume]", "arg.instId"};
    if (auto problem = parts.problem(names)) return problem;
    if (confirm_is_bad) return failure{errc::field_malformed, "data[8]"};
    parts.made.from = exchange::okx;
    parts.made.event_at = received_at; // the frame carries no time of its own
    parts.made.received_at = received_at;
    out.push_back(std::move(parts.made));
    return std::nullopt;
  }

  market market_;
  frame_reader reader_;
};

} // namespace

std::unique_ptr<dialect> make_okx(market where, symbol_names names) {
  return std::make_unique<okx>(where, std::move(names));
}

} // namespace breakwater
