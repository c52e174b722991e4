#include "actors/feed/dialects.hpp"
#include "actors/feed/json_frame.hpp"

#include <array>

namespace breakwater {
namespace {

using namespace std::chrono_literals;
using json::candle_parts;
using json::field_name;
using json::frame_reader;
using json::value;

/// Source: "Candlesticks channel", "Connect" and "Notification" of OKX's v5 WebSocket documentation.
class okx final : public dialect {
public:
  okx(market where, symbol_names names) : dialect(rules_of(where), std::move(names)), market_(where) {}

  std::string subscribe_text(std::uint64_t id, std::span<const std::string_view> theirs) const override {
    return request("subscribe", id, theirs);
  }
  std::string unsubscribe_text(std::uint64_t id, std::span<const std::string_view> theirs) const override {
    return request("unsubscribe", id, theirs);
  }

  /// `after` means older than, `before` newer than; both exclude.
  std::string history_target(std::string_view theirs, std::int64_t from_s, std::int64_t to_s) const override {
    return "/api/v5/market/candles?instId=" + std::string{theirs} +
           "&bar=1m&after=" + std::to_string(to_s * 1000 + 1) +
           "&before=" + std::to_string(from_s * 1000 - 1) +
           "&limit=" + std::to_string((to_s - from_s) / 60 + 1);
  }

protected:
  frame_content read_frame(std::string_view text, wall_time received_at, std::vector<candle>& out) override {
    if (text == "pong") return pong_read{};
    if (!reader_.open(text)) return json::unknown(text);
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
        if (seen.channel == minute_channel) take_data(x);
      } else {
        visit(key, x, seen);
      }
    });
    if (!is_json) return json::unknown(text);
    if (!seen.event.empty()) return control(seen, text);
    if (seen.channel != minute_channel) return other_channel(seen.channel, text);
    if (!seen.has_data) return failure{errc::field_missing, "data"};
    if (!data_was_read && // the data stood before the arg
        !reader_.each_field([&](field_name key, value x) {
          if (key == "data") take_data(x);
        }))
      return json::unknown(text);
    if (problem) return *std::move(problem);
    if (out.size() == had) return failure{errc::field_missing, "data[0]"};
    return candles_read{};
  }

  /// {"code":"0","msg":"","data":[...]}; the newest row comes first.
  result<done> read_rows(std::string_view body, const std::string& ours, wall_time received_at,
                         std::vector<candle>& out) override {
    if (!reader_.open(body) || reader_.is_array()) return json::unknown(body);
    const json::row_columns columns{
        .start = 0, .open = 1, .high = 2, .low = 3, .close = 4, .volume = volume_column(), .finished = 8};
    std::string_view code;
    std::string message;
    bool has_data = false;
    auto read = json::read_past_rows(body, out, [&](auto&& take) {
      return reader_.each_field([&](field_name key, value x) {
        if (key == "code")
          code = json::text_of(x);
        else if (key == "msg")
          message = json::text_of(x);
        else if (key == "data")
          has_data = frame_reader::each_element(x, [&](value row) {
            take(json::read_past_row(row, columns, exchange::okx, ours, received_at, out));
          });
      });
    });
    if (read && (code != "0" || !has_data)) return json::refused_history(message, body);
    return read;
  }

private:
  /// The base volume is vol on spot, and volCcy on swaps, where vol counts contracts.
  [[nodiscard]] unsigned volume_column() const noexcept { return market_ == market::spot ? 5 : 6; }

  static std::string request(const char* what, std::uint64_t id, std::span<const std::string_view> theirs) {
    std::string text = R"({"id":")" + std::to_string(id) + R"(","op":")" + what + R"(","args":[)";
    for (auto name : theirs) {
      if (name.data() != theirs.front().data()) text += ',';
      ((text += R"({"channel":"candle1m","instId":")") += name) += "\"}";
    }
    return text += "]}";
  }

  static exchange_rules rules_of(market) {
    return {
        .url = "wss://ws.okx.com:8443/ws/v5/business", // candles are refused on /public
        .messages = {3, 1s},
        .requests_of_one = {400, 1h}, // documented: 480
        .connects = {2, 1s},          // documented: 3
        .symbols_per_request = 50,    // older servers take 4,096 bytes
        .symbols_per_connection = 1000,
        .ping = "ping",
        .ping_after = 20s, // closed after 30 s without a message
        .ping_when_quiet = true,
        .dead_after = 35s,
        .rest_url = "https://www.okx.com",
        .history_requests = {15, 2s}, // documented: 40
        .minutes_per_history_request = 290,
    };
  }

  static constexpr std::string_view minute_channel = "candle1m";
  static constexpr std::array<std::string_view, 44> other_channels{"trades",
                                                                   "trades-all",
                                                                   "tickers",
                                                                   "books",
                                                                   "books5",
                                                                   "bbo-tbt",
                                                                   "books-l2-tbt",
                                                                   "books50-l2-tbt",
                                                                   "books-elp",
                                                                   "mark-price",
                                                                   "index-tickers",
                                                                   "funding-rate",
                                                                   "open-interest",
                                                                   "instruments",
                                                                   "price-limit",
                                                                   "estimated-price",
                                                                   "opt-summary",
                                                                   "status",
                                                                   "adl-warning",
                                                                   "liquidation-orders",
                                                                   "option-trades",
                                                                   "economic-calendar",
                                                                   "candle1s",
                                                                   "candle3m",
                                                                   "candle5m",
                                                                   "candle15m",
                                                                   "candle30m",
                                                                   "candle1H",
                                                                   "candle2H",
                                                                   "candle4H",
                                                                   "candle6H",
                                                                   "candle12H",
                                                                   "candle1D",
                                                                   "candle2D",
                                                                   "candle3D",
                                                                   "candle5D",
                                                                   "candle1W",
                                                                   "candle1M",
                                                                   "candle3M",
                                                                   "call-auction-details",
                                                                   "public-block-trades",
                                                                   "public-struc-block-trades",
                                                                   "block-tickers",
                                                                   "sprd-public-trades"};
  /// Those that go on with an interval.
  static constexpr std::array<std::string_view, 3> candle_families{"candle", "mark-price-candle",
                                                                   "index-candle"};

  static frame_content other_channel(std::string_view name, std::string_view text) {
    if (const auto channel = json::one_of(other_channels, name); !channel.empty()) return other_read{channel};
    for (const auto& family : candle_families)
      if (name.starts_with(family)) return other_read{family};
    return json::unknown(text);
  }

  struct seen_fields {
    std::string_view channel, instrument, event, code, message, id;
    bool has_data = false;
  };

  static void visit(field_name key, value x, seen_fields& seen) {
    if (key == "arg") {
      (void)frame_reader::each_field(x, [&](field_name k, value y) {
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

  frame_content control(const seen_fields& seen, std::string_view text) {
    const auto request = json::integer_in<std::uint64_t>(seen.id).value_or(0);
    if (seen.event == "subscribe") {
      if (seen.channel != minute_channel) return other_read{};
      const auto* ours = names_.ours(seen.instrument);
      if (!ours) return other_read{};
      return acknowledgement{request, *ours};
    }
    if (seen.event == "unsubscribe") return other_read{};
    if (seen.event == "error" || seen.event == "channel-conn-count-error") {
      refusal why{request, {}, std::string{seen.code} + " " + std::string{seen.message}};
      // That was no word about these instruments: to ask for each of them by itself would make it worse.
      if (seen.code == too_many_requests)
        why.request = 0;
      else if (const auto* ours = names_.ours(instrument_in(seen.message)))
        why.symbol = *ours;
      return why;
    }
    if (seen.event == "notice")
      return seen.code == closes_soon ? frame_content{closing_announced{std::string{seen.message}}}
                                      : other_read{"notice"};
    if (seen.event == "channel-conn-count") return other_read{"channel-conn-count"};
    return json::unknown(text);
  }

  static constexpr std::string_view too_many_requests = "60014", closes_soon = "64008";

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
            if (column == volume_column()) parts.number(candle_parts::volume, &candle::volume, x);
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
