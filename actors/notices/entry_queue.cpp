#include "actors/notices/entry_queue.hpp"

#include "actors/support/resp.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

namespace breakwater {

entry_queue::entry_queue(std::string stream, std::size_t maxlen, std::size_t capacity)
    : stream_(std::move(stream)), maxlen_(std::to_string(maxlen)), capacity_(capacity) {}

void entry_queue::add(const std::vector<entry_fields>& entries) {
  waiting_.insert(waiting_.end(), entries.begin(), entries.end());
  while (waiting_.size() > capacity_) {
    waiting_.pop_front();
    ++dropped_;
    if (in_piece_ > 0) --in_piece_; // it is in Redis, or lost with its piece
  }
}

redis_commands entry_queue::next_piece() {
  in_piece_ = std::min(waiting_.size(), entries_a_piece);
  auto wire = std::make_shared<std::string>();
  for (std::size_t i = 0; i < in_piece_; ++i) {
    std::vector<std::string_view> xadd{"XADD", stream_, "MAXLEN", "~", maxlen_, "*"};
    for (const auto& [field, value] : waiting_[i]) xadd.insert(xadd.end(), {field, value});
    append_command(*wire, xadd);
  }
  redis_commands piece;
  piece.wire = std::move(wire);
  piece.count = in_piece_;
  return piece;
}

entry_queue::outcome entry_queue::taken(const std::vector<redis_reply>& replies) {
  outcome out;
  std::vector<entry_fields> again;
  // Entries that made room meanwhile were the first of the piece.
  const auto gone = replies.size() - std::min(replies.size(), in_piece_);
  for (auto i = gone; i < replies.size(); ++i) {
    auto entry = std::move(waiting_.front());
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
      again.push_back(std::move(entry));
    out.retry = std::max(out.retry, retry);
  }
  waiting_.insert(waiting_.begin(), std::make_move_iterator(again.begin()),
                  std::make_move_iterator(again.end()));
  in_piece_ = 0;
  return out;
}

} // namespace breakwater
