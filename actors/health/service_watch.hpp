#pragma once

#include "messages/health.hpp"
#include "messages/time.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace breakwater {

/// When the service manager is told that the process is ready, that it lives, and how it does. A plain value.
///
/// Ready: everybody answered and nothing was critical, once. Until then the start may take as long as it
/// takes, so long as everybody answers: a Redis that is away for an hour at boot is waited for, not restarted
/// about. Alive: everybody answered, and what waits moves, or nothing waits, or somebody said why it does
/// not.
class service_watch {
public:
  struct limits {
    std::chrono::milliseconds interval, answer_within; ///< As health has them.
    std::chrono::milliseconds
        stalled_after; ///< So long nothing may move, although data waits and all is well.
  };

  /// `watchdog`: how long the service manager waits for a sign of life.
  service_watch(limits how, std::optional<std::chrono::microseconds> watchdog);

  struct words {
    std::string lines;   ///< As sd_notify(3) has them.
    bool ready = false;  ///< For the first time.
    std::string stalled; ///< What does not move, for the first time; empty: nothing.
  };
  /// Everybody was asked; `parts` is what they said.
  words after_look(const std::vector<health_report::part>& parts, bool everyone_answered,
                   const std::string& attention, mono_time now);

  /// How long the service manager should wait at least: one tick may be missed. nullopt: it does.
  [[nodiscard]] std::optional<std::chrono::milliseconds> too_short() const;

private:
  /// A place where data waits, and the count that grows when it moves.
  struct passage {
    std::optional<std::uint64_t> moved;
    mono_time since{}; ///< When it last moved, or had no reason to.
  };
  std::string find_stalled(const std::vector<health_report::part>& parts, mono_time now);
  bool stalls(passage& which, bool should_move, std::uint64_t moved, mono_time now) const;
  std::string rate(const std::vector<health_report::part>& parts, mono_time now);

  limits how_;
  std::optional<std::chrono::microseconds> watchdog_;
  bool ready_ = false;
  bool said_stalled_ = false;
  passage feeds_, publisher_;
  std::optional<std::uint64_t> acknowledged_; ///< At the last look,
  mono_time looked_at_{};                     ///< which was then.
};

/// What the service manager is told when the process begins to end, and again when a step of that may take
/// `at_most`.
std::string stopping_lines(std::string_view what, std::chrono::milliseconds at_most);

} // namespace breakwater
