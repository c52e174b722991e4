#pragma once

#include "messages/actors.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/make_message.hpp>
#include <caf/message_view.hpp>
#include <caf/sec.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <chrono>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#ifdef BREAKWATER_TSAN
extern "C" void __tsan_acquire(void*);
extern "C" void __tsan_release(void*);
#endif

namespace breakwater {

/// An error or exception nobody handled, in the log under the actor's name.
void log_unhandled(const char* actor, const std::string& what);

/// What every actor of ours is built on: an exception ends the actor with its cause as the DOWN reason, an
/// error answer does not end it, an unknown message is dropped. CAF's own defaults quit, or print to standard
/// output.
template <class Base>
class actor_base : public Base {
public:
  using super = Base;

  explicit actor_base(caf::actor_config& config) : super(config) {
    this->set_exception_handler([](std::exception_ptr& thrown) -> caf::error {
      try {
        std::rethrow_exception(thrown);
      } catch (const std::exception& e) {
        return make_error(failure{errc::crashed, e.what()});
      } catch (...) {
        return make_error(failure{errc::crashed, "an exception of unknown type"});
      }
    });
    this->set_error_handler([this](caf::error& e) { log_unhandled(this->name(), to_failure(e).detail); });
    this->set_default_handler(
        [](caf::scheduled_actor*, caf::message_view& view) -> caf::result<caf::message> {
          if (view.content().match_elements<chaos_kill>()) {
            while (view.content().get_as<chaos_kill>(0).hang)
              std::this_thread::sleep_for(std::chrono::hours{1});
            throw std::runtime_error("killed by [chaos]");
          }
          return caf::sec::unexpected_message;
        });
  }

#ifdef BREAKWATER_TSAN
  // The mailbox hand-over happens inside libcaf_core, which ThreadSanitizer does not see: these say it
  // happened.
  using super::enqueue;
  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit* unit) override {
    __tsan_release(this);
    super::enqueue(std::move(what), unit);
  }
  caf::invoke_message_result consume(caf::mailbox_element& what) override {
    __tsan_acquire(this);
    auto consumed = super::consume(what);
    __tsan_release(this);
    return consumed;
  }
  void initialize() override {
    __tsan_acquire(this);
    super::initialize();
    __tsan_release(this);
  }
  caf::resumable::resume_result resume(caf::execution_unit* unit, std::size_t max) override {
    __tsan_acquire(this);
    auto resumed = super::resume(unit, max);
    __tsan_release(this);
    return resumed;
  }
  bool cleanup(caf::error&& reason, caf::execution_unit* unit) override {
    __tsan_acquire(this);
    return super::cleanup(std::move(reason), unit);
  }
  void on_destroy() override {
    __tsan_acquire(this);
    super::on_destroy();
  }
#endif
};

/// `self` of an actor with interface `Interface` and state `State`; the state dies when the actor ends.
template <class Interface, class State>
using self_ptr = caf::stateful_actor<State, actor_base<typename Interface::base>>*;

} // namespace breakwater
