#pragma once

#include "messages/merged.hpp"

#include <cstdint>

namespace breakwater {

/// How the exchanges' prices agree, counted over the records of one aggregator's life. A plain value.
class merge_tally {
public:
  void add(const merged& told);
  /// All but `filled`, which records do not tell.
  [[nodiscard]] merge_report report() const;

private:
  merge_report counted_;
  double lead_lag_sum_ = 0;
  std::uint64_t lead_lags_ = 0;
};

} // namespace breakwater
