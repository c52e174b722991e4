#include "actors/feed/session.hpp"

#include <algorithm>
#include <utility>

namespace breakwater {

session::session(const dialect& speaks, session_settings how)
    : speaks_(speaks), how_(how), backoff_(how.wait, how.seed) {
  const auto& entries = speaks.names().entries();
  const auto count = std::min(entries.size(), speaks.rules().symbols_per_connection);
  symbols_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    symbols_.push_back({.ours = entries[i].ours, .theirs = entries[i].theirs});
    by_ours_.emplace(entries[i].ours, i);
  }
}

session_actions session::start(mono_time now) {
  session_actions out;
  const auto& entries = speaks_.names().entries();
  for (auto i = symbols_.size(); i < entries.size(); ++i)
    out.push_back(tell{.what = event::feed_subscription_refused,
                       .symbol = entries[i].ours,
                       .reason = "more than one connection to the exchange may carry"});
  for (const auto& problem : speaks_.names().left_out())
    out.push_back(
        tell{.what = event::feed_subscription_refused, .symbol = problem.ours, .reason = problem.reason});
  if (symbols_.empty())
    phase_ = phase::stopped;
  else
    connect(now, out);
  return out;
}

session_actions session::stop() {
  const bool had_socket = phase_ == phase::connecting || phase_ == phase::open;
  phase_ = phase::stopped;
  if (!had_socket) return {};
  return {close_socket{}};
}

session_actions session::on_wake(mono_time now) {
  session_actions out;
  switch (phase_) {
  case phase::idle:
  case phase::stopped: break;
  case phase::waiting:
    if (now >= due_) connect(now, out);
    break;
  case phase::connecting:
    if (now >= due_) disconnect("no connection in time", now, out);
    break;
  case phase::open:
    if (now - heard_at_ >= speaks_.rules().dead_after) {
      out.push_back(tell{.what = event::feed_quiet,
                         .age = std::chrono::duration_cast<std::chrono::milliseconds>(now - heard_at_)});
      disconnect("silent", now, out);
      break;
    }
    ask_again(now, out);
    if (phase_ != phase::open) break;
    send_ping(now, out);
    send_requests(now, out);
    look_for_stale(now, out);
    break;
  }
  return out;
}

session_actions session::on_opened(std::uint64_t number, mono_time now) {
  session_actions out;
  if (phase_ != phase::connecting || number != number_) return out;
  phase_ = phase::open;
  opened_at_ = heard_at_ = pinged_at_ = now;
  to_ask_.clear();
  asked_.clear();
  sent_at_.clear();
  look_for_stale_at_.reset();
  told_all_answered_ = false;
  std::vector<std::size_t> everyone(symbols_.size());
  for (std::size_t i = 0; i < symbols_.size(); ++i) {
    symbols_[i].stands = standing::wanted;
    symbols_[i].tries = 0;
    symbols_[i].request = 0;
    everyone[i] = i;
  }
  out.push_back(tell{.what = event::feed_connected, .count = symbols_.size()});
  queue(std::move(everyone), speaks_.rules().symbols_per_request);
  send_requests(now, out);
  return out;
}

session_actions session::on_closed(std::uint64_t number, const std::string& reason, mono_time now) {
  session_actions out;
  if (is_current(number)) disconnect(reason, now, out);
  return out;
}

session_actions session::on_acknowledged(const acknowledgement& what, mono_time now) {
  session_actions out;
  if (phase_ != phase::open) return out;
  if (!what.symbol.empty()) {
    if (const auto known = by_ours_.find(what.symbol); known != by_ours_.end())
      settle(known->second, standing::subscribed, now);
  } else if (const auto asked = asked_.find(what.request); asked != asked_.end()) {
    const auto symbols = std::move(asked->second.symbols);
    asked_.erase(asked);
    for (auto i : symbols)
      if (symbols_[i].request == what.request) settle(i, standing::subscribed, now);
  }
  tell_when_all_answered(out);
  return out;
}

session_actions session::on_refused(const refusal& what, mono_time now) {
  session_actions out;
  if (phase_ != phase::open) return out;
  std::vector<std::size_t> meant;
  if (!what.symbol.empty()) {
    if (const auto known = by_ours_.find(what.symbol); known != by_ours_.end())
      meant.push_back(known->second);
  } else if (const auto asked = asked_.find(what.request); asked != asked_.end()) {
    for (auto i : asked->second.symbols)
      if (symbols_[i].stands == standing::asked && symbols_[i].request == what.request) meant.push_back(i);
    asked_.erase(asked);
  } else {
    // Nobody knows what was refused; what stays unanswered is asked for again.
    out.push_back(tell{.what = event::feed_subscription_refused, .reason = what.reason});
    return out;
  }
  if (meant.size() > 1) {
    // One bad symbol refuses all that were asked for with it: each for itself, then.
    queue(std::move(meant), 1);
    send_requests(now, out);
    return out;
  }
  for (auto i : meant) {
    if (symbols_[i].stands == standing::subscribed) continue;
    if (what.subscribed_already) {
      settle(i, standing::subscribed, now);
      continue;
    }
    settle(i, standing::refused, now);
    out.push_back(tell{.what = event::feed_subscription_refused,
                       .symbol = std::string{symbols_[i].ours},
                       .reason = what.reason});
  }
  tell_when_all_answered(out);
  return out;
}

session_actions session::on_data(const std::string& symbol, mono_time now) {
  session_actions out;
  const auto known = by_ours_.find(symbol);
  if (phase_ != phase::open || known == by_ours_.end()) return out;
  auto& one = symbols_[known->second];
  if (one.stands != standing::subscribed) {
    settle(known->second, standing::subscribed, now);
    tell_when_all_answered(out);
  }
  one.data_at = now;
  if (one.stale) {
    one.stale = false;
    out.push_back(tell{.what = event::feed_fresh, .symbol = symbol});
  }
  return out;
}

session_actions session::on_closing_announced(const std::string& reason, mono_time now) {
  session_actions out;
  if (phase_ != phase::open) return out;
  out.push_back(tell{.what = event::feed_notice, .reason = reason});
  disconnect("announced by the exchange", now, out, true);
  return out;
}

std::optional<mono_time> session::next_wake() const {
  if (phase_ == phase::waiting || phase_ == phase::connecting) return due_;
  if (phase_ != phase::open) return std::nullopt;
  auto next = heard_at_ + speaks_.rules().dead_after;
  if (const auto ping = ping_due()) next = std::min(next, *ping);
  if (!to_ask_.empty()) next = std::min(next, next_send());
  for (const auto& [id, asked] : asked_) next = std::min(next, asked.due);
  if (look_for_stale_at_) next = std::min(next, *look_for_stale_at_);
  return next;
}

std::size_t session::subscribed() const noexcept {
  if (phase_ != phase::open) return 0;
  return static_cast<std::size_t>(std::count_if(
      symbols_.begin(), symbols_.end(), [](const followed& x) { return x.stands == standing::subscribed; }));
}

std::size_t session::refused() const noexcept {
  return static_cast<std::size_t>(std::count_if(
      symbols_.begin(), symbols_.end(), [](const followed& x) { return x.stands == standing::refused; }));
}

std::size_t session::stale() const noexcept {
  return static_cast<std::size_t>(
      std::count_if(symbols_.begin(), symbols_.end(), [](const followed& x) { return x.stale; }));
}

mono_time session::next_send() const {
  return sent_at_.size() < speaks_.rules().messages ? mono_time{} : sent_at_.front() + speaks_.rules().per;
}

bool session::may_send(mono_time now) const { return now >= next_send(); }

void session::queue(std::vector<std::size_t> symbols, std::size_t at_a_time) {
  for (std::size_t first = 0; first < symbols.size(); first += at_a_time) {
    const auto last = std::min(first + at_a_time, symbols.size());
    to_ask_.emplace_back(symbols.begin() + static_cast<std::ptrdiff_t>(first),
                         symbols.begin() + static_cast<std::ptrdiff_t>(last));
    for (auto i = first; i < last; ++i) {
      symbols_[symbols[i]].stands = standing::wanted;
      symbols_[symbols[i]].request = 0;
    }
  }
}

void session::send(std::string text, mono_time now, session_actions& out) {
  sent_at_.push_back(now);
  if (sent_at_.size() > speaks_.rules().messages) sent_at_.pop_front();
  out.push_back(send_text{std::move(text)});
}

void session::send_requests(mono_time now, session_actions& out) {
  while (!to_ask_.empty() && may_send(now)) {
    auto symbols = std::move(to_ask_.front());
    to_ask_.pop_front();
    // Data may have come in the meantime, which answers for itself.
    std::erase_if(symbols, [&](std::size_t i) { return symbols_[i].stands != standing::wanted; });
    if (symbols.empty()) continue;
    const auto id = ++last_request_;
    std::vector<std::string_view> theirs;
    theirs.reserve(symbols.size());
    for (auto i : symbols) {
      symbols_[i].stands = standing::asked;
      symbols_[i].request = id;
      ++symbols_[i].tries;
      theirs.push_back(symbols_[i].theirs);
    }
    send(speaks_.subscribe_text(id, theirs), now, out);
    asked_.emplace(id, request{std::move(symbols), now + how_.acknowledge_within});
  }
}

std::optional<mono_time> session::ping_due() const {
  const auto& rules = speaks_.rules();
  if (rules.ping.empty()) return std::nullopt;
  return (rules.ping_when_quiet ? std::max(heard_at_, pinged_at_) : pinged_at_) + rules.ping_after;
}

void session::send_ping(mono_time now, session_actions& out) {
  const auto due = ping_due();
  if (!due || now < *due) return;
  pinged_at_ = now;
  send(speaks_.rules().ping, now, out);
}

void session::settle(std::size_t symbol, standing as, mono_time now) {
  auto& one = symbols_[symbol];
  if (const auto asked = asked_.find(one.request); asked != asked_.end()) {
    auto& open = asked->second.symbols;
    std::erase(open, symbol);
    if (open.empty()) asked_.erase(asked);
  }
  one.request = 0;
  one.stands = as;
  if (as != standing::subscribed) return;
  one.data_at = now;
  const auto stale_at = now + how_.stale_after;
  if (!look_for_stale_at_ || stale_at < *look_for_stale_at_) look_for_stale_at_ = stale_at;
}

void session::tell_when_all_answered(session_actions& out) {
  if (told_all_answered_ || !asked_.empty() || !to_ask_.empty()) return;
  told_all_answered_ = true;
  if (const auto refused_ones = refused(); refused_ones == 0)
    out.push_back(tell{.what = event::feed_subscribed, .count = symbols_.size()});
}

void session::ask_again(mono_time now, session_actions& out) {
  std::vector<std::size_t> silent;
  bool gives_up = false;
  for (auto asked = asked_.begin(); asked != asked_.end();) {
    if (now < asked->second.due) {
      ++asked;
      continue;
    }
    for (auto i : asked->second.symbols) {
      silent.push_back(i);
      gives_up = gives_up || symbols_[i].tries >= how_.subscribe_tries;
    }
    asked = asked_.erase(asked);
  }
  if (silent.empty()) return;
  if (gives_up) return disconnect("subscriptions were not acknowledged", now, out);
  std::sort(silent.begin(), silent.end());
  out.push_back(
      tell{.what = event::feed_subscription_silent,
           .symbol = silent.size() == 1 ? std::string{symbols_[silent.front()].ours} : std::string{},
           .count = silent.size()});
  queue(std::move(silent), speaks_.rules().symbols_per_request);
}

void session::look_for_stale(mono_time now, session_actions& out) {
  if (!look_for_stale_at_ || now < *look_for_stale_at_) return;
  look_for_stale_at_.reset();
  for (auto& one : symbols_) {
    if (one.stands != standing::subscribed || one.stale) continue;
    const auto due = one.data_at + how_.stale_after;
    if (now >= due) {
      one.stale = true;
      out.push_back(tell{.what = event::feed_stale,
                         .symbol = std::string{one.ours},
                         .age = std::chrono::duration_cast<std::chrono::milliseconds>(now - one.data_at)});
    } else if (!look_for_stale_at_ || due < *look_for_stale_at_) {
      look_for_stale_at_ = due;
    }
  }
}

void session::connect(mono_time now, session_actions& out) {
  phase_ = phase::connecting;
  due_ = now + how_.connect_within;
  out.push_back(tell{.what = event::feed_connecting, .count = backoff_.attempts() + 1});
  out.push_back(open_socket{++number_});
}

void session::disconnect(std::string reason, mono_time now, session_actions& out, bool at_once) {
  const bool was_stable = phase_ == phase::open && now - opened_at_ >= how_.stable_after;
  if (was_stable) backoff_.reset();
  if (phase_ == phase::open) ++reconnects_;
  asked_.clear();
  to_ask_.clear();
  look_for_stale_at_.reset();
  out.push_back(close_socket{});
  // A connection that is announced to end as soon as it began must not make us connect in a loop.
  const auto wait = at_once && was_stable ? std::chrono::milliseconds{0} : backoff_.next();
  out.push_back(tell{.what = event::feed_disconnected,
                     .reason = std::move(reason),
                     .count = backoff_.attempts(),
                     .wait = wait});
  if (wait == wait.zero()) return connect(now, out);
  phase_ = phase::waiting;
  due_ = now + wait;
}

} // namespace breakwater
