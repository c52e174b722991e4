#include "actors/feed/session.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace breakwater {
namespace {

using namespace std::chrono_literals;

/// What an argument adds to a name in a request: "kline.1." and the like, quotes, comma.
constexpr std::size_t argument_bytes = 16;
/// Connections of one age are not replaced all at once.
constexpr auto between_replacements = 2min;

std::chrono::milliseconds in_ms(mono_time::duration time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time);
}

} // namespace

session::session(dialect& speaks, session_settings how)
    : speaks_(speaks),
      how_(how),
      connects_(speaks.rules().connects),
      messages_of_all_(speaks.rules().messages_of_all) {}

session_actions session::follow(const std::vector<std::string>& symbols, mono_time now) {
  session_actions out;
  if (stopped_) return out;
  left_out_.clear();
  std::vector<bool> wanted;
  std::vector<place> coming;
  for (const auto& symbol : symbols) {
    if (auto problem = speaks_.learn(symbol)) {
      leave_out(*std::move(problem), out);
      continue;
    }
    const auto where = speaks_.names().place_of(canonical_symbol(symbol));
    if (!where) continue;
    if (symbols_.size() <= *where) symbols_.resize(*where + 1);
    wanted.resize(symbols_.size(), false);
    if (!wanted[*where] && !symbols_[*where].in) coming.push_back(*where);
    wanted[*where] = true;
  }
  wanted.resize(symbols_.size(), false);
  // Those that go make room for those that come.
  std::size_t went = 0;
  for (place symbol = 0; symbol < symbols_.size(); ++symbol)
    if (symbols_[symbol].in && !wanted[symbol]) {
      let_go(symbol);
      out.push_back(let_go_symbol{speaks_.names().entries()[symbol].ours});
      ++went;
    }
  const bool is_first = slots_made_ == 0;
  for (auto symbol : coming) take_in(symbol, now, out);
  if (!is_first && (went > 0 || !coming.empty()))
    out.push_back(tell{.what = event::feed_symbols_changed,
                       .reason = std::to_string(coming.size()) + " came, " + std::to_string(went) + " went"});
  look_after_all(now, out);
  return out;
}

session_actions session::stop() {
  session_actions out;
  stopped_ = true;
  for (auto& each : slots_)
    for (auto* held : {&each.main, &each.next})
      if (*held) {
        out.push_back(close_socket{(*held)->number()});
        held->reset();
      }
  return out;
}

session_actions session::on_wake(mono_time now) {
  session_actions out;
  if (!stopped_) look_after_all(now, out);
  return out;
}

void session::look_after_all(mono_time now, session_actions& out) {
  look_for_stale(now, out);
  for (auto& each : slots_) look_after(each, now, out);
  std::erase_if(slots_, [](const slot& each) { return each.symbols.empty() && !each.main && !each.next; });
}

std::optional<mono_time> session::next_wake() const {
  if (stopped_) return std::nullopt;
  std::optional<mono_time> next = look_for_stale_at_;
  const auto consider = [&](mono_time at) {
    if (!next || at < *next) next = at;
  };
  for (const auto& each : slots_) {
    for (const auto* held : {&each.main, &each.next})
      if (*held) consider((*held)->next_wake());
    if (wants_connection(each)) consider(std::max(each.due, connects_.next()));
    if (each.main && each.main->is_open() && each.age_limit > 0ms && !each.replace)
      consider(*each.main->opened_at() + each.age_limit);
    if (each.quiet_look_at && !each.replace && each.main && each.main->is_open())
      consider(*each.quiet_look_at);
    if (each.settled_at) consider(*each.settled_at + how_.take_over_after);
    if (each.next && each.next->is_open()) consider(*each.next->opened_at() + how_.give_up_after);
  }
  return next;
}

session_actions session::on_opened(std::uint64_t socket, mono_time now) {
  session_actions out;
  if (auto* which = connection_of(socket); which && !which->is_open()) which->on_opened(now, out);
  return out;
}

session_actions session::on_closed(std::uint64_t socket, const std::string& reason, mono_time now) {
  session_actions out;
  if (auto* in = find(socket)) {
    lose(*in, socket, reason, now, out);
    look_after(*in, now, out);
  }
  return out;
}

void session::on_heard(std::uint64_t socket, mono_time now) {
  if (auto* which = connection_of(socket)) which->on_heard(now);
}

session_actions session::on_acknowledged(std::uint64_t socket, const acknowledgement& what, mono_time now) {
  session_actions out;
  if (auto* which = connection_of(socket)) which->on_acknowledged(what, out);
  if (auto* in = find(socket); in && in->next) look_after(*in, now, out);
  return out;
}

session_actions session::on_refused(std::uint64_t socket, const refusal& what, mono_time now) {
  session_actions out;
  if (auto* which = connection_of(socket)) which->on_refused(what, now, out);
  if (auto* in = find(socket); in && in->next) look_after(*in, now, out);
  return out;
}

session_actions session::on_closing_announced(std::uint64_t socket, const std::string& reason,
                                              mono_time now) {
  session_actions out;
  auto* in = find(socket);
  if (!in) return out;
  out.push_back(tell{.what = event::feed_notice, .reason = reason});
  if (in->main && in->main->number() == socket)
    want_replacement(*in, "announced by the exchange", now, out);
  else
    lose(*in, socket, "announced by the exchange", now, out);
  look_after(*in, now, out);
  return out;
}

bool session::on_data(std::uint64_t socket, const std::string& symbol, mono_time now, session_actions& out) {
  const auto known = speaks_.names().place_of(symbol);
  auto* which = connection_of(socket);
  if (!known || !which || *known >= symbols_.size() || !which->on_data(*known, out)) return false;
  auto& one = symbols_[*known];
  const auto silent = in_ms(now - std::exchange(one.data_at, now));
  one.has_data = true;
  one.in->quiet_wait = 0ms;
  if (std::exchange(one.stale, false))
    out.push_back(tell{.what = event::feed_fresh, .symbol = symbol, .age = silent});
  if (one.in->next) look_after(*one.in, now, out);
  return true;
}

std::vector<std::string> session::carried_by(std::uint64_t socket) const {
  std::vector<std::string> ours;
  if (const auto* in = find(socket))
    for (auto symbol : in->symbols) ours.push_back(speaks_.names().entries()[symbol].ours);
  return ours;
}

bool session::connected() const noexcept {
  return std::any_of(slots_.begin(), slots_.end(),
                     [](const slot& each) { return each.main && each.main->is_open(); });
}

session::figures session::count() const {
  figures all;
  all.reconnects = reconnects_;
  all.replacements = replacements_;
  all.symbols = all.refused = left_out_.size();
  for (const auto& each : slots_) {
    for (const auto* held : {&each.main, &each.next}) all.connections += *held && (*held)->is_open();
    all.symbols += each.symbols.size();
    if (each.main && each.main->is_open()) all.subscribed += each.main->subscribed();
    for (auto symbol : each.symbols) {
      all.refused += is_refused(each, symbol);
      all.stale += symbols_[symbol].stale;
    }
  }
  return all;
}

bool session::is_refused(const std::string& ours) const {
  if (const auto where = speaks_.names().place_of(ours);
      where && *where < symbols_.size() && symbols_[*where].in)
    return is_refused(*symbols_[*where].in, *where);
  return std::any_of(left_out_.begin(), left_out_.end(), [&](const auto& x) { return x.ours == ours; });
}

void session::describe(feed_report& out, mono_time now, wall_time wall) const {
  out.connected = connected();
  for (const auto& each : slots_)
    for (const auto* held : {&each.main, &each.next})
      if (*held)
        out.connections.push_back({.number = (*held)->number(),
                                   .state = (*held)->is_open() ? "open" : "connecting",
                                   .symbols = (*held)->size(),
                                   .age = (*held)->age(now),
                                   .replacement = held == &each.next});
  for (place symbol = 0; symbol < symbols_.size(); ++symbol) {
    const auto& one = symbols_[symbol];
    if (!one.in) continue;
    const auto& name = speaks_.names().entries()[symbol];
    feed_report::symbol told;
    told.name = name.ours;
    told.theirs = name.theirs;
    told.state = "wanted";
    if (const auto* carrier = one.in->main.get()) {
      constexpr std::array states{"wanted", "asked", "subscribed", "refused"};
      told.state = states[static_cast<std::size_t>(carrier->standing_of(symbol))];
      told.reason = carrier->refusal_of(symbol);
      told.connection = carrier->number();
    }
    if (one.stale) told.state = "stale";
    if (one.has_data) told.last_data = wall - in_ms(now - one.data_at);
    out.symbols.push_back(std::move(told));
  }
  for (const auto& problem : left_out_) {
    feed_report::symbol told;
    told.name = problem.ours;
    told.state = "refused";
    told.reason = problem.reason;
    out.symbols.push_back(std::move(told));
  }
}

session::slot* session::find(std::uint64_t socket) {
  return const_cast<slot*>(std::as_const(*this).find(socket));
}

const session::slot* session::find(std::uint64_t socket) const {
  for (const auto& each : slots_)
    for (const auto* held : {&each.main, &each.next})
      if (*held && (*held)->number() == socket) return &each;
  return nullptr;
}

connection* session::connection_of(std::uint64_t socket) {
  auto* in = find(socket);
  if (!in) return nullptr;
  return in->main && in->main->number() == socket ? in->main.get() : in->next.get();
}

void session::leave_out(symbol_names::problem why, session_actions& out) {
  out.push_back(tell{.what = event::feed_subscription_refused, .symbol = why.ours, .reason = why.reason});
  left_out_.push_back(std::move(why));
}

void session::take_in(place symbol, mono_time now, session_actions& out) {
  auto in = std::find_if(slots_.begin(), slots_.end(), [&](const slot& x) { return fits(x, symbol); });
  if (in == slots_.end()) {
    if (slots_.size() >= speaks_.rules().connections)
      return leave_out({speaks_.names().entries()[symbol].ours, "more than the exchange lets us follow"},
                       out);
    in = slots_.emplace(slots_.end(), backoff{how_.wait, how_.seed + slots_made_});
    const auto limit = speaks_.rules().replace_after;
    if (limit > 0ms)
      in->age_limit = limit - std::min<std::chrono::milliseconds>(
                                  between_replacements * static_cast<int>(slots_made_ % 10), limit / 2);
    ++slots_made_;
  }
  in->symbols.push_back(symbol);
  in->name_bytes += name_bytes(symbol);
  for (auto* held : {&in->main, &in->next})
    if (*held) (*held)->add(symbol);
  symbols_[symbol] = {.in = &*in, .data_at = now};
  const auto due = now + how_.stale_after;
  if (!look_for_stale_at_ || due < *look_for_stale_at_) look_for_stale_at_ = due;
}

void session::let_go(place symbol) {
  auto& in = *symbols_[symbol].in;
  std::erase(in.symbols, symbol);
  in.name_bytes -= name_bytes(symbol);
  for (auto* held : {&in.main, &in.next})
    if (*held) (*held)->remove(symbol);
  symbols_[symbol] = {};
}

bool session::fits(const slot& in, place symbol) const {
  const auto& rules = speaks_.rules();
  return in.symbols.size() < rules.symbols_per_connection &&
         (rules.name_bytes_per_connection == 0 ||
          in.name_bytes + name_bytes(symbol) <= rules.name_bytes_per_connection);
}

std::size_t session::name_bytes(place symbol) const {
  return speaks_.names().entries()[symbol].theirs.size() + argument_bytes;
}

/// Whatever is due for one slot.
void session::look_after(slot& which, mono_time now, session_actions& out) {
  if (which.symbols.empty()) {
    for (auto* held : {&which.main, &which.next})
      if (*held) {
        out.push_back(close_socket{(*held)->number()});
        held->reset();
      }
    return;
  }
  for (auto* held : {&which.next, &which.main})
    if (*held)
      if (const auto why = (*held)->on_wake(now, out)) lose(which, (*held)->number(), *why, now, out);
  if (which.main && which.main->is_open() && !which.replace) {
    if (which.age_limit > 0ms && which.main->age(now) >= which.age_limit)
      want_replacement(which, "it grows old", now, out);
    else
      replace_if_quiet(which, now, out);
  }
  if (which.next && which.next->is_open()) {
    if (which.next->is_settled() && !which.settled_at) which.settled_at = now;
    if (const auto due = take_over_due(which, now); due && now >= *due)
      take_over(which, out);
    else if (which.next->age(now) >= how_.give_up_after)
      lose(which, which.next->number(), "acknowledged, but silent", now, out);
    else if (which.settled_at && now >= *which.settled_at + how_.take_over_after)
      which.settled_at = now; // not as things are: look again later
  }
  if (wants_connection(which) && now >= which.due && connects_.allows(now)) connect(which, now, out);
}

bool session::wants_connection(const slot& which) const {
  return !which.symbols.empty() && (!which.main || (which.replace && !which.next));
}

void session::connect(slot& which, mono_time now, session_actions& out) {
  connects_.take(now);
  auto made = std::make_unique<connection>(speaks_, messages_of_all_, how_.patience, ++number_, now);
  for (auto symbol : which.symbols) made->add(symbol);
  out.push_back(tell{.what = event::feed_connecting, .count = which.wait.attempts() + 1});
  out.push_back(open_socket{number_});
  (which.main ? which.next : which.main) = std::move(made);
}

void session::lose(slot& which, std::uint64_t socket, const std::string& reason, mono_time now,
                   session_actions& out) {
  const bool is_main = which.main && which.main->number() == socket;
  auto ended = std::move(is_main ? which.main : which.next);
  if (ended->is_open()) {
    ++reconnects_;
    if (ended->age(now) >= how_.stable_after) which.wait.reset();
  }
  out.push_back(close_socket{socket});
  const auto wait = which.wait.next();
  which.due = now + wait;
  which.settled_at.reset();
  which.quiet_look_at.reset();
  // What was to take over goes on alone.
  if (is_main) which.replace = false;
  if (is_main && which.next) which.main = std::move(which.next);
  out.push_back(tell{.what = event::feed_disconnected,
                     .reason = reason,
                     .count = which.wait.attempts(),
                     .wait = wants_connection(which) ? wait : -1ms});
  if (!is_main) return;
  if (!ended->is_open()) return;
  for (auto symbol : which.symbols)
    if (ended->standing_of(symbol) == connection::standing::subscribed &&
        !(which.main && which.main->has_data_of(symbol)))
      out.push_back(lost_symbol{speaks_.names().entries()[symbol].ours, reason});
}

void session::want_replacement(slot& which, const std::string& reason, mono_time now, session_actions& out) {
  if (which.replace || !which.main || !which.main->is_open()) return;
  which.replace = true;
  // A connection that is announced to end as soon as it began must not make us connect in a loop.
  which.due = which.main->age(now) >= how_.stable_after ? now : now + which.wait.next();
  out.push_back(tell{.what = event::feed_replacing, .reason = reason});
}

std::optional<mono_time> session::take_over_due(const slot& which, mono_time now) const {
  if (!which.settled_at || which.next->subscribed() == 0) return std::nullopt;
  if (which.next->has_data_of_all()) return now;
  // Acknowledged and silent is no better than what we have.
  if (which.next->with_data() == 0 && has_fresh_data(which, now)) return std::nullopt;
  return *which.settled_at + how_.take_over_after;
}

bool session::has_fresh_data(const slot& which, mono_time now) const {
  return std::any_of(which.symbols.begin(), which.symbols.end(), [&](place symbol) {
    return symbols_[symbol].has_data && now - symbols_[symbol].data_at < how_.stale_after;
  });
}

void session::take_over(slot& which, session_actions& out) {
  out.push_back(close_socket{which.main->number()});
  out.push_back(tell{.what = event::feed_replaced, .count = which.symbols.size()});
  which.main = std::move(which.next);
  which.replace = false;
  which.settled_at.reset();
  if (which.quiet_wait > 0ms) which.quiet_look_at = which.quiet_until;
  ++replacements_;
}

/// A quiet symbol is reported; only a connection on which all of them are quiet, or that ignores a
/// subscription, is replaced.
void session::replace_if_quiet(slot& which, mono_time now, session_actions& out) {
  which.quiet_look_at.reset();
  const bool ignores = which.main->was_ignored();
  if (which.main->subscribed() == 0) return;
  if (!ignores && !std::all_of(which.symbols.begin(), which.symbols.end(), [&](place symbol) {
        return symbols_[symbol].stale || is_refused(which, symbol);
      }))
    return;
  auto due = which.quiet_until;
  if (!ignores) due = std::max(due, *which.main->opened_at() + how_.stale_after);
  if (now < due) {
    which.quiet_look_at = due;
    return;
  }
  which.quiet_wait = std::clamp<std::chrono::milliseconds>(2 * which.quiet_wait, how_.quiet_again_after,
                                                           12 * how_.quiet_again_after);
  which.quiet_until = now + which.quiet_wait;
  want_replacement(which, ignores ? "a subscription was never acknowledged" : "no symbol has data", now, out);
}

bool session::is_refused(const slot& in, place symbol) const {
  return in.main && in.main->standing_of(symbol) == connection::standing::refused;
}

void session::look_for_stale(mono_time now, session_actions& out) {
  if (!look_for_stale_at_ || now < *look_for_stale_at_) return;
  look_for_stale_at_.reset();
  for (place symbol = 0; symbol < symbols_.size(); ++symbol) {
    auto& one = symbols_[symbol];
    if (!one.in || one.stale) continue;
    if (is_refused(*one.in, symbol)) one.data_at = now;
    const auto due = one.data_at + how_.stale_after;
    if (now >= due) {
      one.stale = true;
      out.push_back(tell{.what = event::feed_stale,
                         .symbol = speaks_.names().entries()[symbol].ours,
                         .age = in_ms(now - one.data_at)});
    } else if (!look_for_stale_at_ || due < *look_for_stale_at_) {
      look_for_stale_at_ = due;
    }
  }
}

} // namespace breakwater
