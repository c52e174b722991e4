#include "actors/alerts/alert_state.hpp"

#include <algorithm>
#include <tuple>

namespace breakwater {
namespace {

bool is_unjudged(const judgement& what, const std::string& rule, const std::string& subject) {
  return what.untouched.contains(rule) || what.unjudged.contains({rule, ""}) ||
         what.unjudged.contains({rule, subject});
}

} // namespace

std::vector<alert> alert_state::take(const judgement& what, wall_time now) {
  std::vector<alert> changes;
  std::set<key> seen;
  for (const auto& found : what.findings) {
    see(found, now, changes);
    seen.insert({found.rule, found.subject});
  }
  for (auto it = all_.begin(); it != all_.end();) {
    const auto& [rule, subject] = it->first;
    const bool gone =
        !seen.contains(it->first) && !is_unjudged(what, rule, subject) && miss(it->second, now, changes);
    it = gone ? all_.erase(it) : std::next(it);
  }
  return changes;
}

void alert_state::see(const finding& found, wall_time now, std::vector<alert>& changes) {
  const auto at = all_.find({found.rule, found.subject});
  if (!found.holds && (at == all_.end() || !at->second.stands)) { // within the threshold: no reason to raise
    if (at != all_.end()) all_.erase(at);
    return;
  }
  auto& mine = at == all_.end() ? all_[{found.rule, found.subject}] : at->second;
  mine.missed = 0;
  mine.what.text = found.text;
  mine.what.what_to_do = found.what_to_do;
  if (mine.stands || (!found.at_once && ++mine.found < looks_to_raise)) return;
  mine.stands = true;
  mine.what.number = ++last_number_;
  mine.what.rule = found.rule;
  mine.what.subject = found.subject;
  mine.what.level = found.level;
  mine.what.raised_at = now;
  changes.push_back(mine.what);
}

bool alert_state::miss(entry& of, wall_time now, std::vector<alert>& changes) {
  if (!of.stands) return true;
  if (++of.missed < looks_to_clear) return false;
  of.what.cleared_at = now;
  changes.push_back(of.what);
  recent_.push_front(std::move(of.what));
  if (recent_.size() > most_recent) recent_.pop_back();
  return true;
}

std::vector<alert> alert_state::active() const {
  std::vector<alert> standing;
  for (const auto& [which, mine] : all_)
    if (mine.stands) standing.push_back(mine.what);
  std::sort(standing.begin(), standing.end(), [](const alert& a, const alert& b) {
    return std::tuple{b.level, a.number} < std::tuple{a.level, b.number};
  });
  return standing;
}

bool alert_state::is_undecided(const std::string& rule) const {
  return std::any_of(all_.begin(), all_.end(), [&](const auto& one) {
    return one.first.first == rule && (!one.second.stands || one.second.missed > 0);
  });
}

} // namespace breakwater
