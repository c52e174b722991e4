#include "actors/audit/audit_actor.hpp"

#include "actors/audit/audit_line.hpp"
#include "actors/support/emit.hpp"

namespace breakwater {

audit_actor::behavior_type audit_behavior(self_ptr<audit_actor, audit_state> self, std::string instance,
                                          wall_clock clock, std::shared_ptr<audit_port> port) {
  auto& state = self->state;
  state.instance = std::move(instance);
  state.clock = std::move(clock);
  state.port = std::move(port);
  return {
      [self](const audit_record& record) {
        auto& now = self->state;
        const auto line = audit_line(now.port->last_number() + 1, now.clock(), now.instance, record);
        const auto written = now.port->append(line);
        now.last_failure = written ? "" : written.error().detail;
        if (written) return;
        ++now.failed;
        // What could not be written down must be found in the log at least.
        emit(now.name, event::audit_failed, {{"reason", now.last_failure}, {"line", line}});
      },
      [self](health_question) {
        const auto& now = self->state;
        health_answer answer;
        answer.facts = {{"lines", std::to_string(now.port->last_number())},
                        {"failed", std::to_string(now.failed)}};
        if (!now.last_failure.empty()) answer.level = health_level::critical, answer.why = now.last_failure;
        return answer;
      },
  };
}

} // namespace breakwater
