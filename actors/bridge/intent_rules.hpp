#pragma once

#include "actors/bridge/contract_port.hpp"
#include "actors/bridge/event_reading.hpp"
#include "config/settings.hpp"
#include "messages/merged.hpp"
#include "messages/time.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace breakwater {

/// An event out of a stream, and what was found about it.
struct judged_event {
  nlohmann::json event;         ///< An object, unless `problem` says that there is none.
  std::string problem;          ///< Why it is invalid; empty: it is valid.
  bool reduces_risk = false;    ///< No breaker may hold it back.
  bool late = false;            ///< Older than max_age, but it reduces risk.
  bool from_side = false;       ///< Its action was named by the deprecated `side`.
  bool price_unchecked = false; ///< It has a stop-loss or take-profit, and no live price was known.
  std::string identity;         ///< A second event with the same is a duplicate; empty: not looked at.

  [[nodiscard]] bool valid() const noexcept { return problem.empty(); }
  /// The symbol whose live price the second look needs; empty: none.
  [[nodiscard]] std::string priced_symbol() const;
};

/// Whether an event of the bus may go on: its contract, and what a schema cannot say. Which of those are
/// looked at the schema names in its member `x-checks`: "age" (`timestamp`), "prices" (`stop_loss`,
/// `take_profit` against the live price of `symbol`), "duplicates" (symbol, action, timestamp, source). A
/// plain value.
class intent_rules {
public:
  /// A price older than this is no live price.
  static constexpr std::chrono::milliseconds price_lives_for{120'000};
  /// An event may be this far ahead of our clock.
  static constexpr std::chrono::milliseconds ahead_allowed{5000};
  /// How long a second event with the same identity is a duplicate.
  static constexpr std::chrono::seconds duplicate_within{900};

  intent_rules(bridge_settings route, std::vector<std::string> always_pass_actions,
               std::shared_ptr<const contract_port> contract);

  /// The first look: all but the prices.
  [[nodiscard]] judged_event judge(const stream_fields& fields, wall_time now) const;
  /// The second look, at one that is valid so far: its prices against the live one, if there is one.
  void judge_prices(judged_event& what, const std::optional<live_price>& live, wall_time now) const;
  /// The last look, at one that is valid so far and may have waited for leave: its age, anew.
  void judge_age(judged_event& what, wall_time now) const;
  /// Its action is one of those that always pass, or `reduce_only` (`reduceOnly`) is true.
  [[nodiscard]] bool reduces_risk(const nlohmann::json& event) const;

private:
  [[nodiscard]] std::string age_problem(judged_event& what, wall_time at, wall_time now) const;

  bridge_settings route_;
  std::vector<std::string> always_pass_;
  std::shared_ptr<const contract_port> contract_;
  bool age_ = false, prices_ = false, duplicates_ = false; ///< What is looked at.
};

} // namespace breakwater
