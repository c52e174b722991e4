#include "app/simulator/misbehaviour.hpp"

#include "config/value_text.hpp"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <random>

namespace breakwater {
namespace {

using namespace std::chrono_literals;

struct fault_words {
  const char* name;
  const char* help;
};
constexpr std::array<fault_words, fault_count> words{{
    {"slow", "frames come three seconds late"},
    {"cut", "the connection breaks without a word"},
    {"silent", "connected, acknowledged, and nothing more; with share=0.5 so are only half the symbols"},
    {"duplicate", "every frame comes twice"},
    {"reordered", "neighbouring frames change places"},
    {"malformed", "every fourth frame comes cut off or garbled, or has such a text before it"},
    {"snapshot", "a huge frame of another channel, once"},
    {"wrong_acknowledgement", "answers to subscriptions are missing, errors, or another request's"},
    {"day_end", "the planned end of a connection; Binance and OKX announce it half a minute ahead"},
    {"rate_limit", "connects, subscriptions and REST requests are refused for being too many"},
}};

failure refused(std::string why) { return failure{errc::config_invalid, std::move(why)}; }

failure no_fault(std::string_view name) {
  std::string known;
  for (const auto& each : words) known += (known.empty() ? "" : ", ") + std::string{each.name};
  return refused("'" + std::string{name} + "' is no fault; there are " + known);
}

/// Takes what stands before the next comma off the front of `text`.
std::string_view take_part(std::string_view& text) {
  const auto part = text.substr(0, text.find(','));
  text.remove_prefix(std::min(part.size() + 1, text.size()));
  return part;
}

/// Notes a "key=value"; returns what is wrong with it.
std::optional<failure> note(std::string_view pair, fault_rule& rule) {
  const auto equals = std::min(pair.find('='), pair.size());
  const auto key = pair.substr(0, equals);
  const auto value = pair.substr(std::min(equals + 1, pair.size()));
  const auto quoted = "'" + std::string{pair} + "'";
  if (key == "exchange") {
    rule.from = parse_exchange(value);
    if (!rule.from) return refused(quoted + ": exchanges are binance, bybit, coinbase, okx and kraken");
    return std::nullopt;
  }
  if (key == "share") {
    const auto read = std::from_chars(value.data(), value.data() + value.size(), rule.share);
    if (read.ec != std::errc{} || read.ptr != value.data() + value.size() || !(rule.share > 0) ||
        rule.share > 1)
      return refused(quoted + ": the share of symbols is above 0 and at most 1");
    if (rule.what != fault::silent) return refused(quoted + ": only silent has a share");
    return std::nullopt;
  }
  auto* const into = key == "every"   ? &rule.every
                     : key == "for"   ? &rule.lasts
                     : key == "after" ? &rule.after
                                      : nullptr;
  if (!into) return refused(quoted + " is none of exchange=, every=, for=, after=, share=");
  const auto read = config::parse_duration(value);
  if (!read || (key == "every" && *read < 1s))
    return refused(quoted + " is no duration, or too short; write it as 5s or 2m");
  *into = *read;
  return std::nullopt;
}

} // namespace

const char* to_string(fault what) noexcept { return words[static_cast<std::size_t>(what)].name; }
const char* help_of(fault what) noexcept { return words[static_cast<std::size_t>(what)].help; }

std::optional<fault> parse_fault(std::string_view name) noexcept {
  for (std::size_t i = 0; i < fault_count; ++i)
    if (name == words[i].name) return static_cast<fault>(i);
  return std::nullopt;
}

result<fault_rule> parse_fault_rule(std::string_view text) {
  fault_rule rule;
  const auto name = take_part(text);
  const auto what = parse_fault(name);
  if (!what) return no_fault(name);
  rule.what = *what;
  while (!text.empty())
    if (auto wrong = note(take_part(text), rule)) return *std::move(wrong);
  return rule;
}

result<std::chrono::milliseconds> parse_all_faults(std::string_view text) {
  constexpr std::string_view prefix = "all,every=";
  if (text == "all") return std::chrono::milliseconds{10min};
  const auto every =
      text.starts_with(prefix) ? config::parse_duration(text.substr(prefix.size())) : std::nullopt;
  if (!every || *every < 1min)
    return refused("'" + std::string{text} + "' is neither all nor all,every= and a minute or more");
  return *every;
}

std::vector<fault_rule> all_faults(std::chrono::milliseconds every, std::uint64_t seed) {
  std::vector<fault_rule> rules;
  // Some would meet nobody in a turn of their own.
  constexpr std::pair<fault, fault> with[] = {{fault::rate_limit, fault::cut},
                                              {fault::wrong_acknowledgement, fault::day_end}};
  for (std::size_t i = 0; i < fault_count; ++i) {
    const auto what = static_cast<fault>(i);
    if (what != with[0].first && what != with[1].first) rules.push_back({.what = what});
  }
  rules.push_back({.what = fault::silent, .share = 0.5});
  // Not std::shuffle: what that draws differs from library to library.
  std::mt19937_64 dice{seed};
  for (auto left = rules.size(); left > 1; --left) std::swap(rules[left - 1], rules[dice() % left]);
  const auto turn = every / static_cast<int>(rules.size());
  for (std::size_t i = 0; i < rules.size(); ++i) {
    rules[i].after = turn * static_cast<int>(i) + turn / 2;
    rules[i].every = every;
    rules[i].lasts = turn / 2;
  }
  for (const auto& [guest, host] : with) {
    auto rule =
        *std::find_if(rules.begin(), rules.end(), [&](const auto& each) { return each.what == host; });
    rule.what = guest;
    rules.push_back(rule);
  }
  return rules;
}

wall_time fault_plan::first_of(const fault_rule& rule, exchange from) const {
  const auto turn = rule.from ? 0 : static_cast<int>(index_of(from));
  return began_ + rule.after + rule.every / static_cast<int>(exchange_count) * turn;
}

std::size_t fault_plan::begun(fault what, exchange from, wall_time now) const {
  std::size_t count = 0;
  for (const auto& rule : rules_)
    if (const auto first = first_of(rule, from); rule.what == what && concerns(rule, from) && now >= first)
      count += static_cast<std::size_t>((now - first) / rule.every) + 1;
  return count;
}

const fault_rule* fault_plan::active(fault what, exchange from, wall_time now) const {
  const fault_rule* found = nullptr;
  for (const auto& rule : rules_) {
    const auto first = first_of(rule, from);
    if (rule.what != what || !concerns(rule, from) || now < first || (now - first) % rule.every >= rule.lasts)
      continue;
    if (!found || found->share < rule.share) found = &rule;
  }
  return found;
}

wall_time fault_plan::next_change(exchange from, wall_time now) const {
  auto next = wall_time::max();
  for (const auto& rule : rules_) {
    if (!concerns(rule, from)) continue;
    const auto first = first_of(rule, from);
    if (now < first) {
      next = std::min(next, first);
      continue;
    }
    const auto began = now - (now - first) % rule.every;
    next = std::min(next, began + rule.every);
    if (now < began + rule.lasts) next = std::min(next, began + rule.lasts);
  }
  return next;
}

} // namespace breakwater
