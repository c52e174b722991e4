#pragma once

#include "messages/merged.hpp"

#include <string>
#include <unordered_map>
#include <vector>

namespace breakwater {

/// The last merged price of each symbol, over the records of one aggregator's life. A plain value.
class last_prices {
public:
  /// Remembers the price of `told`, unless a later minute of its symbol is known.
  void add(const merged& told);
  /// Of `symbols`, or of all if there are none; those that are not known are left out.
  [[nodiscard]] price_answer of(const std::vector<std::string>& symbols) const;

private:
  struct known {
    std::int64_t start_s = 0;
    live_price last;
  };
  std::unordered_map<std::string, known> by_symbol_;
};

} // namespace breakwater
