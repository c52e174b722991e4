#include "actors/aggregator/last_prices.hpp"

namespace breakwater {

void last_prices::add(const merged& told) {
  auto& now = by_symbol_[told.symbol];
  if (told.start_s < now.start_s) return;
  now.start_s = told.start_s;
  now.last = {told.symbol,     told.mean,         told.ingest_at, told.suspect,  told.deviation,
              told.spread_bps, told.contributing, told.prices,    told.excluded, told.start_s};
}

price_answer last_prices::of(const std::vector<std::string>& symbols) const {
  price_answer answer;
  for (const auto& symbol : symbols)
    if (const auto found = by_symbol_.find(symbol); found != by_symbol_.end())
      answer.prices.push_back(found->second.last);
  if (symbols.empty())
    for (const auto& [symbol, now] : by_symbol_) answer.prices.push_back(now.last);
  return answer;
}

} // namespace breakwater
