#include "tests/support/memory_spool.hpp"

#include "actors/support/expects.hpp"

#include <algorithm>

namespace breakwater::test {
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
  if (waiting_) *waiting_ += run.size();
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

void memory_spool::tell(std::uint64_t ticket, spool_outcome what) {
  events_({ticket, what, what == spool_outcome::failed ? disk_error : "", 0});
}

void memory_spool::attach(sink events) {
  events_ = std::move(events);
  tell(0, spool_outcome::opened);
}

bool memory_spool::keep(const stamped_run& run) {
  const auto needed = bytes_of(run);
  while (bytes_ + needed > limits_.max_bytes && !segments_.empty() && is_acknowledged(segments_.front()))
    forget_front();
  // A batch larger than the whole spool is taken when nothing else waits: refusing it for ever helps nobody.
  if (bytes_ + needed > limits_.max_bytes && !segments_.empty()) return false;
  push(run);
  return true;
}

void memory_spool::append(std::uint64_t ticket, stamped_run run, batch_mark from,
                          std::shared_ptr<const checkpoint> state) {
  const bool kept = disk_error.empty() && (run.size() == 0 || keep(run));
  if (kept) {
    last_batch_ = from;
    if (state) {
      position_ = state->position;
      for (const auto& [name, content] : state->parts)
        if (content.empty())
          parts_.erase(name);
        else
          parts_[name] = content;
    }
  }
  on_append(run, kept);
  tell(ticket, kept                 ? spool_outcome::kept
               : disk_error.empty() ? spool_outcome::no_room
                                    : spool_outcome::failed);
}

std::shared_ptr<const checkpoint> memory_spool::saved() const {
  return std::make_shared<const checkpoint>(checkpoint{position_, {parts_.begin(), parts_.end()}});
}

std::vector<stamped_run> memory_spool::read(entry_id after, std::size_t max) {
  std::vector<stamped_run> runs;
  for (auto s = first_above(after); s != segments_.end() && max > 0; ++s) {
    auto run = part_above(s->run, after);
    run.end = run.begin + std::min(run.size(), max);
    max -= run.size();
    runs.push_back(std::move(run));
  }
  return runs;
}

void memory_spool::acknowledge(entry_id upto, stream_mark seen, mono_time now) {
  seen_ = seen;
  now_ = now;
  auto from = segments_.begin() + (first_above(acknowledged_) - segments_.cbegin());
  const auto before = acknowledged_;
  acknowledged_ = std::max(acknowledged_, std::min(upto, last_));
  if (waiting_) *waiting_ -= count(before, acknowledged_);
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
  waiting_.reset();
}

void memory_spool::cut_above(entry_id after) {
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
}

void memory_spool::restamp(std::uint64_t ticket, restamping how) {
  if (!disk_error.empty()) return tell(ticket, spool_outcome::failed);
  const auto held = read(how.above, SIZE_MAX);
  rewind(how.above);
  seen_ = how.seen;
  cut_above(how.above);
  last_ = how.above;
  const auto is_stored = [&](entry_id id) {
    return std::any_of(how.stored.begin(), how.stored.end(),
                       [&](const id_range& r) { return r.first <= id && id <= r.last; });
  };
  // What is stored first: it keeps its ids, which are below the new ones.
  for (const bool stored : {true, false})
    for (const auto& run : held)
      for (std::size_t i = 0; i < run.size();) {
        auto end = i;
        while (end < run.size() && is_stored(run.first.plus(end)) == stored) ++end;
        if (end > i) {
          push({stored ? run.first.plus(i) : how.first, run.records, run.begin + i, run.begin + end});
          if (!stored) how.first = how.first.plus(end - i);
          if (stored) {
            acknowledged_ = last_;
            segments_.back().acknowledged_at = now_;
            retained_bytes_ += segments_.back().bytes;
          }
        }
        i = std::max(end, i + 1);
      }
  waiting_.reset();
  tell(ticket, spool_outcome::kept);
}

std::size_t memory_spool::count(entry_id after, entry_id upto) const {
  std::size_t records = 0;
  for (auto s = first_above(after); s != segments_.end() && s->run.first <= upto; ++s)
    records += part_above(s->run, after).size() - part_above(s->run, upto).size();
  return records;
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
  figures f{0, 0, bytes_, limits_.max_bytes, 0};
  if (!waiting_) waiting_ = count(acknowledged_, last_);
  f.waiting = *waiting_;
  f.retained = records_ - f.waiting;
  return f;
}

} // namespace breakwater::test
