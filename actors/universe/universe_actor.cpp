#include "actors/universe/universe_actor.hpp"

#include "actors/support/emit.hpp"
#include "actors/support/reply_class.hpp"
#include "actors/support/resp.hpp"

#include <caf/send.hpp>

#include <utility>

namespace breakwater {
namespace {

using namespace std::chrono_literals;

constexpr auto read_again_after = 60s;
/// While the key is absent or cannot be used, or Redis is away.
constexpr auto try_again_after = 5s;
constexpr auto redis_answers_within = 15s;

/// "A, B, C and 17 more".
std::string first_few(const std::vector<std::string>& names) {
  constexpr std::size_t few = 5;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < few; ++i) text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > few) text += " and " + std::to_string(names.size() - few) + " more";
  return text;
}

} // namespace

void universe_state::read() {
  auto wire = std::make_shared<std::string>();
  append_command(*wire, {"GET", key});
  redis_commands get;
  get.wire = std::move(wire);
  get.count = 1;
  self->request(redis, redis_answers_within, std::move(get))
      .then([this](const redis_replies& answer) { take(answer.replies->front()); },
            [this](const caf::error& error) {
              wait(event::universe_waits, to_failure(error).detail, try_again_after);
            });
}

void universe_state::take(const redis_reply& reply) {
  if (reply.what == redis_reply::kind::nil)
    return wait(event::universe_waits, "the key does not exist", try_again_after);
  if (reply.what != redis_reply::kind::text) {
    // What counts against the breaker is not asked again in a hurry: others need Redis more than we do.
    const bool costs = meaning_of(classify_error(reply.text)).counts_as_failure;
    return wait(event::universe_unreadable, reply.text, costs ? read_again_after : try_again_after);
  }
  const auto change = core->take(reply.text);
  if (!change)
    return wait(event::universe_unreadable,
                std::string{to_string(change.error().code)} + ": " + change.error().detail, try_again_after);
  read_it.now();
  const bool is_news = change->changed || !was_read || !why_not.empty();
  if (is_news && change->names_none)
    emit(name, event::universe_unreadable,
         {{"key", key}, {"reason", "it names no symbols; those of symbols.list are followed"}});
  if (is_news || change->odd.size() != odd) {
    emit(name, event::universe_read, {{"key", key}, {"count", core->followed().size()}});
    if (!change->odd.empty())
      emit(
          name, event::universe_unreadable,
          {{"key", key}, {"count", change->odd.size()}, {"reason", "no symbols: " + first_few(change->odd)}});
  }
  if (!change->cut.empty() && change->cut.size() != cut)
    emit(name, event::universe_cut,
         {{"key", key}, {"count", change->cut.size()}, {"reason", "left out: " + first_few(change->cut)}});
  odd = change->odd.size();
  cut = change->cut.size();
  why_not.clear();
  // An earlier life may have told the feeds otherwise.
  const bool is_first = !std::exchange(was_read, true);
  if (change->changed || is_first) publish();
  wakes.set(self, self->clock().now() + read_again_after);
}

void universe_state::wait(event what, const std::string& why, milliseconds pause) {
  emit(name, what, {{"key", key}, {"reason", why}});
  why_not = why;
  wakes.set(self, self->clock().now() + pause);
}

void universe_state::publish() {
  followed = std::make_shared<const std::vector<std::string>>(core->followed());
  for (const auto& feed : feeds) self->send(feed, followed_symbols{followed});
}

health_answer universe_state::health() const {
  health_answer answer;
  answer.facts = {{"key", key},
                  {"symbols", std::to_string(followed->size())},
                  {"cut", std::to_string(cut)},
                  {"odd", std::to_string(odd)}};
  if (!why_not.empty()) {
    answer.level = health_level::degraded;
    answer.why = "the universe key cannot be used: " + why_not;
  }
  return answer;
}

universe_actor::behavior_type universe_behavior(self_ptr<universe_actor, universe_state> self,
                                                symbols_settings what, redis_actor redis,
                                                std::vector<feed_actor> feeds) {
  auto& state = self->state;
  state.key = std::move(what.universe_key);
  state.core.emplace(std::move(what.list), what.max);
  state.redis = std::move(redis);
  state.feeds = std::move(feeds);
  state.followed = std::make_shared<const std::vector<std::string>>(state.core->followed());
  state.read();
  return {
      [self](const wake& which) {
        if (self->state.wakes.is_due(which)) self->state.read();
      },
      [self](const followed_symbols_question&) { return followed_symbols{self->state.followed}; },
      [self](const health_question&) { return self->state.health(); },
  };
}

} // namespace breakwater
