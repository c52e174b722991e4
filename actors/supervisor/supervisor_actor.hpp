#pragma once

#include "actors/supervisor/restart_policy.hpp"
#include "actors/support/actor_base.hpp"

#include <caf/actor_cast.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace breakwater {

/// A child: its name in the log, the relay its peers hold, and how to start it.
struct child_spec {
  std::string name;
  caf::strong_actor_ptr address;
  std::function<caf::strong_actor_ptr(caf::actor_system&)> start;
};

/// `address` is a relay; `make(system)` starts an incarnation and returns a handle that fits it.
template <class Handle, class Make>
child_spec child(std::string name, const Handle& address, Make make) {
  return {std::move(name), caf::actor_cast<caf::strong_actor_ptr>(address),
          [make](caf::actor_system& system) {
            Handle made = make(system);
            return caf::actor_cast<caf::strong_actor_ptr>(made);
          }};
}

struct supervisor_options {
  supervisor_settings limits;
  restart_strategy strategy = restart_strategy::one_for_one;
  audit_actor audit;
  wall_clock clock = system_wall_time;
  /// A child hangs in a handler and nothing in the process can end it; does not return. Tests put something
  /// else here.
  std::function<void()> on_hang;
};

struct supervisor_state {
  static inline const char* name = "supervisor";

  explicit supervisor_state(supervisor_actor::pointer owner) : self(owner) {}
  ~supervisor_state();

  void start(std::size_t slot);
  void start_from(std::size_t slot);
  void on_down(const caf::down_msg& down);
  void on_failure(std::size_t slot, const failure& why);
  void end_rest_then_restart();
  /// To the audit; kept while the audit actor is away.
  void record(audit_record what);
  void schedule(std::size_t slot);
  void on_restart_due(const restart_due& which);
  void on_unresponsive(const child_unresponsive& which);
  void on_chaos(const chaos_kill& whom);
  void stop();
  void stop_next();
  void end(std::size_t slot, errc why);
  void on_overdue(const stop_overdue& which);
  health_answer health() const;
  supervision_report report() const;

  struct slot_state {
    child_spec spec;
    caf::strong_actor_ptr live;
    mono_time born;
    milliseconds wait{0};
    bool ending = false;     ///< Was told to end, and stop_overdue is set.
    std::uint64_t timer = 0; ///< Of the newest restart_due or stop_overdue.
    std::size_t restarts = 0;
    std::string last_cause;
    std::optional<wall_time> last_failed_at;
  };

  supervisor_actor::pointer self;
  supervisor_options options;
  std::unique_ptr<restart_policy> policy;
  std::vector<slot_state> slots;       ///< In start order.
  std::size_t restart_from = SIZE_MAX; ///< rest_for_one: the first slot to start again.
  bool stopping = false;
  std::vector<audit_record> unrecorded;
  caf::error reason;
  std::vector<caf::typed_response_promise<stopped>> stop_answers;
};

/// Starts the children in order, restarts those that fail, stops them in reverse order when asked. Gives up
/// (and so ends with errc::restart_intensity, having stopped everybody) when they fail too often.
supervisor_actor::behavior_type supervisor_behavior(self_ptr<supervisor_actor, supervisor_state> self,
                                                    std::vector<child_spec> children,
                                                    supervisor_options options);

} // namespace breakwater
