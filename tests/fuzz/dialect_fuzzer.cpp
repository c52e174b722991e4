#include "actors/feed/dialect.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

// One exchange's dialect (BREAKWATER_FUZZED) reads what libFuzzer invents: each line as a frame, and as an
// answer with past candles, all through one object. Not only crashes are findings: so is every broken promise
// of dialect.hpp.

namespace breakwater::fuzz {
namespace {

constexpr auto fuzzed = exchange::BREAKWATER_FUZZED;
constexpr std::int64_t begin_ms = 1767571234567;
constexpr std::size_t most_lines = 32; ///< Of an input; thousands of empty ones would only take time.
const std::vector<std::string> followed{"BTCUSDT", "ETHUSDT", "1000PEPEUSDT", "BTCUSD"};

/// Ends the program when a promise is broken; libFuzzer keeps the input.
void holds(bool promise, const char* words) {
  if (promise) return;
  std::fprintf(stderr, "BROKEN: %s\n", words);
  std::abort();
}

bool is_followed(const std::string& symbol) {
  return std::find(followed.begin(), followed.end(), symbol) != followed.end();
}

bool same(const frame_content& a, const frame_content& b) {
  struct {
    const frame_content& b;
    bool operator()(const candles_read& x) const {
      return x.trades_missing == std::get<candles_read>(b).trades_missing;
    }
    bool operator()(const acknowledgement& x) const {
      const auto& y = std::get<acknowledgement>(b);
      return x.request == y.request && x.symbol == y.symbol && x.symbols == y.symbols;
    }
    bool operator()(const refusal& x) const {
      const auto& y = std::get<refusal>(b);
      return x.request == y.request && x.symbol == y.symbol && x.reason == y.reason &&
             x.subscribed_already == y.subscribed_already;
    }
    bool operator()(const pong_read&) const { return true; }
    bool operator()(const closing_announced& x) const {
      return x.reason == std::get<closing_announced>(b).reason;
    }
    bool operator()(const other_read& x) const { return x.channel == std::get<other_read>(b).channel; }
    bool operator()(const failure& x) const {
      const auto& y = std::get<failure>(b);
      return x.code == y.code && x.detail == y.detail;
    }
  } compare{b};
  return a.index() == b.index() && std::visit(compare, a);
}

/// A line in memory of its own, of exactly its size, so that AddressSanitizer sees a step beyond.
struct line {
  explicit line(std::string_view text) : bytes(new char[text.size()]), size(text.size()) {
    if (size > 0) std::memcpy(bytes.get(), text.data(), size);
  }
  [[nodiscard]] std::string_view view() const noexcept { return {bytes.get(), size}; }

  std::unique_ptr<char[]> bytes;
  std::size_t size;
};

/// The dialect on one market, or for replay, where any symbol is taken.
class reader {
public:
  reader(market where, bool takes_any) : where_(where), takes_any_(takes_any) {}

  void read(std::string_view text, wall_time at) {
    read_frame(text, at);
    if (!takes_any_) read_history(text, at);
  }

  /// Names of channels must be constants. They are looked at when the frames and the dialects are gone.
  [[nodiscard]] const std::vector<std::string_view>& channels() const noexcept { return channels_; }

private:
  [[nodiscard]] std::unique_ptr<dialect> make() const {
    return make_dialect(fuzzed, where_,
                        takes_any_ ? symbol_names::any(fuzzed, where_, {})
                                   : symbol_names{fuzzed, where_, followed, {}});
  }

  void read_frame(std::string_view text, wall_time at) {
    std::vector<candle> out(1);
    const auto content = speaks_->read(line{text}.view(), at, out);
    holds(out.front() == candle{}, "what stood before stays");
    const std::vector<candle> made(out.begin() + 1, out.end());
    holds(made.empty() != std::holds_alternative<candles_read>(content), "candles with candles_read only");
    for (const auto& x : made) {
      judge(x, at);
      holds(!x.filled, "live candles are not filled");
    }
    judge(content);
    if (speaks_->rules().counts_trades) {
      judge_folding(made);
      // A trade counts once.
      holds(!std::holds_alternative<candles_read>(speaks_->read(text, at, out)), "read twice, counted once");
    }

    // Trades are added up, so the other one must have heard the same; without, nothing of the past may play a
    // part.
    if (!speaks_->rules().counts_trades) twin_ = make();
    std::vector<candle> twins;
    holds(same(content, twin_->read(text, at, twins)), "the same frame, the same content");
    holds(made == twins, "the same frame, the same candles");
  }

  void read_history(std::string_view text, wall_time at) {
    std::vector<candle> out(1);
    const auto read = speaks_->read_history(line{text}.view(), followed.front(), at, out);
    holds(out.front() == candle{}, "what stood before stays");
    const std::vector<candle> made(out.begin() + 1, out.end());
    holds(read || made.empty(), "a failure appends nothing");
    if (!read) judge(read.error());
    for (const auto& x : made) {
      judge(x, at);
      holds(x.symbol == followed.front(), "of the symbol that was asked for");
      holds(x.closed && x.filled, "past candles are closed and filled");
      holds(epoch_ms(x.event_at) == (x.start_s + 60) * 1000 && x.event_at <= at, "past candles are over");
    }
    holds(std::adjacent_find(made.begin(), made.end(),
                             [](const auto& a, const auto& b) { return a.start_s >= b.start_s; }) ==
              made.end(),
          "oldest first, each minute once");
    std::vector<candle> again;
    holds(static_cast<bool>(make()->read_history(text, followed.front(), at, again)) ==
                  static_cast<bool>(read) &&
              made == again,
          "the same answer, the same past candles");
  }

  void judge(const candle& x, wall_time at) const {
    for (auto price : {x.open, x.high, x.low, x.close})
      holds(std::isfinite(price) && price > 0, "prices are finite and > 0");
    holds(std::isfinite(x.volume) && x.volume >= 0, "volumes are finite and >= 0");
    holds(x.start_s > 0 && x.start_s % 60 == 0, "minutes start at multiples of 60");
    holds(x.from == fuzzed, "from the exchange");
    holds(x.received_at == at, "received when it was");
    judge(x.symbol);
  }

  void judge(const std::string& symbol) const {
    holds(takes_any_ ? !symbol.empty() && symbol == canonical_symbol(symbol) : is_followed(symbol),
          "symbols are ours");
  }

  void judge(const frame_content& content) {
    if (const auto* x = std::get_if<failure>(&content)) judge(*x);
    if (const auto* x = std::get_if<other_read>(&content)) channels_.push_back(x->channel);
    if (const auto* x = std::get_if<refusal>(&content); x && !x->symbol.empty()) judge(x->symbol);
    if (const auto* x = std::get_if<acknowledgement>(&content)) {
      if (!x->symbol.empty()) judge(x->symbol);
      for (const auto& symbol : x->symbols) judge(symbol);
    }
  }

  static void judge(const failure& x) {
    holds(x.code == errc::frame_not_json || x.code == errc::frame_unknown || x.code == errc::field_missing ||
              x.code == errc::field_malformed || x.code == errc::symbol_unknown,
          "failures are those of dialect.hpp");
    holds(x.code == errc::frame_not_json || !x.detail.empty(), "failures say what is wrong");
  }

  /// Within a minute, candles made of trades only ever grow.
  void judge_folding(const std::vector<candle>& made) {
    for (const auto& x : made) {
      holds(x.low <= x.open && x.open <= x.high, "the open lies between low and high");
      holds(x.low <= x.close && x.close <= x.high, "the close lies between low and high");
      auto& before = folded_[{x.symbol, x.start_s}];
      holds(!before || (before->volume <= x.volume && before->high <= x.high && before->low >= x.low),
            "volume and range only grow");
      before = x;
    }
  }

  market where_;
  bool takes_any_;
  std::unique_ptr<dialect> speaks_ = make(), twin_ = make();
  std::vector<std::string_view> channels_;
  std::map<std::pair<std::string, std::int64_t>, std::optional<candle>> folded_;
};

void read_all(std::string_view input) {
  std::vector<std::string_view> channels;
  for (auto [where, takes_any] :
       {std::pair{market::spot, false}, {market::linear, false}, {market::spot, true}}) {
    reader one{where, takes_any};
    auto rest = input;
    auto at = wall_time_from_ms(begin_ms);
    for (std::size_t lines = 0; lines < most_lines; ++lines, at += std::chrono::seconds{1}) {
      const auto end = rest.find('\n');
      one.read(rest.substr(0, end), at);
      if (end == rest.npos) break;
      rest.remove_prefix(end + 1);
    }
    channels.insert(channels.end(), one.channels().begin(), one.channels().end());
  }
  for (auto channel : channels)
    holds(std::all_of(channel.begin(), channel.end(), [](char c) { return c > ' ' && c < 127; }),
          "channels have names");
}

} // namespace
} // namespace breakwater::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  breakwater::fuzz::read_all({reinterpret_cast<const char*>(data), size});
  return 0;
}
