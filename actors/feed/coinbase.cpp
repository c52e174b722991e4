#include "actors/feed/dialects.hpp"
#include "actors/feed/json_frame.hpp"
#include "actors/feed/trade_fold.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace breakwater {
namespace {

using namespace std::chrono_literals;
using json::candle_parts;
using json::field_name;
using json::frame_reader;
using json::value;

/// Source: "Exchange WebSocket channels" and "Get product candles" of Coinbase's documentation. It has no
/// one-minute candles on the socket, so they are folded from trades; nothing says that a minute is over.
class coinbase final : public dialect {
public:
  coinbase(market where, symbol_names names) : dialect(rules_of(where), std::move(names)) {}

  std::string subscribe_text(std::uint64_t, std::span<const std::string_view> theirs) const override {
    return request("subscribe", theirs);
  }
  std::string unsubscribe_text(std::uint64_t, std::span<const std::string_view> theirs) const override {
    return request("unsubscribe", theirs);
  }

  std::string history_target(std::string_view theirs, std::int64_t from_s, std::int64_t to_s) const override {
    return "/products/" + std::string{theirs} +
           "/candles?granularity=60&start=" + to_rfc3339(wall_time_from_ms(from_s * 1000)) +
           "&end=" + to_rfc3339(wall_time_from_ms(to_s * 1000));
  }

protected:
  frame_content read_frame(std::string_view text, wall_time received_at, std::vector<candle>& out) override {
    if (!reader_.open(text)) return json::unknown(text);
    seen_fields seen;
    acknowledgement standing;
    if (!reader_.each_field([&](field_name key, value x) { visit(key, x, seen, standing); }))
      return json::unknown(text);
    if (seen.type == "match") return match(seen, received_at, out);
    if (seen.type == "last_match") return last_match(seen);
    if (seen.type == "heartbeat") return pong_read{};
    if (seen.type == "subscriptions") return standing;
    if (seen.type == "error") return refused(seen);
    // Advanced Trade speaks otherwise: it names a channel, and no type but of errors.
    if (seen.type.empty() && seen.channel == "heartbeats") return pong_read{};
    if (seen.type.empty() && seen.channel == "subscriptions") return other_read{};
    const auto channel = seen.type.empty() ? json::one_of(advanced_channels, seen.channel)
                                           : json::one_of(other_channels, seen.type);
    if (channel.empty()) return json::unknown(text);
    return other_read{channel};
  }

  result<done> read_rows(std::string_view body, const std::string& ours, wall_time received_at,
                         std::vector<candle>& out) override {
    if (!reader_.open(body)) return json::unknown(body);
    if (!reader_.is_array()) {
      std::string_view message;
      (void)reader_.each_field([&](field_name key, value x) {
        if (key == "message") message = json::text_of(x);
      });
      return json::refused_history(message, body);
    }
    return json::read_past_rows(body, out, [&](auto&& take) {
      return reader_.each_element([&](value row) {
        take(json::read_past_row(row, past_columns, exchange::coinbase, ours, received_at, out));
      });
    });
  }

private:
  static exchange_rules rules_of(market where) {
    return {
        .url = where == market::spot ? "wss://ws-feed.exchange.coinbase.com" : "",
        .messages = {6, 1s},
        .messages_of_all = {6, 1s}, // documented: 8 a second and address, bursts to 20
        .connects = {4, 1s},
        .symbols_per_request = 50,
        .symbols_per_connection = 200,
        .dead_after = 20s, // heartbeats come each second
        .one_refused_refuses_all = true,
        .marks_closed = false,
        .sends_every_minute = false,
        .counts_trades = true,
        .rest_url = "https://api.exchange.coinbase.com",
        .history_requests = {5, 1s}, // documented: 10 a second
        .minutes_per_history_request = 290,
    };
  }

  static constexpr std::array<std::string_view, 12> other_channels{
      "ticker", "snapshot", "l2update", "status",   "auction",  "rfq_match",
      "open",   "done",     "change",   "received", "activate", "noop"};
  static constexpr std::array<std::string_view, 7> advanced_channels{
      "market_trades", "candles", "ticker", "ticker_batch", "l2_data", "status", "user"};

  struct seen_fields {
    std::string_view type, channel, product, message, reason;
    std::optional<std::uint64_t> id;
    std::optional<double> price, size;
    std::optional<wall_time> at;
    bool has_price = false, has_size = false, has_time = false, has_id = false;
  };

  void visit(field_name key, value x, seen_fields& seen, acknowledgement& standing) {
    if (key == "type")
      seen.type = json::text_of(x);
    else if (key == "product_id")
      seen.product = json::text_of(x);
    else if (key == "trade_id") {
      seen.has_id = true;
      seen.id = json::integer_in<std::uint64_t>(json::text_of(x));
    } else if (key == "price") {
      seen.has_price = true;
      seen.price = json::number_of(x);
    } else if (key == "size") {
      seen.has_size = true;
      seen.size = json::number_of(x);
    } else if (key == "time") {
      seen.has_time = true;
      seen.at = parse_rfc3339(json::text_of(x));
    } else if (key == "message")
      seen.message = json::text_of(x);
    else if (key == "reason")
      seen.reason = json::text_of(x);
    else if (key == "channel")
      seen.channel = json::text_of(x);
    else if (key == "channels")
      (void)frame_reader::each_element(x, [&](value channel) { note_standing(channel, standing); });
  }

  /// {"name":"matches","product_ids":[...]} of an answer, which lists everything that stands.
  void note_standing(value channel, acknowledgement& standing) {
    std::string_view name;
    std::vector<std::string> ours;
    (void)frame_reader::each_field(channel, [&](field_name key, value x) {
      if (key == "name")
        name = json::text_of(x);
      else if (key == "product_ids")
        (void)frame_reader::each_element(x, [&](value product) {
          if (const auto* known = names_.ours(json::text_of(product))) ours.push_back(*known);
        });
    });
    if (name == "matches") standing.symbols = std::move(ours);
  }

  frame_content match(const seen_fields& seen, wall_time received_at, std::vector<candle>& out) {
    if (auto problem = problem_of(seen)) return *std::move(problem);
    const auto* ours = names_.ours(seen.product);
    if (!ours) return failure{errc::symbol_unknown, std::string{seen.product}};
    const auto folded = fold_of(*ours).take({*seen.id, *seen.price, *seen.size, *seen.at});
    if (!folded.changed) return other_read{"match"};
    const auto& now = *folded.changed;
    out.push_back({.symbol = *ours,
                   .from = exchange::coinbase,
                   .start_s = now.start_s,
                   .open = now.open,
                   .high = now.high,
                   .low = now.low,
                   .close = now.close,
                   .volume = now.volume,
                   .event_at = *seen.at,
                   .received_at = received_at});
    return candles_read{folded.trades_missing};
  }

  /// The trade before we came: it tells where the numbers begin, and is no news.
  frame_content last_match(const seen_fields& seen) {
    if (auto problem = problem_of(seen)) return *std::move(problem);
    const auto* ours = names_.ours(seen.product);
    if (!ours) return failure{errc::symbol_unknown, std::string{seen.product}};
    fold_of(*ours).begin_after(*seen.id);
    return other_read{"last_match"};
  }

  /// One bad product refuses all that were asked for with it: "FAKE-USD is not a valid product". There is no
  /// number of the request in it.
  frame_content refused(const seen_fields& seen) {
    refusal out{0, {}, std::string{seen.message}};
    if (!seen.reason.empty()) (out.reason += out.reason.empty() ? "" : ": ") += seen.reason;
    const auto* ours = product_in(seen.reason);
    if (!ours) ours = product_in(seen.message);
    if (ours) out.symbol = *ours;
    return out;
  }

  /// The first word that names a product of ours.
  const std::string* product_in(std::string_view words) {
    constexpr std::string_view separators = " ,.:;'\"\\[]()";
    while (!words.empty()) {
      const auto end = std::min(words.find_first_of(separators), words.size());
      const auto word = words.substr(0, end);
      if (const auto* ours = word.find('-') != word.npos ? names_.ours(word) : nullptr) return ours;
      words.remove_prefix(std::min(end + 1, words.size()));
    }
    return nullptr;
  }

  static std::optional<failure> problem_of(const seen_fields& seen) {
    if (seen.product.empty()) return failure{errc::field_missing, "product_id"};
    const auto judge = [](bool present, bool good, const char* name) -> std::optional<failure> {
      if (!present) return failure{errc::field_missing, name};
      if (!good) return failure{errc::field_malformed, name};
      return std::nullopt;
    };
    if (auto bad = judge(seen.has_id, seen.id && *seen.id > 0, "trade_id")) return bad;
    if (auto bad = judge(seen.has_price, seen.price && *seen.price > 0, "price")) return bad;
    if (auto bad = judge(seen.has_size,
                         seen.size && *seen.size >= 0 && *seen.size <= trade_fold::largest_size, "size"))
      return bad;
    return judge(seen.has_time, seen.at && epoch_ms(*seen.at) >= 60000, "time");
  }

  static std::string request(const char* what, std::span<const std::string_view> theirs) {
    std::string text = std::string{R"({"type":")"} + what + R"(","product_ids":[)";
    for (auto name : theirs) {
      if (name.data() != theirs.front().data()) text += ',';
      ((text += '"') += name) += '"';
    }
    return text += R"(],"channels":["matches","heartbeat"]})";
  }

  trade_fold& fold_of(const std::string& ours) { return folds_[ours]; }

  static constexpr json::row_columns past_columns{
      .start = 0, .open = 3, .high = 2, .low = 1, .close = 4, .volume = 5, .ms_of_start = 1000};

  frame_reader reader_;
  std::unordered_map<std::string, trade_fold> folds_; ///< By our symbol.
};

} // namespace

std::unique_ptr<dialect> make_coinbase(market where, symbol_names names) {
  return std::make_unique<coinbase>(where, std::move(names));
}

} // namespace breakwater
