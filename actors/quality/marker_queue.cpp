#include "actors/quality/marker_queue.hpp"

#include "actors/support/resp.hpp"
#include "messages/time.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace breakwater {

marker_queue::marker_queue(std::string stream, std::size_t maxlen, std::size_t capacity)
    : stream_(std::move(stream)), maxlen_(std::to_string(maxlen)), capacity_(capacity) {}

void marker_queue::add(const std::vector<quality_marker>& markers) {
  waiting_.insert(waiting_.end(), markers.begin(), markers.end());
  while (waiting_.size() > capacity_) {
    waiting_.pop_front();
    ++dropped_;
    if (in_piece_ > 0) --in_piece_; // it is in Redis, or lost with its piece
  }
}

redis_commands marker_queue::next_piece() {
  in_piece_ = std::min(waiting_.size(), markers_a_piece);
  auto wire = std::make_shared<std::string>();
  for (std::size_t i = 0; i < in_piece_; ++i) {
    const auto& x = waiting_[i];
    append_command(*wire, {"XADD", stream_, "MAXLEN", "~", maxlen_, "*", "exchange", to_string(x.of),
                           "symbol", x.symbol, "kind", to_string(x.kind), "from", to_rfc3339(x.from), "to",
                           to_rfc3339(x.to), "cause", x.cause});
  }
  redis_commands piece;
  piece.wire = std::move(wire);
  piece.count = in_piece_;
  return piece;
}

marker_queue::outcome marker_queue::taken(const std::vector<redis_reply>& replies) {
  outcome out;
  std::vector<quality_marker> again;
  // Markers that made room meanwhile were the first of the piece.
  const auto gone = replies.size() - std::min(replies.size(), in_piece_);
  for (auto i = gone; i < replies.size(); ++i) {
    auto marker = std::move(waiting_.front());
    waiting_.pop_front();
    if (replies[i].what != redis_reply::kind::error) {
      ++written_;
      continue;
    }
    if (out.refusal.empty()) out.refusal = replies[i].text;
    const auto retry = meaning_of(classify_error(replies[i].text)).retry;
    if (retry == retry_way::none)
      ++refused_;
    else
      again.push_back(std::move(marker));
    out.retry = std::max(out.retry, retry);
  }
  waiting_.insert(waiting_.begin(), std::make_move_iterator(again.begin()),
                  std::make_move_iterator(again.end()));
  in_piece_ = 0;
  return out;
}

} // namespace breakwater
