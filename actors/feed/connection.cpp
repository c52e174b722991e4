#include "actors/feed/connection.hpp"

#include <algorithm>
#include <utility>

namespace breakwater {

using namespace std::chrono_literals;

connection::connection(const dialect& speaks, pace& of_all, connection_patience how, std::uint64_t number,
                       mono_time now)
    : speaks_(speaks),
      of_all_(of_all),
      how_(how),
      number_(number),
      messages_(speaks.rules().messages),
      requests_(speaks.rules().requests_of_one),
      created_at_(now),
      heard_at_(now),
      refused_wait_(how.refused_again_after) {}

void connection::add(place symbol) {
  if (!members_.try_emplace(symbol).second) return;
  ++unsettled_;
  told_settled_ = false;
  if (!is_open()) return;
  // What waits already can take it along.
  if (!to_ask_.empty() && to_ask_.back().subscribe &&
      to_ask_.back().symbols.size() < speaks_.rules().symbols_per_request)
    to_ask_.back().symbols.push_back(symbol);
  else
    to_ask_.push_back({true, {symbol}});
}

void connection::remove(place symbol) {
  const auto known = members_.find(symbol);
  if (known == members_.end()) return;
  auto& one = known->second;
  const bool was_asked = one.stands == standing::asked || one.stands == standing::subscribed;
  stand(one, standing::refused); // counts as nothing any more
  members_.erase(known);
  if (!is_open() || !was_asked) return;
  if (!to_ask_.empty() && !to_ask_.back().subscribe &&
      to_ask_.back().symbols.size() < speaks_.rules().symbols_per_request)
    to_ask_.back().symbols.push_back(symbol);
  else
    to_ask_.push_back({false, {symbol}});
}

void connection::on_opened(mono_time now, session_actions& out) {
  opened_at_ = heard_at_ = pinged_at_ = now;
  std::vector<place> everyone;
  everyone.reserve(members_.size());
  for (const auto& [symbol, one] : members_) everyone.push_back(symbol);
  out.push_back(tell{.what = event::feed_connected, .count = everyone.size()});
  queue(std::move(everyone), speaks_.rules().symbols_per_request);
  send_requests(now, out);
}

void connection::on_acknowledged(const acknowledgement& what, session_actions& out) {
  const auto grant = [&](place symbol) {
    if (const auto known = members_.find(symbol); known != members_.end())
      stand(known->second, standing::subscribed);
  };
  for (const auto& ours : what.symbols)
    if (const auto symbol = place_of(ours)) grant(*symbol);
  if (!what.symbol.empty()) {
    if (const auto symbol = place_of(what.symbol)) grant(*symbol);
  } else if (const auto asked = asked_.find(what.request); asked != asked_.end()) {
    const auto symbols = std::move(asked->second.symbols);
    asked_.erase(asked);
    for (auto symbol : symbols)
      if (const auto known = members_.find(symbol);
          known != members_.end() && known->second.request == what.request)
        stand(known->second, standing::subscribed);
  }
  tell_when_settled(out);
}

void connection::on_refused(const refusal& what, mono_time now, session_actions& out) {
  std::vector<place> meant;
  if (!what.symbol.empty()) {
    if (const auto symbol = place_of(what.symbol)) meant.push_back(*symbol);
    if (speaks_.rules().one_refused_refuses_all && !meant.empty()) ask_for_others_again(meant.front());
  } else if (const auto asked = asked_.find(what.request); asked != asked_.end()) {
    for (auto symbol : asked->second.symbols)
      if (const auto known = members_.find(symbol); known != members_.end() &&
                                                    known->second.stands == standing::asked &&
                                                    known->second.request == what.request)
        meant.push_back(symbol);
    asked_.erase(asked);
  } else {
    // Nobody knows what was refused; what stays unanswered is asked for again.
    out.push_back(tell{.what = event::feed_subscription_refused, .reason = what.reason});
    return;
  }
  if (meant.size() > 1) {
    // One bad symbol refuses all that were asked for with it: each for itself, then.
    queue(std::move(meant), 1);
    send_requests(now, out);
    return;
  }
  for (auto symbol : meant) {
    const auto known = members_.find(symbol);
    if (known == members_.end() || known->second.stands == standing::subscribed) continue;
    if (what.subscribed_already)
      stand(known->second, standing::subscribed);
    else
      refuse(symbol, known->second, what.reason, now, out);
  }
  send_requests(now, out);
  tell_when_settled(out);
}

/// The request for `refused` failed as a whole: who was in it with that symbol is asked for anew.
void connection::ask_for_others_again(place refused) {
  const auto bad = members_.find(refused);
  if (bad == members_.end() || bad->second.stands != standing::asked) return;
  const auto number = bad->second.request;
  const auto asked = asked_.find(number);
  if (asked == asked_.end()) return;
  std::vector<place> others;
  for (auto symbol : asked->second.symbols)
    if (const auto known = members_.find(symbol); symbol != refused && known != members_.end() &&
                                                  known->second.stands == standing::asked &&
                                                  known->second.request == number) {
      --known->second.tries; // that one was not its own
      others.push_back(symbol);
    }
  asked_.erase(asked);
  queue(std::move(others), speaks_.rules().symbols_per_request);
}

bool connection::on_data(place symbol, session_actions& out) {
  const auto known = members_.find(symbol);
  if (known == members_.end() || !is_open()) return false;
  auto& one = known->second;
  if (one.stands != standing::subscribed) {
    stand(one, standing::subscribed);
    tell_when_settled(out);
  }
  if (!std::exchange(one.has_data, true)) --without_data_;
  return true;
}

std::optional<std::string> connection::on_wake(mono_time now, session_actions& out) {
  if (!is_open()) {
    if (now - created_at_ >= how_.connect_within) return "no connection in time";
    return std::nullopt;
  }
  if (now - heard_at_ >= speaks_.rules().dead_after) {
    out.push_back(tell{.what = event::feed_quiet,
                       .age = std::chrono::duration_cast<std::chrono::milliseconds>(now - heard_at_)});
    return "silent";
  }
  ask_silent_again(now, out);
  if (subscribed_ == 0 && !members_.empty() && is_settled() &&
      std::all_of(members_.begin(), members_.end(),
                  [this](const auto& x) { return x.second.tries >= how_.tries; }))
    return "subscriptions were not acknowledged";
  ask_refused_again(now);
  send_ping(now, out);
  send_requests(now, out);
  return std::nullopt;
}

mono_time connection::next_wake() const {
  if (!is_open()) return created_at_ + how_.connect_within;
  auto next = heard_at_ + speaks_.rules().dead_after;
  if (const auto ping = ping_due()) next = std::min(next, *ping);
  if (!to_ask_.empty()) next = std::min(next, next_request());
  for (const auto& [id, asked] : asked_) next = std::min(next, asked.due);
  if (refused_due_) next = std::min(next, *refused_due_);
  return next;
}

std::chrono::milliseconds connection::age(mono_time now) const {
  return opened_at_ ? std::chrono::duration_cast<std::chrono::milliseconds>(now - *opened_at_) : 0ms;
}

connection::standing connection::standing_of(place symbol) const {
  const auto known = members_.find(symbol);
  return known != members_.end() ? known->second.stands : standing::wanted;
}

const std::string& connection::refusal_of(place symbol) const {
  static const std::string none;
  const auto known = members_.find(symbol);
  return known != members_.end() ? known->second.reason : none;
}

bool connection::has_data_of_all() const noexcept { return is_settled() && without_data_ == 0; }

bool connection::has_data_of(place symbol) const {
  const auto known = members_.find(symbol);
  return known != members_.end() && known->second.has_data;
}

mono_time connection::next_message() const { return std::max(messages_.next(), of_all_.next()); }

mono_time connection::next_request() const { return std::max(next_message(), requests_.next()); }

void connection::queue(std::vector<place> symbols, std::size_t at_a_time, bool subscribe) {
  for (std::size_t first = 0; first < symbols.size(); first += at_a_time) {
    const auto last = std::min(first + at_a_time, symbols.size());
    to_ask_.push_back({subscribe,
                       {symbols.begin() + static_cast<std::ptrdiff_t>(first),
                        symbols.begin() + static_cast<std::ptrdiff_t>(last)}});
  }
  if (!subscribe) return;
  told_settled_ = false;
  for (auto symbol : symbols) {
    auto& one = members_.at(symbol);
    stand(one, standing::wanted);
    one.request = 0;
  }
}

void connection::send(std::string text, mono_time now, session_actions& out) {
  messages_.take(now);
  of_all_.take(now);
  out.push_back(send_text{number_, std::move(text)});
}

void connection::send_requests(mono_time now, session_actions& out) {
  while (!to_ask_.empty() && now >= next_request()) {
    auto [subscribe, symbols] = std::move(to_ask_.front());
    to_ask_.pop_front();
    // In the meantime data may have come, which answers for itself, or others may have changed their mind.
    std::erase_if(symbols, [&, wanted = subscribe](place symbol) {
      const auto known = members_.find(symbol);
      return wanted ? known == members_.end() || known->second.stands != standing::wanted
                    : known != members_.end();
    });
    if (symbols.empty()) continue;
    const auto id = ++last_request_;
    std::vector<std::string_view> theirs;
    theirs.reserve(symbols.size());
    for (auto symbol : symbols) theirs.push_back(speaks_.names().entries()[symbol].theirs);
    requests_.take(now);
    if (!subscribe) {
      send(speaks_.unsubscribe_text(id, theirs), now, out);
      continue;
    }
    for (auto symbol : symbols) {
      auto& one = members_.at(symbol);
      stand(one, standing::asked);
      one.request = id;
      ++one.tries;
    }
    send(speaks_.subscribe_text(id, theirs), now, out);
    asked_.emplace(id, request{std::move(symbols), now + how_.acknowledge_within});
  }
}

std::optional<mono_time> connection::ping_due() const {
  const auto& rules = speaks_.rules();
  if (rules.ping.empty()) return std::nullopt;
  const auto since = rules.ping_when_quiet ? std::max(pinged_at_, heard_at_) : pinged_at_;
  return std::max(since + rules.ping_after, next_message());
}

void connection::send_ping(mono_time now, session_actions& out) {
  const auto due = ping_due();
  if (!due || now < *due) return;
  pinged_at_ = now;
  send(speaks_.rules().ping, now, out);
}

void connection::stand(member& one, standing as) {
  const auto is_unsettled = [](standing x) { return x == standing::wanted || x == standing::asked; };
  unsettled_ -= is_unsettled(one.stands);
  unsettled_ += is_unsettled(as);
  subscribed_ -= one.stands == standing::subscribed;
  subscribed_ += as == standing::subscribed;
  without_data_ -= one.stands == standing::subscribed && !one.has_data;
  without_data_ += as == standing::subscribed && !one.has_data;
  one.stands = as;
  if (as == standing::subscribed) one.reason.clear();
}

void connection::refuse(place symbol, member& one, std::string reason, mono_time now, session_actions& out) {
  // What is asked for again in vain was told before.
  if (one.reason != reason)
    out.push_back(tell{.what = event::feed_subscription_refused,
                       .symbol = speaks_.names().entries()[symbol].ours,
                       .reason = reason});
  one.reason = std::move(reason);
  stand(one, standing::refused);
  if (!refused_due_) refused_due_ = now + refused_wait_;
}

void connection::tell_when_settled(session_actions& out) {
  if (told_settled_ || !is_settled()) return;
  told_settled_ = true;
  if (subscribed_ == members_.size())
    out.push_back(tell{.what = event::feed_subscribed, .count = subscribed_});
}

void connection::ask_silent_again(mono_time now, session_actions& out) {
  std::vector<place> silent, given_up;
  for (auto asked = asked_.begin(); asked != asked_.end();) {
    if (now < asked->second.due) {
      ++asked;
      continue;
    }
    for (auto symbol : asked->second.symbols) {
      const auto known = members_.find(symbol);
      if (known == members_.end() || known->second.stands != standing::asked ||
          known->second.request != asked->first)
        continue;
      (known->second.tries < how_.tries ? silent : given_up).push_back(symbol);
    }
    asked = asked_.erase(asked);
  }
  for (auto symbol : given_up) refuse(symbol, members_.at(symbol), "never acknowledged", now, out);
  was_ignored_ = was_ignored_ || !given_up.empty();
  if (!given_up.empty()) tell_when_settled(out);
  if (silent.empty()) return;
  std::sort(silent.begin(), silent.end());
  out.push_back(
      tell{.what = event::feed_subscription_silent,
           .symbol = silent.size() == 1 ? speaks_.names().entries()[silent.front()].ours : std::string{},
           .count = silent.size()});
  queue(std::move(silent), speaks_.rules().symbols_per_request);
}

void connection::ask_refused_again(mono_time now) {
  if (!refused_due_ || now < *refused_due_) return;
  refused_due_.reset();
  refused_wait_ = std::min(2 * refused_wait_, how_.refused_again_at_most);
  std::vector<place> refused;
  for (const auto& [symbol, one] : members_)
    if (one.stands == standing::refused) refused.push_back(symbol);
  for (auto symbol : refused) members_.at(symbol).tries = 0;
  // Each for itself: one that is refused again must not take others with it.
  queue(std::move(refused), 1);
}

std::optional<connection::place> connection::place_of(const std::string& ours) const {
  return speaks_.names().place_of(ours);
}

} // namespace breakwater
