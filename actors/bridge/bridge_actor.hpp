#pragma once

#include "actors/bridge/finish.hpp"
#include "actors/bridge/group_reader.hpp"
#include "actors/bridge/intent_rules.hpp"
#include "actors/support/actor_base.hpp"
#include "actors/support/emit.hpp"
#include "actors/support/metrics.hpp"
#include "actors/support/timer.hpp"
#include "config/settings.hpp"
#include "messages/actors.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace breakwater {

struct bridge_options {
  bridge_settings route;
  std::vector<std::string> always_pass_actions;
  std::string consumer; ///< process.instance.
  redis_lane lane = redis_lane::bridge;
  std::shared_ptr<const contract_port> contract;
  wall_clock clock = system_wall_time;
};

/// Whom a bridge asks.
struct bridge_peers {
  redis_actor redis;
  aggregator_actor aggregator; ///< Who knows the live prices; empty: nobody.
  breaker_actor breaker;       ///< Who may hold its events back; empty: nobody.
};

struct bridge_state {
  static inline const char* name = "bridge";

  /// One entry on its way from being read to being finished.
  struct passage {
    group_reader::entry entry;
    judged_event judged;
    permit leave;
    bool waits = false; ///< It adds risk, and the breaker does not answer.
    [[nodiscard]] ending to_ending() const;
  };
  struct tally {
    std::uint64_t delivered = 0, dead = 0, duplicates = 0, held_back = 0, gone = 0;
    std::uint64_t late = 0, from_side = 0, price_unchecked = 0, claimed = 0, trimmed_unread = 0, bodiless = 0;
  };

  explicit bridge_state(bridge_actor::pointer owner) : self(owner) {}

  void start();
  void adopt_latest();
  void read();
  void take(group_reader::found found);
  void ask_prices(std::vector<std::string> symbols);
  void ask_leave(std::size_t next);
  void go_without_leave(std::size_t from);
  void finish();
  void on_finished(const std::vector<redis_reply>& replies);
  void account(const passage& what, ended how);
  void turn(const breaker_turned& turned);
  void withdraw();
  void breaker_is_silent(const caf::error& error);
  void reads_on();
  void pause(const std::string& why, bool for_a_human = false);
  void give_back(std::size_t from);
  void tell(event what, fields details = {}) const;
  [[nodiscard]] health_answer health() const;

  bridge_actor::pointer self;
  std::string shown; ///< "bridge/trade-intent".
  bridge_options options;
  bridge_peers peers;
  std::optional<group_reader> reader;
  std::optional<intent_rules> rules;
  std::vector<passage> batch;     ///< Read and not finished.
  std::vector<entry_id> bodiless; ///< To be acknowledged with it.
  bool adopted = false;           ///< latest_key holds nothing that is not ours.
  bool withdrawal_due = false;    ///< What adds risk has to go from latest_key.
  bool finishing = false;         ///< Its outputs are on their way: a withdrawal comes behind them.
  bool withdrawing = false;
  std::uint64_t openings = 0;    ///< How often the circuit opened since this bridge began.
  std::uint64_t leave_as_of = 0; ///< `openings` when the batch began to ask for leave.
  tally counts;
  std::optional<wall_time> last_delivered_at;
  std::string last_id; ///< Of the newest entry that was finished.
  std::string why_not; ///< Why nothing is read or finished; empty: it is.
  bool said = false;   ///< That.
  unsigned pauses = 0; ///< Since something was read or finished.
  bool human_needed = false;
  std::optional<mono_time> begin_at, withdraw_at;
  /// Set while the breaker does not answer: when it is asked again, and what waits is read again. Until then
  /// what reduces risk passes without leave, and what adds risk stays pending in Redis.
  std::optional<mono_time> ask_again_at;
  last_success stream_read, finished;
  timer wakes;
};

/// Carries one route of the event bus: reads it through a consumer group, judges each event, asks its breaker
/// for leave, and has each entry finished by one Lua script. Whatever fails, the entries stay pending in
/// Redis and are read again: nothing is kept here that a crash could lose.
bridge_actor::behavior_type bridge_behavior(self_ptr<bridge_actor, bridge_state> self, bridge_options options,
                                            bridge_peers peers);

} // namespace breakwater
