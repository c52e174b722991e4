#pragma once

#include "config/settings.hpp"
#include "messages/breaker.hpp"
#include "messages/exchange.hpp"
#include "messages/http.hpp"
#include "messages/lifecycle.hpp"
#include "messages/position.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace breakwater {

/// What a request comes down to. `breaker` is always one that exists.
struct ask_status {
  std::string breaker;
};
struct ask_history {
  std::string breaker;
  std::size_t limit = 50;
};
struct order_reset {
  std::string breaker;
  breaker_reset what;
};
struct order_open {
  std::string breaker;
  breaker_force_open what;
};
struct report_outcome {
  std::string breaker;
  call_outcome what;
};
struct ask_health {};
struct ask_live {};
struct ask_ready {};
struct ask_actors {};
struct ask_audit {
  std::size_t limit = 50;
};
struct ask_feeds {
  std::optional<exchange> of; ///< One that is followed; empty: all of them.
  std::string symbol;         ///< Ours; empty: all of them.
};
struct order_heartbeat {
  position_heartbeat what;
};
struct ask_alerts {};
struct ask_metrics {};
struct ask_spool {};
struct ask_prices {
  std::string symbol; ///< Ours; empty: all of them.
};
struct ask_page {};
/// To be told live from now on.
struct ask_events {
  std::string last_seen; ///< The id of the last event the client had; empty: none.
};
struct order_chaos {
  chaos_kill what;
};
using api_question =
    std::variant<ask_status, ask_history, order_reset, order_open, report_outcome, ask_health, ask_live,
                 ask_ready, ask_actors, ask_audit, ask_feeds, ask_alerts, ask_metrics, ask_spool, ask_prices,
                 ask_page, ask_events, order_heartbeat, order_chaos>;

struct api_rules {
  std::vector<std::string> breakers; ///< The first is the default.
  std::vector<std::string> actors;   ///< As in the log; who [chaos] may kill.
  secret token;                      ///< Empty: changing requests need none.
  bool chaos = false;
  std::vector<exchange> feeds{}; ///< The exchanges that are followed.
};

/// Reads a request: the question it is, or the answer that refuses it. Judged in this order: the name it was
/// called by (403), path (404), method (405), where it comes from (403), token (401), parameters (400; an
/// unknown breaker, actor or exchange 404).
std::variant<api_question, http_response> route(const http_request& request, const api_rules& rules);

} // namespace breakwater
