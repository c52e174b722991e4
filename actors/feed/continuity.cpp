#include "actors/feed/continuity.hpp"

#include <algorithm>
#include <utility>

namespace breakwater {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t minute_s = 60;
/// A candle that comes so long after its minute's end, by the exchange's own clock, is a past one.
constexpr auto past_after = 5s;
/// Past candles of a symbol that nothing is known of: these are as good as live ones.
constexpr auto recent = 60s;
/// Live candles never come so long behind an earlier life's newest minute: then it is no minute of this
/// market.
constexpr auto ahead = 2min;
/// Sums of doubles in another order differ by less.
constexpr double noise = 1e-9;

wall_time begin_of(std::int64_t start_s) { return wall_time_from_ms(start_s * 1000); }
wall_time end_of(std::int64_t start_s) { return begin_of(start_s + minute_s); }
std::int64_t minute_of(wall_time at) {
  return std::chrono::floor<std::chrono::minutes>(at).time_since_epoch() / seconds{1};
}

/// The time at the exchange when it sent `x`, no further from its minute than it can be.
wall_time time_there(const candle& x) {
  return std::clamp(x.event_at, begin_of(x.start_s), end_of(x.start_s));
}

std::string minutes_in_words(std::size_t count) {
  return std::to_string(count) + (count == 1 ? " minute" : " minutes");
}

} // namespace

continuity::continuity(exchange which, exchange_rules rules, continuity_settings how)
    : which_(which),
      rules_(std::move(rules)),
      how_(how),
      pace_(rules_.history_requests),
      backoff_(how.wait, how.seed) {}

// What is kept of each symbol.

const continuity::known_minute* continuity::find(const symbol_state& s, std::int64_t start_s) {
  for (const auto& x : s.kept)
    if (x.start_s == start_s) return &x;
  return nullptr;
}

continuity::known_minute* continuity::find(symbol_state& s, std::int64_t start_s) {
  return const_cast<known_minute*>(find(std::as_const(s), start_s));
}

bool continuity::fits(const symbol_state& s, std::int64_t start_s) { return start_s > s.kept.back().start_s; }

void continuity::set(known_minute& known, const candle& x) {
  known = {x.start_s, true, x.closed, x.filled, x.open, x.high, x.low, x.close, x.volume, x.event_at};
}

void continuity::put(symbol_state& s, const candle& x) {
  const auto place = std::find_if(s.kept.begin(), s.kept.end(),
                                  [&](const known_minute& known) { return known.start_s <= x.start_s; });
  if (place == s.kept.end()) return;
  if (place->start_s != x.start_s) std::move_backward(place, s.kept.end() - 1, s.kept.end());
  set(*place, x);
}

bool continuity::same_values(const known_minute& known, const candle& x) {
  return known.has_values && known.volume == x.volume && known.close == x.close && known.high == x.high &&
         known.low == x.low && known.open == x.open;
}

continuity::trouble& continuity::trouble_of(symbol_state& s) {
  if (!s.wrong) s.wrong = std::make_unique<trouble>();
  return *s.wrong;
}

bool continuity::is_missing(const symbol_state& s, std::int64_t start_s) {
  if (!s.wrong) return false;
  const auto is_it = [&](const missing_minute& x) {
    return x.start_s == start_s && x.became == fate::wanted;
  };
  if (std::any_of(s.wrong->suspected.begin(), s.wrong->suspected.end(), is_it)) return true;
  return std::any_of(s.wrong->holes.begin(), s.wrong->holes.end(),
                     [&](const hole& x) { return std::any_of(x.minutes.begin(), x.minutes.end(), is_it); });
}

std::optional<std::int64_t> continuity::newest_minute(const std::string& symbol) const {
  const auto found = symbols_.find(symbol);
  if (found == symbols_.end()) return std::nullopt;
  return found->second.kept.front().start_s;
}

// What is news.

void continuity::know(const candle& newest) {
  const auto [place, added] = symbols_.try_emplace(newest.symbol);
  if (!added) return;
  auto& s = place->second;
  s.name = &place->first;
  s.serial = ++last_serial_;
  s.kept.front().start_s = newest.start_s;
  s.kept.front().closed = newest.closed;
  // Here the absence of candles says nothing, so nobody knows until when they were heard.
  if (!follows_every_minute()) trouble_of(s).lost = loss{{}, "the feed began anew", true};
}

/// A past candle of an exchange that marks none as closed, as in a snapshot: it was told so, or the
/// exchange's own clock says it (ours may be wrong).
bool continuity::is_past(const candle& x) const {
  return x.filled ||
         (!rules_.marks_closed && !rules_.counts_trades && x.event_at >= end_of(x.start_s) + past_after);
}

/// Within a minute volume never falls, and a minute that was closed stays closed.
bool continuity::is_newer(const known_minute& known, const candle& x) const {
  if (!known.has_values) return x.closed || !known.closed;
  if (same_values(known, x)) return x.closed && !known.closed;
  if (!rules_.marks_closed) {
    // Closes are inferred here, so a state with more in it is a later one nevertheless; but for what adding
    // up in another order makes.
    if (known.closed && !x.closed) return x.volume > known.volume * (1 + noise);
    if (x.volume < known.volume * (1 - noise)) return false;
  } else {
    if (x.closed) return true; // The exchange itself corrects a closed minute, if so.
    if (known.closed || x.volume < known.volume) return false;
  }
  // Without a time of its own a frame carries ours, which may have been put back.
  const bool is_timed = x.event_at != x.received_at;
  return x.closed || x.volume != known.volume || !is_timed || x.event_at >= known.event_at;
}

bool continuity::take_state(known_minute& known, candle& x) {
  if (!is_newer(known, x)) {
    ++counts_.repeats;
    return false;
  }
  x.closed = x.closed || known.closed;
  x.filled = x.filled || known.filled; // Whoever took the fill takes what corrects it as late.
  set(known, x);
  return true;
}

bool continuity::take_first(candle& x, moment now) {
  const bool past = is_past(x);
  if (past && x.event_at - end_of(x.start_s) > recent) {
    ++counts_.repeats;
    return false;
  }
  x.closed = x.closed || past;
  x.filled = x.filled || past;
  const auto place = symbols_.try_emplace(x.symbol).first;
  auto& s = place->second;
  s.name = &place->first;
  s.serial = ++last_serial_;
  put(s, x);
  if (rules_.counts_trades) {
    suspect(s, x.start_s, x.start_s, x, "listening began within the minute", now);
    refresh(s, now.mono);
  }
  return true;
}

bool continuity::take(candle& x, moment now, continuity_actions& out) {
  const auto found = symbols_.find(x.symbol);
  if (found == symbols_.end()) return take_first(x, now);
  auto& s = found->second;
  // The ordinary case: a state of the newest minute, or of the next one.
  auto& newest = s.kept.front();
  if (!s.wrong && !is_past(x)) {
    if (x.start_s == newest.start_s) return take_state(newest, x);
    if (x.start_s > newest.start_s &&
        (!follows_every_minute() || (newest.closed && x.start_s == newest.start_s + minute_s))) {
      put(s, x);
      return true;
    }
  }
  return take_slowly(s, x, now, out);
}

bool continuity::take_slowly(symbol_state& s, candle& x, moment now, continuity_actions& out) {
  if (const auto& known = s.kept.front();
      !known.has_values && !is_past(x) && end_of(x.start_s) + ahead < begin_of(known.start_s)) {
    forget(x.symbol);
    return take_first(x, now);
  }
  if (s.wrong && s.wrong->lost) on_data_again(s, x, now);
  const bool past = is_past(x);
  const auto newest_s = s.kept.front().start_s;
  const bool missing = is_missing(s, x.start_s);
  // Fills the minute, should it be missing. What is made of trades here never does.
  const bool final =
      rules_.marks_closed ? x.closed : !rules_.counts_trades && (past || (missing && x.start_s < newest_s));
  if (!rules_.marks_closed && final) x.closed = x.filled = true;

  bool news = false;
  if (x.start_s > newest_s) {
    if (follows_every_minute()) {
      const bool skips = x.start_s > newest_s + minute_s;
      const auto from_s = s.kept.front().closed ? newest_s + minute_s : newest_s;
      suspect(s, from_s, x.start_s - minute_s, x,
              skips ? "the candles skip over them" : "its close never came", now);
    }
    news = !past || x.event_at - end_of(x.start_s) <= how_.fill_within;
    if (news)
      put(s, x);
    else
      ++counts_.repeats;
  } else if (auto* known = find(s, x.start_s)) {
    news = take_state(*known, x);
  } else {
    news = (missing && final) || fits(s, x.start_s);
    // Of a symbol's first minutes no older ones are wanted.
    if (!missing && s.kept.back().start_s == never) news = false;
    if (news)
      put(s, x);
    else
      ++counts_.repeats;
  }
  if (news && final && missing) strike(s, x.start_s);
  if (s.wrong) {
    end_suspicion(s, out);
    finish_holes(s, out);
    refresh(s, now.mono);
  }
  return news;
}

bool continuity::is_filled(const candle& x) const {
  const auto found = symbols_.find(x.symbol);
  if (found == symbols_.end()) return false;
  const auto& s = found->second;
  // Three newer ones came before the closer saw the next minute: a snapshot, and that closes what it passes.
  if (x.start_s < s.kept.back().start_s) return true;
  const auto* known = find(s, x.start_s);
  return known && known->filled && !is_newer(*known, x);
}

void continuity::forget(const std::string& symbol) {
  const auto found = symbols_.find(symbol);
  if (found == symbols_.end()) return;
  auto& s = found->second;
  if (s.due) alarms_.erase(*s.due);
  if (s.queued) ready_.erase(*s.queued);
  for (auto& x : requests_)
    if (x.of == &s) x.of = nullptr;
  if (s.wrong)
    for (auto& each : s.wrong->holes) counts_.unfilled += each.wanted;
  symbols_.erase(found);
}

// What is missing.

void continuity::on_lost(const std::string& symbol, const std::string& cause, moment now) {
  const auto found = symbols_.find(symbol);
  if (found == symbols_.end()) return; // Nothing was heard of it yet: nothing can be missing.
  auto& lost = trouble_of(found->second).lost;
  if (!lost) lost = loss{now, cause};
}

/// The first candle since the symbol was lost.
void continuity::on_data_again(symbol_state& s, const candle& x, moment now) {
  auto& wrong = *s.wrong;
  const auto lost = *std::exchange(wrong.lost, std::nullopt);
  if (!lost.earlier_life)
    wrong.resync =
        quality_marker{which_, *s.name, quality_kind::resync, lost.since.wall, now.wall, lost.cause};
  if (follows_every_minute()) {
    if (wrong.suspicion.empty()) wrong.suspicion = lost.cause;
    return; // Its candles themselves tell what is missing.
  }
  const bool past = is_past(x);
  const auto newest_s = s.kept.front().start_s;
  auto from_s = newest_s;
  if (!lost.earlier_life) {
    // By the exchange's clock: ours may be wrong, or have been set since.
    const auto age = std::chrono::duration_cast<milliseconds>(now.mono - lost.since.mono);
    from_s = std::max(newest_s, minute_of((past ? x.event_at : time_there(x)) - age));
  }
  // Of a snapshot that reaches back all that is missing follows, and there is nothing to suspect.
  suspect(s, from_s, rules_.counts_trades ? std::max(x.start_s, newest_s) : x.start_s - minute_s, x,
          lost.cause, now);
}

void continuity::on_trades_missing(const candle& x, moment now) {
  const auto found = symbols_.find(x.symbol);
  if (found == symbols_.end()) return; // The first minute counts as incomplete anyway.
  auto& s = found->second;
  const auto newest_s = s.kept.front().start_s;
  suspect(s, std::min(newest_s, x.start_s), std::max(newest_s, x.start_s), x,
          s.wrong && s.wrong->lost ? s.wrong->lost->cause : "trades were missed", now);
  if (s.wrong) refresh(s, now.mono);
}

/// Minutes from `from_s` to `to_s` seem to be missing now that `at` came, unless they come within patience.
void continuity::suspect(symbol_state& s, std::int64_t from_s, std::int64_t to_s, const candle& at,
                         const std::string& why, moment now) {
  if (from_s > to_s) return;
  const auto until = now.mono + how_.close_patience;
  const auto oldest_s = minute_of(begin_of(at.start_s) - how_.fill_within);
  const auto there = time_there(at);
  const bool has_others = s.wrong && (!s.wrong->suspected.empty() || !s.wrong->holes.empty());
  bool any = false;
  if (from_s < oldest_s) {
    auto& wrong = trouble_of(s);
    const auto last_s = std::min(to_s, oldest_s - minute_s);
    if (wrong.too_old_to_s == never) wrong.too_old_from_s = from_s;
    wrong.too_old_from_s = std::min(wrong.too_old_from_s, from_s);
    wrong.too_old_to_s = std::max(wrong.too_old_to_s, last_s);
    any = true;
  }
  for (auto start_s = std::max(from_s, oldest_s); start_s <= to_s; start_s += minute_s) {
    const auto* known = find(std::as_const(s), start_s);
    if ((known && known->closed) || (has_others && is_missing(s, start_s))) continue;
    missing_minute x;
    x.start_s = start_s;
    x.not_before = rules_.marks_closed ? now.mono : now.mono + (end_of(start_s) + how_.history_after - there);
    x.volume = known ? known->volume : 0;
    auto& suspected = trouble_of(s).suspected;
    suspected.insert(std::upper_bound(suspected.begin(), suspected.end(), start_s,
                                      [](std::int64_t a, const missing_minute& b) { return a < b.start_s; }),
                     x);
    any = true;
  }
  if (!any) return;
  s.wrong->suspected_until = until;
  if (s.wrong->suspicion.empty()) s.wrong->suspicion = why;
}

/// The minute came after all.
void continuity::strike(symbol_state& s, std::int64_t start_s) {
  std::erase_if(s.wrong->suspected, [&](const missing_minute& x) { return x.start_s == start_s; });
  for (auto& each : s.wrong->holes)
    for (auto& x : each.minutes)
      if (x.start_s == start_s && x.became == fate::wanted) settle(each, x, fate::filled);
}

/// Nothing is suspected any more, or nothing was: then a loss did no harm.
void continuity::end_suspicion(symbol_state& s, continuity_actions& out) {
  auto& wrong = *s.wrong;
  if (wrong.suspects()) return;
  wrong.suspicion.clear();
  if (const auto resync = std::exchange(wrong.resync, std::nullopt)) out.emplace_back(*resync);
}

void continuity::say(const symbol_state& s, quality_kind kind, std::int64_t first_s, std::int64_t last_s,
                     std::string cause, continuity_actions& out) const {
  out.emplace_back(
      quality_marker{which_, *s.name, kind, begin_of(first_s), end_of(last_s) - 1ms, std::move(cause)});
}

void continuity::say_stays(const symbol_state& s, std::int64_t first_s, std::int64_t last_s,
                           std::size_t count, std::size_t of, const std::string& why,
                           continuity_actions& out) const {
  say(s, quality_kind::gap, first_s, last_s,
      std::to_string(count) + " of " + minutes_in_words(of) + (count == 1 ? " stays" : " stay") +
          " missing: " + why,
      out);
  out.emplace_back(tell{event::feed_gap_stays, *s.name, why, count});
}

/// What did not come within patience is a hole from now on.
void continuity::establish(symbol_state& s, continuity_actions& out) {
  auto& wrong = *s.wrong;
  const auto why = std::exchange(wrong.suspicion, {});
  wrong.resync.reset();
  if (const auto last_s = std::exchange(wrong.too_old_to_s, never); last_s != never) {
    const auto count = static_cast<std::size_t>((last_s - wrong.too_old_from_s) / minute_s + 1);
    ++counts_.gaps;
    counts_.missing += count;
    counts_.unfilled += count;
    say_stays(s, wrong.too_old_from_s, last_s, count, count, why + "; too old to be asked for", out);
  }
  if (wrong.suspected.empty()) return;
  auto& made = wrong.holes.emplace_back();
  made.minutes = std::exchange(wrong.suspected, {});
  made.wanted = made.minutes.size();
  ++counts_.gaps;
  counts_.missing += made.wanted;
  say(s, quality_kind::gap, made.minutes.front().start_s, made.minutes.back().start_s,
      minutes_in_words(made.wanted) + " missing, asked for: " + why, out);
  out.emplace_back(tell{event::feed_gap, *s.name, why, made.wanted});
}

void continuity::settle(hole& in, missing_minute& which, fate as) {
  which.became = as;
  which.request = 0;
  --in.wanted;
  ++(as == fate::filled ? counts_.filled : as == fate::quiet ? counts_.quiet : counts_.unfilled);
}

/// An answer without the minute's candle, or no answer.
void continuity::brought_nothing(hole& in, missing_minute& which, const std::string& why) {
  which.request = 0;
  if (++which.tries < how_.tries) return;
  in.why_unfilled = why;
  settle(in, which, fate::unfilled);
}

void continuity::finish_holes(symbol_state& s, continuity_actions& out) {
  auto& holes = s.wrong->holes;
  for (auto x = holes.begin(); x != holes.end();) {
    if (x->wanted > 0) {
      ++x;
      continue;
    }
    const auto all = x->minutes.size();
    const auto how_many = [&](fate which) {
      return static_cast<std::size_t>(std::count_if(
          x->minutes.begin(), x->minutes.end(), [&](const missing_minute& m) { return m.became == which; }));
    };
    const auto first_s = x->minutes.front().start_s, last_s = x->minutes.back().start_s;
    if (const auto stay = how_many(fate::unfilled); stay > 0) {
      say_stays(s, first_s, last_s, stay, all, x->why_unfilled, out);
    } else {
      const auto filled = how_many(fate::filled), quiet = how_many(fate::quiet);
      say(s, quality_kind::recovered, first_s, last_s,
          "filled " + std::to_string(filled) + " of " + minutes_in_words(all) +
              (quiet > 0 ? "; nobody traded in " + std::to_string(quiet) : std::string{}),
          out);
      out.emplace_back(tell{event::feed_recovered, *s.name, {}, filled});
    }
    x = holes.erase(x);
  }
}

// How it is filled.

/// Keeps the symbol's place in the queue and its alarm up to date; frees what it needs no more.
void continuity::refresh(symbol_state& s, mono_time now) {
  std::optional<turn> queued;
  std::optional<alarm> due;
  if (s.wrong) {
    const auto& wrong = *s.wrong;
    std::optional<mono_time> at;
    if (wrong.suspects()) at = wrong.suspected_until;
    if (wrong.request == 0 && !wrong.holes.empty())
      for (const auto& x : wrong.holes.front().minutes) {
        if (x.became != fate::wanted) continue;
        if (x.not_before <= now) {
          queued = turn{wrong.asked, x.start_s, s.serial, &s};
          break;
        }
        if (!at || x.not_before < *at) at = x.not_before;
      }
    if (at) due = alarm{*at, s.serial, &s};
    if (!wrong.lost && !wrong.resync && !at && wrong.holes.empty() && wrong.request == 0) s.wrong.reset();
  }
  if (queued != s.queued) {
    if (s.queued) ready_.erase(*s.queued);
    if (queued) ready_.insert(*queued);
    s.queued = queued;
  }
  if (due != s.due) {
    if (s.due) alarms_.erase(*s.due);
    if (due) alarms_.insert(*due);
    s.due = due;
  }
}

/// While they waited, minutes of the first hole may have grown too old.
void continuity::give_up_old(symbol_state& s) {
  const auto oldest_s = minute_of(begin_of(s.kept.front().start_s) - how_.fill_within);
  auto& first = s.wrong->holes.front();
  for (auto& x : first.minutes) {
    if (x.start_s >= oldest_s) break;
    if (x.became != fate::wanted) continue;
    if (first.why_unfilled.empty()) first.why_unfilled = "too old by now to be asked for";
    settle(first, x, fate::unfilled);
  }
}

/// After a failure a single one tries whether the exchange answers again.
std::size_t continuity::requests_allowed() const noexcept {
  return backoff_.attempts() > 0 ? 1 : how_.requests_at_a_time;
}

void continuity::ask(moment now, continuity_actions& out) {
  const auto span_s =
      static_cast<std::int64_t>(std::max<std::size_t>(rules_.minutes_per_history_request, 1) - 1) * minute_s;
  while (!ready_.empty() && requests_.size() < requests_allowed() && now.mono >= ask_not_before_ &&
         pace_.allows(now.mono)) {
    auto& s = *std::get<symbol_state*>(*ready_.begin());
    give_up_old(s);
    auto& first = s.wrong->holes.front();
    ask_candles made{last_request_ + 1, *s.name, never, never};
    for (auto& x : first.minutes) {
      if (x.became != fate::wanted || x.not_before > now.mono) continue;
      if (made.from_s == never) made.from_s = x.start_s;
      if (x.start_s > made.from_s + span_s) break;
      made.to_s = x.start_s;
      x.request = made.number;
    }
    if (made.from_s != never) {
      last_request_ = made.number;
      s.wrong->request = made.number;
      ++s.wrong->asked;
      requests_.push_back({made.number, &s, now.mono, now.mono + how_.answer_within});
      pace_.take(now.mono);
      out.emplace_back(std::move(made));
    }
    finish_holes(s, out);
    refresh(s, now.mono);
  }
}

std::optional<continuity::request> continuity::end_request(std::uint64_t number) {
  const auto found =
      std::find_if(requests_.begin(), requests_.end(), [&](const request& x) { return x.number == number; });
  if (found == requests_.end()) return std::nullopt;
  const auto ended = *found;
  requests_.erase(found);
  if (ended.of) ended.of->wrong->request = 0;
  return ended;
}

void continuity::on_history(std::uint64_t number, const std::vector<candle>& rows, moment now,
                            std::vector<candle>& fills, continuity_actions& out) {
  const auto ended = end_request(number);
  if (!ended) return; // It came after its deadline, so its minutes are asked for again.
  backoff_.reset();
  if (ended->of) {
    auto& s = *ended->of;
    for (auto& each : s.wrong->holes)
      for (auto& x : each.minutes) {
        if (x.request != number) continue;
        auto* known = find(s, x.start_s);
        const auto row = std::find_if(rows.begin(), rows.end(), [&](const candle& y) {
          return y.start_s == x.start_s && y.symbol == *s.name;
        });
        const auto volume = std::max(x.volume, known ? known->volume : 0);
        if (row == rows.end() && !rules_.sends_every_minute && volume == 0) {
          settle(each, x, fate::quiet);
        } else if (row == rows.end() || row->volume < volume * (1 - noise)) {
          // It has less than we know already: not ready yet.
          brought_nothing(each, x, "the exchange has no candle of it");
          if (x.became == fate::wanted)
            x.not_before =
                now.mono + std::min(how_.wait.max, how_.wait.initial * (1 << std::min(x.tries - 1, 16u)));
        } else {
          settle(each, x, fate::filled);
          auto& fill = fills.emplace_back(*row);
          fill.closed = fill.filled = true;
          put(s, fill);
        }
      }
    finish_holes(s, out);
    refresh(s, now.mono);
  }
  ask(now, out);
}

void continuity::fail(const request& which, const std::string& reason, milliseconds wait, moment now,
                      continuity_actions& out) {
  // Those that were on their way together fail for one reason.
  const auto step = which.asked_at >= failed_at_ ? backoff_.next() : 0ms;
  failed_at_ = now.mono;
  wait = std::max(wait, step);
  ask_not_before_ = std::max(ask_not_before_, now.mono + wait);
  if (!which.of) return;
  auto& s = *which.of;
  out.emplace_back(tell{.what = event::feed_fetch_failed, .symbol = *s.name, .reason = reason, .wait = wait});
  for (auto& each : s.wrong->holes)
    for (auto& x : each.minutes)
      if (x.request == which.number) brought_nothing(each, x, reason);
  finish_holes(s, out);
  refresh(s, now.mono);
}

void continuity::on_history_failed(std::uint64_t number, const std::string& reason, milliseconds wait,
                                   moment now, continuity_actions& out) {
  const auto ended = end_request(number);
  if (!ended) return;
  fail(*ended, reason, wait, now, out);
  ask(now, out);
}

void continuity::on_wake(moment now, continuity_actions& out) {
  while (!alarms_.empty() && std::get<mono_time>(*alarms_.begin()) <= now.mono) {
    auto& s = *std::get<symbol_state*>(*alarms_.begin());
    if (s.wrong->suspects() && s.wrong->suspected_until <= now.mono) establish(s, out);
    refresh(s, now.mono);
  }
  while (true) {
    const auto late = std::find_if(requests_.begin(), requests_.end(),
                                   [&](const request& x) { return x.deadline <= now.mono; });
    if (late == requests_.end()) break;
    const auto ended = *end_request(late->number);
    fail(ended, "no answer in time", 0ms, now, out);
  }
  ask(now, out);
}

std::optional<mono_time> continuity::next_wake() const {
  std::optional<mono_time> at;
  const auto or_at = [&](mono_time x) {
    if (!at || x < *at) at = x;
  };
  if (!alarms_.empty()) or_at(std::get<mono_time>(*alarms_.begin()));
  for (const auto& x : requests_) or_at(x.deadline);
  if (!ready_.empty() && requests_.size() < requests_allowed())
    or_at(std::max(ask_not_before_, pace_.next()));
  return at;
}

} // namespace breakwater
