#include "actors/feed/dialects.hpp"
#include "actors/feed/json_frame.hpp"

#include <array>

namespace breakwater {
namespace {

using namespace std::chrono_literals;
using json::candle_parts;
using json::frame_reader;
using json::value;

/// Source: "WebSocket Streams" of Binance's Spot and USD-M Futures documentation. The kline format is the
/// same on both.
class binance final : public dialect {
public:
  binance(market where, symbol_names names) : dialect(rules_of(where), std::move(names)) {}

  frame_content read(std::string_view text, wall_time received_at, std::vector<candle>& out) override {
    if (!reader_.open(text)) return json::not_json(text);
    seen_fields seen;
    if (!reader_.each_field([&](std::string_view key, value x) { visit(key, x, seen); }))
      return json::not_json(text);
    if (seen.event.empty()) return without_event(seen);
    if (seen.event == "serverShutdown") return closing_announced{"serverShutdown"};
    if (seen.event != "kline") return other_read{};
    if (!seen.has_kline) return failure{errc::field_missing, "k"};
    if (seen.interval.empty()) return failure{errc::field_missing, "k.i"};
    if (seen.interval != "1m") return other_read{};
    return kline(seen, received_at, out);
  }

  std::string subscribe_text(std::uint64_t id, std::span<const std::string_view> theirs) const override {
    std::string text = R"({"method":"SUBSCRIBE","params":[)";
    for (auto name : theirs) {
      if (name.data() != theirs.front().data()) text += ',';
      text += '"';
      for (auto c : name) text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      text += "@kline_1m\"";
    }
    return text += R"(],"id":)" + std::to_string(id) + "}";
  }

private:
  static exchange_rules rules_of(market where) {
    const bool spot = where == market::spot;
    return {
        .url = spot ? "wss://stream.binance.com:9443/stream" : "wss://fstream.binance.com/market/stream",
        // Documented: 5 a second on spot, 10 on futures, our answers to pings among them.
        .messages = spot ? 4u : 8u,
        .per = 1s,
        .symbols_per_request = 100,
        .symbols_per_connection = 1024,
        .ping = "",
        // Pings come every 20 s on spot, every 3 min on futures.
        .dead_after = spot ? 60s : 200s,
    };
  }

  struct seen_fields {
    std::string_view event, symbol, interval, message;
    bool has_kline = false, has_result = false, has_error = false, has_stream = false, has_update_id = false;
    bool result_is_null = false, closed = false, closed_is_said = false;
    std::uint64_t id = 0;
    std::optional<std::int64_t> event_ms;
    candle_parts parts;
  };

  static void visit(std::string_view key, value x, seen_fields& seen) {
    if (key.size() == 1) {
      // Keys that differ only by case are different fields.
      switch (key[0]) {
      case 'e': seen.event = json::text_of(x); break;
      case 'E': seen.event_ms = json::ms_of(x); break;
      case 's': seen.symbol = json::text_of(x); break;
      case 'u': seen.has_update_id = true; break;
      case 'k':
        seen.has_kline = true;
        if (!frame_reader::each_field(x, [&](std::string_view k, value y) { visit_kline(k, y, seen); }))
          seen.has_kline = false;
        break;
      default: break;
      }
    } else if (key == "data") {
      if (!frame_reader::each_field(x, [&](std::string_view k, value y) { visit(k, y, seen); }))
        seen.has_stream = true; // an array: streams of all symbols at once
    } else if (key == "stream") {
      seen.has_stream = true;
    } else if (key == "lastUpdateId") {
      seen.has_update_id = true;
    } else if (key == "result") {
      seen.has_result = true;
      seen.result_is_null = json::text_of(x) == "null";
    } else if (key == "id") {
      seen.id = json::integer_in<std::uint64_t>(json::text_of(x)).value_or(0);
    } else if (key == "error") {
      seen.has_error = true;
      (void)frame_reader::each_field(x, [&](std::string_view k, value y) { visit(k, y, seen); });
    } else if (key == "code") {
      seen.has_error = true;
    } else if (key == "msg") {
      seen.message = json::text_of(x);
    }
  }

  static void visit_kline(std::string_view key, value x, seen_fields& seen) {
    if (key.size() != 1) return;
    auto& parts = seen.parts;
    switch (key[0]) {
    case 't': parts.start_ms(json::ms_of(x)); break;
    case 'i': seen.interval = json::text_of(x); break;
    case 'o': parts.number(candle_parts::open, &candle::open, x); break;
    case 'h': parts.number(candle_parts::high, &candle::high, x); break;
    case 'l': parts.number(candle_parts::low, &candle::low, x); break;
    case 'c': parts.number(candle_parts::close, &candle::close, x); break;
    case 'v': parts.number(candle_parts::volume, &candle::volume, x); break;
    case 'x': {
      const auto text = json::text_of(x);
      seen.closed = text == "true";
      seen.closed_is_said = seen.closed || text == "false";
      break;
    }
    default: break;
    }
  }

  static frame_content without_event(const seen_fields& seen) {
    if (seen.has_error) return refusal{seen.id, {}, std::string{seen.message}};
    if (seen.has_result && seen.result_is_null) return acknowledgement{seen.id, {}};
    if (seen.has_result || seen.has_stream || seen.has_update_id) return other_read{};
    return failure{errc::field_missing, "e"};
  }

  frame_content kline(seen_fields& seen, wall_time received_at, std::vector<candle>& out) {
    if (!seen.symbol.empty()) {
      const auto* ours = names_.ours(seen.symbol);
      if (!ours) return failure{errc::symbol_unknown, std::string{seen.symbol}};
      seen.parts.ours(*ours);
    }
    static constexpr std::array names{"k.t", "k.o", "k.h", "k.l", "k.c", "k.v", "s"};
    if (auto problem = seen.parts.problem(names)) return *std::move(problem);
    if (!seen.closed_is_said) return failure{errc::field_missing, "k.x"};
    auto& made = seen.parts.made;
    made.from = exchange::binance;
    made.closed = seen.closed;
    made.event_at = seen.event_ms ? wall_time_from_ms(*seen.event_ms) : received_at;
    made.received_at = received_at;
    out.push_back(std::move(made));
    return candles_read{};
  }

  frame_reader reader_;
};

} // namespace

std::unique_ptr<dialect> make_binance(market where, symbol_names names) {
  return std::make_unique<binance>(where, std::move(names));
}

} // namespace breakwater
