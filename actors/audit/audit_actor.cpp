#include "actors/audit/audit_actor.hpp"

#include "actors/support/emit.hpp"

namespace breakwater {

result<done> audit_state::open() {
  auto found = port->open();
  if (!found) return found.error();
  is_open = true;
  tip = found->tip;
  if (found->problem_count > 0) {
    const auto& first = found->problems.front();
    broken = (first.line > 0 ? "line " + std::to_string(first.line) + ": " : std::string{}) + first.text;
    emit(name, event::audit_broken, {{"reason", broken}, {"count", found->problem_count}});
    // So that it can be seen for ever, also where the damage itself cannot.
    static_cast<void>(write(
        {"chain_broken", name, {{"problem", broken}, {"count", std::to_string(found->problem_count)}}}));
  }
  if (!found->torn.empty()) {
    emit(name, event::audit_torn, {{"line", found->torn}});
    static_cast<void>(write({"torn_line_removed", name, {{"text", found->torn}}}));
  }
  return done{};
}

result<audit_written> audit_state::write(const audit_record& record) {
  auto usable = is_open ? result<done>{done{}} : open();
  const auto entry = next_entry(tip, options.clock(), options.instance, record, options.hash);
  if (usable) usable = port->append(entry);
  if (usable) {
    last_failure.clear();
    written.now();
    tip = entry.tip;
    return audit_written{tip.number};
  }
  ++failed;
  last_failure = usable.error().detail;
  // What could not be written down must be found in the log at least.
  emit(name, event::audit_failed, {{"reason", last_failure}, {"line", entry.line}});
  return failure{errc::audit_unwritable, last_failure};
}

health_answer audit_state::health() const {
  health_answer answer;
  answer.facts = {{"lines", std::to_string(tip.number)}, {"failed", std::to_string(failed)}};
  if (!last_failure.empty()) {
    answer.level = health_level::critical;
    answer.why = last_failure;
  } else if (!broken.empty()) {
    answer.level = health_level::degraded;
    answer.why =
        "the audit log was tampered with (" + broken + "); breakwater audit verify --config FILE says more";
  }
  return answer;
}

audit_actor::behavior_type audit_behavior(self_ptr<audit_actor, audit_state> self, audit_options options,
                                          std::shared_ptr<audit_port> port) {
  auto& state = self->state;
  state.options = std::move(options);
  state.port = std::move(port);
  if (auto opened = state.open(); !opened) state.last_failure = opened.error().detail;
  return {
      [self](const audit_record& record) { static_cast<void>(self->state.write(record)); },
      [self](const audit_order& order) -> caf::result<audit_written> {
        auto written = self->state.write(order.what);
        if (!written) return make_error(written.error());
        return *written;
      },
      [self](const audit_tail_request& request) {
        return audit_tail{self->state.port->newest(request.limit)};
      },
      [self](health_question) { return self->state.health(); },
  };
}

} // namespace breakwater
