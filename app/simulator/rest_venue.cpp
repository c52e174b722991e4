#include "app/simulator/rest_venue.hpp"

#include "app/simulator/dialects.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <utility>
#include <vector>

/// Source: each exchange's REST documentation, the page on candles and the page on limits.
namespace breakwater {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using namespace dialects;

using symbol_id = invented_market::symbol_id;

constexpr std::int64_t floor_minute(std::int64_t ms) { return ms / minute_ms * minute_ms; }
constexpr std::int64_t ceil_minute(std::int64_t ms) { return floor_minute(ms + minute_ms - 1); }

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    const auto* const digits = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(digits, digits + 2, code, 16).ptr == digits + 2) {
      out += static_cast<char>(code);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

struct query {
  std::string path;
  std::map<std::string, std::string, std::less<>> fields;

  explicit query(std::string_view target) {
    const auto question = target.find('?');
    path = decoded(target.substr(0, question));
    if (question == target.npos) return;
    auto rest = target.substr(question + 1);
    while (!rest.empty()) {
      const auto pair = rest.substr(0, rest.find('&'));
      const auto equals = std::min(pair.find('='), pair.size());
      fields[decoded(pair.substr(0, equals))] = decoded(pair.substr(std::min(equals + 1, pair.size())));
      rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    }
  }
  [[nodiscard]] std::string text(std::string_view name) const {
    const auto found = fields.find(name);
    return found != fields.end() ? found->second : std::string{};
  }
  /// nullopt: not given, or no number. Held below the year 2100 in ms, so that it can be reckoned with.
  [[nodiscard]] std::optional<std::int64_t> number(std::string_view name) const {
    constexpr std::int64_t most = 4'102'444'800'000;
    const auto given = text(name);
    std::int64_t value = 0;
    const auto* const end = given.data() + given.size();
    const auto read = std::from_chars(given.data(), end, value);
    if (given.empty() || read.ec != std::errc{} || read.ptr != end) return std::nullopt;
    return std::clamp<std::int64_t>(value, 0, most);
  }
  [[nodiscard]] std::int64_t limit(std::int64_t otherwise, std::int64_t most) const {
    return std::clamp<std::int64_t>(number("limit").value_or(otherwise), 1, most);
  }
};

/// Minutes by their start; none when `first` is behind `last`.
struct minutes {
  std::int64_t first, last;

  [[nodiscard]] minutes oldest(std::int64_t count) const {
    return {first, std::min(last, first + (count - 1) * minute_ms)};
  }
  [[nodiscard]] minutes newest(std::int64_t count) const {
    return {std::max(first, last - (count - 1) * minute_ms), last};
  }
};

/// The past of one symbol at one exchange.
class archive {
public:
  archive(invented_market& in, exchange of, symbol_id symbol, wall_time now)
      : in_(in), of_(of), symbol_(symbol), now_(now), decimals(in.price_decimals(of, symbol)) {}

  /// Oldest first.
  [[nodiscard]] std::vector<invented_candle> candles(minutes which) const {
    std::vector<invented_candle> out;
    for (auto start = which.first; start <= which.last; start += minute_ms)
      out.push_back(in_.candle(of_, symbol_, start, now_));
    return out;
  }
  [[nodiscard]] std::vector<invented_candle> newest_first(minutes which) const {
    auto out = candles(which);
    std::reverse(out.begin(), out.end());
    return out;
  }
  /// The last price before `start_ms`.
  [[nodiscard]] double close_before(std::int64_t start_ms) const {
    return in_.last_trade(of_, symbol_, wall_time_from_ms(start_ms - 1)).price;
  }

private:
  invented_market& in_;
  exchange of_;
  symbol_id symbol_;
  wall_time now_;

public:
  const int decimals; ///< Of prices.
};

template <class Row>
std::string rows_text(const std::vector<invented_candle>& candles, Row&& row) {
  std::string text;
  for (const auto& candle : candles) text += (text.empty() ? "" : ",") + row(candle);
  return text;
}

/// Open, high, low and close, each in quotes.
std::string prices_text(const invented_candle& x, int decimals) {
  return in_quotes(fixed(x.open, decimals)) + "," + in_quotes(fixed(x.high, decimals)) + "," +
         in_quotes(fixed(x.low, decimals)) + "," + in_quotes(fixed(x.close, decimals));
}

rest_answer binance(const query& asked, invented_market& in, bool invents, wall_time now) {
  const bool spot = asked.path.starts_with("/api");
  const auto error = [](int code, const char* why) {
    return rest_answer{400, 0, R"({"code":)"s + std::to_string(code) + R"(,"msg":)" + in_quotes(why) + "}"};
  };
  if (asked.text("symbol").empty())
    return error(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.");
  const auto symbol = in.find(asked.text("symbol"));
  if (!symbol) return error(-1121, "Invalid symbol.");
  if (asked.text("interval") != "1m") return error(-1120, "Invalid interval.");

  const auto limit = asked.limit(500, spot ? 1000 : 1500);
  const auto last = floor_minute(std::min(asked.number("endTime").value_or(epoch_ms(now)), epoch_ms(now)));
  const auto start = asked.number("startTime");
  const auto which =
      start ? minutes{ceil_minute(*start), last}.oldest(limit) : minutes{0, last}.newest(limit);
  const archive past{in, exchange::binance, *symbol, now};
  const int price = spot ? 8 : past.decimals, amount = spot ? 8 : 3;
  const auto rows = invents ? past.candles(which) : std::vector<invented_candle>{};
  return {200, 0, "[" + rows_text(rows, [&](const invented_candle& x) {
                    return "[" + std::to_string(x.start_ms) + "," + prices_text(x, price) + "," +
                           in_quotes(fixed(x.volume, amount)) + "," +
                           std::to_string(x.start_ms + minute_ms - 1) + "," +
                           in_quotes(fixed(x.quote_volume, price)) + "," + std::to_string(x.trades) + "," +
                           in_quotes(fixed(x.volume / 2, amount)) + "," +
                           in_quotes(fixed(x.quote_volume / 2, price)) + R"(,"0"])";
                  }) + "]"};
}

rest_answer bybit(const query& asked, invented_market& in, bool invents, wall_time now) {
  const auto answer = [&](int code, const char* message, const std::string& result) {
    return rest_answer{200, 0,
                       R"({"retCode":)"s + std::to_string(code) + R"(,"retMsg":)" + in_quotes(message) +
                           R"(,"result":{)" + result + R"(},"retExtInfo":{},"time":)" +
                           std::to_string(epoch_ms(now)) + "}"};
  };
  const auto symbol = in.find(asked.text("symbol"));
  const auto category = asked.text("category");
  if (category != "spot" && category != "linear")
    return answer(10001, "params error: Category is invalid", "");
  if (!symbol) return answer(10001, "Not supported symbols", "");
  if (asked.text("interval") != "1") return answer(10001, "Invalid period!", "");

  const auto limit = asked.limit(200, 1000);
  const auto start = asked.number("start"), end = asked.number("end");
  const minutes asked_for{ceil_minute(start.value_or(0)),
                          floor_minute(std::min(end.value_or(epoch_ms(now)), epoch_ms(now)))};
  // With a start alone it goes on from there, otherwise back from the end.
  const auto which = start && !end ? asked_for.oldest(limit) : asked_for.newest(limit);
  const archive past{in, exchange::bybit, *symbol, now};
  const auto rows = invents ? past.newest_first(which) : std::vector<invented_candle>{};
  return answer(0, "OK",
                R"("category":)"s + in_quotes(category) + R"(,"symbol":)" + in_quotes(asked.text("symbol")) +
                    R"(,"list":[)" +
                    rows_text(rows,
                              [&](const invented_candle& x) {
                                return "[" + in_quotes(std::to_string(x.start_ms)) + "," +
                                       prices_text(x, past.decimals) + "," + in_quotes(trimmed(x.volume, 8)) +
                                       "," + in_quotes(trimmed(x.quote_volume, 8)) + "]";
                              }) +
                    "]");
}

constexpr std::string_view okx_history = "/api/v5/market/history-candles";

rest_answer okx(const query& asked, invented_market& in, bool invents, wall_time now) {
  constexpr std::string_view swap = "-SWAP";
  auto name = asked.text("instId");
  const bool is_swap = name.ends_with(swap);
  if (is_swap) name.resize(name.size() - swap.size());
  const auto symbol = name.find('-') == name.npos ? std::nullopt : in.find(joined_name(name));
  if (!symbol)
    return {200, 0, R"({"code":"51001","msg":"Instrument ID or Spread ID doesn't exist.","data":[]})"};
  const auto bar = asked.text("bar");
  if (!bar.empty() && bar != "1m")
    return {200, 0, R"({"code":"51000","msg":"Parameter bar  error","data":[]})"};

  const bool history = asked.path == okx_history;
  const auto running = minute_of(now);
  // `before` and `after` exclude: newer than, older than. History has whole minutes only, the other address
  // no more than the last 1,440.
  const minutes asked_for{std::max(ceil_minute(asked.number("before").value_or(-1) + 1),
                                   history ? 0 : running - 1439 * minute_ms),
                          std::min(history ? running - minute_ms : running,
                                   floor_minute(asked.number("after").value_or(epoch_ms(now) + 1) - 1))};
  const archive past{in, exchange::okx, *symbol, now};
  // Newer pages of the documentation grant 300 rows of history, too.
  const auto rows = invents ? past.newest_first(asked_for.newest(asked.limit(100, history ? 100 : 300)))
                            : std::vector<invented_candle>{};
  return {200, 0, R"({"code":"0","msg":"","data":[)"s + rows_text(rows, [&](const invented_candle& x) {
                    const auto coins = trimmed(x.volume, 8);
                    const auto amount = is_swap ? trimmed(x.volume / okx_contract_size, 2) : coins;
                    return "[" + in_quotes(std::to_string(x.start_ms)) + "," + prices_text(x, past.decimals) +
                           "," + in_quotes(amount) + "," + in_quotes(coins) + "," +
                           in_quotes(trimmed(x.quote_volume, 8)) + "," +
                           (x.start_ms < running ? R"("1")" : R"("0")") + "]";
                  }) + "]}"};
}

struct kraken_pair {
  symbol_id symbol;
  std::string key; ///< As answers name it.
};

/// Kraken's REST calls BTC XBT and DOGE XDG, and names its oldest coins and the dollar with a letter in
/// front: XBTUSD, XBT/USD and XXBTZUSD are the same pair, and the answer says XXBTZUSD.
std::optional<kraken_pair> find_kraken_pair(const invented_market& in, std::string name) {
  constexpr std::string_view old_coins[] = {"XBT", "ETH", "XRP", "LTC", "XLM", "XMR", "ZEC", "ETC"};
  std::erase(name, '/');
  if (name.size() == 8 && name[0] == 'X' && name[4] == 'Z') name = name.substr(1, 3) + name.substr(5);
  const auto quote = name.ends_with("USDT") ? "USDT"s : name.ends_with("USD") ? "USD"s : ""s;
  if (quote.empty()) return std::nullopt;
  auto base = name.substr(0, name.size() - quote.size());
  const auto ours = base == "XBT" ? "BTC"s : base == "XDG" ? "DOGE"s : base;
  if (base == "BTC") base = "XBT";
  if (base == "DOGE") base = "XDG";
  const auto symbol = dollar_market(in, ours + "/" + quote, '/');
  if (!symbol) return std::nullopt;
  const bool is_old = std::find(std::begin(old_coins), std::end(old_coins), base) != std::end(old_coins);
  return kraken_pair{*symbol, is_old && quote == "USD" ? "X" + base + "ZUSD" : base + quote};
}

rest_answer kraken(const query& asked, invented_market& in, bool invents, wall_time now) {
  const auto pair = find_kraken_pair(in, asked.text("pair"));
  if (!pair) return {200, 0, R"({"error":["EQuery:Unknown asset pair"]})"};
  if (asked.number("interval").value_or(1) != 1)
    return {200, 0, R"({"error":["EGeneral:Invalid arguments:interval"]})"};

  // The running minute is always there, whatever `since` (which excludes) says.
  const auto running = minute_of(now);
  const auto since_ms = asked.number("since").value_or(0) * 1000;
  const auto which = minutes{std::min(ceil_minute(since_ms + 1), running), running}.newest(720);
  const archive past{in, exchange::kraken, pair->symbol, now};
  const auto rows = invents ? past.candles(which) : std::vector<invented_candle>{};
  return {200, 0,
          R"({"error":[],"result":{)"s + in_quotes(pair->key) + ":[" +
              rows_text(rows,
                        [&](invented_candle x) {
                          const bool quiet = x.trades == 0;
                          if (quiet) x.open = x.high = x.low = x.close = past.close_before(x.start_ms);
                          const auto mean = quiet ? 0 : x.quote_volume / x.volume;
                          return "[" + std::to_string(x.start_ms / 1000) + "," +
                                 prices_text(x, past.decimals) + "," + in_quotes(fixed(mean, past.decimals)) +
                                 "," + in_quotes(fixed(x.volume, 8)) + "," + std::to_string(x.trades) + "]";
                        }) +
              R"(],"last":)" + std::to_string((running - minute_ms) / 1000) + "}}"};
}

/// A time as Coinbase takes it: RFC 3339, or epoch seconds.
std::optional<std::int64_t> coinbase_ms(const query& asked, std::string_view name) {
  if (const auto at = parse_rfc3339(asked.text(name))) return std::max<std::int64_t>(epoch_ms(*at), 0);
  const auto seconds = asked.number(name);
  return seconds ? std::optional{*seconds * 1000} : std::nullopt;
}

constexpr std::string_view coinbase_products = "/products/", coinbase_candles = "/candles";

rest_answer coinbase(const query& asked, invented_market& in, bool invents, wall_time now) {
  constexpr std::int64_t most = 300, most_without_range = 350;
  const auto name = asked.path.substr(coinbase_products.size(),
                                      asked.path.size() - coinbase_products.size() - coinbase_candles.size());
  const auto symbol = dollar_market(in, name, '-');
  if (!symbol) return {404, 0, R"({"message":"NotFound"})"};
  if (asked.text("granularity") != "60" && !asked.text("granularity").empty())
    return {400, 0, R"({"message":"Unsupported granularity"})"};

  auto which = minutes{0, minute_of(now)}.newest(most_without_range);
  // One of them alone counts for nothing.
  if (const auto start = coinbase_ms(asked, "start"), end = coinbase_ms(asked, "end"); start && end) {
    if (*end < *start) return {400, 0, R"({"message":"end must be after start"})"};
    if ((*end - *start) / minute_ms > most)
      return {400, 0,
              R"({"message":"granularity too small for the requested time range. Count of aggregations )"
              R"(requested exceeds 300"})"};
    which = {ceil_minute(*start), std::min(floor_minute(*end), minute_of(now))};
  }
  const archive past{in, exchange::coinbase, *symbol, now};
  auto rows = invents ? past.newest_first(which) : std::vector<invented_candle>{};
  std::erase_if(rows, [](const invented_candle& x) { return x.trades == 0; });
  return {200, 0, "[" + rows_text(rows, [&](const invented_candle& x) {
                    return "[" + std::to_string(x.start_ms / 1000) + "," + trimmed(x.low, past.decimals) +
                           "," + trimmed(x.high, past.decimals) + "," + trimmed(x.open, past.decimals) + "," +
                           trimmed(x.close, past.decimals) + "," + trimmed(x.volume, 8) + "]";
                  }) + "]"};
}

constexpr std::string_view binance_spot = "/api/v3/klines", binance_linear = "/fapi/v1/klines";

/// What a futures request weighs.
int linear_weight(std::int64_t limit) { return limit < 100 ? 1 : limit < 500 ? 2 : limit <= 1000 ? 5 : 10; }

} // namespace

rest_venue::rest_venue(invented_market& shared, bool invents)
    : market_(shared),
      invents_(invents),
      bybit_(600, 5s),
      okx_(40, 2s),
      okx_history_(20, 2s),
      kraken_(1, 5),
      coinbase_(10, 15) {}

std::optional<exchange> rest_venue::owner_of(std::string_view target) {
  const auto path = target.substr(0, target.find('?'));
  if (path == binance_spot || path == binance_linear) return exchange::binance;
  if (path == "/v5/market/kline") return exchange::bybit;
  if (path == "/api/v5/market/candles" || path == okx_history) return exchange::okx;
  if (path == "/0/public/OHLC") return exchange::kraken;
  if (path.size() > coinbase_products.size() + coinbase_candles.size() &&
      path.starts_with(coinbase_products) && path.ends_with(coinbase_candles))
    return exchange::coinbase;
  return std::nullopt;
}

rest_answer rest_venue::get(std::string_view target, wall_time now) {
  const auto from = *owner_of(target);
  if (auto refused = refusal(from, target, now)) return *std::move(refused);
  const query asked{target};
  switch (from) {
  case exchange::binance: return binance(asked, market_, invents_, now);
  case exchange::bybit: return bybit(asked, market_, invents_, now);
  case exchange::okx: return okx(asked, market_, invents_, now);
  case exchange::kraken: return kraken(asked, market_, invents_, now);
  case exchange::coinbase: break;
  }
  return coinbase(asked, market_, invents_, now);
}

std::optional<rest_answer> rest_venue::refusal(exchange from, std::string_view target, wall_time now) {
  const auto unless = [&](bool allowed) { return allowed ? std::nullopt : std::optional{too_often(from)}; };
  switch (from) {
  case exchange::binance:
    if (target.starts_with(binance_spot)) return weigh(binance_spot_, 2, 6000, now);
    return weigh(binance_linear_, linear_weight(query{target}.limit(500, 1500)), 2400, now);
  case exchange::bybit: return unless(bybit_.allow(now));
  case exchange::okx: return unless((target.starts_with(okx_history) ? okx_history_ : okx_).allow(now));
  case exchange::kraken: return unless(kraken_.allow(now));
  case exchange::coinbase: break;
  }
  return unless(coinbase_.allow(now));
}

std::optional<rest_answer> rest_venue::weigh(weighing& so_far, int weight, int most, wall_time now) {
  constexpr int patience = 10;
  constexpr auto lock = 2min;
  if (const auto minute = minute_of(now); so_far.minute != minute)
    so_far = {.minute = minute, .locked_until = so_far.locked_until};
  const auto seconds = [](std::chrono::milliseconds time) {
    return static_cast<int>(std::chrono::ceil<std::chrono::seconds>(time).count());
  };
  if (so_far.used + weight > most && ++so_far.refused > patience) so_far.locked_until = now + lock;
  if (now < so_far.locked_until) {
    const auto until = std::to_string(epoch_ms(so_far.locked_until));
    return rest_answer{418, seconds(so_far.locked_until - now),
                       R"({"code":-1003,"msg":"Way too much request weight used; IP banned until )" + until +
                           R"(. Please use WebSocket Streams for live updates to avoid bans."})"};
  }
  so_far.used += weight;
  if (so_far.used <= most) return std::nullopt;
  so_far.used = most;
  auto refused = too_often(exchange::binance);
  refused.retry_after_s = seconds(wall_time_from_ms(so_far.minute + minute_ms) - now);
  return refused;
}

rest_answer rest_venue::too_often(exchange from) {
  switch (from) {
  case exchange::binance:
    return {429, 5,
            R"({"code":-1003,"msg":"Too much request weight used; current limit is reached. Please use )"
            R"(WebSocket Streams for live updates to avoid polling the API."})"};
  case exchange::bybit:
    return {200, 0,
            R"({"retCode":10006,"retMsg":"Too many visits. Exceeded the API Rate Limit.","result":{},)"
            R"("retExtInfo":{},"time":0})"};
  case exchange::okx: return {429, 0, R"({"code":"50011","msg":"Too Many Requests","data":[]})"};
  case exchange::kraken: return {200, 0, R"({"error":["EGeneral:Too many requests"]})"};
  case exchange::coinbase: break;
  }
  return {429, 0, R"({"message":"Public rate limit exceeded"})"};
}

} // namespace breakwater
