#include "actors/breaker/breaker.hpp"

#include "actors/support/entry_id.hpp"

#include <algorithm>
#include <utility>

namespace breakwater {
namespace {

using std::chrono::milliseconds;

milliseconds whole_ms(mono_time::duration time) { return std::chrono::duration_cast<milliseconds>(time); }
/// Rounded up, so that a caller who waits this long is not a moment too early.
milliseconds wait_ms(mono_time::duration time) {
  return std::max(std::chrono::ceil<milliseconds>(time), milliseconds{0});
}

std::string shortened(std::string reason) {
  if (reason.size() > breaker::max_reason) reason = reason.substr(0, breaker::max_reason - 3) + "...";
  return reason;
}

/// The monotonic time of what the wall clock said then; never later than `now`.
moment recalled(wall_time at, moment now) {
  return {now.mono - std::max(now.wall - at, milliseconds{0}), at};
}

const std::string itself = "breaker";

} // namespace

breaker::breaker(std::string name, breaker_settings settings)
    : name_(std::move(name)), settings_(settings), open_for_(settings.open_duration) {}

breaker::breaker(std::string name, breaker_settings settings, breaker_memory before, moment now)
    : breaker(std::move(name), settings) {
  phase_ = before.phase;
  failures_ = before.failures;
  last_failure_ = std::move(before.last_failure);
  cursor_ = std::move(before.cursor);
  seen_ = before.seen;
  history_.assign(std::make_move_iterator(before.history.begin()),
                  std::make_move_iterator(before.history.end()));
  for (const auto at : before.recent_failures) recent_failures_.push_back(recalled(at, now));
  if (phase_ == breaker_phase::closed) return;
  open_for_ = std::clamp(before.open_for, settings_.open_duration, settings_.max_open_duration);
  open_until_ = now.mono + std::clamp(before.open_until - now.wall, milliseconds{0}, open_for_);
  left_closed_at_ = recalled(before.left_closed_at, now);
  trigger_ = std::move(before.trigger);
  if (settings_.mode == breaker_mode::off) move_to(breaker_phase::closed, "mode is off", now, itself);
}

permit breaker::ask(moment now) {
  advance(now);
  const bool refused = refuses();
  if (holds_back()) {
    ++seen_.blocked;
    return refusal(now);
  }
  ++seen_.allowed;
  if (refused) ++seen_.would_block;
  return leave(now);
}

permit breaker::leave(moment now) {
  const auto number = ++last_permit_;
  if (phase_ == breaker_phase::half_open && !refuses()) probes_.emplace(number, now.mono + probe_deadline);
  return {.granted = true, .number = number, .why = {}, .retry_after = {}};
}

permit breaker::gate(const gate_request& asked, moment now) {
  advance(now);
  if (asked.reduces_risk) return {.granted = true, .number = ++last_permit_, .why = {}, .retry_after = {}};
  if (holds_back()) return refusal(now);
  if (refuses()) ++seen_.would_block;
  return leave(now);
}

void breaker::gated(const gate_outcome& outcome, moment now) {
  advance(now);
  switch (outcome.became) {
  case gate_outcome::what::passed: ++seen_.allowed; return;
  case gate_outcome::what::held: ++seen_.blocked; return;
  case gate_outcome::what::unused: probes_.erase(outcome.permit); return;
  }
}

void breaker::record(const call_outcome& outcome, moment now) {
  advance(now);
  const bool probe_returned = probes_.erase(outcome.permit) > 0;
  if (!outcome.cursor.empty()) {
    if (parse_entry_id(outcome.cursor) <= parse_entry_id(cursor_)) return; // it was told before
    cursor_ = outcome.cursor;
  }
  if (!outcome.decides) return;
  ++(outcome.succeeded ? seen_.successes : seen_.failures);
  if (!outcome.succeeded) {
    last_failure_ = shortened(outcome.reason);
    recent_failures_.push_back(now);
    if (recent_failures_.size() > max_recent_failures) recent_failures_.pop_front();
  }
  if (settings_.mode == breaker_mode::off) return;
  if (outcome.permit != 0 && outcome.permit < first_of_phase_) return; // of an earlier phase
  switch (phase_) {
  case breaker_phase::closed:
    if (outcome.succeeded)
      failures_ = 0;
    else if (++failures_ >= settings_.failure_threshold)
      open(outcome.reason, now);
    return;
  case breaker_phase::half_open:
    // What needed no permit, such as a connect attempt or a reported result, says as much as a probe.
    if (!probe_returned && outcome.permit != 0) return;
    if (!outcome.succeeded) {
      ++failures_;
      open_for_ = std::min(open_for_ * 2, settings_.max_open_duration);
      open(outcome.reason, now);
    } else if (++probes_succeeded_ >= settings_.half_open_probes) {
      move_to(breaker_phase::closed, "every probe succeeded", now, itself);
    }
    return;
  case breaker_phase::open:
  case breaker_phase::forced_open:
    if (!outcome.succeeded) ++failures_;
    return;
  }
}

void breaker::restored(moment now) {
  advance(now);
  if (phase_ == breaker_phase::open)
    move_to(breaker_phase::half_open, "the dependency was reached again", now, itself);
}

void breaker::advance(moment now) {
  if (phase_ == breaker_phase::open && now.mono >= open_until_)
    move_to(breaker_phase::half_open, "the open time is over", now, itself);
  std::erase_if(probes_, [now](const auto& probe) { return probe.second <= now.mono; });
}

std::vector<std::string> breaker::reset_blocked(moment now) const {
  if (phase_ == breaker_phase::closed) return {"the circuit is not active: it is CLOSED"};
  std::vector<std::string> reasons;
  const auto period =
      std::to_string(std::chrono::duration_cast<std::chrono::seconds>(settings_.reset_quiet_period).count());
  if (const auto recent = failures_within_quiet_period(now); recent >= settings_.failure_threshold)
    reasons.push_back(std::to_string(recent) + " failures within the last " + period +
                      " s; a safe reset needs fewer than " + std::to_string(settings_.failure_threshold));
  if (!recent_failures_.empty())
    if (const auto age = whole_ms(now.mono - recent_failures_.back().mono);
        age <= settings_.reset_quiet_period)
      reasons.push_back("the last failure was " + std::to_string(age.count() / 1000) +
                        " s ago; a safe reset needs " + period + " s without one");
  return reasons;
}

void breaker::reset(const std::string& reason, const std::string& by, moment now) {
  if (phase_ != breaker_phase::closed) move_to(breaker_phase::closed, reason, now, by);
  failures_ = 0;
}

void breaker::force_open(const std::string& reason, const std::string& by, moment now) {
  if (phase_ != breaker_phase::forced_open) move_to(breaker_phase::forced_open, reason, now, by);
}

std::vector<breaker_move> breaker::take_moves() { return std::exchange(moves_, {}); }

std::optional<mono_time> breaker::next_wake() const noexcept {
  if (phase_ == breaker_phase::open) return open_until_;
  return std::nullopt;
}

breaker_statistics breaker::statistics(moment now) const {
  auto seen = seen_;
  if (phase_ != breaker_phase::closed) {
    const auto this_time = whole_ms(now.mono - left_closed_at_.mono);
    seen.time_open += this_time;
    seen.longest_open = std::max(seen.longest_open, this_time);
  }
  return seen;
}

breaker_report breaker::report(moment now) const {
  breaker_report told;
  told.name = name_;
  told.mode = to_string(settings_.mode);
  told.phase = phase_;
  told.failures = failures_;
  told.failure_threshold = static_cast<unsigned>(settings_.failure_threshold);
  if (!recent_failures_.empty()) told.last_failure_at = recent_failures_.back().wall;
  told.last_failure = last_failure_;
  if (phase_ != breaker_phase::closed) {
    told.trigger = trigger_;
    told.opened_at = left_closed_at_.wall;
    if (const auto wait = retry_after(now); wait && wait->count() > 0) told.retry_at = now.wall + *wait;
  }
  told.reset_blocked = reset_blocked(now);
  told.statistics = statistics(now);
  told.cursor = cursor_;
  return told;
}

breaker_history breaker::history(std::size_t limit) const {
  const auto count = static_cast<std::ptrdiff_t>(std::min(limit, history_.size()));
  return {{history_.rbegin(), history_.rbegin() + count}};
}

breaker_memory breaker::memory(moment now) const {
  breaker_memory kept;
  kept.phase = phase_;
  kept.failures = failures_;
  kept.open_for = open_for_;
  if (phase_ == breaker_phase::open) kept.open_until = now.wall + wait_ms(open_until_ - now.mono);
  kept.left_closed_at = left_closed_at_.wall;
  kept.trigger = trigger_;
  for (const auto& failure : recent_failures_) kept.recent_failures.push_back(failure.wall);
  kept.last_failure = last_failure_;
  kept.cursor = cursor_;
  kept.seen = seen_;
  if (!history_.empty()) kept.history.push_back(history_.back());
  return kept;
}

std::optional<milliseconds> breaker::retry_after(moment now) const {
  switch (phase_) {
  case breaker_phase::closed: break;
  case breaker_phase::open: return wait_ms(open_until_ - now.mono);
  case breaker_phase::half_open:
    if (refuses()) return ask_again_after;
    break;
  case breaker_phase::forced_open: return std::nullopt;
  }
  return milliseconds{0};
}

std::size_t breaker::failures_within_quiet_period(moment now) const {
  return static_cast<std::size_t>(
      std::count_if(recent_failures_.begin(), recent_failures_.end(), [&](const moment& failed) {
        return now.mono - failed.mono <= settings_.reset_quiet_period;
      }));
}

bool breaker::refuses() const noexcept {
  switch (phase_) {
  case breaker_phase::closed: return false;
  case breaker_phase::half_open: return probes_.size() + probes_succeeded_ >= settings_.half_open_probes;
  case breaker_phase::open:
  case breaker_phase::forced_open: return true;
  }
  return true;
}

bool breaker::holds_back() const noexcept { return refuses() && settings_.mode == breaker_mode::enforce; }

permit breaker::refusal(moment now) const {
  std::string why;
  switch (phase_) {
  case breaker_phase::half_open: why = "circuit HALF_OPEN: its probes are under way"; break;
  case breaker_phase::forced_open: why = "circuit FORCED_OPEN by an operator: " + trigger_; break;
  default: why = "circuit OPEN: " + last_failure_; break;
  }
  return {.granted = false,
          .number = 0,
          .why = std::move(why),
          .retry_after = retry_after(now).value_or(ask_again_after)};
}

void breaker::open(std::string reason, moment now) {
  open_until_ = now.mono + open_for_;
  move_to(breaker_phase::open, std::move(reason), now, itself);
}

void breaker::move_to(breaker_phase next, std::string reason, moment now, const std::string& by) {
  reason = shortened(std::move(reason));
  const bool was_closed = phase_ == breaker_phase::closed;
  if (was_closed || next == breaker_phase::forced_open) trigger_ = reason;
  moves_.push_back({.number = history_.empty() ? 1 : history_.back().number + 1,
                    .at = now.wall,
                    .from = phase_,
                    .to = next,
                    .reason = std::move(reason),
                    .by = by,
                    .failures = failures_,
                    .failure_threshold = static_cast<unsigned>(settings_.failure_threshold),
                    .open_for = next == breaker_phase::open ? open_for_ : milliseconds{0}});
  history_.push_back(moves_.back());
  if (history_.size() > max_history) history_.pop_front();
  phase_ = next;
  first_of_phase_ = last_permit_ + 1;
  probes_.clear();
  probes_succeeded_ = 0;
  if (was_closed) {
    left_closed_at_ = now;
    ++seen_.times_opened;
  }
  if (next == breaker_phase::closed) {
    const auto this_time = whole_ms(now.mono - left_closed_at_.mono);
    seen_.time_open += this_time;
    seen_.longest_open = std::max(seen_.longest_open, this_time);
    failures_ = 0;
    open_for_ = settings_.open_duration;
    trigger_.clear();
  }
}

} // namespace breakwater
