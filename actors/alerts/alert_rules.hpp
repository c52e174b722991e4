#pragma once

#include "actors/alerts/alert_state.hpp"
#include "actors/alerts/observations.hpp"
#include "config/settings.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace breakwater {

struct alert_limits {
  alerts_settings alerts;
  supervisor_settings supervisor;
  std::vector<std::string> symbols; ///< Each must have merged records; the most important first.
  std::string redis_cli;            ///< How redis-cli is called, for those commands.
  std::string api;                  ///< Where ours listens, for the commands in what_to_do; empty: nowhere.
};

/// What of the things seen at a look an operator must know. A plain value.
///
/// Ages and counts are over their limit when strictly above it. Gauges clear below 90 % of it.
class alert_rules {
public:
  /// `began`: when this process (or this life of the actor) did; a symbol has its time from then on.
  alert_rules(alert_limits limits, moment began) : limits_(std::move(limits)), began_(began) {}

  [[nodiscard]] judgement judge(const observations& seen, moment now);

  static constexpr std::size_t names_shown = 5;
  /// So many symbols have an alert of their own about their records; the others share one.
  static constexpr std::size_t own_alerts = 10;
  /// How long something that was set aside or lost stands, if nothing follows.
  static constexpr std::chrono::minutes count_stands{10};

private:
  void judge_breakers(const observations& seen, moment now);
  void judge_redis(const observations& seen);
  void judge_position(const observations& seen);
  void judge_feeds(const observations& seen, moment now);
  void judge_prices(const observations& seen, moment now);
  void judge_records(const price_answer& prices, moment now);
  void judge_suspects(const price_answer& prices, moment now);
  void judge_spool(const observations& seen);
  void judge_counts(const observations& seen, moment now);
  void judge_restarts(const observations& seen);
  void judge_clock(const observations& seen);
  void judge_actors(const observations& seen);

  [[nodiscard]] std::string curl(const std::string& target) const; ///< The command that asks our API.
  void find(finding what) { result_.findings.push_back(std::move(what)); }
  void cannot(const std::string& rule, const std::string& subject, const std::string& why) {
    result_.unjudged[{rule, subject}] = why;
  }

  /// Since when a feed's symbol that never had data is followed.
  using symbol_key = std::pair<exchange, std::string>;
  /// A count that must not grow.
  struct counted {
    std::uint64_t last = 0, since_raised = 0;
    std::optional<mono_time> grew_at;
  };
  void judge_count(const std::string& who, const health_answer& told, const std::string& fact, moment now);

  alert_limits limits_;
  moment began_;
  std::map<symbol_key, mono_time> without_data_;
  std::map<std::pair<std::string, std::string>, counted> counts_; ///< By fact and whose it is.
  std::optional<wall_time> tick_judged_;                          ///< Health's tick that was looked at last.
  judgement result_;
};

} // namespace breakwater
