#include "actors/api/api_actor.hpp"

#include "actors/api/gathering_actor.hpp"
#include "actors/api/json_answer.hpp"
#include "actors/support/emit.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <functional>
#include <iomanip>
#include <random>
#include <sstream>

namespace breakwater {
namespace {

/// An order waits for the audit's disk. Within the edge's own limit, like answers_within.
constexpr auto orders_within = 4s;
constexpr auto bind_again_after = 5s;
/// Requests under way whose time is taken.
constexpr std::size_t most_measured = 4096;

/// Those who can be told live at a time.
constexpr std::size_t most_watchers = 64;
/// They are told this often how everything stands; of the market at least twice as seldom, and no more than
/// so much a second.
constexpr auto look_every = 1s, market_every = 2s;
constexpr std::size_t market_bytes_per_s = 200'000;

/// 128 bits that nobody can guess.
std::string fresh_nonce() {
  std::random_device source;
  std::ostringstream text;
  for (int i = 0; i < 4; ++i) text << std::hex << std::setw(8) << std::setfill('0') << source();
  return std::move(text).str();
}

/// The name breaker calls are logged under: [CB_API].
constexpr const char* breaker_calls = "api/breaker";

process_facts facts_about(const api_state& state) {
  return {state.options.version,
          state.options.instance,
          std::chrono::duration_cast<std::chrono::seconds>(state.self->clock().now() - state.born),
          state.options.clock(),
          !state.options.token.empty(),
          state.options.chaos};
}

http_response metrics_answer(const api_state& state, const metric_sources& found) {
  const metric_facts about{state.options.version, state.options.instance, state.options.symbols,
                           state.requests, state.refused};
  http_response answer;
  answer.headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}};
  answer.body = state.options.metrics->text(families_of(found, about));
  return answer;
}

http_response no_answer(const std::string& who, const caf::error& error) {
  const auto why = to_failure(error);
  if (why.code == errc::audit_unwritable)
    return json_error(503, "the audit log cannot be written, so nothing was changed: " + why.detail,
                      "mend the disk of process.data_dir, then send the order again");
  return json_error(503, who + " did not answer in time", "GET the status to see what holds, then try again");
}

/// Answers one question. What it takes to answer outlives this object, for answers come later.
class answering {
public:
  answering(api_state& state, const http_request& request)
      : state_(state), number_(request.number), from_(request.remote), target_(request.target) {}

  void operator()(const ask_status& asked) {
    collect(gather_breakers, [this_ = *this, asked](const health_sources& found) {
      auto reports = in_order(this_.state_, found.breakers);
      const bool known = std::any_of(reports.begin(), reports.end(),
                                     [&](const breaker_report& told) { return told.name == asked.breaker; });
      this_.deliver_read(known ? status_answer(asked.breaker, reports)
                               : json_error(503, "breaker " + asked.breaker + " did not answer",
                                            "it is being restarted; ask again"));
    });
  }
  void operator()(const ask_history& asked) {
    ask<breaker_history>(breaker(asked.breaker), answers_within, breaker_history_request{asked.limit},
                         "breaker " + asked.breaker, [asked](const auto& this_, const breaker_history& told) {
                           this_.deliver_read(history_answer(asked.breaker, told));
                         });
  }
  void operator()(const order_reset& order) {
    ask<breaker_order_answer>(breaker(order.breaker), orders_within, order.what, "breaker " + order.breaker,
                              [order](const auto& this_, const breaker_order_answer& told) {
                                this_.deliver_order(
                                    "reset", order.breaker, order.what.who, order.what.reason,
                                    reset_answer(order.what, told, this_.state_.options.clock()));
                              });
  }
  void operator()(const order_open& order) {
    ask<breaker_order_answer>(breaker(order.breaker), orders_within, order.what, "breaker " + order.breaker,
                              [order](const auto& this_, const breaker_order_answer& told) {
                                this_.deliver_order(
                                    "open", order.breaker, order.what.who, order.what.reason,
                                    open_answer(order.what, told, this_.state_.options.clock()));
                              });
  }
  void operator()(const report_outcome& reported) {
    ask<breaker_standing>(breaker(reported.breaker), answers_within, reported.what,
                          "breaker " + reported.breaker,
                          [reported](const auto& this_, const breaker_standing& told) {
                            this_.deliver_read(report_answer(reported.breaker, told));
                          });
  }
  void operator()(const ask_health&) {
    collect(gather_everything, [this_ = *this](const health_sources& found) {
      this_.deliver(whole_health_answer(this_.ordered(found), this_.about()));
    });
  }
  void operator()(const ask_ready&) {
    collect(gather_everything,
            [this_ = *this](const health_sources& found) { this_.deliver(ready_answer(found)); });
  }
  void operator()(const ask_actors&) {
    collect(gather_everything,
            [this_ = *this](const health_sources& found) { this_.deliver(actors_answer(found)); });
  }
  void operator()(const ask_live&) { deliver(live_answer()); }
  void operator()(const ask_audit& asked) {
    ask<audit_tail>(state_.peers.audit, answers_within, audit_tail_request{asked.limit}, "the audit log",
                    [](const auto& this_, const audit_tail& tail) { this_.deliver(audit_answer(tail)); });
  }
  void operator()(const ask_alerts&) {
    ask<alerts_report>(
        state_.peers.alerts, answers_within, alerts_question{}, "the alerts actor",
        [](const auto& this_, const alerts_report& told) { this_.deliver(alerts_answer(told)); });
  }
  void operator()(const ask_feeds& asked) {
    collect<feed_sources>([&](api_state& state, const auto& into) { gather_feeds(state, into, asked.of); },
                          [this_ = *this, asked](const feed_sources& found) {
                            this_.deliver(feeds_answer(found, asked.symbol));
                          });
  }
  void operator()(const ask_spool&) {
    collect<spool_sources>(gather_spool, [this_ = *this](const spool_sources& found) {
      this_.deliver(spool_answer(found, this_.state_.options.spool_sync));
    });
  }
  void operator()(const ask_prices& asked) {
    price_question question;
    if (!asked.symbol.empty()) question.symbols = {asked.symbol};
    state_.self->request(state_.peers.aggregator, answers_within, std::move(question))
        .then([this_ = *this,
               asked](price_answer& told) { this_.deliver(prices_answer(std::move(told), asked.symbol)); },
              [this_ = *this](const caf::error&) {
                this_.deliver(json_error(503, "the aggregator did not answer in time",
                                         "it is being restarted; ask again"));
              });
  }
  void operator()(const ask_page&) { deliver(page_answer(fresh_nonce())); }
  void operator()(const ask_events& asked) { state_.watch(number_, asked.last_seen); }
  void operator()(const ask_metrics&) {
    if (!state_.options.metrics) return deliver(json_error(404, "there are no metrics"));
    collect<metric_sources>(gather_metrics, [this_ = *this](const metric_sources& found) {
      this_.deliver(metrics_answer(this_.state_, found));
    });
  }
  void operator()(const order_heartbeat& order) {
    state_.self->request(state_.peers.position_monitor, answers_within, order.what)
        .then([this_ = *this](const position_report& told) { this_.deliver(heartbeat_answer(told)); },
              [this_ = *this](const caf::error&) {
                this_.deliver(json_error(503, "the position monitor's actor did not answer in time",
                                         "it is being restarted; send the heartbeat again"));
              });
  }
  void operator()(const order_chaos& order) {
    emit(api_state::name, event::chaos_ordered,
         {{"actor", order.what.name}, {"what", order.what.hang ? "hang" : "kill"}, {"from", from_}});
    // Answered first, for the order may be for us.
    deliver(chaos_answer(order.what));
    caf::anon_send(state_.peers.supervisor, order.what);
  }

private:
  template <class Sources = health_sources, class Gather, class Done>
  void collect(Gather from_whom, Done done) {
    breakwater::collect<Sources>(state_, from_whom, std::move(done));
  }

  template <class Answer, class Handle, class Within, class Question, class Then>
  void ask(const Handle& whom, Within within, Question question, std::string who, Then then) {
    state_.self->request(whom, within, std::move(question))
        .then([this_ = *this, then](const Answer& told) { then(this_, told); },
              [this_ = *this, who](const caf::error& error) { this_.deliver_read(no_answer(who, error)); });
  }

  [[nodiscard]] const breaker_actor& breaker(const std::string& name) const {
    return std::find_if(state_.peers.breakers.begin(), state_.peers.breakers.end(),
                        [&](const auto& peer) { return peer.first == name; })
        ->second;
  }
  [[nodiscard]] health_sources ordered(health_sources found) const {
    found.breakers = in_order(state_, std::move(found.breakers));
    return found;
  }
  [[nodiscard]] process_facts about() const { return facts_about(state_); }

  void deliver(http_response what) const { state_.answer(number_, std::move(what)); }
  void deliver_read(http_response what) const {
    emit(breaker_calls, event::api_asked, {{"target", target_}, {"status", what.status}, {"from", from_}});
    deliver(std::move(what));
  }
  void deliver_order(const char* action, const std::string& breaker, const std::string& who,
                     const std::string& reason, http_response what) const {
    emit(breaker_calls, event::api_order,
         {{"action", action},
          {"breaker", breaker},
          {"status", what.status},
          {"who", who},
          {"from", from_},
          {"reason", reason}});
    deliver(std::move(what));
  }

  api_state& state_;
  std::uint64_t number_;
  std::string from_, target_;
};

} // namespace

void api_state::listen() {
  // Weak: the port's thread must not keep the actor's address alive.
  caf::actor_addr us = self->address();
  const auto pass_on = [us](auto what) {
    if (auto alive = caf::actor_cast<api_actor>(us)) caf::anon_send(alive, std::move(what));
  };
  auto bound = port->serve(options.listen, options.limits, {.asked = pass_on, .ended = pass_on});
  if (bound) {
    listener = std::move(*bound);
    why_not.clear();
    return emit(name, event::api_listening, {{"address", listener->address()}});
  }
  why_not = bound.error().detail;
  emit(name, event::api_failed, {{"reason", why_not}, {"wait_ms", milliseconds{bind_again_after}.count()}});
  wakes.set(self, self->clock().now() + bind_again_after);
}

void api_state::take(const http_request& request) {
  ++requests;
  asked_at[request.number] = self->clock().now();
  if (asked_at.size() > most_measured) asked_at.erase(asked_at.begin()); // nobody ever answered it
  auto routed = route(request, rules);
  if (auto* refusal = std::get_if<http_response>(&routed)) {
    if (request.target.starts_with("/api/circuit-breaker/"))
      emit(breaker_calls, request.method == "POST" ? event::api_refused : event::api_asked,
           {{"target", request.target}, {"status", refusal->status}, {"from", request.remote}});
    return answer(request.number, std::move(*refusal));
  }
  std::visit(answering{*this, request}, std::get<api_question>(routed));
}

void api_state::watch(std::uint64_t number, const std::string& last_seen) {
  if (watchers.size() >= most_watchers)
    return answer(number, json_error(503, "too many are told live already",
                                     "close a status page you do not use, then try again"));
  answer(number, events_answer(told->greeting(last_seen)));
  watchers.insert(number);
  told->forget();
  next_market_look = {};
  look();
}

void api_state::tell(const live_piece& piece) {
  if (!piece || !listener) return;
  for (const auto number : watchers) listener->push(number, piece);
}

void api_state::look() {
  if (watchers.empty()) return;
  const auto now = self->clock().now();
  next_look = now + look_every;
  wakes.set(self, next_look);
  const auto tell_part = [this](const char* part, http_response what) {
    const auto bytes = what.body.size();
    tell(told->stands(part, std::move(what.body)));
    return bytes;
  };
  collect(*this, gather_everything, [this, tell_part](health_sources found) {
    found.breakers = in_order(*this, std::move(found.breakers));
    tell_part("health", whole_health_answer(found, facts_about(*this)));
    if (!found.breakers.empty())
      tell_part("breakers", status_answer(found.breakers.front().name, found.breakers));
    tell_part("actors", actors_answer(found));
  });
  collect<spool_sources>(*this, gather_spool, [this, tell_part](const spool_sources& found) {
    tell_part("spool", spool_answer(found, options.spool_sync));
  });
  if (peers.alerts)
    self->request(peers.alerts, answers_within, alerts_question{})
        .then([tell_part](const alerts_report& report) { tell_part("alerts", alerts_answer(report)); },
              [tell_part](const caf::error& error) {
                tell_part("alerts", no_answer("the alerts actor", error));
              });
  if (now < next_market_look) return;
  next_market_look = now + market_every + std::chrono::seconds{market_bytes / market_bytes_per_s};
  collect<feed_sources>(
      *this, [](api_state& state, const auto& into) { gather_feeds(state, into, std::nullopt); },
      [this, tell_part](const feed_sources& found) {
        market_bytes = tell_part("feeds", feeds_answer(found, {}));
      });
  self->request(peers.aggregator, answers_within, price_question{})
      .then(
          [this, tell_part](price_answer& prices) {
            market_bytes += tell_part("prices", prices_answer(std::move(prices), {}));
          },
          [tell_part](const caf::error& error) { tell_part("prices", no_answer("the aggregator", error)); });
}

void api_state::answer(std::uint64_t number, http_response what) {
  what.number = number;
  if (what.status >= 400) ++refused;
  measure(what);
  if (listener) listener->answer(std::move(what));
}

void api_state::measure(const http_response& what) {
  const auto asked = asked_at.extract(what.number);
  if (asked.empty()) return;
  const auto& by_status = what.status < 400 ? fine : what.status < 500 ? client_errors : server_errors;
  by_status.observe(self->clock().now() - asked.mapped());
}

api_actor::behavior_type api_behavior(self_ptr<api_actor, api_state> self, api_options options,
                                      api_peers peers, std::shared_ptr<http_port> port) {
  auto& state = self->state;
  state.options = std::move(options);
  state.peers = std::move(peers);
  state.port = std::move(port);
  state.born = self->clock().now();
  state.told = std::make_unique<live>(std::to_string(epoch_ms(state.options.clock())));
  for (const auto& [name, whom] : state.peers.breakers) state.rules.breakers.push_back(name);
  for (const auto& [of, whom] : state.peers.feeds) state.rules.feeds.push_back(of);
  state.rules.actors = state.peers.actors;
  state.rules.token = state.options.token;
  state.rules.chaos = state.options.chaos;
  state.listen();
  return {
      [self](const http_request& request) { self->state.take(request); },
      [self](const http_stream_ended& which) { self->state.watchers.erase(which.number); },
      [self](const happening& what) { self->state.tell(self->state.told->happened(what)); },
      [self](const wake& which) {
        auto& now = self->state;
        if (!now.wakes.is_due(which)) return;
        if (!now.listener) now.listen();
        now.look();
      },
      [self](const health_question&) {
        const auto& now = self->state;
        health_answer answer;
        answer.facts = {{"address", now.listener ? now.listener->address() : ""},
                        {"requests", std::to_string(now.requests)},
                        {"refused", std::to_string(now.refused)},
                        {"watchers", std::to_string(now.watchers.size())}};
        if (!now.listener) answer.level = health_level::degraded, answer.why = now.why_not;
        return answer;
      },
  };
}

} // namespace breakwater
