#include "actors/raw_reader/raw_input.hpp"

#include "actors/raw_reader/raw_candle.hpp"
#include "actors/support/reply_class.hpp"
#include "actors/support/resp.hpp"

#include <algorithm>
#include <limits>
#include <memory>

namespace breakwater {
namespace {

/// The entries in the reply to XREAD of one stream: [[stream, [entry ...]]], or nil when there are none.
std::span<const redis_reply> entries_of(const redis_reply& read) noexcept {
  if (read.items.empty() || read.items.front().items.size() < 2) return {};
  return read.items.front().items[1].items;
}

wall_time time_of(entry_id id) noexcept {
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  return wall_time_from_ms(static_cast<std::int64_t>(std::min(id.ms, most)));
}

} // namespace

raw_input::raw_input(options how) : options_(std::move(how)), entries_a_read_(options_.entries_a_read) {}

void raw_input::look_again() noexcept {
  constexpr std::size_t fewest = 16;
  if (!waits_) entries_a_read_ = std::max(entries_a_read_ / 2, std::min(fewest, options_.entries_a_read));
  waits_ = false;
}

void raw_input::read_from(std::string_view position) {
  waits_ = false;
  if (position == position_) return; // all that was read is merged, and more is known here than stands there
  at_ = parse_raw_position(position, options_.stream).value_or(raw_position{});
  position_ = position;
}

redis_commands raw_input::next() const {
  auto wire = std::make_shared<std::string>();
  const auto cursor = to_string(at_.cursor);
  if (waits_) {
    append_command(*wire, {"XREAD", "COUNT", "1", "BLOCK", std::to_string(options_.block_for.count()),
                           "STREAMS", options_.stream, cursor});
    return {std::move(wire), 1, any_connection, redis_lane::raw, options_.block_for};
  }
  append_command(*wire, {"MULTI"});
  append_command(*wire, {"XINFO", "STREAM", options_.stream});
  append_command(*wire,
                 {"XREAD", "COUNT", std::to_string(entries_a_read_), "STREAMS", options_.stream, cursor});
  append_command(*wire, {"EXEC"});
  return {std::move(wire), 4, any_connection, redis_lane::raw, {}};
}

result<raw_input::reading> raw_input::take(std::span<const redis_reply> replies, wall_time now) {
  const auto& last = replies.back();
  if (last.what == redis_reply::kind::error) return failure{errc::redis_refused, judge(replies).text};
  reading out;
  if (std::exchange(waits_, false)) return out; // something came, or the time is up: either way, look
  if (last.items.size() != 2) return failure{errc::redis_refused, "EXEC answered without two replies"};
  const auto stream = parse_stream_state(last.items[0]);
  if (!stream) return stream.error();
  if (last.items[1].what == redis_reply::kind::error) return failure{errc::redis_refused, last.items[1].text};

  const auto found = entries_of(last.items[1]);
  const auto where = place_of(*stream, found.size());
  entries_a_read_ = std::min(entries_a_read_ * 2, options_.entries_a_read);
  if (auto why = older(*stream, where); !why.empty()) {
    begin_again(std::move(why), out);
    return out;
  }
  const auto before = at_;
  note_hole(*stream, where, out);

  unreadable_entries bad;
  const auto past = std::partition_point(found.begin(), found.end(), [&](const redis_reply& entry) {
    return entry_id_of(entry).value_or(entry_id{}) <= at_.again_upto;
  });
  const auto again = static_cast<std::size_t>(past - found.begin());
  if (again > 0) {
    out.batches.push_back(read_entries(found.first(again), now, bad));
    out.batches.back().again = true;
  }
  if (again < found.size()) {
    at_.again_upto = {};
    if (again > 0) seal(out.batches.back());
    out.batches.push_back(read_entries(found.subspan(again), now, bad));
  }
  counts_.behind = 0;
  if (where.all) {
    at_.cursor = std::max(at_.cursor, stream->last);
    if (where.told) at_.ordinal = stream->added;
    waits_ = true;
  } else {
    counts_.behind = at_.ordinal ? stream->added - std::min(*at_.ordinal, stream->added) : stream->length;
  }
  if (at_.cursor >= at_.again_upto) at_.again_upto = {};
  if (out.batches.empty() && (at_.cursor != before.cursor || at_.gone_unread != before.gone_unread))
    out.batches.push_back({std::make_shared<const std::vector<candle>>()});
  if (!out.batches.empty()) seal(out.batches.back());

  counts_.unreadable += bad.count;
  if (bad.count > 0)
    out.notices.push_back(
        {event::raw_entry_unreadable,
         {{"count", std::to_string(bad.count)}, {"entry", to_string(bad.first)}, {"reason", bad.why}}});
  return out;
}

raw_input::place raw_input::place_of(const stream_state& stream, std::size_t read) const {
  place where;
  where.all = read < entries_a_read_;
  where.gone_before = stream.first && *stream.first > at_.cursor;
  where.told = stream.added > 0 || stream.last == entry_id{};
  if (!where.told || !at_.ordinal || !(where.all || where.gone_before)) return where;
  const auto left = where.all ? read : stream.length;
  where.gone = static_cast<std::int64_t>(stream.added) - static_cast<std::int64_t>(*at_.ordinal + left);
  return where;
}

std::string raw_input::older(const stream_state& stream, const place& where) const {
  if (stream.last < at_.cursor) return "its last id is " + to_string(stream.last);
  if (where.told && at_.ordinal && stream.added < *at_.ordinal)
    return "only " + std::to_string(stream.added) + " entries were ever added to it, " +
           std::to_string(*at_.ordinal) + " were read";
  if (where.gone && *where.gone < 0) return "it lacks entries that were read";
  return {};
}

void raw_input::begin_again(std::string why, reading& out) {
  out.notices.push_back(
      {event::raw_again,
       {{"stream", options_.stream}, {"cursor", to_string(at_.cursor)}, {"reason", std::move(why)}}});
  at_.again_upto = std::max(at_.again_upto, at_.cursor);
  at_.cursor = {};
  at_.ordinal.reset();
}

void raw_input::note_hole(const stream_state& stream, const place& where, reading& out) {
  const bool begun = at_.cursor != entry_id{}, counted = where.told && at_.ordinal;
  if (!where.told) at_.ordinal.reset();
  // From the oldest entry on, or where nobody counted: what is gone by now is not ours to miss.
  if (where.told && !counted && (!begun || where.gone_before))
    at_.ordinal = stream.added - std::min(stream.length, stream.added);
  const auto count = static_cast<std::uint64_t>(where.gone.value_or(0));
  const bool perhaps = begun && !counted && where.gone_before;
  if (count == 0 && !perhaps) return;
  ++counts_.holes;
  raw_notice told{event::raw_hole,
                  {{"stream", options_.stream},
                   {"from", to_string(at_.cursor)},
                   {"to", to_string(where.gone_before ? *stream.first : stream.last)}}};
  if (count > 0) {
    told.details.emplace_back("count", std::to_string(count));
    at_.gone_unread += count;
    *at_.ordinal += count;
  } else {
    told.details.emplace_back("reason", "nobody counted them; there are none if only read ones are gone");
  }
  out.notices.push_back(std::move(told));
}

candle_batch raw_input::read_entries(entries some, wall_time now, unreadable_entries& bad) {
  auto candles = std::make_shared<std::vector<candle>>();
  candles->reserve(some.size());
  for (const auto& entry : some) {
    const auto id = entry_id_of(entry).value_or(at_.cursor);
    at_.cursor = id;
    auto& made = candles->emplace_back();
    made.event_at = time_of(id);
    made.received_at = now;
    static const redis_reply none;
    const auto content = read_raw_candle(entry.items.size() > 1 ? entry.items[1] : none, made);
    if (content.what == raw_content::kind::candle) continue;
    candles->pop_back();
    if (content.what == raw_content::kind::marker) {
      ++counts_.markers;
      continue;
    }
    if (bad.count++ == 0) bad.first = id, bad.why = content.why;
  }
  counts_.entries += some.size();
  if (at_.ordinal) *at_.ordinal += some.size();
  return {std::move(candles)};
}

void raw_input::seal(candle_batch& batch) {
  batch.after = std::exchange(position_, to_text(at_, options_.stream));
  batch.position = position_;
}

} // namespace breakwater
