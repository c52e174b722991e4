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

/// Walks the held records beside a list of ascending ids.
class held_walk {
public:
  held_walk(spool_port& spool, entry_id after) : spool_(spool), after_(after) {}

  /// The held record with this id, nullopt if there is none. `passed_over`: held records between the ids of
  /// the last two calls, or from the beginning to this one.
  std::optional<record_list::view> at(entry_id id) {
    passed_over = 0;
    while (true) {
      if (run_ == runs_.size()) {
        runs_ = spool_.read(after_, records_a_read);
        run_ = next_ = 0;
        if (runs_.empty()) return std::nullopt;
      }
      const auto& run = runs_[run_];
      for (; next_ < run.size(); ++next_) {
        const auto held = run.first.plus(next_);
        if (held > id) return std::nullopt;
        after_ = held;
        if (held == id) return (*run.records)[run.begin + next_++];
        ++passed_over;
      }
      ++run_;
      next_ = 0;
    }
  }

  std::size_t passed_over = 0;

private:
  static constexpr std::size_t records_a_read = 1024;
  spool_port& spool_;
  entry_id after_;
  std::vector<stamped_run> runs_;
  std::size_t run_ = 0, next_ = 0;
};

} // namespace

delivery::delivery(options how, spool_port& spool)
    : options_(std::move(how)),
      owner_key_(owner_key(options_.stream)),
      spool_(spool),
      pause_(options_.pause),
      batch_now_(options_.batch),
      readers_(options_.maxlen, options_.trim_patience) {
  for (const auto part : {std::string_view{"XADD"}, std::string_view{options_.stream},
                          std::string_view{"MAXLEN"}, std::string_view{"~"}})
    append_bulk(xadd_head_, part);
  append_bulk(xadd_head_, std::to_string(options_.maxlen));
}

delivery::acceptance delivery::accept(const record_batch& batch, wall_time now) {
  const auto busy = acceptance{intake::busy}, taken = acceptance{intake::taken};
  // What is to get new ids has to be known whole: nothing joins it meanwhile.
  if (!opened_ || compared_all_ || phase_ == phase::restamping) return busy;
  const auto before = spool_.last_batch();
  if (batch.producer == before.producer && batch.number <= before.number) return taken;
  for (const auto& [ticket, kept] : keeping_) // asked again too soon: the answer will be known then
    if (kept.mark.producer == batch.producer && kept.mark.number >= batch.number) return busy;
  const auto count = batch.records->size();
  if (count == 0 && !batch.state) return taken;
  const batch_mark mark{batch.producer, batch.number};
  keeping_.emplace(++last_ticket_, keeping{mark, count});
  spool_.append(last_ticket_, {ids_.stamp(now, count), batch.records, 0, count}, mark, batch.state);
  return {std::nullopt, last_ticket_};
}

std::optional<intake> delivery::on_spool(const spool_event& told, mono_time now, wall_time wall) {
  if (told.what == spool_outcome::opened) {
    opened_ = true;
    claim_ = spool_.uuid() + (options_.instance.empty() ? "" : " " + options_.instance);
    ids_.raise_above(spool_.last());
    return std::nullopt;
  }
  if (told.what == spool_outcome::quarantined) {
    tell(event::spool_quarantined, {{"count", std::to_string(told.count)}, {"reason", told.detail}});
    return std::nullopt;
  }
  const bool failed = told.what == spool_outcome::failed;
  if (failed && disk_error_.empty()) tell(event::spool_failed, {{"reason", told.detail}});
  if (!failed && !disk_error_.empty()) tell(event::spool_works, {});
  disk_error_ = failed ? told.detail : "";
  if (told.ticket == restamp_ticket_ && phase_ == phase::restamping) {
    phase_ = failed || std::exchange(link_changed_, false) ? phase::unsynced : phase::ready;
    if (failed) {
      paused_until_ = now + options_.ask_again_after;
      return std::nullopt;
    }
    counts_.restamped += restamp_count_;
    tell_what_was_found(restamp_count_);
    return std::nullopt;
  }
  const auto found = keeping_.find(told.ticket);
  if (found == keeping_.end()) return std::nullopt;
  const bool kept = told.what == spool_outcome::kept;
  if (kept) counts_.accepted += found->second.records;
  keeping_.erase(found);
  if (compared_all_ && keeping_.empty()) stamp_missing_again(wall, now);
  return kept ? intake::taken : intake::busy;
}

std::optional<delivery::step> delivery::next(mono_time now) {
  if (!opened_ || phase_ == phase::restamping) return std::nullopt;
  if (paused_until_ && now < *paused_until_) return std::nullopt;
  paused_until_.reset();
  if (phase_ == phase::ready) return send_records(now);
  if (!outstanding_.empty() || compared_all_) return std::nullopt;
  if (phase_ == phase::comparing) return went_back_ ? read_newest_left() : read_page();
  return look_at_stream();
}

delivery::step delivery::send(expected what, std::shared_ptr<const std::string> wire, std::size_t count,
                              entry_id upto) {
  outstanding_.push_back({++last_ticket_, what, upto});
  // A look may go to any connection, and tells by its answer which it was; all else belongs to that one.
  const auto only_on = what == expected::stream_state ? any_connection : connection_;
  return {last_ticket_, {std::move(wire), count, only_on}};
}

std::optional<delivery::step> delivery::send_records(mono_time now) {
  auto wire = std::make_shared<std::string>();
  if (!committing_ && ahead_) {
    committing_ = std::exchange(ahead_, std::nullopt);
    append_commit(*wire);
    return send(expected::commit, std::move(wire), 1 + look_commands, committing_->upto);
  }
  if (committing_ && ahead_) return std::nullopt;
  const auto waiting = spool_.size().waiting - (committing_ ? committing_->count : 0);
  catching_up_ = waiting > batch_now_ || (catching_up_ && waiting > 0);
  if (waiting == 0 || (committing_ && waiting < batch_now_))
    return std::nullopt; // few wait: they go together with what comes meanwhile
  auto batch = batch_now_;
  if (catching_up_) {
    const auto sent = committing_ ? committing_->count : 0;
    batch = room_for_readers(batch_now_ + sent, now);
    if (batch <= sent) return committing_ || !outstanding_.empty() ? std::nullopt : wait_for_readers(now);
    batch -= sent;
  }
  const auto runs = spool_.read(committing_ ? committing_->upto : spool_.acknowledged(), batch);
  if (runs.empty()) return std::nullopt;
  if (!committing_) {
    committing_ = append_body(*wire, runs);
    append_commit(*wire);
    return send(expected::whole, std::move(wire), committing_->count + 2 + look_commands, committing_->upto);
  }
  ahead_ = append_body(*wire, runs);
  return send(expected::body, std::move(wire), ahead_->count + 1, ahead_->upto);
}

void delivery::append_look(std::string& wire) const {
  append_command(wire, {"WATCH", options_.stream, owner_key_});
  append_command(wire, {"GET", owner_key_});
  append_command(wire, {"XINFO", "STREAM", options_.stream});
  append_command(wire, {"XINFO", "GROUPS", options_.stream});
}

delivery::step delivery::look_at_stream() {
  if (!looks_by_the_way_) ++counts_.resyncs;
  auto wire = std::make_shared<std::string>();
  // Whoever used this connection before us may have left a MULTI open, and in it WATCH is refused for ever.
  // DISCARD is refused where none is open, which is as well; then a WATCH that saw our own XADDs may be left,
  // which would void the next transaction.
  append_command(*wire, {"DISCARD"});
  append_command(*wire, {"UNWATCH"});
  if (is_unclaimed_) append_command(*wire, {"SET", owner_key_, claim_, "NX"});
  append_look(*wire);
  return send(expected::stream_state, std::move(wire), 2 + (is_unclaimed_ ? 1 : 0) + look_commands);
}

std::optional<delivery::step> delivery::wait_for_readers(mono_time now) {
  if (readers_.begin_to_wait(now))
    tell(event::publisher_waits_for_readers, {{"unread", std::to_string(readers_.unread())},
                                              {"count", std::to_string(spool_.size().waiting)},
                                              {"wait_ms", std::to_string(readers_.patience().count())}});
  auto wire = std::make_shared<std::string>();
  append_command(*wire, {"XINFO", "STREAM", options_.stream});
  append_command(*wire, {"XINFO", "GROUPS", options_.stream});
  return send(expected::consumers, std::move(wire), 2);
}

std::size_t delivery::room_for_readers(std::size_t wanted, mono_time now) {
  const auto room = readers_.room(wanted, now);
  if (readers_.gave_up_just_now())
    tell(event::publisher_trimmed_unread, {{"unread", std::to_string(readers_.unread())},
                                           {"wait_ms", std::to_string(readers_.patience().count())}});
  return room;
}

delivery::step delivery::read_page() {
  auto wire = std::make_shared<std::string>();
  append_command(*wire, {"XRANGE", options_.stream, to_string(compare_from_), "+", "COUNT",
                         std::to_string(options_.compare_page)});
  return send(expected::page, std::move(wire), 1);
}

delivery::step delivery::read_newest_left() {
  auto wire = std::make_shared<std::string>();
  append_command(*wire, {"XREVRANGE", options_.stream, to_string(spool_.acknowledged()), "-", "COUNT", "1"});
  return send(expected::newest_left, std::move(wire), 1);
}

void delivery::on_newest_left(const redis_reply& reply, mono_time now) {
  if (auto refused = judge({&reply, 1}); refused.what != reply_class::fine) return on_refusal(refused, now);
  tell_hole(reply.items.empty() ? entry_id{} : entry_id_of(reply.items.front()).value_or(entry_id{}));
  tell(event::publisher_intruder, {{"intruder_id", to_string(compared_.last)}, {"count", "0"}});
  in_step(compared_, now);
}

delivery::transaction delivery::append_body(std::string& wire, const std::vector<stamped_run>& runs) {
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
  attempted_ = attempted_ == everything ? made.upto : std::max(attempted_, made.upto);
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
  case expected::stream_state: on_stream_state(replies, now); break;
  case expected::newest_left: on_newest_left(replies.front(), now); break;
  case expected::page: on_page(replies.front(), now, wall); break;
  case expected::body: on_body(sent.upto, replies); break;
  case expected::commit: on_commit(replies, now); break;
  case expected::whole:
    on_body(sent.upto, replies.first(replies.size() - 1 - look_commands));
    on_commit(replies.last(1 + look_commands), now);
    break;
  case expected::consumers:
    if (const auto stream = parse_stream_state(replies[0])) readers_.look(replies[1], *stream, false);
    if (room_for_readers(1, now) == 0) paused_until_ = now + options_.consumers_again_after;
    break;
  }
  if (phase_ != phase::ready) give_up_outstanding();
}

void delivery::on_stream_state(std::span<const redis_reply> replies, mono_time now) {
  const auto seen = look_of(replies);
  const auto read = parse_stream_state(seen.stream);
  if (auto refused = judge({&seen.watch, 1}); refused.what != reply_class::fine)
    return on_refusal(refused, now);
  if (!read) return on_refusal({classify_error(read.error().detail), read.error().detail}, now);
  if (auto refused = judge({&seen.owner, 1}); refused.what != reply_class::fine)
    return on_refusal(refused, now);
  if (seen.owner.what == redis_reply::kind::nil) {
    if (const auto refused = judge(replies.subspan(2, 1)); is_unclaimed_ && refused.what != reply_class::fine)
      return on_refusal(refused, now);
    is_unclaimed_ = true; // the next look claims it first
    return;
  }
  is_unclaimed_ = false;
  if (!is_ours(seen.owner, now)) return;
  const auto& stream = *read;
  readers_.look(seen.groups, stream, false);

  const auto held = spool_.read({}, 1);
  // Nothing is held to send again, but a stream that went back under somebody else's entries lacks something.
  went_back_ = held.empty() && stream.added < spool_.seen().added && stream.last > spool_.forgotten();
  if (went_back_) {
    phase_ = phase::comparing;
    compared_ = stream;
    return;
  }
  const bool nothing_below = held.empty() || stream.last < held.front().first;
  if (!must_compare_ && (nothing_below || newest_is_ours(seen.stream, stream))) return in_step(stream, now);
  phase_ = phase::comparing;
  compared_ = stream;
  // Below the newest record Redis acknowledged there is nothing to find out, if it is still there.
  compared_fully_ = held.empty() || !spool_.holds(spool_.acknowledged());
  compare_from(compared_fully_ ? (held.empty() ? stream.last : held.front().first) : spool_.acknowledged());
}

bool delivery::names_us(const redis_reply& owner) const {
  return owner.text.substr(0, owner.text.find(' ')) == spool_.uuid();
}

bool delivery::is_ours(const redis_reply& owner, mono_time now) {
  if (names_us(owner)) {
    if (!owner_.empty()) tell(event::publisher_owner, {});
    owner_.clear();
    return true;
  }
  phase_ = phase::disowned;
  paused_until_ = now + options_.disowned_for;
  if (owner_ != owner.text) tell(event::publisher_not_owner, {{"owner", owner.text}, {"key", owner_key_}});
  owner_ = owner.text;
  return false;
}

bool delivery::newest_is_ours(const redis_reply& info, const stream_state& stream) const {
  const auto last = stream.last;
  if (!spool_.holds(last)) return false;
  const auto* newest = value_of(info, "last-entry");
  // The newest entry was deleted, or XSETID names an id that waits here.
  if (!newest || newest->items.size() != 2 || entry_id_of(*newest) != last)
    return spool_.count(spool_.acknowledged(), last) <= at_most_applied(stream, 0);
  const auto ours = spool_.read(just_below(last), 1);
  if (ours.empty() || ours.front().first != last) return false; // just set aside
  return same_fields(newest->items[1], (*ours.front().records)[ours.front().begin]);
}

void delivery::in_step(const stream_state& stream, mono_time now) {
  ids_.raise_above(stream.last);
  tell_hole(stream.last);
  if (spool_.acknowledged() > stream.last) {
    const auto waited = spool_.size().waiting;
    spool_.rewind(stream.last);
    const auto again = spool_.size().waiting - waited;
    counts_.sent_again += again;
    counts_.acknowledged -= std::min<std::uint64_t>(again, counts_.acknowledged);
    tell(event::publisher_sends_again, {{"count", std::to_string(again)}, {"after", to_string(stream.last)}});
  }
  acknowledge_found(stream.last, {stream.last, stream.added}, now);
  phase_ = phase::ready;
  known_at_ = now;
  if (std::exchange(looks_by_the_way_, false) && spool_.size().waiting == 0) return;
  tell(event::publisher_synced,
       {{"last_id", to_string(stream.last)}, {"count", std::to_string(spool_.size().waiting)}});
}

void delivery::tell_hole(entry_id after) {
  if (spool_.forgotten() <= after || hole_told_ == spool_.forgotten()) return;
  hole_told_ = spool_.forgotten();
  ++counts_.holes;
  hole_ = "after " + to_string(after) + " up to " + to_string(spool_.forgotten());
  tell(event::publisher_hole, {{"after", to_string(after)}, {"upto", to_string(spool_.forgotten())}});
}

void delivery::acknowledge_found(entry_id upto, stream_mark seen, mono_time now) {
  const auto unanswered = spool_.size().waiting;
  spool_.acknowledge(upto, seen, now);
  counts_.acknowledged += unanswered - spool_.size().waiting;
}

void delivery::on_page(const redis_reply& reply, mono_time now, wall_time wall) {
  if (auto refused = judge({&reply, 1}); refused.what != reply_class::fine) return on_refusal(refused, now);
  held_walk held{spool_, stored_.empty() ? just_below(compare_from_) : stored_.back().last};
  std::size_t missing = 0;
  for (const auto& entry : reply.items) {
    const auto id = entry_id_of(entry);
    expects(id && entry.items.size() == 2, "XRANGE answers with ids and fields");
    const auto ours = held.at(*id);
    missing += held.passed_over;
    if (ours && same_fields(entry.items[1], *ours)) {
      if (!stored_.empty() && missing == 0)
        stored_.back().last = *id;
      else
        stored_.push_back({*id, *id});
      missing = 0;
    } else {
      if (ours) ++missing; // somebody else's entry has its id
      ++foreign_;
      newest_foreign_ = *id;
    }
    if (*id > spool_.seen().last) ++added_since_;
    compare_from_ = id->plus(1);
  }
  if (reply.items.size() == options_.compare_page) return; // there is more
  const bool trimmed_away = compared_.first && *compared_.first > spool_.acknowledged();
  if (!compared_fully_ && !trimmed_away &&
      lacking(just_below(spool_.acknowledged()), spool_.acknowledged()) > 0) {
    compared_fully_ = true; // Redis is older than that
    const auto oldest = spool_.read({}, 1);
    return compare_from(oldest.empty() ? compared_.last : oldest.front().first);
  }
  stamp_missing_again(wall, now);
}

void delivery::compare_from(entry_id id) {
  compare_from_ = std::max(id, compared_.first.value_or(entry_id{}));
  stored_.clear();
  foreign_ = added_since_ = 0;
}

void delivery::stamp_missing_again(wall_time wall, mono_time now) {
  // A batch the spool is still at has ids below the new ones: it has to be among those that get them.
  compared_all_ = !keeping_.empty();
  if (compared_all_) return;
  // What Redis acknowledged is there up to the newest such record found; what trimming took counts as
  // applied.
  auto base = entry_id{};
  if (compared_.was_trimmed) base = trimmed_at_most();
  for (const auto& range : stored_)
    if (range.first <= spool_.acknowledged())
      base = std::max(base, std::min(range.last, spool_.acknowledged()));

  if (lacking(base, compared_.last) == 0) {
    // What is missing can be sent as it is. A transaction with these ids may still be on its way, and under
    // new ones we would not know it again.
    tell_what_was_found(0);
    return in_step(compared_, now);
  }
  tell_hole(base);
  acknowledge_found(base, {}, now);
  ids_.raise_above(std::max(compared_.last, spool_.last()));
  restamp_count_ = lacking(base, spool_.last());
  counts_.acknowledged += spool_.count(base, spool_.last()) - restamp_count_; // there although nobody said so
  restamping how{base, {compared_.last, compared_.added}, {}, ids_.stamp(wall, restamp_count_)};
  for (const auto& range : stored_)
    if (range.last > base) how.stored.push_back({std::max(range.first, base.plus(1)), range.last});
  phase_ = phase::restamping;
  restamp_ticket_ = ++last_ticket_;
  spool_.restamp(restamp_ticket_, std::move(how));
}

std::size_t delivery::at_most_applied(const stream_state& stream, std::uint64_t seen_since) const {
  const auto known = spool_.seen();
  if (stream.added == 0 || known.added == 0) return SIZE_MAX; // Redis before 7, or a crash in between
  // A stream that went back, or is another one, had no more than was added to it in all.
  const bool same = stream.added >= known.added && stream.last >= known.last;
  const auto since = same ? stream.added - known.added : stream.added - std::min(stream.length, stream.added);
  return same ? since - std::min(since, seen_since) : since;
}

entry_id delivery::trimmed_at_most() const {
  // Below the oldest entry counts as applied, for it may have been; but not what was never sent, nor more
  // than was added meanwhile.
  const auto below = compared_.first ? just_below(*compared_.first) : compared_.last;
  auto upto = std::min(below, std::max(attempted_, spool_.acknowledged()));
  auto left = at_most_applied(compared_, added_since_);
  for (auto at = spool_.acknowledged(); at < upto && left != SIZE_MAX;) {
    const auto runs = spool_.read(at, std::min<std::size_t>(left, options_.batch));
    if (runs.empty()) return std::min(upto, at);
    for (const auto& run : runs) left -= run.size();
    at = runs.back().last();
  }
  return upto;
}

std::size_t delivery::lacking(entry_id after, entry_id upto) const {
  auto count = spool_.count(after, upto);
  for (const auto& range : stored_)
    if (range.last > after && range.first <= upto)
      count -= spool_.count(std::max(after, just_below(range.first)), std::min(range.last, upto));
  return count;
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
  counts_.acknowledged += sent.count;
  batch_now_ = std::min(batch_now_ * 2, options_.batch);
  pause_.reset();
  refusal_.clear();
  const auto seen = look_of(replies);
  const auto after = parse_stream_state(seen.stream);
  const bool alone = after && after->last == sent.upto;
  spool_.acknowledge(sent.upto, alone ? stream_mark{after->last, after->added} : stream_mark{}, now);
  const bool watched = seen.watch.what == redis_reply::kind::status;
  if (!watched || !alone || !names_us(seen.owner)) {
    phase_ = phase::unsynced;
    return;
  }
  known_at_ = now;
  counts_.trimmed_unread += readers_.look(seen.groups, *after, true);
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
  compared_all_ = looks_by_the_way_ = false;
  if (why.code != errc::redis_connection_changed) paused_until_ = now + options_.ask_again_after;
}

void delivery::look_if_idle(mono_time now) {
  if (phase_ != phase::ready || !idle() || now - known_at_ < options_.idle_look_after) return;
  phase_ = phase::unsynced;
  looks_by_the_way_ = true;
}

void delivery::on_link_up() {
  give_up_outstanding();
  link_changed_ = phase_ == phase::restamping;
  compared_all_ = looks_by_the_way_ = false;
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
