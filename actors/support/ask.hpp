#pragma once

#include "actors/support/actor_base.hpp"

#include <caf/actor_system.hpp>
#include <caf/expected.hpp>

#include <chrono>
#include <future>
#include <memory>
#include <utility>

namespace breakwater {

/// Asks an actor from a thread that is none, without blocking it: `answer(caf::expected<Reply>)` runs on a
/// CAF worker.
template <class Reply, class Handle, class Message, class Answer>
void ask(caf::actor_system& system, Handle whom, std::chrono::nanoseconds timeout, Message what,
         Answer answer) {
  system.spawn<caf::hidden>([=](actor_base<caf::event_based_actor>* self) {
    self->request(whom, timeout, what)
        .then([=](Reply& reply) { answer(caf::expected<Reply>{std::move(reply)}); },
              [=](caf::error& error) { answer(caf::expected<Reply>{std::move(error)}); });
  });
}

/// The same, waiting for the answer. For main and tests: it blocks.
template <class Reply, class Handle, class Message>
caf::expected<Reply> ask_and_wait(caf::actor_system& system, Handle whom, std::chrono::nanoseconds timeout,
                                  Message what) {
  auto promise = std::make_shared<std::promise<caf::expected<Reply>>>();
  ask<Reply>(system, whom, timeout, std::move(what),
             [promise](caf::expected<Reply> reply) { promise->set_value(std::move(reply)); });
  return promise->get_future().get();
}

} // namespace breakwater
