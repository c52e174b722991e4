#include "actors/publisher/delivery.hpp"

#include "actors/support/expects.hpp"
#include "actors/support/reply_class.hpp"
#include "actors/support/resp.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

namespace breakwater {
namespace {

/// Whether an entry's flat list of names and values is this record.
bool same_fields(const redis_reply& flat, record_list::view record) {
  if (flat.items.size() != std::size_t{record.field_count} * 2) return false;
  std::string wire;
  for (const auto& item : flat.items) append_bulk(wire, item.text);
  return wire == record.wire;
}

entry_id just_below(entry_id id) {
  if (id.n > 0) return {id.ms, id.n - 1};
  return id.ms > 0 ? entry_id{id.ms - 1, UINT64_MAX} : id;
}

} // namespace

delivery::delivery(options how, spool_port& spool)
    : options_(std::move(how)), spool_(spool), pause_(options_.pause), batch_now_(options_.batch) {
  ids_.raise_above(spool_.last());
  for (const auto part : {std::string_view{"XADD"}, std::string_view{options_.stream},
                          std::string_view{"MAXLEN"}, std::string_view{"~"}})
    append_bulk(xadd_head_, part);
  append_bulk(xadd_head_, std::to_string(options_.maxlen));
}

intake delivery::accept(const record_batch& batch, wall_time now) {
  const auto before = spool_.last_batch();
  if (batch.producer == before.producer && batch.number <= before.number) return intake::taken;
  const auto count = batch.records->size();
  if (count == 0) return intake::taken;
  auto stamped = ids_; // so that a refused batch uses no ids
  if (!spool_.append({stamped.stamp(now, count), batch.records, 0, count}, {batch.producer, batch.number}))
    return intake::busy;
  ids_ = stamped;
  counts_.accepted += count;
  return intake::taken;
}

bool delivery::nothing_waits() const { return spool_.read(spool_.acknowledged(), 1).empty(); }

std::optional<delivery::step> delivery::next(mono_time now) {
  if (paused_until_ && now < *paused_until_) return std::nullopt;
  paused_until_.reset();
  if (phase_ == phase::ready) return send_records();
  if (!outstanding_.empty()) return std::nullopt;
  return phase_ == phase::comparing ? read_page() : look_at_stream();
}

delivery::step delivery::send(expected what, std::shared_ptr<const std::string> wire, std::size_t count,
                              entry_id upto) {
  outstanding_.push_back({++last_ticket_, what, upto});
  // A look may go to any connection, and tells by its answer which it was; all else belongs to that one.
  const auto only_on = what == expected::stream_state ? any_connection : connection_;
  return {last_ticket_, {std::move(wire), count, only_on}};
}

std::optional<delivery::step> delivery::send_records() {
  auto wire = std::make_shared<std::string>();
  if (!committing_ && ahead_) {
    committing_ = std::exchange(ahead_, std::nullopt);
    append_commit(*wire);
    return send(expected::commit, std::move(wire), 3, committing_->upto);
  }
  if (committing_ && ahead_) return std::nullopt;
  const auto runs = spool_.read(committing_ ? committing_->upto : spool_.acknowledged(), batch_now_);
  if (!committing_) {
    if (runs.empty()) return std::nullopt;
    committing_ = append_body(*wire, runs);
    append_commit(*wire);
    return send(expected::whole, std::move(wire), committing_->count + 4, committing_->upto);
  }
  std::size_t records = 0;
  for (const auto& run : runs) records += run.size();
  if (records < batch_now_) return std::nullopt; // few wait: they go together with what comes meanwhile
  ahead_ = append_body(*wire, runs);
  return send(expected::body, std::move(wire), ahead_->count + 1, ahead_->upto);
}

void delivery::append_look(std::string& wire) const {
  append_command(wire, {"WATCH", options_.stream});
  append_command(wire, {"XINFO", "STREAM", options_.stream});
}

delivery::step delivery::look_at_stream() {
  ++counts_.resyncs;
  auto wire = std::make_shared<std::string>();
  // Whoever used this connection before us may have left a MULTI open, and in it WATCH is refused for ever.
  // DISCARD is refused where none is open, which is as well; then a WATCH that saw our own XADDs may be left,
  // which would void the next transaction.
  append_command(*wire, {"DISCARD"});
  append_command(*wire, {"UNWATCH"});
  append_look(*wire);
  return send(expected::stream_state, std::move(wire), 4);
}

delivery::step delivery::read_page() {
  auto wire = std::make_shared<std::string>();
  append_command(*wire, {"XRANGE", options_.stream, to_string(compare_from_), "+", "COUNT",
                         std::to_string(options_.compare_page)});
  return send(expected::page, std::move(wire), 1);
}

delivery::transaction delivery::append_body(std::string& wire, const std::vector<stamped_run>& runs) const {
  std::size_t bytes = 256;
  for (const auto& run : runs)
    bytes += run.records->bytes() / std::max<std::size_t>(run.records->size(), 1) * run.size() +
             run.size() * (xadd_head_.size() + 48);
  wire.reserve(bytes + bytes / 8);

  append_command(wire, {"MULTI"});
  entry_id_text id_text;
  transaction made;
  for (const auto& run : runs) {
    for (std::size_t i = 0; i < run.size(); ++i) {
      const auto record = (*run.records)[run.begin + i];
      append_array_head(wire, 6 + std::size_t{record.field_count} * 2);
      wire.append(xadd_head_);
      append_bulk(wire, id_text.of(run.first.plus(i)));
      wire.append(record.wire);
    }
    made.count += run.size();
  }
  made.upto = runs.back().last();
  return made;
}

void delivery::append_commit(std::string& wire) const {
  append_command(wire, {"EXEC"});
  // EXEC ends the WATCH. The look behind it starts the next one and shows whether anybody wrote in between.
  append_look(wire);
}

void delivery::give_up_outstanding() {
  outstanding_.clear();
  committing_.reset();
  ahead_.reset();
}

void delivery::on_replies(std::uint64_t ticket, const redis_replies& answer, mono_time now, wall_time wall) {
  if (outstanding_.empty() || outstanding_.front().ticket != ticket) return; // of something given up
  const auto sent = outstanding_.front();
  outstanding_.pop_front();
  connection_ = answer.connection;
  const std::span replies{*answer.replies};
  switch (sent.what) {
  case expected::stream_state: on_stream_state(replies.last(2), now); break;
  case expected::page: on_page(replies.front(), now, wall); break;
  case expected::body: on_body(sent.upto, replies); break;
  case expected::commit: on_commit(replies, now); break;
  case expected::whole:
    on_body(sent.upto, replies.first(replies.size() - 3));
    on_commit(replies.last(3), now);
    break;
  }
  if (phase_ != phase::ready) give_up_outstanding();
}

void delivery::on_stream_state(std::span<const redis_reply> replies, mono_time now) {
  const auto read = parse_stream_state(replies[1]);
  if (auto refused = judge(replies.first(1)); refused.what != reply_class::fine)
    return on_refusal(refused, now);
  if (!read) return on_refusal({classify_error(read.error().detail), read.error().detail}, now);
  const auto& stream = *read;

  const auto held = spool_.read({}, 1);
  const bool nothing_below = held.empty() || stream.last < held.front().first;
  if (!must_compare_ && (nothing_below || newest_is_ours(replies[1], stream.last)))
    return in_step(stream, now);
  phase_ = phase::comparing;
  compared_ = stream;
  // Below the newest record Redis acknowledged there is nothing to find out, if it is still there.
  compared_fully_ = held.empty() || !spool_.holds(spool_.acknowledged());
  compare_from(compared_fully_ ? (held.empty() ? stream.last : held.front().first) : spool_.acknowledged());
}

bool delivery::newest_is_ours(const redis_reply& look, entry_id last) const {
  if (!spool_.holds(last)) return false;
  const auto* newest = value_of(look, "last-entry");
  // The newest entry was deleted: nothing but its id is left to tell by.
  if (!newest || newest->items.size() != 2 || entry_id_of(*newest) != last) return true;
  const auto ours = spool_.read(just_below(last), 1);
  return same_fields(newest->items[1], (*ours.front().records)[ours.front().begin]);
}

void delivery::in_step(const stream_state& stream, mono_time now) {
  ids_.raise_above(stream.last);
  if (spool_.forgotten() > stream.last)
    tell(event::publisher_hole, {{"after", to_string(stream.last)}, {"upto", to_string(spool_.forgotten())}});
  if (spool_.acknowledged() > stream.last) {
    const auto waited = spool_.size().waiting;
    spool_.rewind(stream.last);
    const auto again = spool_.size().waiting - waited;
    counts_.sent_again += again;
    counts_.acknowledged -= std::min<std::uint64_t>(again, counts_.acknowledged);
    tell(event::publisher_sends_again, {{"count", std::to_string(again)}, {"after", to_string(stream.last)}});
  }
  acknowledge_found(stream.last, now);
  phase_ = phase::ready;
  tell(event::publisher_synced,
       {{"last_id", to_string(stream.last)}, {"count", std::to_string(spool_.size().waiting)}});
}

void delivery::acknowledge_found(entry_id upto, mono_time now) {
  const auto unanswered = spool_.size().waiting;
  spool_.acknowledge(upto, now);
  counts_.acknowledged += unanswered - spool_.size().waiting;
}

void delivery::on_page(const redis_reply& reply, mono_time now, wall_time wall) {
  if (auto refused = judge({&reply, 1}); refused.what != reply_class::fine) return on_refusal(refused, now);
  for (const auto& entry : reply.items) {
    const auto id = entry_id_of(entry);
    expects(id && entry.items.size() == 2, "XRANGE answers with ids and fields");
    const auto ours = spool_.holds(*id) ? spool_.read(just_below(*id), 1) : std::vector<stamped_run>{};
    if (!ours.empty() && same_fields(entry.items[1], (*ours.front().records)[ours.front().begin])) {
      stored_.insert(*id);
    } else {
      ++foreign_;
      newest_foreign_ = *id;
    }
    compare_from_ = id->plus(1);
  }
  if (reply.items.size() == options_.compare_page) return; // there is more
  const bool trimmed_away = compared_.first && *compared_.first > spool_.acknowledged();
  if (!compared_fully_ && !trimmed_away && !stored_.contains(spool_.acknowledged())) {
    compared_fully_ = true; // Redis is older than that
    return compare_from(spool_.read({}, 1).front().first);
  }
  stamp_missing_again(wall, now);
}

void delivery::compare_from(entry_id id) {
  compare_from_ = std::max(id, compared_.first.value_or(entry_id{}));
  stored_.clear();
  foreign_ = 0;
}

void delivery::stamp_missing_again(wall_time wall, mono_time now) {
  // What Redis acknowledged is there up to the newest such record found; what trimming took counts as
  // applied.
  auto base = entry_id{};
  if (compared_.was_trimmed && compared_.first) base = just_below(*compared_.first);
  for (const auto id : stored_)
    if (id <= spool_.acknowledged()) base = std::max(base, id);

  const auto held = spool_.read(base, SIZE_MAX);
  if (!lacks_any_of(held)) {
    // What is missing can be sent as it is. A transaction with these ids may still be on its way, and under
    // new ones we would not know it again.
    tell_what_was_found(0);
    return in_step(compared_, now);
  }
  ids_.raise_above(std::max(compared_.last, spool_.last()));
  std::vector<stamped_run> missing;
  std::uint64_t restamped = 0;
  for (const auto& run : held) {
    for (std::size_t i = 0; i < run.size();) {
      auto end = i;
      while (end < run.size() && !stored_.contains(run.first.plus(end))) ++end;
      if (end > i) {
        missing.push_back({ids_.stamp(wall, end - i), run.records, run.begin + i, run.begin + end});
        restamped += end - i;
      }
      i = std::max(end, i + 1);
    }
  }
  acknowledge_found(base, now);
  const auto waited = spool_.size().waiting;
  spool_.replace_above(base, std::move(missing));
  counts_.acknowledged += waited - restamped; // what is there although nobody said so
  counts_.restamped += restamped;
  tell_what_was_found(restamped);
  phase_ = phase::ready;
}

bool delivery::lacks_any_of(const std::vector<stamped_run>& held) const {
  for (const auto& run : held)
    for (std::size_t i = 0; i < run.size() && run.first.plus(i) <= compared_.last; ++i)
      if (!stored_.contains(run.first.plus(i))) return true;
  return false;
}

void delivery::tell_what_was_found(std::uint64_t restamped) {
  if (foreign_ > 0)
    tell(event::publisher_intruder, {{"intruder_id", to_string(newest_foreign_)},
                                     {"entries", std::to_string(foreign_)},
                                     {"last_id", to_string(compared_.last)},
                                     {"count", std::to_string(restamped)}});
  else if (restamped > 0)
    tell(event::publisher_restamped,
         {{"last_id", to_string(compared_.last)}, {"count", std::to_string(restamped)}});
  stored_.clear();
  must_compare_ = false;
}

void delivery::on_body(entry_id upto, std::span<const redis_reply> replies) {
  auto& of = committing_ && committing_->upto == upto ? committing_ : ahead_;
  expects(of && of->upto == upto, "an answered body is of a transaction on its way");
  of->body = judge(replies);
}

void delivery::on_commit(std::span<const redis_reply> replies, mono_time now) {
  ++counts_.transactions;
  const auto sent = *std::exchange(committing_, std::nullopt);
  const auto& exec = replies[0];
  if (exec.what == redis_reply::kind::nil) { // somebody else wrote, so nothing of it was applied
    ++counts_.disturbed;
    batch_now_ =
        std::max<std::size_t>(batch_now_ / 4, 1); // the shorter, the likelier it fits between two writes
    phase_ = phase::unsynced;
    return;
  }
  auto refused = judge(replies.first(1));
  // Only EXECABORT says that nothing was applied. An array of replies was, but for the refused ones; and
  // behind a refused MULTI the XADDs ran one by one, each stored or refused by itself.
  if (refused.what != reply_class::fine && !exec.text.starts_with("EXECABORT")) must_compare_ = true;
  if (sent.body.what != reply_class::fine) return on_refusal(sent.body, now);
  if (refused.what != reply_class::fine) return on_refusal(refused, now);
  spool_.acknowledge(sent.upto, now);
  counts_.acknowledged += sent.count;
  batch_now_ = std::min(batch_now_ * 2, options_.batch);
  pause_.reset();
  refusal_.clear();
  const auto after = parse_stream_state(replies[2]);
  const bool watched = replies[1].what == redis_reply::kind::status;
  if (!watched || !after || after->last != sent.upto) phase_ = phase::unsynced;
}

void delivery::on_refusal(const verdict& why, mono_time now) {
  phase_ = phase::unsynced; // the WATCH ended with the refusal, so look before trying again
  if (why.what == reply_class::id_not_above) return;
  ++counts_.refusals;
  refusal_ = why.text;
  if (why.what == reply_class::target) {
    phase_ = phase::halted;
    paused_until_ = now + options_.halted_for;
    return tell(event::publisher_halted,
                {{"reason", why.text}, {"wait_ms", std::to_string(options_.halted_for.count())}});
  }
  auto wait = pause_.next();
  if (meaning_of(why.what).retry == retry_way::slowly) wait = std::max(wait, options_.halted_for);
  paused_until_ = now + wait;
  tell(event::publisher_refused,
       {{"class", to_string(why.what)}, {"reason", why.text}, {"wait_ms", std::to_string(wait.count())}});
}

void delivery::on_failure(std::uint64_t ticket, const failure& why, mono_time now) {
  const auto is_it = [&](const outstanding& sent) { return sent.ticket == ticket; };
  if (std::none_of(outstanding_.begin(), outstanding_.end(), is_it)) return; // given up before
  give_up_outstanding();
  if (phase_ != phase::halted) phase_ = phase::unsynced;
  if (why.code != errc::redis_connection_changed) paused_until_ = now + options_.ask_again_after;
}

void delivery::on_link_up() {
  give_up_outstanding();
  if (phase_ == phase::ready || phase_ == phase::comparing) phase_ = phase::unsynced;
  paused_until_.reset();
}

std::optional<mono_time> delivery::next_wake() const {
  if (!outstanding_.empty()) return std::nullopt;
  return paused_until_;
}

void delivery::tell(event what, std::vector<std::pair<const char*, std::string>> details) {
  details.insert(details.begin(), {"stream", options_.stream});
  notices_.push_back({what, std::move(details)});
}

} // namespace breakwater
