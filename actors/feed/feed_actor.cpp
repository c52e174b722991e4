#include "actors/feed/feed_actor.hpp"

#include "actors/support/emit.hpp"
#include "messages/text.hpp"

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
/// A minute that starts this far ahead of our clock is no market data: it would close the symbol's real
/// minutes.
constexpr std::int64_t ahead_s = 120;

moment now_of(feed_self self) { return {self->clock().now(), self->state.options.clock()}; }

std::string_view exchange_of(const feed_state& state) { return to_string(state.options.which); }

void say(feed_state& state, const tell& what, moment now) {
  fields details{{"exchange", exchange_of(state)}};
  if (!what.symbol.empty()) details.emplace_back("symbol", what.symbol);
  if (!what.reason.empty()) details.emplace_back("reason", what.reason);
  if (what.count > 0)
    details.emplace_back(
        what.what == event::feed_connecting || what.what == event::feed_disconnected ? "attempt" : "count",
        what.count);
  if (what.age >= 0ms) details.emplace_back("age_ms", what.age.count());
  if (what.wait >= 0ms) details.emplace_back("wait_ms", what.wait.count());
  if (what.what == event::feed_connecting) details.emplace_back("url", shown_address(state.url));
  emit(state.label, what.what, details);

  const auto mark = [&](quality_kind kind, wall_time from, const char* cause) {
    state.markers.push_back({state.options.which, what.symbol, kind, from, now.wall, cause});
  };
  if (what.what == event::feed_stale)
    mark(quality_kind::stale, now.wall - what.age, "no data for longer than feeds.stale_after");
  else if (what.what == event::feed_fresh)
    mark(quality_kind::recovered, now.wall - what.age, "data again after it was stale");
}

/// Hands the markers made since the last time to whoever writes them.
void pass_markers_on(feed_self self) {
  auto& state = self->state;
  if (state.markers.empty()) return;
  if (state.peers.quality)
    self->send(state.peers.quality,
               quality_batch{std::make_shared<const std::vector<quality_marker>>(std::move(state.markers))});
  state.markers.clear();
}

void perform(feed_self self, session_actions actions, moment now) {
  auto& state = self->state;
  for (auto& action : actions) {
    if (const auto* open = std::get_if<open_socket>(&action)) {
      // The socket, and with it this handle, ends with the state.
      feed_actor me = self;
      state.open[open->number] = state.sockets->open(
          state.url, open->number, [me](socket_event what) { caf::anon_send(me, std::move(what)); });
    } else if (auto* text = std::get_if<send_text>(&action)) {
      if (const auto to = state.open.find(text->socket); to != state.open.end())
        to->second->send(std::move(text->text));
    } else if (const auto* close = std::get_if<close_socket>(&action)) {
      state.open.erase(close->number);
    } else if (const auto* lost = std::get_if<lost_symbol>(&action)) {
      state.continuity->on_lost(lost->ours, lost->cause, now);
    } else if (const auto* gone = std::get_if<let_go_symbol>(&action)) {
      state.continuity->forget(gone->ours);
    } else {
      say(state, std::get<tell>(action), now);
    }
  }
}

void perform(feed_self self, continuity_actions actions, moment now) {
  auto& state = self->state;
  for (auto& action : actions) {
    if (auto* ask = std::get_if<ask_candles>(&action)) {
      const auto& names = state.speaks->names();
      const auto place = names.place_of(ask->symbol);
      auto url = state.rest_url + state.speaks->history_target(names.entries().at(place.value()).theirs,
                                                               ask->from_s, ask->to_s);
      feed_actor me = self; // until the answer, which comes in seconds
      state.rest->get(std::move(url), ask->number,
                      [me](fetched what) { caf::anon_send(me, std::move(what)); });
      const auto number = ask->number;
      state.asked.emplace(number, std::move(*ask));
    } else if (auto* marker = std::get_if<quality_marker>(&action)) {
      state.markers.push_back(std::move(*marker));
    } else {
      say(state, std::get<tell>(action), now);
    }
  }
}

void set_alarm(feed_self self) {
  auto& state = self->state;
  if (state.session) state.alarm.set(self, state.session->next_wake());
  if (state.continuity && !state.draining) state.alarm.set(self, state.continuity->next_wake());
  if (const auto close = state.closer.next_close(); close && !state.draining) {
    const auto now = now_of(self);
    state.alarm.set(self, now.mono + (*close - now.wall));
  }
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
  state.send_again_at = self->clock().now() + try_again_after;
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
  self->request(state.peers.aggregator, answer_within, candle_batch{state.outstanding})
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

/// What was read came over `socket`: puts what is news (and what it closed) into the outbox.
void take_candles(feed_self self, std::uint64_t socket, moment now) {
  auto& state = self->state;
  session_actions heard;
  continuity_actions missed;
  for (auto& x : state.read) {
    // What was unsubscribed may still come.
    if (!state.session->on_data(socket, x.symbol, now.mono, heard)) continue;
    if (!state.continuity->take(x, now, missed)) continue;
    ++state.candles;
    state.data_came.now();
    if (x.event_at != x.received_at) state.clock_offset.note(x.event_at, x.received_at, now.mono);
    if (state.speaks->rules().marks_closed || x.filled)
      state.outbox.put(std::move(x));
    else
      state.closer.take(std::move(x), state.closed);
  }
  perform(self, std::move(heard), now);
  perform(self, std::move(missed), now);
}

void close_by_time(feed_state& state) {
  if (!state.draining) state.closer.advance(state.options.clock(), state.closed);
  for (auto& x : state.closed)
    if (!x.closed || !state.continuity->is_filled(x)) state.outbox.put(std::move(x));
  state.closed.clear();
}

/// How each kind of content is dealt with.
struct content_handler {
  feed_self self;
  std::uint64_t socket;
  moment now;

  void operator()(const candles_read& x) const {
    auto& state = self->state;
    const auto latest_s = epoch_ms(now.wall) / 1000 + ahead_s;
    if (std::erase_if(state.read, [&](const candle& c) { return c.start_s > latest_s; }) > 0)
      (*this)(failure{errc::field_malformed, "a candle's minute lies ahead of our clock"});
    if (x.trades_missing)
      for (const auto& c : state.read) state.continuity->on_trades_missing(c, now);
    take_candles(self, socket, now);
  }
  void operator()(const acknowledgement& x) const {
    perform(self, self->state.session->on_acknowledged(socket, x, now.mono), now);
  }
  void operator()(const refusal& x) const {
    perform(self, self->state.session->on_refused(socket, x, now.mono), now);
  }
  void operator()(const pong_read&) const {}
  void operator()(const closing_announced& x) const {
    perform(self, self->state.session->on_closing_announced(socket, x.reason, now.mono), now);
  }
  void operator()(const other_read& x) const { ++self->state.other[x.channel]; }
  void operator()(const failure& x) const {
    auto& state = self->state;
    ++state.unreadable;
    emit(state.label, event::frame_unreadable, {{"errc", to_string(x.code)}, {"reason", x.detail}});
    // Where no close is marked nothing else would tell that the last state of a minute was in it.
    const auto& rules = state.speaks->rules();
    if (!rules.marks_closed && !rules.counts_trades && x.code != errc::symbol_unknown)
      for (const auto& symbol : state.session->carried_by(socket))
        state.continuity->on_lost(symbol, "a frame could not be read", now);
  }
};

void on_text(feed_self self, std::uint64_t socket, const socket_text& text, moment now) {
  auto& state = self->state;
  ++state.frames;
  state.last_frame_at = now.mono;
  state.read.clear();
  const auto content = state.speaks->read(text.text, text.received_at, state.read);
  if (const auto from = state.open.find(socket); from != state.open.end()) from->second->consumed(1);
  std::visit(content_handler{self, socket, now}, content);
}

/// What every event ends with: passes on what it brought and sets the next alarm.
void conclude(feed_self self) {
  auto& state = self->state;
  close_by_time(state);
  tell_losses(state);
  pass_on(self);
  pass_markers_on(self);
  set_alarm(self);
}

void on_socket(feed_self self, const socket_event& what) {
  auto& state = self->state;
  if (!state.session || !state.session->knows(what.socket)) return;
  const auto now = now_of(self);
  state.session->on_heard(what.socket, now.mono);
  std::visit(
      [&](const auto& x) {
        using kind = std::decay_t<decltype(x)>;
        if constexpr (std::is_same_v<kind, socket_opened>)
          perform(self, state.session->on_opened(what.socket, now.mono), now);
        else if constexpr (std::is_same_v<kind, socket_text>)
          on_text(self, what.socket, x, now);
        else if constexpr (std::is_same_v<kind, socket_closed>)
          perform(self, state.session->on_closed(what.socket, x.reason, now.mono), now);
      },
      what.what);
  conclude(self);
}

/// Past candles came, or why they did not.
void on_fetched(feed_self self, const fetched& what) {
  auto& state = self->state;
  const auto asked = state.asked.find(what.number);
  if (asked == state.asked.end() || state.draining) return;
  const auto now = now_of(self);
  std::vector<candle> rows, fills;
  continuity_actions actions;
  std::optional<failure> problem;
  if (what.status == 0) {
    problem = what.why;
  } else if (const auto read =
                 state.speaks->read_history(what.body, asked->second.symbol, what.received_at, rows);
             !read) {
    problem = read.error();
    if (what.status != 200) problem->detail = "HTTP " + std::to_string(what.status) + ": " + problem->detail;
  }
  if (problem)
    state.continuity->on_history_failed(what.number, problem->detail, what.retry_after, now, actions);
  else
    state.past_came.now(), state.continuity->on_history(what.number, rows, now, fills, actions);
  state.asked.erase(asked);
  perform(self, std::move(actions), now);
  for (auto& x : fills) state.outbox.put(std::move(x));
  conclude(self);
}

void on_alarm(feed_self self) {
  auto& state = self->state;
  const auto now = now_of(self);
  if (state.session) perform(self, state.session->on_wake(now.mono), now);
  if (state.continuity && !state.draining) {
    continuity_actions actions;
    state.continuity->on_wake(now, actions);
    perform(self, std::move(actions), now);
  }
  if (state.send_again_at && now.mono >= *state.send_again_at) state.send_again_at.reset();
  conclude(self);
}

/// Follows these symbols from now on.
void follow(feed_self self, const std::vector<std::string>& symbols) {
  auto& state = self->state;
  if (!state.session || state.draining) return;
  const auto now = now_of(self);
  perform(self, state.session->follow(symbols, now.mono), now);
  conclude(self);
}

void ask_what_to_follow(feed_self self) {
  auto& state = self->state;
  follow(self, state.options.symbols);
  if (!state.peers.universe) return;
  // Should the universe be away just now, it tells everybody when it is back.
  self->request(state.peers.universe, answer_within, followed_symbols_question{})
      .then([self](const followed_symbols& known) { follow(self, *known.symbols); },
            [](const caf::error&) {});
}

/// An earlier life of this feed may have passed candles on: what the aggregator has of them says where to go
/// on.
void ask_what_is_known(feed_self self) {
  auto& state = self->state;
  self->request(state.peers.aggregator, answer_within, coverage_request{state.options.which})
      .then(
          [self](const coverage_answer& known) {
            for (const auto& newest : known.newest) self->state.continuity->know(newest);
            ask_what_to_follow(self);
          },
          [self](const caf::error&) { ask_what_to_follow(self); });
}

/// How many there were of what, in the order to print.
std::vector<std::pair<std::string, std::uint64_t>> counts_of(const feed_state& state) {
  std::vector<std::pair<std::string, std::uint64_t>> all{
      {"frames", state.frames}, {"candles", state.candles}, {"unreadable", state.unreadable}};
  std::uint64_t other = 0;
  for (const auto& [channel, count] : state.other) other += count;
  all.emplace_back("other", other);
  all.emplace_back("conflated", state.outbox.conflated());
  all.emplace_back("dropped", state.outbox.dropped());
  if (state.session) {
    const auto count = state.session->count();
    all.emplace_back("reconnects", count.reconnects);
    all.emplace_back("replacements", count.replacements);
  }
  if (state.continuity) {
    const auto& count = state.continuity->counted();
    all.emplace_back("repeats", count.repeats);
    all.emplace_back("gaps", count.gaps);
    all.emplace_back("missing_minutes", count.missing);
    all.emplace_back("filled_minutes", count.filled);
    all.emplace_back("quiet_minutes", count.quiet);
    all.emplace_back("unfilled_minutes", count.unfilled);
  }
  return all;
}

health_answer report(feed_self self) {
  const auto& state = self->state;
  health_answer answer;
  const auto worse = [&](health_level level, std::string why) {
    answer.level = std::max(answer.level, level);
    answer.why += (answer.why.empty() ? "" : "; ") + why;
  };
  session::figures count;
  bool connected = false;
  if (const auto& session = state.session) {
    connected = session->connected();
    count = session->count();
  }
  if (!state.session) {
    worse(health_level::degraded, "this exchange cannot be followed on this market");
  } else if (!state.draining) {
    if (!connected && count.symbols > count.refused) worse(health_level::degraded, "not connected");
    if (const auto missing = state.continuity->missing_now(); missing > 0)
      worse(health_level::degraded, std::to_string(missing) + " minutes missing");
    if (count.stale > 0) worse(health_level::degraded, std::to_string(count.stale) + " symbols without data");
    // The universe is the same for all exchanges, and none lists all of it.
    const auto refused = std::count_if(state.options.symbols.begin(), state.options.symbols.end(),
                                       [&](const auto& symbol) { return state.session->is_refused(symbol); });
    if (refused > 0) worse(health_level::degraded, std::to_string(refused) + " symbols refused");
  }
  const auto fact = [&](const char* key, auto value) {
    if constexpr (std::is_arithmetic_v<decltype(value)>)
      answer.facts.emplace_back(key, std::to_string(value));
    else
      answer.facts.emplace_back(key, value);
  };
  fact("connected", connected ? "yes" : "no");
  fact("symbols", std::to_string(count.subscribed) + "/" + std::to_string(count.symbols));
  fact("connections", count.connections);
  fact("refused", count.refused);
  for (const auto& [name, number] : counts_of(state)) fact(name.c_str(), number);
  fact("waiting", state.outbox.size());
  if (state.last_frame_at)
    fact("last_frame_age_ms",
         std::chrono::duration_cast<std::chrono::milliseconds>(self->clock().now() - *state.last_frame_at)
             .count());
  fact("stale", count.stale);
  if (const auto offset = state.clock_offset.over_last_minute(self->clock().now()))
    fact("clock_offset_ms", offset->least.count());
  return answer;
}

/// For the API.
feed_report describe(feed_self self) {
  const auto& state = self->state;
  const auto now = now_of(self);
  feed_report out;
  out.of = state.options.which;
  out.url = state.url;
  if (state.session) state.session->describe(out, now.mono, now.wall);
  if (state.continuity)
    for (auto& symbol : out.symbols)
      if (const auto newest = state.continuity->newest_minute(symbol.name))
        symbol.newest_minute = wall_time_from_ms(*newest * 1000);
  out.counts = counts_of(state);
  for (const auto& [channel, count] : state.other)
    out.counts.emplace_back("other." + std::string{channel.empty() ? "answers" : channel}, count);
  if (const auto offset = state.clock_offset.over_last_minute(now.mono)) {
    out.clock_offset = offset->least;
    out.clock_spread = offset->most - offset->least;
  }
  return out;
}

} // namespace

feed_actor::behavior_type feed_behavior(feed_self self, feed_options options, feed_peers peers,
                                        std::shared_ptr<websocket_port> sockets,
                                        std::shared_ptr<rest_port> rest) {
  auto& state = self->state;
  state.label = std::string{"feed/"} + to_string(options.which);
  state.data_came = last_success{success::feed_data, to_string(options.which)};
  state.past_came = last_success{success::feed_fetch, to_string(options.which)};
  state.options = std::move(options);
  state.peers = std::move(peers);
  state.sockets = std::move(sockets);
  state.rest = std::move(rest);
  auto& how = state.options;
  state.speaks = make_dialect(how.which, how.market, symbol_names{how.which, how.market, {}, how.overrides});
  const auto& rules = state.speaks->rules();
  state.url = how.url.empty() ? rules.url : how.url;
  state.rest_url = how.rest_url.empty() ? rules.rest_url : how.rest_url;
  if (!rules.url.empty()) {
    how.connection.stale_after = how.stale_after;
    how.continuity.fill_within = how.fill_within;
    state.session.emplace(*state.speaks, how.connection);
    state.continuity.emplace(how.which, rules, how.continuity);
    ask_what_is_known(self);
  } else {
    emit(state.label, event::feed_subscription_refused,
         {{"exchange", exchange_of(state)}, {"reason", "this exchange cannot be followed on this market"}});
  }
  return {
      [self](const socket_event& what) { on_socket(self, what); },
      [self](const fetched& what) { on_fetched(self, what); },
      [self](const followed_symbols& what) { follow(self, *what.symbols); },
      [self](const feed_question&) { return describe(self); },
      [self](const wake& which) {
        if (self->state.alarm.is_due(which)) on_alarm(self);
      },
      [self](const drain_request&) -> caf::result<drained> {
        auto& mine = self->state;
        auto promise = self->make_response_promise<drained>();
        mine.drain_promises.push_back(promise);
        mine.draining = true;
        if (mine.session) perform(self, mine.session->stop(), now_of(self));
        pass_on(self);
        return promise;
      },
      [self](const health_question&) { return report(self); },
  };
}

} // namespace breakwater
