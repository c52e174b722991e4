#include "actors/aggregator/merged_record.hpp"

#include "actors/aggregator/number.hpp"

namespace breakwater {
namespace {

constexpr std::array<std::string_view, exchange_count> price_fields{
    "binance_price", "bybit_price", "coinbase_price", "okx_price", "kraken_price"};
/// The original three are always there, as "null" when absent; later ones are left out.
constexpr std::size_t legacy_prices = 3;

} // namespace

void append_record(record_list& out, const merged& what, market kind) {
  number_text text;
  out.add("symbol", what.symbol);
  out.add("timestamp", text.of(what.start_s));
  out.add("avg_price", text.of(what.mean));
  out.add("price_divergence", text.of(what.deviation));
  out.add("num_exchanges", text.of(std::int64_t{what.contributing}));
  for (std::size_t i = 0; i < exchange_count; ++i) {
    if (what.prices[i])
      out.add(price_fields[i], text.of(*what.prices[i]));
    else if (i < legacy_prices)
      out.add(price_fields[i], "null");
  }
  out.add("funding_delta", "0.0");
  out.add("market", kind == market::spot ? "spot" : "linear");
  out.add("volatility_factor", text.of(what.deviation / what.mean));
  if (what.lead_lag) out.add("lead_lag", text.of(*what.lead_lag));
  out.add("max_spread_bps", text.of(what.spread_bps));
  out.add("vwap", text.of(what.vwap));
  out.add("volume", text.of(what.volume));
  out.add("suspect", what.suspect ? "1" : "0");
  out.add("closed", what.closed ? "1" : "0");
  out.add("event_ms", text.of(epoch_ms(what.event_at)));
  out.add("ingest_ms", text.of(epoch_ms(what.ingest_at)));
  if (what.excluded.any()) {
    std::string names;
    for (auto x : all_exchanges)
      if (what.excluded[index_of(x)]) (names += names.empty() ? "" : ",") += to_string(x);
    out.add("excluded", names);
  }
  out.end_record();
}

} // namespace breakwater
