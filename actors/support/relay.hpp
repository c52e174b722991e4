#pragma once

#include <caf/actor_system.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/monitorable_actor.hpp>
#include <caf/sec.hpp>
#include <caf/system_messages.hpp>

#include <mutex>
#include <utility>

namespace breakwater {

/// Stable address of a child: peers hold the relay, the supervisor re-binds it at every restart. It has no
/// mailbox and no thread; a message passes through in the sender's thread. While the child is away a request
/// is answered at once with sec::request_receiver_down, and anything else is dropped. Nobody monitors a
/// relay, and no actor sets its own timers through one (they would reach the next incarnation).
class relay : public caf::monitorable_actor {
public:
  explicit relay(caf::actor_config& config) : caf::monitorable_actor(config) {}

  const char* name() const override { return "relay"; }

  void bind(caf::strong_actor_ptr target) {
    std::lock_guard guard{mutex_};
    target_.swap(target);
  }

  using caf::abstract_actor::enqueue;
  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit* unit) override {
    if (what->content().match_elements<caf::exit_msg>()) return; // only the supervisor ends children
    caf::strong_actor_ptr target;
    {
      std::lock_guard guard{mutex_};
      target = target_;
    }
    if (target)
      target->enqueue(std::move(what), unit);
    else
      bounce(what, caf::sec::request_receiver_down);
  }

private:
  std::mutex mutex_;
  caf::strong_actor_ptr target_;
};

template <class Handle>
Handle make_relay(caf::actor_system& system) {
  caf::actor_config config;
  return caf::make_actor<relay, Handle>(system.next_actor_id(), system.node(), &system, config);
}

inline void bind_relay(const caf::strong_actor_ptr& address, caf::strong_actor_ptr target) {
  dynamic_cast<relay&>(*address->get()).bind(std::move(target));
}

} // namespace breakwater
