#include "actors/aggregator/merge_tally.hpp"

namespace breakwater {

void merge_tally::add(const merged& told) {
  ++counted_.records;
  if (told.suspect) ++counted_.suspect;
  for (std::size_t i = 0; i < exchange_count; ++i) {
    if (!told.prices[i]) continue;
    auto& of = counted_.exchanges[i];
    ++(told.excluded[i] ? of.excluded : of.contributed);
  }
  if (!told.lead_lag) return;
  lead_lag_sum_ += *told.lead_lag;
  ++lead_lags_;
}

merge_report merge_tally::report() const {
  auto all = counted_;
  if (lead_lags_ > 0) all.lead_lag = lead_lag_sum_ / static_cast<double>(lead_lags_);
  return all;
}

} // namespace breakwater
