#pragma once

#include "actors/redis/link.hpp"
#include "actors/redis/redis_port.hpp"
#include "actors/support/actor_base.hpp"
#include "actors/support/metrics.hpp"
#include "actors/support/timer.hpp"
#include "messages/actors.hpp"

#include <caf/typed_response_promise.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace breakwater {

struct redis_options {
  redis_settings settings;
  std::string instance;    ///< process.instance: part of the connections' names in CLIENT LIST.
  std::size_t bridges = 0; ///< Each has a connection for its blocking reads.
  wall_clock clock = system_wall_time;
  /// The password as it is now, for each new connection; nullopt: it cannot be read, the last one stands.
  /// Empty: it never changes.
  std::function<std::optional<secret>()> password{};
};

struct redis_state {
  static inline const char* name = "redis";
  /// Calls taken and not yet answered; the next is refused with errc::redis_unavailable.
  static constexpr std::size_t max_calls = 1024;

  struct call {
    caf::typed_response_promise<redis_replies> promise;
    std::uint64_t permit = 0; ///< 0: its outcome decides nothing.
    bool is_probe = false;    ///< A PING of ours; nobody waits for its answer.
    mono_time sent_at{};
  };
  /// One connection and its successors.
  struct lane {
    redis_lane what = redis_lane::commands;
    std::optional<link> core;
    std::unique_ptr<redis_connection> connection;
    std::unordered_map<std::uint64_t, call> calls; ///< Sent, by number.
    std::size_t asking = 0;                        ///< Calls that wait for their permit.
    std::uint64_t last_call = 0;
    /// A connection that the listeners do not know of yet, or calls that were refused: when to look again
    /// whether they would be let through.
    std::optional<mono_time> try_gate_at;
    bool announced = false; ///< The listeners were told of the present connection.
    bool probing = false;   ///< A permit for a probe, or the probe itself, is under way.
  };

  redis_options options;
  redis_address address;
  breaker_actor breaker;
  std::vector<publisher_actor> listeners;
  std::shared_ptr<redis_port> port;
  /// By redis_lane. The ones for blocking reads are opened with their first read. They ask the breaker for
  /// leave like everybody, but what becomes of their connections is no outcome: that of the commands meets
  /// the same, and one failure must not count twice.
  std::vector<lane> lanes;
  timer wakes; ///< For all of them.
  /// Of the connection for commands.
  last_success pinged{success::redis_ping}, answered{success::redis_command};
  latency_histogram pings{latency::redis_ping}, commands_took{latency::redis_command};

  lane& of(redis_lane which) { return lanes[static_cast<std::size_t>(which)]; }
  lane& commands() { return of(redis_lane::commands); }
};

/// Owns the Redis connections: keeps them up, asks the breaker before each call and tells it how each ended,
/// and tells the listeners when commands can be sent (again). A breaker that does not answer refuses: the
/// caller keeps what it has and comes again, and the supervisor has the breaker back in a moment.
redis_actor::behavior_type redis_behavior(self_ptr<redis_actor, redis_state> self, redis_options options,
                                          breaker_actor breaker, std::vector<publisher_actor> listeners,
                                          std::shared_ptr<redis_port> port);

} // namespace breakwater
