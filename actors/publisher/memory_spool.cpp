#include "actors/publisher/memory_spool.hpp"

#include "actors/support/expects.hpp"

#include <algorithm>

namespace breakwater {
namespace {

/// Memory of a run; a part of a list is charged its part.
std::size_t bytes_of(const stamped_run& run) {
  return run.records->bytes() * run.size() / std::max<std::size_t>(run.records->size(), 1) +
         sizeof(stamped_run);
}

/// The part of `run` above `id`; empty if there is none.
stamped_run part_above(stamped_run run, entry_id id) {
  if (run.first > id) return run;
  const auto skipped = run.last() <= id ? run.size() : static_cast<std::size_t>(id.n - run.first.n + 1);
  run.first = run.first.plus(skipped);
  run.begin += skipped;
  return run;
}

} // namespace

std::deque<memory_spool::segment>::const_iterator memory_spool::first_above(entry_id id) const {
  return std::partition_point(segments_.begin(), segments_.end(),
                              [&](const segment& s) { return s.run.last() <= id; });
}

void memory_spool::push(stamped_run run) {
  expects(run.size() > 0 && run.first > last_, "ids only grow");
  last_ = run.last();
  records_ += run.size();
  const auto bytes = bytes_of(run);
  bytes_ += bytes;
  segments_.push_back({std::move(run), bytes, {}});
}

void memory_spool::forget_front() {
  const auto& oldest = segments_.front();
  forgotten_ = oldest.run.last();
  bytes_ -= oldest.bytes;
  retained_bytes_ -= oldest.bytes;
  records_ -= oldest.run.size();
  segments_.pop_front();
}

bool memory_spool::append(const stamped_run& run, batch_mark from) {
  const auto needed = bytes_of(run);
  while (bytes_ + needed > limits_.memory_bytes && !segments_.empty() && is_acknowledged(segments_.front()))
    forget_front();
  // A batch larger than the whole spool is taken when nothing else waits: refusing it for ever helps nobody.
  if (bytes_ + needed > limits_.memory_bytes && !segments_.empty()) return false;
  push(run);
  last_batch_ = from;
  return true;
}

std::vector<stamped_run> memory_spool::read(entry_id after, std::size_t max) const {
  std::vector<stamped_run> runs;
  for (auto s = first_above(after); s != segments_.end() && max > 0; ++s) {
    auto run = part_above(s->run, after);
    run.end = run.begin + std::min(run.size(), max);
    max -= run.size();
    runs.push_back(std::move(run));
  }
  return runs;
}

void memory_spool::acknowledge(entry_id upto, mono_time now) {
  auto from = segments_.begin() + (first_above(acknowledged_) - segments_.cbegin());
  acknowledged_ = std::max(acknowledged_, std::min(upto, last_));
  for (; from != segments_.end() && is_acknowledged(*from); ++from) {
    from->acknowledged_at = now;
    retained_bytes_ += from->bytes;
  }
  while (!segments_.empty() && is_acknowledged(segments_.front()) &&
         (now - segments_.front().acknowledged_at > limits_.retain || retained_bytes_ > limits_.retain_bytes))
    forget_front();
}

void memory_spool::rewind(entry_id upto) {
  for (auto s = segments_.begin(); s != segments_.end() && is_acknowledged(*s); ++s)
    if (s->run.last() > upto) retained_bytes_ -= s->bytes;
  acknowledged_ = std::min(acknowledged_, upto);
}

void memory_spool::replace_above(entry_id after, std::vector<stamped_run> runs) {
  rewind(after);
  while (!segments_.empty() && segments_.back().run.last() > after) {
    auto& newest = segments_.back();
    bytes_ -= newest.bytes;
    records_ -= newest.run.size();
    auto kept = newest.run;
    const auto acknowledged_at = newest.acknowledged_at;
    segments_.pop_back();
    if (kept.first > after) continue;
    kept.end = kept.begin + static_cast<std::size_t>(after.n - kept.first.n + 1);
    const auto bytes = bytes_of(kept);
    bytes_ += bytes;
    records_ += kept.size();
    if (kept.last() <= acknowledged_) retained_bytes_ += bytes;
    segments_.push_back({std::move(kept), bytes, acknowledged_at});
    break;
  }
  for (auto& run : runs) push(std::move(run));
}

bool memory_spool::holds(entry_id id) const {
  const auto s = first_above(id);
  const auto& candidate = s != segments_.begin() ? std::prev(s) : segments_.end();
  const auto within = [&](auto it) {
    return it != segments_.end() && it->run.first <= id && id <= it->run.last();
  };
  return within(s) || within(candidate);
}

spool_port::figures memory_spool::size() const {
  figures f{0, 0, bytes_, limits_.memory_bytes};
  for (auto s = first_above(acknowledged_); s != segments_.end(); ++s)
    f.waiting += part_above(s->run, acknowledged_).size();
  f.retained = records_ - f.waiting;
  return f;
}

} // namespace breakwater
