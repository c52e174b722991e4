#include "actors/alerts/alerts_actor.hpp"

#include "actors/support/alert_json.hpp"
#include "actors/support/emit.hpp"
#include "actors/support/resp.hpp"

#include <caf/send.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <functional>
#include <utility>

namespace breakwater {
namespace {

using namespace std::chrono_literals;

/// A look is woken for by this number; the webhook's timer counts from 1.
constexpr wake look_wake{0};
constexpr milliseconds answers_within = 2s;
/// Redis is asked for its time so seldom, unless a skew is to be confirmed: each answer also tells the
/// breaker that Redis works, and must not hide that it refuses writes.
constexpr auto clock_every = 60s;

/// One look under way: how many answers are yet to come, and what came.
struct gathering {
  observations seen;
  std::size_t open = 1; ///< One for whoever asks, until all are asked.
  std::function<void(const observations&)> done;

  void arrived() {
    if (--open == 0) done(seen);
  }
};
using shared_gathering = std::shared_ptr<gathering>;

class asking {
public:
  asking(alerts_actor::pointer self, shared_gathering into, milliseconds within)
      : self_(self), into_(std::move(into)), within_(within) {}

  /// Asks and puts the answer where `place(seen, answer)` says; nothing, if none comes in time.
  template <class Answer, class Handle, class Question, class Place>
  void operator()(const Handle& whom, Question question, Place place) const {
    ++into_->open;
    self_->request(whom, within_, std::move(question))
        .then(
            [into = into_, place](Answer& answer) {
              place(into->seen, answer);
              into->arrived();
            },
            [into = into_](const caf::error&) { into->arrived(); });
  }

private:
  alerts_actor::pointer self_;
  shared_gathering into_;
  milliseconds within_;
};

/// Asks each of `whom`, and puts what he says at his place in the list `of` names.
template <class Answer, class Peers, class Question, class List>
void ask_each(const asking& ask, observations& seen, const Peers& whom, Question question, List of) {
  for (const auto& [who, handle] : whom) {
    auto& list = seen.*of;
    const auto place = list.size();
    list.push_back({who, std::nullopt});
    ask.template operator()<Answer>(handle, question, [of, place](observations& into, Answer& answer) {
      (into.*of)[place].told = std::move(answer);
    });
  }
}

redis_commands time_command() {
  auto wire = std::make_shared<std::string>();
  append_command(*wire, {"TIME"});
  redis_commands what;
  what.wire = std::move(wire);
  what.count = 1;
  return what;
}

/// [epoch seconds, microseconds]; nullopt: another answer.
std::optional<wall_time> time_in(const std::vector<redis_reply>& replies) {
  if (replies.size() != 1 || replies[0].items.size() != 2) return std::nullopt;
  const auto number = [](const std::string& text) -> std::optional<std::int64_t> {
    std::int64_t n = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return n;
  };
  const auto seconds = number(replies[0].items[0].text), micros = number(replies[0].items[1].text);
  if (!seconds || !micros) return std::nullopt;
  return wall_time_from_ms(*seconds * 1000 + *micros / 1000);
}

void ask_clock(const asking& ask, const alerts_state& state, observations& seen) {
  seen.clock_asked = true;
  const auto asked = state.now();
  ask.operator()<redis_replies>(
      state.peers.redis, time_command(), [&state, asked](observations& into, redis_replies& answer) {
        const auto theirs = time_in(*answer.replies);
        if (!theirs) return;
        const auto half =
            std::chrono::duration_cast<milliseconds>(state.self->clock().now() - asked.mono) / 2;
        into.clock = observations::clocks{*theirs, asked.wall + half, half};
      });
}

} // namespace

void alerts_state::look() {
  const auto at = self->clock().now();
  do next_look += options.limits.alerts.interval;
  while (next_look <= at);
  self->scheduled_send(self, next_look, look_wake);
  if (std::exchange(looking, true)) return;

  auto open = std::make_shared<gathering>();
  open->done = [this](const observations& seen) { close_look(seen); };
  const asking ask{self, open, std::min(options.limits.alerts.interval, answers_within)};
  auto& seen = open->seen;
  ask_each<breaker_report>(ask, seen, peers.breakers, breaker_question{}, &observations::breakers);
  ask_each<feed_report>(ask, seen, peers.feeds, feed_question{}, &observations::feeds);
  ask_each<health_answer>(ask, seen, peers.carriers, health_question{}, &observations::carriers);
  ask.operator()<redis_report>(peers.redis, redis_question{},
                               [](observations& into, redis_report& told) { into.redis = std::move(told); });
  ask.operator()<health_report>(
      peers.health, health_report_request{},
      [](observations& into, health_report& told) { into.health = std::move(told); });
  ask.operator()<price_answer>(peers.aggregator, price_question{},
                               [](observations& into, price_answer& told) { into.prices = std::move(told); });
  ask.operator()<health_answer>(
      peers.supervisor, health_question{},
      [](observations& into, health_answer& told) { into.supervisor = std::move(told); });
  seen.position_watched = static_cast<bool>(peers.position);
  if (peers.position)
    ask.operator()<position_report>(
        peers.position, position_question{},
        [](observations& into, position_report& told) { into.position = std::move(told); });
  if (!clock_asked_at || at - *clock_asked_at >= clock_every || core->is_undecided("clock_skew")) {
    clock_asked_at = at;
    ask_clock(ask, *this, seen);
  }
  open->arrived();
}

void alerts_state::close_look(const observations& seen) {
  looking = false;
  looked.now();
  if (seen.clock) clock_compared.now();
  const auto at = now();
  const auto judged = rules->judge(seen, at);
  unjudged.clear();
  for (const auto& [which, why] : judged.unjudged)
    unjudged.push_back(which.first + (which.second.empty() ? "" : " " + which.second) + ": " + why);
  for (const auto& change : core->take(judged, at.wall)) tell(change);
  *options.last_number = core->last_number();
}

void alerts_state::tell(const alert& what) {
  ++(what.cleared_at ? cleared : raised);
  const auto event_of = what.cleared_at                       ? event::alert_cleared
                        : what.level == alert_level::critical ? event::alert_raised
                                                              : event::alert_raised_warning;
  emit(name, event_of,
       {{"rule", what.rule},
        {"subject", what.subject},
        {"level", to_string(what.level)},
        {"reason", what.text},
        {"what_to_do", what.what_to_do},
        {"number", what.number}});
  auto told = entry_of(what);
  caf::anon_send(peers.audit, audit_record{what.cleared_at ? "alert_cleared" : "alert_raised", name, told});
  told.emplace_back("instance", options.instance);
  if (peers.notices)
    caf::anon_send(peers.notices, notice_batch{std::make_shared<const std::vector<entry_fields>>(1, told)});
  if (!webhook) return;
  auto body = json_of(what);
  body["instance"] = options.instance;
  posts.add(body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), self->clock().now());
  send_webhook();
}

void alerts_state::send_webhook() {
  if (!webhook) return;
  if (auto post = posts.next(self->clock().now()))
    // Weak: the port's thread must not keep the actor's address alive.
    webhook->post(post->number, std::move(post->body),
                  [us = caf::actor_addr{self->address()}](webhook_answered told) {
                    if (auto alive = caf::actor_cast<alerts_actor>(us))
                      caf::anon_send(alive, std::move(told));
                  });
  wakes.set(self, posts.due());
  const auto lost = [&](std::uint64_t all, std::uint64_t& so_far, const char* why) {
    if (all > so_far) emit(name, event::webhook_dropped, {{"count", all - so_far}, {"reason", why}});
    so_far = all;
  };
  lost(posts.dropped(), dropped_told, "too many wait");
  lost(posts.given_up(), given_up_told, "refused, or not taken within an hour");
}

std::string alerts_state::webhook_says() const { return webhook ? posts.state() : "off"; }

alerts_report alerts_state::report() const {
  const auto& recent = core->recent();
  return {core->active(), {recent.begin(), recent.end()}, unjudged, webhook_says()};
}

health_answer alerts_state::health() const {
  health_answer answer;
  answer.facts = {{"active", std::to_string(core->active().size())},
                  {"raised", std::to_string(raised)},
                  {"cleared", std::to_string(cleared)},
                  {"unjudged", std::to_string(unjudged.size())},
                  {"webhook", webhook_says()},
                  {"webhook_waiting", std::to_string(posts.waiting())},
                  {"webhook_delivered", std::to_string(posts.delivered())},
                  {"webhook_dropped", std::to_string(posts.dropped() + posts.given_up())}};
  if (webhook && posts.state() != "ok") {
    answer.level = health_level::degraded;
    answer.why = "alerts do not reach the webhook: " + posts.state();
  }
  return answer;
}

alerts_actor::behavior_type alerts_behavior(self_ptr<alerts_actor, alerts_state> self, alerts_options options,
                                            alerts_peers peers, std::shared_ptr<webhook_port> webhook) {
  auto& state = self->state;
  state.options = std::move(options);
  state.peers = std::move(peers);
  state.webhook = std::move(webhook);
  if (state.webhook) state.posted = last_success{success::webhook_taken};
  state.rules.emplace(state.options.limits, state.now());
  state.core.emplace(*state.options.last_number);
  state.next_look = self->clock().now() + state.options.limits.alerts.interval;
  self->scheduled_send(self, state.next_look, look_wake);
  return {
      [self](const wake& which) {
        auto& mine = self->state;
        if (which.number == look_wake.number) return mine.look();
        if (mine.wakes.is_due(which)) mine.send_webhook();
      },
      [self](const webhook_answered& what) {
        auto& mine = self->state;
        mine.posts.answered(what, self->clock().now());
        if (what.status >= 200 && what.status < 300)
          mine.posted.now();
        else
          emit(alerts_state::name, event::webhook_failed,
               {{"reason", mine.posts.state()}, {"count", mine.posts.waiting()}});
        mine.send_webhook();
      },
      [self](const alerts_question&) { return self->state.report(); },
      [self](const health_question&) { return self->state.health(); },
  };
}

} // namespace breakwater
