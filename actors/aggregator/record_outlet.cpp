#include "actors/aggregator/record_outlet.hpp"

#include "actors/support/expects.hpp"

#include <utility>

namespace breakwater {

void record_outlet::make(std::shared_ptr<const checkpoint> state, std::optional<wall_time> received_at) {
  expects(can_make(), "the last batch was taken");
  waiting_->shrink();
  auto next = std::make_shared<record_list>();
  next->reserve_like(*waiting_);
  unanswered_ = {producer_, ++number_, std::exchange(waiting_, std::move(next)), std::move(state),
                 received_at};
  offer_at_ = mono_time{};
}

std::optional<record_batch> record_outlet::next(mono_time now) {
  if (!offer_at_ || now < *offer_at_) return std::nullopt;
  offer_at_.reset();
  return unanswered_;
}

void record_outlet::on_answer(intake what, mono_time now) {
  if (what == intake::taken)
    unanswered_ = {};
  else
    offer_at_ = now + busy_again_after;
}

void record_outlet::on_no_answer(mono_time now) { offer_at_ = now + lost_again_after; }

} // namespace breakwater
