#include "actors/redis/redis_actor.hpp"

#include "actors/support/emit.hpp"
#include "actors/support/redis_health.hpp"
#include "actors/support/resp.hpp"

#include <caf/send.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <stdexcept>
#include <utility>

namespace breakwater {
namespace {

using namespace std::chrono_literals;
using self_pointer = self_ptr<redis_actor, redis_state>;
using lane = redis_state::lane;

/// For the breaker's answers. It decides by time stamps and answers at once or not at all.
constexpr auto breaker_answers_within = 1s;
/// When the breaker was away, or refused without a time: how long until the gate is tried again.
constexpr std::chrono::milliseconds gate_pause{100};
constexpr std::chrono::milliseconds longest_gate_pause{5000};

void perform(self_pointer self, lane& l, link_actions actions);

caf::error unavailable(std::string why) {
  return make_error(failure{errc::redis_unavailable, std::move(why)});
}

void say(const redis_address& address, const link_news& news) {
  fields details;
  if (news.what == event::redis_connecting || news.what == event::redis_connected)
    details.emplace_back("address", to_string(address));
  if (news.attempt != 0) details.emplace_back("attempt", news.attempt);
  if (news.wait.count() >= 0) details.emplace_back("wait_ms", news.wait.count());
  if (news.away.count() >= 0) details.emplace_back("away_ms", news.away.count());
  if (!news.reason.empty()) details.emplace_back("reason", news.reason);
  emit(redis_state::name, news.what, details);
}

/// A connection's number has its lane above this bit, so that its events find it.
constexpr unsigned lane_bit = 56;
/// What a lane's connection is called in CLIENT LIST, behind the instance.
const char* role_of(redis_lane which) {
  constexpr std::array names{"publish", "read", "raw", "bridge"};
  return names[std::min(static_cast<std::size_t>(which), names.size() - 1)];
}

bool blocks(const lane& l) { return l.what != redis_lane::commands; }

void set_timers(self_pointer self, lane& l) {
  self->state.wakes.set(self, l.core->next_wake());
  self->state.wakes.set(self, l.try_gate_at);
}

/// Short: the lines of the connection for commands tell the story, and operators grep for their words.
void say_of_reads(const lane& l, const link_news& news) {
  const auto* role = role_of(l.what);
  if (news.what == event::redis_connected)
    emit(redis_state::name, event::redis_reads_connected, {{"role", role}});
  if (news.what == event::redis_lost)
    emit(redis_state::name, event::redis_reads_lost,
         {{"role", role}, {"wait_ms", news.wait.count()}, {"reason", news.reason}});
  if (news.what == event::redis_denied) emit(redis_state::name, news.what, {{"reason", news.reason}});
}

/// Tells the breaker of a failure and learns whether the circuit is open now. The word "Reconnect" appears in
/// the log only behind "Circuit OPEN" when the circuit opens, and this is how we know.
void report_failure(self_pointer self, call_outcome outcome, unsigned next_attempt,
                    std::chrono::milliseconds wait) {
  self->request(self->state.breaker, breaker_answers_within, std::move(outcome))
      .then(
          [next_attempt, wait](const breaker_standing& standing) {
            if (next_attempt == 0 || standing.phase == breaker_phase::closed) return;
            emit(redis_state::name, event::redis_reconnect_waits,
                 {{"attempt", next_attempt}, {"wait_ms", wait.count()}});
          },
          [](const caf::error&) {}); // it is being restarted; a failure it never hears of opens nothing
}

void report(self_pointer self, std::uint64_t permit, const verdict& judged) {
  const auto& meaning = meaning_of(judged.what);
  if (meaning.counts_as_failure)
    return report_failure(self, {permit, false, std::string{meaning.name} + ": " + judged.text, true}, 0,
                          0ms);
  // Redis that says "wait" neither failed nor succeeded.
  caf::anon_send(self->state.breaker, call_outcome{permit, true, "", meaning.what != reply_class::waiting});
}

void hand_back(self_pointer self, std::uint64_t permit) {
  caf::anon_send(self->state.breaker, call_outcome{permit, false, "", false});
}

/// The listeners learn that commands get through (again).
void announce(self_pointer self, lane& l) {
  l.announced = true;
  l.try_gate_at.reset();
  for (const auto& listener : self->state.listeners) caf::anon_send(listener, link_up{l.core->connection()});
}

void try_gate_in(self_pointer self, lane& l, std::chrono::milliseconds wait) {
  if (blocks(l)) return; // its reader comes again by itself
  const auto at = self->clock().now() + std::clamp(wait, gate_pause, longest_gate_pause);
  if (!l.try_gate_at || at < *l.try_gate_at) l.try_gate_at = at;
  set_timers(self, l);
}

/// After the answer to a probe: half-open asks for as many as the breaker wants, then the listeners may come.
void follow_probe(self_pointer self, lane& l, std::uint64_t permit, connection_number connection,
                  const verdict& judged) {
  l.probing = false;
  const auto& meaning = meaning_of(judged.what);
  const bool good = judged.what == reply_class::fine;
  if (meaning.what == reply_class::waiting) {
    hand_back(self, permit);
    return try_gate_in(self, l, 1s);
  }
  self->request(self->state.breaker, breaker_answers_within,
                call_outcome{permit, good, good ? "" : std::string{meaning.name} + ": " + judged.text, true})
      .then(
          [self, &l, connection, good](const breaker_standing& standing) {
            if (!l.core->ready() || l.core->connection() != connection) return;
            // More probes are wanted, or somebody else's decide: look again in a moment.
            if (good && standing.phase == breaker_phase::half_open) return try_gate_in(self, l, gate_pause);
            // Redis that stands but answers PING with an error (MISCONF) may be read from; its users decide.
            if (good || standing.phase == breaker_phase::closed) return announce(self, l);
            try_gate_in(self, l, 1s);
          },
          [self, &l](const caf::error&) { try_gate_in(self, l, gate_pause); });
}

/// A PING through a permit: one success closes a half-open breaker, also when nobody has anything to send.
void probe(self_pointer self, lane& l) {
  if (l.probing || !l.core->ready()) return;
  l.probing = true;
  l.try_gate_at.reset();
  const auto connection = l.core->connection();
  self->request(self->state.breaker, breaker_answers_within, permit_request{})
      .then(
          [self, &l, connection](const permit& leave) {
            if (!l.core->ready() || l.core->connection() != connection) {
              l.probing = false;
              if (leave.granted) hand_back(self, leave.number);
              if (l.core->ready() && !l.announced) probe(self, l);
              return;
            }
            if (!leave.granted) {
              l.probing = false;
              return try_gate_in(self, l, leave.retry_after);
            }
            auto wire = std::make_shared<std::string>();
            append_command(*wire, {"PING"});
            l.calls.emplace(++l.last_call, redis_state::call{{}, leave.number, true, self->clock().now()});
            perform(self, l, l.core->submit(l.last_call, std::move(wire), 1, 0ms, self->clock().now()));
          },
          [self, &l](const caf::error&) {
            l.probing = false;
            try_gate_in(self, l, gate_pause);
          });
}

void finish(self_pointer self, lane& l, finish_call& done) {
  auto found = l.calls.extract(done.call);
  if (found.empty()) return;
  auto& call = found.mapped();
  if (!blocks(l)) {
    self->state.answered.now();
    self->state.commands_took.observe(self->clock().now() - call.sent_at);
  }
  if (call.is_probe) return follow_probe(self, l, call.permit, done.replies.connection, done.judged);
  // First, so that what the caller does next meets a breaker that knows.
  if (call.permit != 0) report(self, call.permit, done.judged);
  call.promise.deliver(std::move(done.replies));
}

void give_up(lane& l, const fail_call& failed) {
  auto found = l.calls.extract(failed.call);
  if (found.empty()) return;
  if (found.mapped().is_probe)
    l.probing = false;
  else
    found.mapped().promise.deliver(unavailable(failed.why));
}

void open(self_pointer self, lane& l, connection_number number) {
  auto& state = self->state;
  // Read anew each time, so that a wrong password is mended by mending its file.
  if (state.options.password)
    if (auto password = state.options.password()) l.core->use_password(std::move(*password));
  // Weak: a connection must not keep the actor's address alive, and its events may come when we are gone.
  caf::actor_addr us = self->address();
  l.connection = state.port->connect(state.address, state.options.settings.connect_timeout, number,
                                     [us](link_event what) {
                                       if (auto alive = caf::actor_cast<redis_actor>(us))
                                         caf::anon_send(alive, std::move(what));
                                     });
}

/// Does what the link wants, and has it woken when it wants to be.
void perform(self_pointer self, lane& l, link_actions actions) {
  struct performer {
    self_pointer self;
    lane& l;
    void operator()(open_connection& a) const { open(self, l, a.connection); }
    void operator()(drop_connection&) const {
      l.connection.reset();
      l.announced = false;
      l.try_gate_at.reset();
    }
    void operator()(send_commands& a) const { l.connection->submit(a.tag, std::move(a.wire), a.count); }
    void operator()(finish_call& a) const { finish(self, l, a); }
    void operator()(fail_call& a) const { give_up(l, a); }
    void operator()(count_failure& a) const {
      if (blocks(l)) return;
      report_failure(self, {0, false, std::move(a.reason), true}, a.next_attempt, a.wait);
    }
    void operator()(link_restored&) const {
      if (blocks(l)) return; // its reader comes again by itself
      caf::anon_send(self->state.breaker, dependency_restored{});
      probe(self, l);
    }
    void operator()(link_news& a) const { blocks(l) ? say_of_reads(l, a) : say(self->state.address, a); }
  };
  for (auto& action : actions) std::visit(performer{self, l}, action);
  set_timers(self, l);
}

/// Sends what was permitted, if it still can be.
void send_permitted(self_pointer self, lane& l, const redis_commands& what, const permit& leave,
                    caf::typed_response_promise<redis_replies> promise) {
  if (!leave.granted) {
    try_gate_in(self, l, leave.retry_after);
    promise.deliver(unavailable(leave.why));
    return;
  }
  const bool changed = what.only_on != any_connection && what.only_on != l.core->connection();
  if (!l.core->ready() || changed) {
    hand_back(self, leave.number);
    promise.deliver(l.core->ready()
                        ? make_error(failure{errc::redis_connection_changed, "another connection stands now"})
                        : unavailable("the connection was lost while the breaker was asked"));
    return;
  }
  auto deciding = leave.number;
  if (blocks(l)) hand_back(self, std::exchange(deciding, 0));
  l.calls.emplace(++l.last_call, redis_state::call{std::move(promise), deciding, false, self->clock().now()});
  perform(self, l, l.core->submit(l.last_call, what.wire, what.count, what.blocks_for, self->clock().now()));
}

caf::result<redis_replies> take(self_pointer self, lane& l, const redis_commands& what) {
  if (!what.wire || what.count == 0) throw std::logic_error("expected that redis_commands holds commands");
  if (l.core->phase() == link_phase::disconnected) perform(self, l, l.core->start(self->clock().now()));
  if (!l.core->ready()) return unavailable(std::string{"not connected: "} + to_string(l.core->phase()));
  if (what.only_on != any_connection && what.only_on != l.core->connection())
    return make_error(failure{errc::redis_connection_changed, "another connection stands now"});
  if (l.calls.size() + l.asking >= redis_state::max_calls) return unavailable("too many calls in flight");
  auto promise = self->make_response_promise<redis_replies>();
  ++l.asking;
  // The breaker answers in the order it was asked, so calls keep theirs.
  self->request(self->state.breaker, breaker_answers_within, permit_request{})
      .then(
          [self, &l, what, promise](const permit& leave) {
            --l.asking;
            send_permitted(self, l, what, leave, promise);
          },
          [self, &l, promise](const caf::error& error) mutable {
            --l.asking;
            try_gate_in(self, l, gate_pause);
            promise.deliver(unavailable("the breaker did not answer: " + to_failure(error).detail));
          });
  return promise;
}

/// The time to look again at a gate that was shut: a connection not announced yet is probed; on one that
/// stands the listeners themselves try, for their calls say more than a PING does.
void try_gate(self_pointer self, lane& l) {
  if (!l.try_gate_at || self->clock().now() < *l.try_gate_at) return;
  l.try_gate_at.reset();
  if (!l.core->ready()) return;
  if (l.announced)
    announce(self, l);
  else
    probe(self, l);
}

lane& lane_of(redis_state& state, const link_event& what) {
  return state.lanes[static_cast<std::size_t>(what.connection >> lane_bit)];
}

link::options link_options(const redis_options& of, const redis_address& address, std::size_t which) {
  const auto born_ms = epoch_ms(of.clock());
  return {.settings = of.settings,
          .address = address,
          .client_name = "breakwater:" + of.instance + ":" + role_of(static_cast<redis_lane>(which)),
          // Never a number of an earlier incarnation: what was meant for its connections must not pass here.
          .first = static_cast<connection_number>(born_ms) * 1000 + (connection_number{which} << lane_bit),
          .seed = static_cast<std::uint64_t>(born_ms) + which};
}

} // namespace

redis_actor::behavior_type redis_behavior(self_ptr<redis_actor, redis_state> self, redis_options options,
                                          breaker_actor breaker, std::vector<publisher_actor> listeners,
                                          std::shared_ptr<redis_port> port) {
  auto& start = self->state;
  auto address = address_of(options.settings);
  if (!address) throw std::runtime_error(address.error().detail); // the loader has checked it
  start.options = std::move(options);
  start.address = std::move(*address);
  start.breaker = std::move(breaker);
  start.listeners = std::move(listeners);
  start.port = std::move(port);
  start.lanes.resize(redis_lanes(start.options.bridges));
  for (std::size_t i = 0; i < start.lanes.size(); ++i) {
    start.lanes[i].what = static_cast<redis_lane>(i);
    start.lanes[i].core.emplace(link_options(start.options, start.address, i));
  }
  perform(self, start.commands(), start.commands().core->start(self->clock().now()));
  return {
      [self](const redis_commands& what) { return take(self, self->state.of(what.lane), what); },
      [self](const link_event& what) {
        auto& state = self->state;
        auto& l = lane_of(state, what);
        perform(self, l, l.core->on_event(what, self->clock().now(), state.options.clock()));
        if (const auto took = l.core->take_ping(); took && !blocks(l)) {
          state.pinged.now();
          state.pings.observe(*took);
        }
      },
      [self](const wake& which) {
        auto& state = self->state;
        if (!state.wakes.is_due(which)) return;
        for (auto& l : state.lanes)
          perform(self, l, l.core->on_wake(self->clock().now(), state.options.clock()));
        try_gate(self, state.commands());
        set_timers(self, state.commands());
      },
      [self](const redis_question&) { return self->state.commands().core->report(self->clock().now()); },
      [self](const health_question&) {
        return health_of(self->state.commands().core->report(self->clock().now()));
      },
  };
}

} // namespace breakwater
