#include "actors/bridge/bridge_actor.hpp"

#include "actors/support/reply_class.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <utility>

namespace breakwater {
namespace {

using namespace std::chrono_literals;

constexpr milliseconds again_after = 1s;
/// A connection that is opened, or opened again, takes a try or two; more are worth a line.
constexpr milliseconds quickly_again_after = 100ms;
constexpr unsigned quick_pauses = 3;
/// What only a human can mend.
constexpr milliseconds slowly_again_after = 5s;
constexpr auto prices_within = 2s;
constexpr auto breaker_answers_within = 2s;
/// The redis actor ends every request itself; this is for the case that it dies over one.
constexpr auto redis_answers_within = 15s;

/// A reason that an event's author wrote most of, for the log.
std::string shortened(std::string text) {
  constexpr std::size_t most = 300;
  if (text.size() > most) text = text.substr(0, most) + "...";
  return text;
}

std::string text_for_consumers(const judged_event& judged, entry_id id) {
  auto event = judged.event;
  event["source_id"] = to_string(id);
  if (judged.late) event["late"] = true;
  return event.dump();
}

} // namespace

ending bridge_state::passage::to_ending() const {
  ending end;
  end.entry = entry;
  if (!judged.valid()) {
    end.becomes = ending::what::invalid;
    end.reason = judged.problem;
  } else if (!leave.granted) {
    end.becomes = ending::what::held_back;
    end.reason = leave.why;
  } else {
    end.text = text_for_consumers(judged, entry.id);
    end.reduces_risk = judged.reduces_risk;
    end.identity = judged.identity;
  }
  return end;
}

void bridge_state::tell(event what, fields details) const {
  details.emplace(details.begin(), "route", options.route.name);
  emit(shown, what, details);
}

void bridge_state::start() {
  begin_at.reset();
  ask_again_at.reset();
  if (!peers.breaker) return adopt_latest();
  // It tells its moves; how it stands has to be asked.
  self->request(peers.breaker, breaker_answers_within, breaker_question{})
      .then(
          [this](const breaker_report& told) {
            if (told.phase != breaker_phase::closed)
              turn({told.phase, told.mode == to_string(breaker_mode::enforce)});
            adopt_latest();
          },
          [this](const caf::error& error) {
            breaker_is_silent(error);
            adopt_latest();
          });
}

void bridge_state::adopt_latest() {
  if (adopted || options.route.latest_key.empty()) {
    withdraw();
    return read();
  }
  const auto go_on = [this] {
    adopted = true;
    withdraw();
    read();
  };
  const auto away = [this](const caf::error& error) { pause(to_failure(error).detail); };
  self->request(peers.redis, redis_answers_within, look_at_latest(options.route))
      .then(
          [this, go_on, away](const redis_replies& answer) {
            for (const auto& reply : *answer.replies)
              if (reply.what == redis_reply::kind::error)
                return pause(options.route.latest_key + ": " + reply.text, true);
            auto commands = adopt_commands(options.route, *rules, *answer.replies);
            if (!commands) return go_on();
            self->request(peers.redis, redis_answers_within, std::move(*commands))
                .then(
                    [this, go_on](const redis_replies& taken) {
                      const auto& reply = taken.replies->front();
                      if (reply.what == redis_reply::kind::error) return pause(reply.text);
                      if (reply.integer > 0)
                        tell(event::bridge_adopted,
                             {{"key", options.route.latest_key}, {"count", reply.integer}});
                      go_on();
                    },
                    away);
          },
          away);
}

void bridge_state::read() {
  if (ask_again_at && *ask_again_at <= self->clock().now()) {
    reader->start_over();
    return start();
  }
  const auto commands = reader->next(self->clock().now());
  self->request(peers.redis, redis_answers_within + commands.blocks_for, commands)
      .then(
          [this](const redis_replies& answer) {
            auto found = reader->take(*answer.replies, self->clock().now());
            if (!found) {
              const auto retry = meaning_of(classify_error(found.error().detail)).retry;
              return pause(found.error().detail, retry != retry_way::backoff);
            }
            stream_read.now();
            take(std::move(*found));
          },
          [this](const caf::error& error) { pause(to_failure(error).detail); });
}

void bridge_state::take(group_reader::found found) {
  counts.claimed += found.claimed;
  counts.trimmed_unread += found.trimmed_unread;
  counts.bodiless += found.dropped;
  for (const auto& notice : found.notices) {
    fields details{{"stream", options.route.from}, {"group", options.route.group}};
    for (const auto& [key, value] : notice.details) details.emplace_back(key, value);
    tell(notice.what, details);
  }
  bodiless = std::move(found.bodiless);
  batch.clear();
  std::vector<std::string> symbols;
  for (auto& entry : found.entries) {
    passage one;
    one.judged = rules->judge(entry.fields, options.clock());
    one.entry = std::move(entry);
    if (const auto symbol = one.judged.priced_symbol(); !symbol.empty()) symbols.push_back(symbol);
    batch.push_back(std::move(one));
  }
  if (batch.empty() && bodiless.empty()) {
    // An answer of Redis that needed nothing done.
    reads_on();
    return read();
  }
  ask_prices(std::move(symbols));
}

void bridge_state::ask_prices(std::vector<std::string> symbols) {
  const auto judge = [this](const std::vector<live_price>& prices) {
    for (auto& one : batch) {
      const auto found = std::find_if(prices.begin(), prices.end(), [&](const live_price& price) {
        return price.symbol == one.judged.priced_symbol();
      });
      rules->judge_prices(one.judged, found == prices.end() ? std::nullopt : std::optional{*found},
                          options.clock());
    }
    ask_leave(0);
  };
  if (symbols.empty() || !peers.aggregator) return judge({});
  self->request(peers.aggregator, prices_within, price_question{std::move(symbols)})
      .then([judge](const price_answer& answer) { judge(answer.prices); },
            [judge](const caf::error&) { judge({}); }); // no live price, then
}

void bridge_state::ask_leave(std::size_t next) {
  if (next == 0) leave_as_of = openings;
  if (ask_again_at) return go_without_leave(next);
  while (next < batch.size() && !batch[next].judged.valid()) ++next;
  if (next == batch.size()) return finish();
  auto& one = batch[next];
  if (!peers.breaker) {
    one.leave.granted = true;
    return ask_leave(next + 1);
  }
  self->request(peers.breaker, breaker_answers_within, gate_request{one.judged.reduces_risk})
      .then(
          [this, next](const permit& leave) {
            batch[next].leave = leave;
            ask_leave(next + 1);
          },
          [this, next](const caf::error& error) {
            breaker_is_silent(error);
            go_without_leave(next);
          });
}

/// A breaker must never stop a position from being closed, neither by what it says nor by saying nothing.
void bridge_state::go_without_leave(std::size_t from) {
  for (auto i = from; i < batch.size(); ++i) {
    auto& one = batch[i];
    one.leave.granted = one.judged.reduces_risk;
    one.waits = one.judged.valid() && !one.judged.reduces_risk;
  }
  std::erase_if(batch, [](const passage& one) { return one.waits; });
  if (batch.empty() && bodiless.empty()) return read();
  finish();
}

void bridge_state::breaker_is_silent(const caf::error& error) {
  const auto why =
      "the breaker does not answer, and only what reduces risk passes: " + to_failure(error).detail;
  if (std::exchange(why_not, why) != why) tell(event::bridge_waits, {{"reason", why}});
  said = true;
  human_needed = false;
  ask_again_at = self->clock().now() + again_after;
}

void bridge_state::reads_on() {
  if (ask_again_at) return;
  if (std::exchange(said, false)) tell(event::bridge_reads_on);
  why_not.clear();
  pauses = 0;
  human_needed = false;
}

void bridge_state::give_back(std::size_t from) {
  if (peers.breaker)
    for (auto i = from; i < batch.size(); ++i)
      if (batch[i].leave.number != 0)
        caf::anon_send(peers.breaker, gate_outcome{batch[i].leave.number, gate_outcome::what::unused});
}

void bridge_state::finish() {
  if (leave_as_of != openings) {
    // The circuit opened after the first leave was given. The withdrawal is on its way: what is finished now
    // comes behind it, and must not add risk.
    give_back(0);
    for (auto& one : batch) one.leave = {};
    return ask_leave(0);
  }
  std::vector<ending> endings;
  for (auto& one : batch) {
    rules->judge_age(one.judged, options.clock()); // it may have waited for price and leave
    endings.push_back(one.to_ending());
  }
  finishing = true;
  self->request(peers.redis, redis_answers_within,
                finish_commands(options.route, options.consumer, endings, bodiless))
      .then(
          [this](const redis_replies& answer) {
            finishing = false;
            on_finished(*answer.replies);
          },
          [this](const caf::error& error) {
            finishing = false;
            give_back(0); // what was finished all the same answers "gone" the next time
            withdraw();
            pause(to_failure(error).detail);
          });
}

void bridge_state::on_finished(const std::vector<redis_reply>& replies) {
  std::string refusal;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (const auto how = parse_ended(replies[i])) {
      account(batch[i], *how);
      continue;
    }
    refusal = replies[i].text;
    if (peers.breaker && batch[i].leave.number != 0)
      caf::anon_send(peers.breaker, gate_outcome{batch[i].leave.number, gate_outcome::what::unused});
  }
  if (refusal.empty() && replies.back().what == redis_reply::kind::error) refusal = replies.back().text;
  if (refusal.empty()) counts.bodiless += bodiless.size();
  if (!bodiless.empty() && refusal.empty()) tell(event::bridge_bodiless, {{"count", bodiless.size()}});
  withdraw();
  if (!refusal.empty())
    return pause(refusal, meaning_of(classify_error(refusal)).retry != retry_way::backoff);
  batch.clear();
  bodiless.clear();
  reads_on();
  read();
}

void bridge_state::account(const passage& what, ended how) {
  using became = gate_outcome::what;
  const auto id = to_string(what.entry.id);
  auto outcome = became::unused;
  switch (how) {
  case ended::delivered:
    outcome = became::passed;
    ++counts.delivered;
    counts.late += what.judged.late;
    counts.from_side += what.judged.from_side;
    counts.price_unchecked += what.judged.price_unchecked;
    last_delivered_at = options.clock();
    tell(event::bridge_delivered, {{"id", id}});
    if (what.judged.late) tell(event::bridge_late, {{"id", id}});
    break;
  case ended::dead:
    ++counts.dead;
    tell(event::bridge_refused, {{"id", id}, {"reason", shortened(what.judged.problem)}});
    break;
  case ended::duplicate:
    ++counts.duplicates;
    tell(event::bridge_refused, {{"id", id}, {"reason", "duplicate"}});
    break;
  case ended::held_back:
    outcome = became::held;
    ++counts.held_back;
    tell(event::bridge_held_back, {{"id", id}, {"reason", shortened(what.leave.why)}});
    break;
  case ended::gone: ++counts.gone; break;
  }
  if (how != ended::gone) last_id = id, finished.now();
  const bool asked = peers.breaker && (what.judged.valid() || what.leave.number != 0);
  if (asked) caf::anon_send(peers.breaker, gate_outcome{what.leave.number, outcome});
}

void bridge_state::turn(const breaker_turned& turned) {
  // Half-open, what was to be withdrawn still is: Redis may have been away since.
  if (turned.phase == breaker_phase::half_open) return;
  withdrawal_due = turned.phase != breaker_phase::closed && turned.holds_back;
  if (!withdrawal_due) return;
  ++openings;
  withdraw();
}

void bridge_state::withdraw() {
  // What stood in the key before has to be among ours first, or it would stay.
  if (!withdrawal_due || finishing || withdrawing || !adopted || options.route.latest_key.empty()) return;
  withdrawing = true;
  const auto again = [this](const std::string& why) {
    withdrawing = false;
    tell(event::bridge_withdrawal_waits, {{"key", options.route.latest_key}, {"reason", why}});
    wakes.set(self, withdraw_at = self->clock().now() + again_after);
  };
  self->request(peers.redis, redis_answers_within, withdraw_commands(options.route))
      .then(
          [this, again, as_of = openings](const redis_replies& answer) {
            const auto& reply = answer.replies->front();
            if (reply.what == redis_reply::kind::error) return again(reply.text);
            withdrawing = false;
            tell(event::bridge_withdrew, {{"key", options.route.latest_key}, {"count", reply.integer}});
            if (as_of != openings) return withdraw(); // it opened once more meanwhile
            withdrawal_due = false;
          },
          [again](const caf::error& error) { again(to_failure(error).detail); });
}

void bridge_state::pause(const std::string& why, bool for_a_human) {
  const bool is_quick = !for_a_human && ++pauses <= quick_pauses;
  if (std::exchange(why_not, why) != why) said = false;
  if (!is_quick && !std::exchange(said, true)) tell(event::bridge_waits, {{"reason", why}});
  human_needed = for_a_human;
  batch.clear();
  bodiless.clear();
  ask_again_at.reset();
  reader->start_over();
  const milliseconds wait = for_a_human ? slowly_again_after : is_quick ? quickly_again_after : again_after;
  begin_at = self->clock().now() + wait;
  wakes.set(self, begin_at);
}

health_answer bridge_state::health() const {
  health_answer answer;
  const auto number = [&](const char* fact, std::uint64_t count) {
    answer.facts.emplace_back(fact, std::to_string(count));
  };
  answer.facts = {
      {"stream", options.route.from}, {"group", options.route.group}, {"consumer", options.consumer}};
  number("delivered", counts.delivered);
  number("dead", counts.dead);
  number("duplicates", counts.duplicates);
  number("held_back", counts.held_back);
  number("late", counts.late);
  number("from_side", counts.from_side);
  number("price_unchecked", counts.price_unchecked);
  number("claimed", counts.claimed);
  number("trimmed_unread", counts.trimmed_unread);
  number("bodiless", counts.bodiless);
  number("gone", counts.gone);
  answer.facts.emplace_back("last_id", last_id);
  answer.facts.emplace_back("last_delivered_at", last_delivered_at ? to_rfc3339(*last_delivered_at) : "");
  if (!why_not.empty()) {
    answer.level = human_needed ? health_level::critical : health_level::degraded;
    answer.why = "events wait in " + options.route.from + ": " + why_not;
  } else if (withdrawal_due) {
    answer.level = health_level::critical;
    answer.why = options.route.latest_key + " still holds events that add risk, while the circuit is open";
  }
  return answer;
}

bridge_actor::behavior_type bridge_behavior(self_ptr<bridge_actor, bridge_state> self, bridge_options options,
                                            bridge_peers peers) {
  auto& state = self->state;
  state.shown = "bridge/" + options.route.name;
  state.stream_read = last_success{success::bridge_read, options.route.name};
  state.finished = last_success{success::bridge_finished, options.route.name};
  state.reader.emplace(group_reader::options{options.route.from, options.route.group, options.consumer,
                                             options.lane, options.route.claim_after});
  state.rules.emplace(options.route, options.always_pass_actions, options.contract);
  state.options = std::move(options);
  state.peers = std::move(peers);
  state.start();
  return {
      [self](const breaker_turned& turned) { self->state.turn(turned); },
      [self](const wake& which) {
        auto& mine = self->state;
        if (!mine.wakes.is_due(which)) return;
        const auto now = self->clock().now();
        if (mine.withdraw_at && *mine.withdraw_at <= now) {
          mine.withdraw_at.reset(); // also when none is due any more, or this would be woken without end
          mine.withdraw();
        }
        if (mine.begin_at && *mine.begin_at <= now) mine.start();
        mine.wakes.set(self, mine.withdraw_at);
        mine.wakes.set(self, mine.begin_at);
      },
      [self](const health_question&) { return self->state.health(); },
  };
}

} // namespace breakwater
