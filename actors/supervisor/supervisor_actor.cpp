#include "actors/supervisor/supervisor_actor.hpp"

#include "actors/support/emit.hpp"
#include "actors/support/relay.hpp"

#include <caf/actor_system.hpp>
#include <caf/exit_reason.hpp>
#include <caf/send.hpp>
#include <caf/system_messages.hpp>

#include <algorithm>

namespace breakwater {
namespace {

/// Ends an actor ahead of its backlog; an exit message alone waits behind the whole mailbox.
void end_urgently(const caf::strong_actor_ptr& whom, const caf::error& why) {
  caf::anon_send<caf::message_priority::high>(caf::actor_cast<caf::actor>(whom),
                                              caf::exit_msg{whom->address(), why});
}

/// Records kept for an audit actor that is itself being restarted.
constexpr std::size_t max_unrecorded = 1000;

} // namespace

supervisor_state::~supervisor_state() {
  for (auto& slot : slots)
    if (slot.live) caf::anon_send_exit(slot.live, caf::exit_reason::user_shutdown);
}

void supervisor_state::start(std::size_t i) {
  auto& slot = slots[i];
  slot.born = self->clock().now();
  try {
    slot.live = slot.spec.start(self->system());
  } catch (const std::exception& e) { // a constructor threw
    return on_failure(i, {errc::crashed, e.what()});
  }
  self->monitor(slot.live);
  bind_relay(slot.spec.address, slot.live);
  for (auto& what : std::exchange(unrecorded, {})) record(std::move(what));
  if (slot.restarts > 0)
    emit(name, event::actor_started_again, {{"actor", slot.spec.name}, {"attempt", slot.restarts}});
}

void supervisor_state::start_from(std::size_t i) {
  for (restart_from = SIZE_MAX; i < slots.size() && restart_from == SIZE_MAX && !stopping; ++i) start(i);
}

void supervisor_state::on_down(const caf::down_msg& down) {
  for (std::size_t i = 0; i < slots.size(); ++i) {
    auto& slot = slots[i];
    if (!slot.live || slot.live->address() != down.source) continue;
    bind_relay(slot.spec.address, nullptr);
    slot.live = nullptr;
    slot.ending = false;
    ++slot.timer;
    if (stopping) return stop_next();
    if (restart_from < i) return end_rest_then_restart();
    return on_failure(i,
                      down.reason ? to_failure(down.reason) : failure{errc::crashed, "it ended by itself"});
  }
}

void supervisor_state::on_failure(std::size_t i, const failure& why) {
  auto& slot = slots[i];
  const auto wait = policy->failed(i, slot.born, self->clock().now());
  ++slot.restarts;
  slot.last_cause = std::string{to_string(why.code)} + ": " + why.detail;
  slot.last_failed_at = options.clock();
  fields details{{"actor", slot.spec.name}, {"errc", to_string(why.code)}, {"reason", why.detail}};
  if (wait) details.insert(details.end(), {{"attempt", slot.restarts}, {"wait_ms", wait->count()}});
  emit(name, event::actor_failed, details);
  record({"actor_failed",
          slot.spec.name,
          {{"errc", to_string(why.code)},
           {"reason", why.detail},
           {"restarts", std::to_string(slot.restarts)},
           {"wait_ms", wait ? std::to_string(wait->count()) : "never"}}});
  if (!wait) {
    emit(name, event::restarts_exhausted,
         {{"count", policy->recent(self->clock().now())},
          {"within_ms", options.limits.within.count()},
          {"actor", slot.spec.name}});
    record({"restarts_exhausted", slot.spec.name, {{"reason", why.detail}}});
    reason = make_error(failure{errc::restart_intensity, slot.spec.name + ": " + why.detail});
    return stop();
  }
  slot.wait = *wait;
  if (options.strategy == restart_strategy::one_for_one) return schedule(i);
  restart_from = std::min(restart_from, i);
  end_rest_then_restart();
}

void supervisor_state::end_rest_then_restart() {
  for (std::size_t i = slots.size(); i-- > restart_from;)
    if (slots[i].live)
      return end(i, errc::none); // one at a time, the last first; its end brings us back here
  schedule(restart_from);
}

void supervisor_state::record(audit_record what) {
  const auto audit = caf::actor_cast<caf::strong_actor_ptr>(options.audit);
  const auto is_audit = [&](const slot_state& slot) { return slot.spec.address == audit && !slot.live; };
  if (std::none_of(slots.begin(), slots.end(), is_audit))
    return caf::anon_send(options.audit, std::move(what));
  if (unrecorded.size() < max_unrecorded) unrecorded.push_back(std::move(what));
}

void supervisor_state::schedule(std::size_t i) {
  self->delayed_send(self, slots[i].wait, restart_due{i, ++slots[i].timer});
}

void supervisor_state::on_restart_due(const restart_due& which) {
  if (stopping || slots[which.slot].timer != which.number) return;
  if (options.strategy == restart_strategy::one_for_one)
    start(which.slot);
  else if (which.slot == restart_from)
    start_from(which.slot);
}

void supervisor_state::end(std::size_t i, errc why) {
  auto& slot = slots[i];
  if (std::exchange(slot.ending, true)) return; // its grace is running out already
  bind_relay(slot.spec.address,
             nullptr); // new requests bounce; what is queued is still handled, unless urgent
  if (why == errc::none)
    self->send_exit(slot.live, caf::exit_reason::user_shutdown);
  else
    end_urgently(slot.live, make_error(failure{why, "did not answer two health ticks"}));
  self->delayed_send(self, options.limits.grace, stop_overdue{i, ++slot.timer});
}

void supervisor_state::on_overdue(const stop_overdue& which) {
  const auto& slot = slots[which.slot];
  if (!slot.live || slot.timer != which.number) return;
  emit(name, event::actor_hangs, {{"actor", slot.spec.name}, {"wait_ms", options.limits.grace.count()}});
  options.on_hang();
}

void supervisor_state::on_unresponsive(const child_unresponsive& which) {
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (slots[i].spec.name != which.name || !slots[i].live || slots[i].ending || stopping) continue;
    emit(name, event::actor_unresponsive, {{"actor", which.name}});
    end(i, errc::unresponsive);
  }
}

void supervisor_state::on_chaos(const chaos_kill& whom) {
  for (auto& slot : slots)
    if (slot.spec.name == whom.name && slot.live)
      caf::anon_send(caf::actor_cast<caf::actor>(slot.live), whom);
}

void supervisor_state::stop() {
  if (!std::exchange(stopping, true)) stop_next();
}

void supervisor_state::stop_next() {
  for (std::size_t i = slots.size(); i-- > 0;)
    if (slots[i].live) return end(i, errc::none);
  for (auto& promise : std::exchange(stop_answers, {})) promise.deliver(stopped{});
  self->quit(reason);
}

health_answer supervisor_state::health() const {
  health_answer answer;
  const auto recent = policy->recent(self->clock().now());
  std::size_t alive = 0;
  for (const auto& slot : slots) alive += slot.live ? 1 : 0;
  answer.facts = {{"alive", std::to_string(alive) + "/" + std::to_string(slots.size())},
                  {"restarts_recently", std::to_string(recent)}};
  for (const auto& slot : slots)
    if (slot.restarts > 0)
      answer.facts.emplace_back("restarts." + slot.spec.name, std::to_string(slot.restarts));
  if (alive < slots.size()) answer.level = health_level::degraded, answer.why = "an actor is being restarted";
  return answer;
}

supervision_report supervisor_state::report() const {
  const auto now = self->clock().now();
  supervision_report told;
  for (const auto& slot : slots)
    told.children.push_back({slot.spec.name, static_cast<bool>(slot.live),
                             std::chrono::duration_cast<milliseconds>(now - slot.born), slot.restarts,
                             slot.last_cause, slot.last_failed_at});
  told.recent = policy->recent(now);
  told.most = options.limits.max_restarts;
  told.within = options.limits.within;
  return told;
}

supervisor_actor::behavior_type supervisor_behavior(self_ptr<supervisor_actor, supervisor_state> self,
                                                    std::vector<child_spec> children,
                                                    supervisor_options options) {
  auto& state = self->state;
  state.policy = std::make_unique<restart_policy>(options.limits, children.size());
  state.options = std::move(options);
  for (auto& spec : children) {
    state.slots.emplace_back();
    state.slots.back().spec = std::move(spec);
  }
  self->set_down_handler([self](caf::down_msg& down) { self->state.on_down(down); });
  self->set_exit_handler([self](caf::exit_msg& exit) {
    self->state.reason = exit.reason;
    self->state.stop();
  });
  if (state.options.strategy == restart_strategy::rest_for_one)
    state.start_from(0);
  else
    for (std::size_t i = 0; i < state.slots.size() && !state.stopping; ++i) state.start(i);
  return {
      [self](stop_request) -> caf::result<stopped> {
        auto promise = self->make_response_promise<stopped>();
        self->state.stop_answers.push_back(promise);
        self->state.stop();
        return promise;
      },
      [self](const restart_due& which) { self->state.on_restart_due(which); },
      [self](const stop_overdue& which) { self->state.on_overdue(which); },
      [self](const child_unresponsive& which) { self->state.on_unresponsive(which); },
      [self](const chaos_kill& whom) { self->state.on_chaos(whom); },
      [self](supervision_question) { return self->state.report(); },
      [self](health_question) { return self->state.health(); },
  };
}

} // namespace breakwater
