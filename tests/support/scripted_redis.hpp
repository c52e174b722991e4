#pragma once

#include "messages/actors.hpp"

#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace breakwater::test {

/// A redis actor that answers what the test laid out, and keeps what it was sent.
struct scripted_redis {
  bool away = false;
  bool dumb = false;                            ///< Answers nothing.
  std::vector<std::string> sent;                ///< Whole wires.
  std::deque<std::vector<redis_reply>> answers; ///< Of the next requests; then "OK" for each command.

  std::vector<caf::typed_response_promise<redis_replies>> unanswered;

  static redis_reply text(std::string value) {
    redis_reply reply;
    reply.what = redis_reply::kind::text;
    reply.text = std::move(value);
    return reply;
  }
  static redis_reply error(std::string value) {
    auto reply = text(std::move(value));
    reply.what = redis_reply::kind::error;
    return reply;
  }
};

inline redis_actor::behavior_type scripted_redis_behavior(redis_actor::pointer me, scripted_redis* script) {
  return {[me, script](const redis_commands& what) -> caf::result<redis_replies> {
            script->sent.push_back(*what.wire);
            if (script->dumb)
              return script->unanswered.emplace_back(me->make_response_promise<redis_replies>());
            if (script->away) return make_error(failure{errc::redis_unavailable, "not connected"});
            std::vector<redis_reply> replies(what.count, scripted_redis::text("OK"));
            if (!script->answers.empty()) {
              replies = std::move(script->answers.front());
              script->answers.pop_front();
            }
            return redis_replies{std::make_shared<const std::vector<redis_reply>>(std::move(replies)), 1};
          },
          [](const link_event&) {}, [](const wake&) {}, [](const redis_question&) { return redis_report{}; },
          [](const health_question&) { return health_answer{}; }};
}

} // namespace breakwater::test
