#include "actors/alerts/alert_rules.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <string_view>
#include <utility>

namespace breakwater {
namespace {

using namespace std::chrono_literals;
using enum alert_level;

/// A gauge that was above its limit is well again below so much of it.
constexpr double clears_at = 0.9;

/// "850 ms", "45 s", "10 min 5 s", "3 h".
std::string span_text(milliseconds span) {
  const auto ms = span.count();
  if (ms < 10'000) return std::to_string(ms) + " ms";
  if (ms < 180'000) return std::to_string(ms / 1000) + " s";
  if (const auto s = ms / 1000 % 60; ms < 3 * 3'600'000)
    return std::to_string(ms / 60'000) + " min" + (s == 0 ? "" : " " + std::to_string(s) + " s");
  return std::to_string(ms / 3'600'000) + " h";
}

std::string percent(double share) { return std::to_string(std::lround(share * 100)) + " %"; }

/// A fact, as it was told; empty: there is none.
std::string text(const health_answer& of, std::string_view fact) {
  for (const auto& [name, value] : of.facts)
    if (name == fact) return value;
  return {};
}

std::optional<std::uint64_t> number(const health_answer& of, std::string_view fact) {
  const auto value = text(of, fact);
  std::uint64_t n = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), n);
  if (value.empty() || error != std::errc{} || end != value.data() + value.size()) return std::nullopt;
  return n;
}

/// "BTCUSDT, ETHUSDT and 3 more".
std::string some_of(const std::vector<std::string>& names) {
  std::string all;
  for (std::size_t i = 0; i < std::min(names.size(), alert_rules::names_shown); ++i)
    all += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > alert_rules::names_shown)
    all += " and " + std::to_string(names.size() - alert_rules::names_shown) + " more";
  return all;
}

std::string or_unknown(const std::string& text) { return text.empty() ? "no reason is known" : text; }

milliseconds since(wall_time then, moment now) { return now.wall - then; }

} // namespace

std::string alert_rules::curl(const std::string& target) const {
  return "curl -s 'http://" + (limits_.api.empty() ? "<api.listen>" : limits_.api) + target + "'";
}

judgement alert_rules::judge(const observations& seen, moment now) {
  result_ = {};
  judge_breakers(seen, now);
  judge_redis(seen);
  judge_position(seen);
  judge_feeds(seen, now);
  judge_prices(seen, now);
  judge_spool(seen);
  judge_counts(seen, now);
  judge_restarts(seen);
  judge_clock(seen);
  judge_actors(seen);
  return std::exchange(result_, {});
}

void alert_rules::judge_breakers(const observations& seen, moment now) {
  for (const auto& [name, told] : seen.breakers) {
    if (!told) {
      cannot("breaker_open", name, "the breaker did not answer");
      continue;
    }
    if (told->phase == breaker_phase::closed || !told->opened_at) continue;
    const auto open_for = since(*told->opened_at, now);
    if (open_for <= limits_.alerts.breaker_open_for) continue;
    const auto reset = "breakwater breaker reset --name " + name;
    find({"breaker_open", name, critical,
          "breaker " + name + " is " + to_string(told->phase) + " for " + span_text(open_for) +
              ", longer than " + span_text(limits_.alerts.breaker_open_for) + ": " +
              or_unknown(told->trigger),
          told->phase == breaker_phase::forced_open
              ? "An operator opened it, and only an operator closes it: " + reset
              : "Mend what it says (breakwater breaker history --name " + name + "); then: " + reset,
          true});
  }
}

void alert_rules::judge_redis(const observations& seen) {
  if (!seen.redis) {
    for (const auto* rule : {"redis_away", "redis_denied", "redis_refuses_writes", "redis_reconnects"})
      cannot(rule, "", "the redis actor did not answer");
    return;
  }
  const auto& told = *seen.redis;
  const bool denied = !told.connected && told.last_error_class == "configuration";
  if (denied)
    find({"redis_denied", "", critical, "Redis at " + told.address + " refuses us: " + told.last_error,
          "Correct redis.username and redis.password_file, or the ACL on the server (" + limits_.redis_cli +
              " ACL LIST); breakwater tries again by itself",
          true});
  else if (!told.connected)
    find({"redis_away", "", critical,
          "Redis at " + told.address + " is away (" + told.phase + "): " + or_unknown(told.last_error),
          "Start Redis or mend the way to it: " + limits_.redis_cli +
              " PING. Nothing is lost meanwhile; the spool takes what comes"});
  else if (told.last_error_class == "refusing_writes" && told.consecutive_failures > 0)
    find({"redis_refuses_writes", "", critical, "Redis refuses writes: " + told.last_error,
          "Look what it lacks: " + limits_.redis_cli +
              " INFO, of it memory (OOM), persistence and the disk (MISCONF), or replication (NOREPLICAS). "
              "Nothing is lost meanwhile"});
  const auto most = limits_.alerts.redis_reconnects_per_hour;
  const auto reconnects = told.reconnects_last_hour;
  if (static_cast<double>(reconnects) > clears_at * static_cast<double>(most))
    find({"redis_reconnects", "", warning,
          std::to_string(reconnects) + " reconnects to Redis within an hour, more than " +
              std::to_string(most) + "; the last reason: " + or_unknown(told.last_error),
          "Look for the cause in the log (event=redis_lost) and on the server: " + limits_.redis_cli +
              " INFO clients, CONFIG GET timeout, CONFIG GET client-output-buffer-limit",
          true, reconnects > most});
}

void alert_rules::judge_position(const observations& seen) {
  constexpr auto rule = "position_silent";
  if (!seen.position_watched) return cannot(rule, "", "nobody watches the position monitor");
  if (!seen.position) return cannot(rule, "", "the position_monitor actor did not answer");
  const auto& told = *seen.position;
  if (told.status == position_status::unknown) return cannot(rule, "", or_unknown(told.why));
  if (told.status != position_status::silent) return;
  find({rule, "", critical,
        "the position monitor was " +
            (told.last_seen ? "last seen at " + to_rfc3339(*told.last_seen) + " by " + told.seen_by
                            : std::string{"never seen"}) +
            ": " + or_unknown(told.why),
        "Look whether it runs (systemctl status <its unit>) and start it again; open positions are not "
        "watched meanwhile",
        true});
}

void alert_rules::judge_feeds(const observations& seen, moment now) {
  const auto limit = limits_.alerts.feed_stale_for;
  std::map<symbol_key, mono_time> without_data;
  for (const auto& [of, told] : seen.feeds) {
    const std::string name = to_string(of);
    if (!told) {
      cannot("feed_stale", name, "the feed did not answer");
      for (const auto& [key, at] : without_data_)
        if (key.first == of) without_data.emplace(key, at);
      continue;
    }
    std::vector<std::string> stale;
    milliseconds longest{0};
    std::size_t followed = 0;
    for (const auto& symbol : told->symbols) {
      if (symbol.theirs.empty() || symbol.state == "refused")
        continue; // the exchange has none: no data is due
      ++followed;
      milliseconds age{0};
      if (symbol.last_data) {
        age = since(*symbol.last_data, now);
      } else {
        const symbol_key key{of, symbol.name};
        const auto known = without_data_.find(key);
        const auto from = known == without_data_.end() ? now.mono : known->second;
        without_data.emplace(key, from);
        age = std::chrono::duration_cast<milliseconds>(now.mono - from);
      }
      if (age <= limit) continue;
      stale.push_back(symbol.name);
      longest = std::max(longest, age);
    }
    if (stale.empty()) continue;
    find({"feed_stale", name, warning,
          name + " sends nothing of " + std::to_string(stale.size()) + " of " + std::to_string(followed) +
              " symbols for up to " + span_text(longest) + ", longer than " + span_text(limit) + ": " +
              some_of(stale) + (told->connected ? "" : " (no connection stands)"),
          "See " + curl("/api/feeds?exchange=" + name) +
              ". No connection: the way to the exchange, or its status page. Single symbols: whether they "
              "are still traded there",
          true});
  }
  without_data_ = std::move(without_data);
}

void alert_rules::judge_prices(const observations& seen, moment now) {
  if (!seen.prices) {
    cannot("no_record", "", "the aggregator did not answer");
    return cannot("suspect_price", "", "the aggregator did not answer");
  }
  judge_records(*seen.prices, now);
  judge_suspects(*seen.prices, now);
}

void alert_rules::judge_records(const price_answer& prices, moment now) {
  const auto limit = limits_.alerts.no_record_for;
  const auto waited = std::chrono::duration_cast<milliseconds>(now.mono - began_.mono);
  if (waited <= limit) return; // they have had no time yet
  const auto what_to_do = "See which exchanges have the symbol (" + curl("/api/feeds") +
                          ") and how many it takes (aggregator.min_exchanges); then the alerts about feeds";
  std::map<std::string, wall_time> newest;
  for (const auto& price : prices.prices) newest[price.symbol] = price.at;
  std::vector<std::string> others;
  for (std::size_t i = 0; i < limits_.symbols.size(); ++i) {
    const auto& symbol = limits_.symbols[i];
    const auto known = newest.find(symbol);
    if (known != newest.end() && since(known->second, now) <= limit) continue;
    if (i >= own_alerts) {
      others.push_back(symbol);
      continue;
    }
    const auto age = known == newest.end() ? std::min(waited, limits_.alerts.no_record_for * 1000)
                                           : since(known->second, now);
    find({"no_record", symbol, critical,
          "no merged record of " + symbol + " for " + span_text(age) + ", longer than " + span_text(limit) +
              (known == newest.end() ? "; there was none since the process began" : ""),
          what_to_do, true});
  }
  if (!others.empty())
    find({"no_record", "other symbols", critical,
          "no merged record of " + std::to_string(others.size()) + " further symbols for longer than " +
              span_text(limit) + ": " + some_of(others),
          what_to_do, true});
}

void alert_rules::judge_suspects(const price_answer& prices, moment now) {
  std::vector<std::string> names;
  for (const auto& price : prices.prices) // one without a new record is another rule's
    if (price.suspect && since(price.at, now) <= limits_.alerts.no_record_for) names.push_back(price.symbol);
  if (names.empty()) return;
  find({"suspect_price", "", warning,
        "the last two exchanges differ by more than aggregator.max_deviation in " +
            std::to_string(names.size()) + " symbols: " + some_of(names),
        "Compare the exchanges' own pages; trade on none of these prices meanwhile. More exchanges for the "
        "symbol settle it: " +
            curl("/api/feeds")});
}

void alert_rules::judge_spool(const observations& seen) {
  double share = -1;
  std::uint64_t bytes = 0, most = 0;
  for (const auto& [name, told] : seen.carriers) {
    if (!told) continue;
    const auto used = number(*told, "bytes"), limit = number(*told, "max_bytes");
    if (!used || !limit || *limit == 0) continue;
    const auto its = static_cast<double>(*used) / static_cast<double>(*limit);
    if (its > share) share = its, bytes = *used, most = *limit;
  }
  if (share < 0) {
    cannot("spool_filling", "", "no publisher answered");
    return cannot("spool_nearly_full", "", "no publisher answered");
  }
  const auto judge_one = [&](const char* rule, double limit, alert_level level) {
    if (share <= limit * clears_at) return;
    find({rule, "", level,
          "the spool holds " + std::to_string(bytes) + " of " + std::to_string(most) + " bytes (" +
              percent(share) + "), above " + percent(limit),
          "Have Redis take it: see the alerts about Redis, and breakwater spool status. At 100 % exchange "
          "data is conflated and streams are not read on",
          false, share > limit});
  };
  judge_one("spool_filling", limits_.alerts.spool_warn, warning);
  judge_one("spool_nearly_full", limits_.alerts.spool_critical, critical);
}

void alert_rules::judge_counts(const observations& seen, moment now) {
  for (const auto& [name, told] : seen.carriers) {
    if (told) {
      judge_count(name, *told, "dead", now);
      judge_count(name, *told, "trimmed_unread", now);
    } else {
      cannot("dead_letters", name, name + " did not answer");
      cannot("trimmed_unread", name, name + " did not answer");
    }
  }
}

void alert_rules::judge_count(const std::string& who, const health_answer& told, const std::string& fact,
                              moment now) {
  const auto count = number(told, fact);
  if (!count) return;
  const bool is_bridge = who.starts_with("bridge/");
  // Bridges count from their own beginning, the others over all runs: what there was before is old news.
  auto& mine = counts_.try_emplace({fact, who}, counted{is_bridge ? 0 : *count, 0, {}}).first->second;
  // A lower one: it counts anew, in another life of that actor, or somebody saw to it.
  const auto grown = *count >= mine.last ? *count - mine.last : is_bridge ? *count : 0;
  mine.last = *count;
  if (grown > 0) {
    const bool stands = mine.grew_at && now.mono - *mine.grew_at < count_stands;
    mine.since_raised = (stands ? mine.since_raised : 0) + grown;
    mine.grew_at = now.mono;
  }
  if (!mine.grew_at || now.mono - *mine.grew_at >= count_stands) return;
  const auto n = std::to_string(mine.since_raised);
  const auto stream = text(told, "stream");
  if (fact == "dead")
    find({"dead_letters", who, warning, n + " of what " + who + " carries was set aside as unusable",
          is_bridge ? "Read why and have the sender corrected: " + limits_.redis_cli + " XREVRANGE " +
                          stream + ".dead + - COUNT 10"
                    : "Look at them and decide: breakwater spool dead",
          true});
  else if (who.starts_with("publisher"))
    find({"trimmed_unread", who, critical,
          n + " entries of the stream of " + who + " were trimmed before a consumer group had read them",
          "Mend the consumer group that does not read, or remove it: " + limits_.redis_cli +
              " XINFO GROUPS " + stream,
          true});
  else
    find({"trimmed_unread", who, critical,
          n + " entries were trimmed before " + who + " had read them; they are lost to it",
          "Have the stream's writer keep more (MAXLEN), and find out why " + who +
              " fell behind: " + limits_.redis_cli + " XINFO STREAM " + stream + ", and its log lines",
          true});
}

void alert_rules::judge_restarts(const observations& seen) {
  constexpr auto rule = "restarts";
  const auto recent = seen.supervisor ? number(*seen.supervisor, "restarts_recently") : std::nullopt;
  if (!recent) return cannot(rule, "", "the supervisor did not answer");
  const auto half = static_cast<double>(limits_.supervisor.max_restarts) / 2;
  const auto count = static_cast<double>(*recent);
  if (count <= half * clears_at) return;
  find({rule, "", critical,
        std::to_string(*recent) + " restarts of actors within " + span_text(limits_.supervisor.within) +
            ", above half of supervisor.max_restarts = " + std::to_string(limits_.supervisor.max_restarts) +
            "; above all of it the process ends",
        "See who fails and why: " + curl("/api/actors") + ", and event=actor_failed in the log", true,
        count > half});
}

void alert_rules::judge_clock(const observations& seen) {
  constexpr auto rule = "clock_skew";
  if (!seen.clock_asked) {
    result_.untouched.insert(rule);
    return;
  }
  if (!seen.clock) return cannot(rule, "", "Redis did not answer TIME");
  const auto ahead = seen.clock->ours - seen.clock->theirs;
  const auto skew = std::max(milliseconds{std::abs(ahead.count())} - seen.clock->uncertainty, 0ms);
  const auto limit = limits_.alerts.clock_skew;
  if (static_cast<double>(skew.count()) <= clears_at * static_cast<double>(limit.count())) return;
  find({rule, "", warning,
        "our clock is " + span_text(skew) + (ahead > 0ms ? " ahead of" : " behind") + " Redis's, more than " +
            span_text(limit),
        "Have both hosts keep time: timedatectl status, chronyc tracking. Ages and entry ids depend on it",
        false, skew > limit});
}

void alert_rules::judge_actors(const observations& seen) {
  constexpr auto rule = "actor_critical";
  if (!seen.health) return cannot(rule, "", "the health actor did not answer");
  if (!seen.health->as_of || seen.health->as_of == tick_judged_) {
    result_.untouched.insert(rule); // nothing new since the last look
    return;
  }
  tick_judged_ = seen.health->as_of;
  const std::set<std::string_view> with_rules_of_their_own{"redis", "position_monitor", "alerts"};
  for (const auto& part : seen.health->parts)
    if (part.answer.level == health_level::critical && !with_rules_of_their_own.contains(part.name))
      find({rule, part.name, critical, part.name + " is critical: " + or_unknown(part.answer.why),
            "See " + curl("/health") + " and the log lines of " + part.name});
}

} // namespace breakwater
