#include "actors/breaker/breaker.hpp"

#include <algorithm>
#include <utility>

namespace breakwater {
namespace {

std::chrono::milliseconds whole_ms(mono_time::duration time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time);
}
/// Rounded up, so that a caller who waits this long is not a moment too early.
std::chrono::milliseconds wait_ms(mono_time::duration time) {
  return std::max(std::chrono::ceil<std::chrono::milliseconds>(time), std::chrono::milliseconds{0});
}

} // namespace

breaker::breaker(std::string name, breaker_settings settings)
    : name_(std::move(name)), settings_(settings), open_for_(settings.open_duration) {}

permit breaker::ask(mono_time now) {
  advance(now);
  const bool refused = refuses();
  if (refused && settings_.mode == breaker_mode::enforce) {
    ++seen_.blocked;
    return refusal(now);
  }
  ++seen_.allowed;
  const auto number = ++last_permit_;
  if (refused)
    ++seen_.would_block;
  else if (phase_ == breaker_phase::half_open)
    probes_.emplace(number, now + probe_deadline);
  return {.granted = true, .number = number, .why = {}, .retry_after = {}};
}

void breaker::record(const call_outcome& outcome, mono_time now, wall_time wall) {
  advance(now);
  const bool probe_returned = probes_.erase(outcome.permit) > 0;
  if (!outcome.decides) return;
  ++(outcome.succeeded ? seen_.successes : seen_.failures);
  if (!outcome.succeeded) {
    last_failure_at_ = wall;
    last_failure_ = outcome.reason;
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
    if (!outcome.succeeded) {
      // A connect attempt that failed needed no permit, and says as much as a failed probe.
      if (!probe_returned && outcome.permit != 0) return;
      ++failures_;
      open_for_ = std::min(open_for_ * 2, settings_.max_open_duration);
      open(outcome.reason, now);
    } else if (probe_returned && ++probes_succeeded_ >= settings_.half_open_probes) {
      move_to(breaker_phase::closed, "every probe succeeded", now);
    }
    return;
  case breaker_phase::open:
  case breaker_phase::forced_open:
    if (!outcome.succeeded) ++failures_;
    return;
  }
}

void breaker::restored(mono_time now) {
  advance(now);
  if (phase_ == breaker_phase::open)
    move_to(breaker_phase::half_open, "the dependency was reached again", now);
}

void breaker::advance(mono_time now) {
  if (phase_ == breaker_phase::open && now >= open_until_)
    move_to(breaker_phase::half_open, "the open time is over", now);
  std::erase_if(probes_, [now](const auto& probe) { return probe.second <= now; });
}

std::vector<breaker_move> breaker::take_moves() { return std::exchange(moves_, {}); }

std::optional<mono_time> breaker::next_wake() const noexcept {
  if (phase_ == breaker_phase::open) return open_until_;
  return std::nullopt;
}

breaker_statistics breaker::statistics(mono_time now) const {
  auto seen = seen_;
  if (phase_ != breaker_phase::closed) {
    const auto this_time = whole_ms(now - left_closed_at_);
    seen.time_open += this_time;
    seen.longest_open = std::max(seen.longest_open, this_time);
  }
  return seen;
}

std::chrono::milliseconds breaker::retry_after(mono_time now) const {
  switch (phase_) {
  case breaker_phase::closed: return std::chrono::milliseconds{0};
  case breaker_phase::open: return wait_ms(open_until_ - now);
  case breaker_phase::half_open: return refuses() ? ask_again_after : std::chrono::milliseconds{0};
  case breaker_phase::forced_open: return ask_again_after;
  }
  return std::chrono::milliseconds{0};
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

permit breaker::refusal(mono_time now) {
  std::string why;
  switch (phase_) {
  case breaker_phase::half_open: why = "circuit HALF_OPEN: its probes are under way"; break;
  case breaker_phase::forced_open: why = "circuit opened by an operator"; break;
  default: why = "circuit OPEN: " + last_failure_; break;
  }
  return {.granted = false, .number = 0, .why = std::move(why), .retry_after = retry_after(now)};
}

void breaker::open(std::string reason, mono_time now) {
  open_until_ = now + open_for_;
  move_to(breaker_phase::open, std::move(reason), now);
}

void breaker::move_to(breaker_phase next, std::string reason, mono_time now) {
  const bool was_closed = phase_ == breaker_phase::closed;
  moves_.push_back({.breaker = name_,
                    .number = ++last_move_,
                    .from = phase_,
                    .to = next,
                    .reason = std::move(reason),
                    .failures = failures_,
                    .failure_threshold = static_cast<unsigned>(settings_.failure_threshold),
                    .open_for = next == breaker_phase::open ? open_for_ : std::chrono::milliseconds{0}});
  phase_ = next;
  first_of_phase_ = last_permit_ + 1;
  probes_.clear();
  probes_succeeded_ = 0;
  if (was_closed) {
    left_closed_at_ = now;
    ++seen_.times_opened;
  }
  if (next == breaker_phase::closed) {
    const auto this_time = whole_ms(now - left_closed_at_);
    seen_.time_open += this_time;
    seen_.longest_open = std::max(seen_.longest_open, this_time);
    failures_ = 0;
    open_for_ = settings_.open_duration;
  }
}

} // namespace breakwater
