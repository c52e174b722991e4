#include "app/simulator/simulated_exchanges.hpp"

#include "app/simulator/dialects.hpp"
#include "app/simulator/venue.hpp"

#include <utility>

namespace breakwater {

using namespace std::chrono_literals;

namespace {

std::vector<fault_rule> rules_of(const simulator_options& options) {
  auto rules = options.faults;
  if (options.all_faults_every > 0ms) {
    const auto all = all_faults(options.all_faults_every, options.seed);
    rules.insert(rules.end(), all.begin(), all.end());
  }
  return rules;
}

} // namespace

simulated_exchanges::simulated_exchanges(const simulator_options& options, wall_time began)
    : invents_(options.frames_file.empty()),
      interval_(options.interval),
      seed_(options.seed),
      market_(options.seed, options.symbols, options.quiet_minutes),
      rest_(market_, invents_),
      plan_(rules_of(options), began) {
  for (auto x : all_exchanges) connects_.push_back(connect_limit_of(x));
}

/// How often one client may connect.
simulated_exchanges::connect_limit simulated_exchanges::connect_limit_of(exchange from) {
  switch (from) {
  case exchange::binance: return rate_limit{300, 5min};
  case exchange::bybit: return rate_limit{500, 5min};
  case exchange::okx: return rate_limit{3, 1s};
  case exchange::kraken: return rate_limit{150, 10min};
  case exchange::coinbase: break;
  }
  return burst_limit{8, 20};
}

simulated_exchanges::admission simulated_exchanges::connect(std::string_view target, wall_time now) {
  auto address = parse_venue_address(target);
  if (!address) return {nullptr, {.status = 404, .body = {}}};
  const auto from = address->from;
  const bool allowed = std::visit([&](auto& limit) { return limit.allow(now); }, connects_[index_of(from)]);
  if (!allowed || seems_over_limit(from, now)) return {nullptr, {.status = 429, .body = {}}};
  ++connections_;
  return {std::make_unique<simulated_connection>(
              venue::make(*std::move(address), market_, connections_, interval_, invents_), plan_,
              faults_done_, dialects::scramble(seed_ + connections_), now),
          {}};
}

std::optional<rest_answer> simulated_exchanges::get(std::string_view target, wall_time now) {
  const auto from = rest_venue::owner_of(target);
  if (!from) return std::nullopt;
  return seems_over_limit(*from, now) ? rest_venue::too_often(*from) : rest_.get(target, now);
}

bool simulated_exchanges::seems_over_limit(exchange from, wall_time now) {
  if (!plan_.active(fault::rate_limit, from, now)) return false;
  ++faults_done_[static_cast<std::size_t>(fault::rate_limit)];
  return true;
}

} // namespace breakwater
