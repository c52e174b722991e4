#include "actors/position_monitor/position_monitor_actor.hpp"

#include "actors/support/emit.hpp"
#include "actors/support/position_health.hpp"
#include "actors/support/reply_class.hpp"

#include <caf/send.hpp>

#include <utility>

namespace breakwater {
namespace {

constexpr auto look_every = 5s;
/// The connection gets this long to stand before the stream is asked for the first time.
constexpr auto first_look_after = 1s;
/// What counts against the breaker is not asked again in a hurry: others need Redis more than we do.
constexpr auto ask_again_after_failure = 60s;
constexpr auto redis_answers_within = 15s;

bool counts_against_breaker(const redis_reply& reply) {
  return reply.what == redis_reply::kind::error && meaning_of(classify_error(reply.text)).counts_as_failure;
}

} // namespace

void position_monitor_state::start() {
  follow_log();
  next_look = next_question = self->clock().now() + first_look_after;
  wakes.set(self, next_look);
}

void position_monitor_state::follow_log() {
  const auto& how = options.how;
  if (how.log_file.empty() && how.journal_unit.empty()) return;
  // Weak: the port's thread must not keep the actor's address alive.
  caf::actor_addr us = self->address();
  tail = peers.logs->follow({how.log_file, how.journal_unit, how.activity_pattern, how.error_pattern},
                            [us](log_sightings seen) {
                              if (auto alive = caf::actor_cast<position_monitor_actor>(us))
                                caf::anon_send(alive, std::move(seen));
                            });
}

void position_monitor_state::look() {
  next_look += look_every;
  wakes.set(self, next_look);
  if (!options.how.stream.empty() && !is_asking && next_question <= self->clock().now()) ask_stream();
  judge();
}

void position_monitor_state::ask_stream() {
  is_asking = true;
  self->request(peers.redis, redis_answers_within, peers.memory->newest_entry())
      .then(
          [this](const redis_replies& answer) {
            is_asking = false;
            const auto& newest = answer.replies->front();
            if (counts_against_breaker(newest)) next_question = self->clock().now() + ask_again_after_failure;
            peers.memory->take_stream(newest, now());
            judge();
          },
          [this](const caf::error& error) {
            is_asking = false;
            peers.memory->stream_unread(to_failure(error).detail);
            judge();
          });
}

void position_monitor_state::take_log(const log_sightings& seen) {
  peers.memory->take_log(seen, now());
  if (seen.errors > 0)
    emit(name, event::position_error, {{"count", seen.errors}, {"reason", seen.last_error}});
  judge();
}

void position_monitor_state::judge() {
  const auto told = report();
  for (const auto& source : told.sources) {
    if (source.name == "stream") tell_problem(told_of_stream, source.problem, "stream", source.of);
    if (source.name == "log") tell_problem(told_of_log, source.problem, "log", source.of);
  }
  const bool is_silent = told.status == position_status::silent;
  if (is_silent == was_silent) return;
  was_silent = is_silent;
  if (is_silent)
    emit(name, event::position_silent, {{"reason", told.why}});
  else
    emit(name, event::position_seen_again, {{"status", to_string(told.status)}, {"seen_by", told.seen_by}});
}

void position_monitor_state::tell_problem(std::string& told, const std::string& is, const char* source,
                                          const std::string& of) {
  if (is == told) return;
  const bool is_stream = std::string_view{source} == "stream";
  if (is.empty())
    emit(name, event::position_source_read, {{"source", source}, {"of", of}});
  else
    emit(name, is_stream ? event::position_stream_unread : event::position_log_unread,
         {{is_stream ? "stream" : "log", of}, {"reason", is}});
  told = is;
}

health_answer position_monitor_state::health() const {
  auto answer = health_of(report());
  answer.facts.emplace_back("cut_lines", std::to_string(peers.memory->cut_lines()));
  return answer;
}

position_monitor_actor::behavior_type
position_monitor_behavior(self_ptr<position_monitor_actor, position_monitor_state> self,
                          position_monitor_options options, position_monitor_peers peers) {
  self->state.options = std::move(options);
  self->state.peers = std::move(peers);
  self->state.start();
  return {
      [self](const position_heartbeat&) {
        self->state.peers.memory->take_heartbeat(self->state.now());
        self->state.judge();
        return self->state.report();
      },
      [self](const log_sightings& seen) { self->state.take_log(seen); },
      [self](const position_question&) { return self->state.report(); },
      [self](const wake& which) {
        if (self->state.wakes.is_due(which)) self->state.look();
      },
      [self](const health_question&) { return self->state.health(); },
  };
}

} // namespace breakwater
