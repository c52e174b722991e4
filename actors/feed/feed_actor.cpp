#include "actors/feed/feed_actor.hpp"

#include "actors/support/emit.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <chrono>
#include <type_traits>
#include <utility>

namespace breakwater {
namespace {

using namespace std::chrono_literals;
using feed_self = self_ptr<feed_actor, feed_state>;

constexpr std::size_t candles_at_a_time = 1024;
constexpr auto answer_within = 5s;
constexpr auto try_again_after = 50ms;
/// A snapshot brings the past as well; nobody merges minutes this far behind its newest.
constexpr std::int64_t history_s = 120;
/// A minute that starts this far ahead of our clock is no market data: it would close the symbol's real
/// minutes.
constexpr std::int64_t ahead_s = 120;

mono_time now_of(feed_self self) { return self->clock().now(); }

void say(const feed_state& state, const tell& what) {
  fields details{{"exchange", std::string_view{state.label}.substr(std::string_view{"feed/"}.size())}};
  if (!what.symbol.empty()) details.emplace_back("symbol", what.symbol);
  if (!what.reason.empty()) details.emplace_back("reason", what.reason);
  if (what.count > 0)
    details.emplace_back(
        what.what == event::feed_connecting || what.what == event::feed_disconnected ? "attempt" : "count",
        what.count);
  if (what.age >= 0ms) details.emplace_back("age_ms", what.age.count());
  if (what.wait >= 0ms) details.emplace_back("wait_ms", what.wait.count());
  if (what.what == event::feed_connecting) details.emplace_back("url", state.url);
  emit(state.label, what.what, details);
}

void perform(feed_self self, session_actions actions) {
  auto& state = self->state;
  for (auto& action : actions) {
    if (auto* open = std::get_if<open_socket>(&action)) {
      // The socket, and with it this handle, ends with the state.
      feed_actor me = self;
      state.socket = state.sockets->open(state.url, open->number,
                                         [me](socket_event what) { caf::anon_send(me, std::move(what)); });
    } else if (auto* text = std::get_if<send_text>(&action)) {
      if (state.socket) state.socket->send(std::move(text->text));
    } else if (auto* told = std::get_if<tell>(&action)) {
      say(state, *told);
    } else {
      state.socket.reset();
    }
  }
}

void set_alarm(feed_self self) {
  auto& state = self->state;
  const auto now = now_of(self);
  if (state.session) state.alarm.set(self, state.session->next_wake());
  if (const auto close = state.closer.next_close(); close && !state.draining)
    state.alarm.set(self, now + (*close - state.clock()));
  state.alarm.set(self, state.send_again_at);
}

void finish_draining(feed_state& state) {
  if (!state.draining || state.outstanding || !state.outbox.empty()) return;
  for (auto& promise : state.drain_promises) promise.deliver(drained{state.taken});
  state.drain_promises.clear();
}

void tell_losses(feed_state& state) {
  if (const auto all = state.outbox.conflated(); all > state.conflated_told) {
    // While an answer is merely on its way this is nothing to speak of.
    if (state.send_again_at)
      emit(state.label, event::candles_conflated, {{"count", all - state.conflated_told}});
    state.conflated_told = all;
  }
  if (const auto all = state.outbox.dropped(); all > state.dropped_told) {
    emit(state.label, event::candles_dropped, {{"count", all - state.dropped_told}});
    state.dropped_told = all;
  }
}

void pass_on(feed_self self);

/// Nothing was taken: what waits is conflated until the next try.
void keep(feed_self self) {
  auto& state = self->state;
  const auto batch = std::exchange(state.outstanding, nullptr);
  state.outbox.give_back(*batch);
  state.send_again_at = now_of(self) + try_again_after;
  tell_losses(state);
  set_alarm(self);
}

void note_incarnation(feed_state& state, std::uint64_t incarnation) {
  if (state.incarnation != 0 && state.incarnation != incarnation) state.outbox.refill();
  state.incarnation = incarnation;
}

/// Sends the next batch, if there is one and the aggregator owes no answer.
void pass_on(feed_self self) {
  auto& state = self->state;
  if (state.outstanding || state.send_again_at || state.outbox.empty()) return finish_draining(state);
  state.outstanding = std::make_shared<const std::vector<candle>>(state.outbox.take(candles_at_a_time));
  self->request(state.aggregator, answer_within, candle_batch{state.outstanding})
      .then(
          [self](const intake_answer& answer) {
            auto& mine = self->state;
            if (answer.what == intake::busy) {
              note_incarnation(mine, answer.incarnation);
              return keep(self);
            }
            mine.taken += mine.outstanding->size();
            mine.outstanding.reset();
            note_incarnation(mine, answer.incarnation);
            pass_on(self);
          },
          [self](const caf::error&) { keep(self); });
}

/// Puts what was read (and what it closed) into the outbox.
void take_candles(feed_state& state) {
  std::int64_t newest = 0;
  for (const auto& x : state.read) newest = std::max(newest, x.start_s);
  for (auto& x : state.read) {
    if (x.start_s < newest - history_s) {
      ++state.history;
      continue;
    }
    ++state.candles;
    if (state.speaks->rules().marks_closed)
      state.outbox.put(std::move(x));
    else
      state.closer.take(std::move(x), state.closed);
  }
}

void close_by_time(feed_state& state) {
  if (!state.draining) state.closer.advance(state.clock(), state.closed);
  for (auto& x : state.closed) state.outbox.put(std::move(x));
  state.closed.clear();
}

/// How each kind of content is dealt with.
struct content_handler {
  feed_self self;
  mono_time now;

  void operator()(const candles_read&) const {
    auto& state = self->state;
    const auto latest_s = epoch_ms(state.clock()) / 1000 + ahead_s;
    if (std::erase_if(state.read, [&](const candle& x) { return x.start_s > latest_s; }) > 0)
      (*this)(failure{errc::field_malformed, "a candle's minute lies ahead of our clock"});
    for (const auto& x : state.read) perform(self, state.session->on_data(x.symbol, now));
    take_candles(state);
  }
  void operator()(const acknowledgement& x) const {
    perform(self, self->state.session->on_acknowledged(x, now));
  }
  void operator()(const refusal& x) const { perform(self, self->state.session->on_refused(x, now)); }
  void operator()(const pong_read&) const {}
  void operator()(const closing_announced& x) const {
    perform(self, self->state.session->on_closing_announced(x.reason, now));
  }
  void operator()(const other_read&) const { ++self->state.other; }
  void operator()(const failure& x) const {
    auto& state = self->state;
    ++state.unreadable;
    emit(state.label, event::frame_unreadable, {{"errc", to_string(x.code)}, {"reason", x.detail}});
  }
};

void on_text(feed_self self, const socket_text& text, mono_time now) {
  auto& state = self->state;
  ++state.frames;
  state.last_frame_at = now;
  state.read.clear();
  const auto content = state.speaks->read(text.text, text.received_at, state.read);
  if (state.socket) state.socket->consumed(1);
  std::visit(content_handler{self, now}, content);
  close_by_time(state);
  tell_losses(state);
  pass_on(self);
}

void on_socket(feed_self self, const socket_event& what) {
  auto& state = self->state;
  if (!state.session || !state.session->is_current(what.socket)) return;
  const auto now = now_of(self);
  state.session->on_heard(now);
  std::visit(
      [&](const auto& x) {
        using kind = std::decay_t<decltype(x)>;
        if constexpr (std::is_same_v<kind, socket_opened>)
          perform(self, state.session->on_opened(what.socket, now));
        else if constexpr (std::is_same_v<kind, socket_text>)
          on_text(self, x, now);
        else if constexpr (std::is_same_v<kind, socket_closed>)
          perform(self, state.session->on_closed(what.socket, x.reason, now));
      },
      what.what);
  set_alarm(self);
}

void on_alarm(feed_self self) {
  auto& state = self->state;
  const auto now = now_of(self);
  if (state.session) perform(self, state.session->on_wake(now));
  close_by_time(state);
  tell_losses(state);
  if (state.send_again_at && now >= *state.send_again_at) state.send_again_at.reset();
  pass_on(self);
  set_alarm(self);
}

health_answer report(feed_self self) {
  const auto& state = self->state;
  health_answer answer;
  const auto worse = [&](health_level level, std::string why) {
    answer.level = std::max(answer.level, level);
    answer.why += (answer.why.empty() ? "" : "; ") + why;
  };
  std::size_t followed = 0, subscribed = 0, stale = 0, refused = 0, reconnects = 0;
  bool connected = false;
  if (const auto& session = state.session) {
    connected = session->connected();
    subscribed = session->subscribed();
    stale = session->stale();
    reconnects = session->reconnects();
    refused = session->refused() + state.speaks->names().left_out().size() +
              (state.speaks->names().entries().size() - session->symbols());
    followed = session->symbols() + refused - session->refused();
  }
  if (!state.session) {
    worse(health_level::degraded, "this exchange cannot be followed on this market");
  } else if (!state.draining) {
    if (!connected) worse(health_level::degraded, "not connected");
    if (stale > 0) worse(health_level::degraded, std::to_string(stale) + " symbols without data");
    if (refused > 0) worse(health_level::degraded, std::to_string(refused) + " symbols refused");
  }
  const auto fact = [&](const char* key, auto value) {
    if constexpr (std::is_arithmetic_v<decltype(value)>)
      answer.facts.emplace_back(key, std::to_string(value));
    else
      answer.facts.emplace_back(key, value);
  };
  fact("connected", connected ? "yes" : "no");
  fact("symbols", std::to_string(subscribed) + "/" + std::to_string(followed));
  fact("frames", state.frames);
  fact("candles", state.candles);
  fact("unreadable", state.unreadable);
  fact("other", state.other);
  fact("conflated", state.outbox.conflated());
  fact("dropped", state.outbox.dropped());
  fact("waiting", state.outbox.size());
  fact("reconnects", reconnects);
  if (state.last_frame_at)
    fact("last_frame_age_ms",
         std::chrono::duration_cast<std::chrono::milliseconds>(now_of(self) - *state.last_frame_at).count());
  fact("stale", stale);
  return answer;
}

} // namespace

feed_actor::behavior_type feed_behavior(feed_self self, feed_options options, aggregator_actor aggregator,
                                        std::shared_ptr<websocket_port> sockets) {
  auto& state = self->state;
  state.label = std::string{"feed/"} + to_string(options.which);
  state.clock = std::move(options.clock);
  state.aggregator = std::move(aggregator);
  state.sockets = std::move(sockets);
  state.speaks =
      make_dialect(options.which, options.market,
                   symbol_names{options.which, options.market, options.symbols, options.overrides});
  if (state.speaks) {
    state.url = options.url.empty() ? state.speaks->rules().url : options.url;
    if (!state.url.empty()) {
      options.connection.stale_after = options.stale_after;
      state.session.emplace(*state.speaks, options.connection);
      perform(self, state.session->start(now_of(self)));
    }
  }
  if (!state.session)
    emit(state.label, event::feed_subscription_refused,
         {{"exchange", to_string(options.which)},
          {"reason", "this exchange cannot be followed on this market"}});
  set_alarm(self);
  return {
      [self](const socket_event& what) { on_socket(self, what); },
      [self](const wake& which) {
        if (self->state.alarm.is_due(which)) on_alarm(self);
      },
      [self](const drain_request&) -> caf::result<drained> {
        auto& mine = self->state;
        auto promise = self->make_response_promise<drained>();
        mine.drain_promises.push_back(promise);
        mine.draining = true;
        if (mine.session) perform(self, mine.session->stop());
        pass_on(self);
        return promise;
      },
      [self](const health_question&) { return report(self); },
  };
}

} // namespace breakwater
