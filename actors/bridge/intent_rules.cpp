#include "actors/bridge/intent_rules.hpp"

#include "actors/bridge/event_time.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>

namespace breakwater {
namespace {

using nlohmann::json;

std::string text_of(const json& event, const char* name) {
  const auto found = event.find(name);
  return found != event.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::optional<double> number_of(const json& event, const char* name) {
  const auto found = event.find(name);
  if (found == event.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

bool is_true(const json& event, const char* name) {
  const auto found = event.find(name);
  return found != event.end() && found->is_boolean() && found->get<bool>();
}

/// A number for people: as JSON writes it.
std::string shown(double x) { return json(x).dump(); }

std::string seconds_of(std::chrono::milliseconds time) {
  return shown(static_cast<double>(time.count()) / 1000) + " s";
}

constexpr std::array exit_prices{"stop_loss", "take_profit"};

} // namespace

std::string judged_event::priced_symbol() const {
  if (!valid() || reduces_risk) return {};
  const bool has_one = std::any_of(exit_prices.begin(), exit_prices.end(),
                                   [&](const char* name) { return number_of(event, name).has_value(); });
  return has_one ? text_of(event, "symbol") : std::string{};
}

intent_rules::intent_rules(bridge_settings route, std::vector<std::string> always_pass_actions,
                           std::shared_ptr<const contract_port> contract)
    : route_(std::move(route)), always_pass_(std::move(always_pass_actions)), contract_(std::move(contract)) {
  const auto asks_for = [checks = contract_->schema().value("x-checks", json::array())](const char* what) {
    return std::find(checks.begin(), checks.end(), what) != checks.end();
  };
  age_ = asks_for("age");
  prices_ = asks_for("prices");
  duplicates_ = asks_for("duplicates");
}

bool intent_rules::reduces_risk(const json& event) const {
  const auto action = text_of(event, "action");
  return std::find(always_pass_.begin(), always_pass_.end(), action) != always_pass_.end() ||
         is_true(event, "reduce_only") || is_true(event, "reduceOnly");
}

judged_event intent_rules::judge(const stream_fields& fields, wall_time now) const {
  judged_event what;
  auto read = read_event(fields, contract_->schema());
  if (!read) {
    what.problem = read.error().detail;
    return what;
  }
  what.event = std::move(read->event);
  what.from_side = read->from_side;
  what.problem = contract_->problem(what.event);
  if (!what.valid()) return what;
  what.reduces_risk = reduces_risk(what.event);
  if (!age_ && !duplicates_) return what;
  const auto at = parse_event_time(what.event.value("timestamp", json{}));
  if (!at) {
    what.problem = "timestamp: neither epoch seconds, epoch milliseconds nor ISO 8601";
    return what;
  }
  if (age_) what.problem = age_problem(what, *at, now);
  if (!duplicates_) return what;
  auto source = text_of(what.event, "source");
  for (const auto& [name, value] : fields) // the entry names it where the event does not
    if (source.empty() && name == "source") source = value;
  what.identity = text_of(what.event, "symbol") + ":" + text_of(what.event, "action") + ":" +
                  std::to_string(epoch_ms(*at)) + ":" + source;
  return what;
}

void intent_rules::judge_age(judged_event& what, wall_time now) const {
  if (!age_ || !what.valid()) return;
  // Its time was read before, so it can be read.
  if (const auto at = parse_event_time(what.event["timestamp"])) what.problem = age_problem(what, *at, now);
}

std::string intent_rules::age_problem(judged_event& what, wall_time at, wall_time now) const {
  if (at > now + ahead_allowed)
    return "timestamp: " + seconds_of(at - now) + " ahead of our clock; up to " + seconds_of(ahead_allowed) +
           " is allowed";
  if (now - at <= route_.max_age) return {};
  what.late = what.reduces_risk;
  if (what.late) return {};
  return "timestamp: too old, " + seconds_of(now - at) + "; up to " + seconds_of(route_.max_age) +
         " is allowed";
}

void intent_rules::judge_prices(judged_event& what, const std::optional<live_price>& live,
                                wall_time now) const {
  if (!prices_ || what.priced_symbol().empty()) return;
  if (!live || live->suspect || !(live->price > 0) || now - live->at > price_lives_for) {
    what.price_unchecked = true;
    return;
  }
  const bool buys = text_of(what.event, "action") == "BUY";
  for (const auto* name : exit_prices) {
    const auto price = number_of(what.event, name);
    if (!price) continue;
    const bool belongs_above = buys == (std::string_view{name} == "take_profit");
    const auto against = " the live price " + shown(live->price);
    if (belongs_above ? *price <= live->price : *price >= live->price) {
      what.problem = std::string{name} + ": " + shown(*price) + " of a " + (buys ? "BUY" : "SELL") +
                     " must lie " + (belongs_above ? "above" : "below") + against;
      return;
    }
    if (const auto distance = std::abs(*price - live->price) / live->price; distance > route_.max_distance) {
      what.problem = std::string{name} + ": " + shown(*price) + " is more than " +
                     shown(route_.max_distance * 100) + " % away from" + against;
      return;
    }
  }
}

} // namespace breakwater
