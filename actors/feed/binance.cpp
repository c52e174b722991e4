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

/// Source: "WebSocket Streams" of Binance's Spot and USD-M Futures documentation. The kline format is the
/// same on both.
class binance final : public dialect {
public:
  binance(market where, symbol_names names) : dialect(rules_of(where), std::move(names)), market_(where) {}

  std::string subscribe_text(std::uint64_t id, std::span<const std::string_view> theirs) const override {
    return request("SUBSCRIBE", id, theirs);
  }
  std::string unsubscribe_text(std::uint64_t id, std::span<const std::string_view> theirs) const override {
    return request("UNSUBSCRIBE", id, theirs);
  }

  std::string history_target(std::string_view theirs, std::int64_t from_s, std::int64_t to_s) const override {
    return std::string{market_ == market::spot ? "/api/v3" : "/fapi/v1"} +
           "/klines?symbol=" + std::string{theirs} +
           "&interval=1m&startTime=" + std::to_string(from_s * 1000) +
           "&endTime=" + std::to_string(to_s * 1000) + "&limit=" + std::to_string((to_s - from_s) / 60 + 1);
  }

protected:
  frame_content read_frame(std::string_view text, wall_time received_at, std::vector<candle>& out) override {
    if (!reader_.open(text)) return json::unknown(text);
    seen_fields seen;
    // Streams of all symbols at once bring lists.
    const bool is_json = reader_.is_array()
                             ? reader_.each_element([&](value x) { visit_list_element(x, seen); })
                             : reader_.each_field([&](field_name key, value x) { visit(key, x, seen); });
    if (!is_json) return json::unknown(text);
    if (seen.event == "kline") return kline(seen, received_at, out);
    if (seen.event == "serverShutdown") return closing_announced{"serverShutdown"};
    if (seen.event.empty()) return without_event(seen, text);
    if (const auto channel = json::one_of(other_channels, seen.event); !channel.empty())
      return other_read{channel};
    return json::unknown(text);
  }

  result<done> read_rows(std::string_view body, const std::string& ours, wall_time received_at,
                         std::vector<candle>& out) override {
    if (!reader_.open(body)) return json::unknown(body);
    if (!reader_.is_array()) {
      std::string_view message;
      (void)reader_.each_field([&](field_name key, value x) {
        if (key == "msg") message = json::text_of(x);
      });
      return json::refused_history(message, body);
    }
    return json::read_past_rows(body, out, [&](auto&& take) {
      return reader_.each_element([&](value row) {
        take(json::read_past_row(row, past_columns, exchange::binance, ours, received_at, out));
      });
    });
  }

private:
  static std::string request(const char* method, std::uint64_t id, std::span<const std::string_view> theirs) {
    std::string text = std::string{R"({"method":")"} + method + R"(","params":[)";
    for (auto name : theirs) {
      if (name.data() != theirs.front().data()) text += ',';
      text += '"';
      for (auto c : name) text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      text += "@kline_1m\"";
    }
    return text += R"(],"id":)" + std::to_string(id) + "}";
  }

  static exchange_rules rules_of(market where) {
    const bool spot = where == market::spot;
    return {
        .url = spot ? "wss://stream.binance.com:9443/stream" : "wss://fstream.binance.com/market/stream",
        // Documented: 5 a second on spot, 10 on futures, our answers to pings among them.
        .messages = {spot ? 4u : 8u, 1s},
        .connects = {200, 5min}, // documented: 300
        .symbols_per_request = 100,
        .symbols_per_connection = 1000, // documented: 1,024 streams
        // Pings come every 20 s on spot, every 3 min on futures.
        .dead_after = spot ? 60s : 200s,
        .replace_after = 23h + 30min, // documented: a connection ends after 24 h
        .rest_url = spot ? "https://api.binance.com" : "https://fapi.binance.com",
        // Documented: weights of 6,000 and 2,400 a minute; one of so many minutes weighs 2.
        .history_requests = {spot ? 10u : 5u, 1s},
        .minutes_per_history_request = 499,
    };
  }

  static constexpr std::array<std::string_view, 24> other_channels{
      "aggTrade",        "trade",           "depthUpdate",        "bookTicker",     "24hrTicker",
      "24hrMiniTicker",  "1hTicker",        "4hTicker",           "1dTicker",       "avgPrice",
      "referencePrice",  "markPriceUpdate", "indexPriceUpdate",   "forceOrder",     "continuous_kline",
      "contractInfo",    "compositeIndex",  "assetIndexUpdate",   "tradingSession", "indexPrice_kline",
      "markPrice_kline", "blockTrade",      "premiumIndex_kline", "openInterest"};
  static constexpr std::string_view candles_of = "kline_";
  static constexpr std::array<std::string_view, 15> other_intervals{
      "kline_1s", "kline_3m", "kline_5m",  "kline_15m", "kline_30m", "kline_1h", "kline_2h", "kline_4h",
      "kline_6h", "kline_8h", "kline_12h", "kline_1d",  "kline_3d",  "kline_1w", "kline_1M"};

  struct seen_fields {
    std::string_view event, symbol, interval, message;
    bool has_kline = false, has_result = false, has_error = false, is_list = false;
    bool has_update_id = false, has_best_bid = false, has_last_update_id = false, has_bids = false;
    bool result_is_null = false, closed = false, closed_is_said = false;
    std::uint64_t id = 0;
    std::optional<std::int64_t> event_ms;
    candle_parts parts;
  };

  static void visit(field_name key, value x, seen_fields& seen) {
    if (key.size() == 1) {
      // Keys that differ only by case are different fields.
      switch (key[0]) {
      case 'e': seen.event = json::text_of(x); break;
      case 'E': seen.event_ms = json::ms_of(x); break;
      case 's': seen.symbol = json::text_of(x); break;
      case 'u': seen.has_update_id = true; break;
      case 'b': seen.has_best_bid = true; break;
      case 'k':
        seen.has_kline = true;
        if (!frame_reader::each_field(x, [&](field_name k, value y) { visit_kline(k, y, seen); }))
          seen.has_kline = false;
        break;
      default: break;
      }
    } else if (key == "data") {
      if (!frame_reader::each_field(x, [&](field_name k, value y) { visit(k, y, seen); }))
        (void)frame_reader::each_element(x, [&](value y) { visit_list_element(y, seen); });
    } else if (key == "lastUpdateId") {
      seen.has_last_update_id = true;
    } else if (key == "bids") {
      seen.has_bids = true;
    } else if (key == "result") {
      seen.has_result = true;
      seen.result_is_null = json::text_of(x) == "null";
    } else if (key == "id") {
      seen.id = json::integer_in<std::uint64_t>(json::text_of(x)).value_or(0);
    } else if (key == "error") {
      seen.has_error = true;
      if (!frame_reader::each_field(x, [&](field_name k, value y) { visit(k, y, seen); }))
        seen.message = json::text_of(x);
    } else if (key == "code") {
      seen.has_error = true;
    } else if (key == "msg") {
      seen.message = json::text_of(x);
    }
  }

  /// A list is all of one kind, so its first element says which.
  static void visit_list_element(value x, seen_fields& seen) {
    if (std::exchange(seen.is_list, true)) return;
    (void)frame_reader::each_field(x, [&](field_name key, value y) {
      if (key == "e") seen.event = json::text_of(y);
    });
  }

  static void visit_kline(field_name key, value x, seen_fields& seen) {
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

  static frame_content without_event(const seen_fields& seen, std::string_view text) {
    if (seen.has_error) return refusal{seen.id, {}, std::string{seen.message}};
    if (seen.has_result && seen.result_is_null) return acknowledgement{seen.id, {}};
    if (seen.has_result) return other_read{};
    if (seen.has_update_id && seen.has_best_bid) return other_read{"bookTicker"}; // of spot
    if (seen.has_last_update_id && seen.has_bids) return other_read{"depth"};     // some levels of spot
    return json::unknown(text);
  }

  frame_content kline(seen_fields& seen, wall_time received_at, std::vector<candle>& out) {
    if (!seen.has_kline) return failure{errc::field_missing, "k"};
    if (seen.interval.empty()) return failure{errc::field_missing, "k.i"};
    if (seen.interval != "1m") {
      for (const auto& name : other_intervals)
        if (name.substr(candles_of.size()) == seen.interval) return other_read{name};
      return other_read{"kline"};
    }
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

  static constexpr json::row_columns past_columns{
      .start = 0, .open = 1, .high = 2, .low = 3, .close = 4, .volume = 5};

  market market_;
  frame_reader reader_;
};

} // namespace

std::unique_ptr<dialect> make_binance(market where, symbol_names names) {
  return std::make_unique<binance>(where, std::move(names));
}

} // namespace breakwater
