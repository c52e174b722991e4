#include "actors/alerts/webhook_queue.hpp"

#include <utility>

namespace breakwater {

void webhook_queue::add(std::string body, mono_time now) {
  waiting_.push_back({std::move(body), now});
  if (waiting_.size() <= limits_.capacity) return;
  waiting_.pop_front();
  first_is_sent_ = false;
  ++dropped_;
}

std::optional<webhook_queue::post> webhook_queue::next(mono_time now) {
  if (sent_at_ && now - *sent_at_ >= limits_.answer_within) failed("no answer", true, now);
  forget_old(now);
  if (sent_at_ || waiting_.empty() || (not_before_ && now < *not_before_)) return std::nullopt;
  not_before_.reset();
  sent_at_ = now;
  first_is_sent_ = true;
  return post{++last_number_, waiting_.front().body};
}

std::optional<mono_time> webhook_queue::due() const {
  if (sent_at_) return *sent_at_ + limits_.answer_within;
  if (!waiting_.empty()) return not_before_;
  return std::nullopt;
}

void webhook_queue::answered(const webhook_answered& what, mono_time now) {
  if (!sent_at_ || what.number != last_number_) return; // given up meanwhile
  if (what.status >= 200 && what.status < 300) {
    sent_at_.reset();
    if (std::exchange(first_is_sent_, false)) waiting_.pop_front();
    ++delivered_;
    problem_.clear();
    waits_.reset();
    return;
  }
  const bool refused = what.status == 400 || what.status == 413 || what.status == 415 || what.status == 422;
  failed(what.status > 0 ? "HTTP status " + std::to_string(what.status) : what.problem, !refused, now);
}

void webhook_queue::failed(std::string problem, bool again, mono_time now) {
  sent_at_.reset();
  problem_ = std::move(problem);
  not_before_ = now + waits_.next();
  if (std::exchange(first_is_sent_, false) && !again) {
    waiting_.pop_front();
    ++given_up_;
  }
}

void webhook_queue::forget_old(mono_time now) {
  while (!sent_at_ && !waiting_.empty() && now - waiting_.front().since >= limits_.tried_for) {
    waiting_.pop_front();
    ++given_up_;
  }
}

} // namespace breakwater
