#include "actors/feed/candle_closer.hpp"
#include "actors/feed/dialect.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

// For recorded_frames_test.py: what the dialects say of frames, as a JSON line each.
//   read_frames spot|linear
// Standard input has lines of "<receipt time, epoch ms> <exchange>" and, behind a tab, a frame. `kind` and
// `channel` are what it was, `candles` what was read of it, `told` what leaves a feed then: for exchanges
// that do not mark closed candles, those that are over by the receipt time come first.

namespace breakwater {
namespace {

nlohmann::json row_of(const candle& x) {
  return {x.symbol, x.start_s, x.open, x.high, x.low, x.close, x.volume, x.closed, epoch_ms(x.event_at)};
}

nlohmann::json rows_of(const std::vector<candle>& candles) {
  auto rows = nlohmann::json::array();
  for (const auto& x : candles) rows.push_back(row_of(x));
  return rows;
}

nlohmann::json words_of(const frame_content& content) {
  struct {
    nlohmann::json operator()(const candles_read& x) const {
      return {{"kind", "candles"}, {"trades_missing", x.trades_missing}};
    }
    nlohmann::json operator()(const acknowledgement&) const { return {{"kind", "acknowledged"}}; }
    nlohmann::json operator()(const refusal& x) const { return {{"kind", "refused"}, {"reason", x.reason}}; }
    nlohmann::json operator()(const pong_read&) const { return {{"kind", "alive"}}; }
    nlohmann::json operator()(const closing_announced&) const { return {{"kind", "closing"}}; }
    nlohmann::json operator()(const other_read& x) const {
      if (x.channel.empty()) return {{"kind", "answer"}};
      return {{"kind", "other"}, {"channel", x.channel}};
    }
    nlohmann::json operator()(const failure& x) const {
      return {{"kind", "failure"}, {"reason", to_string(x.code)}, {"detail", x.detail}};
    }
  } in_words;
  return std::visit(in_words, content);
}

/// One exchange's way from frames to candles.
struct way {
  std::unique_ptr<dialect> speaks;
  std::optional<candle_closer> closer; ///< For those that do not mark closed candles.
};

way& way_of(std::map<exchange, way>& ways, exchange which, market where) {
  auto& found = ways[which];
  if (!found.speaks) {
    found.speaks = make_dialect(which, where, symbol_names::any(which, where, {}));
    if (!found.speaks->rules().marks_closed) found.closer.emplace();
  }
  return found;
}

int run(market where) {
  std::map<exchange, way> ways;
  std::int64_t ms = 0;
  std::string name, text;
  while (std::cin >> ms >> name && std::getline(std::cin.ignore(), text)) {
    const auto at = wall_time_from_ms(ms);
    auto& one = way_of(ways, parse_exchange(name).value(), where);
    std::vector<candle> told, candles;
    if (one.closer) one.closer->advance(at, told);
    auto said = words_of(one.speaks->read(text, at, candles));
    said["candles"] = rows_of(candles);
    for (auto& x : candles)
      if (one.closer)
        one.closer->take(std::move(x), told);
      else
        told.push_back(std::move(x));
    said["told"] = rows_of(told);
    std::cout << said << '\n';
  }
  return EXIT_SUCCESS;
}

} // namespace
} // namespace breakwater

int main(int argc, char** argv) {
  const std::string market = argc == 2 ? argv[1] : "";
  if (market != "spot" && market != "linear") {
    std::cerr << "read_frames spot|linear, as recorded_frames_test.py calls it\n";
    return EXIT_FAILURE;
  }
  std::ios::sync_with_stdio(false);
  return breakwater::run(market == "spot" ? breakwater::market::spot : breakwater::market::linear);
}
