#pragma once

#include "actors/bridge/group_reader.hpp"
#include "actors/bridge/intent_rules.hpp"
#include "config/settings.hpp"
#include "messages/redis.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// The end of each entry of a bridge, in Redis: outputs and acknowledgement are one Lua script, so whatever
/// ends whoever, an entry is finished once.
namespace breakwater {

/// What is to become of one entry.
struct ending {
  enum class what : std::uint8_t { valid, invalid, held_back };
  group_reader::entry entry;
  what becomes = what::valid;
  std::string reason; ///< Of one that is not valid.
  std::string text;   ///< Of a valid one: the event as JSON.
  bool reduces_risk = false;
  std::string identity; ///< Of a valid one; empty: duplicates are not looked for.
};

enum class ended : std::uint8_t {
  delivered,
  dead,      ///< With its reason in <from>.dead.
  duplicate, ///< Likewise.
  held_back, ///< With its reason in <from>.blocked.
  gone,      ///< It is not ours any more: somebody else finished or claimed it, or it was finished before.
};

/// Where the texts behind latest_key are kept, one each, with a mark for those that reduce risk.
std::string entries_key(const std::string& latest_key);

/// Commands that finish `all`, one EVAL each, in order; and behind them one that acknowledges those entries
/// that have no body any more, if there are some.
redis_commands finish_commands(const bridge_settings& route, const std::string& consumer,
                               const std::vector<ending>& all, const std::vector<entry_id>& bodiless);
/// What one of them answered; nullopt: it is an error reply, and nothing was done.
std::optional<ended> parse_ended(const redis_reply& reply);

/// Rewrites latest_key without what adds risk; answers how many events that were.
redis_commands withdraw_commands(const bridge_settings& route);

/// Asks for what somebody else wrote to latest_key before.
redis_commands look_at_latest(const bridge_settings& route);
/// Takes that over: its events are then the first of ours. nullopt: there is nothing to take over, as the
/// replies to look_at_latest() say.
std::optional<redis_commands> adopt_commands(const bridge_settings& route, const intent_rules& rules,
                                             const std::vector<redis_reply>& replies);

} // namespace breakwater
