#pragma once

#include "config/settings.hpp"
#include "messages/breaker.hpp"
#include "messages/time.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace breakwater {

/// What a breaker has seen since it began.
struct breaker_statistics {
  std::uint64_t allowed = 0;
  std::uint64_t blocked = 0;
  std::uint64_t would_block = 0; ///< In mode observe: granted, but enforce would have refused.
  std::uint64_t successes = 0;
  std::uint64_t failures = 0;
  std::uint64_t times_opened = 0;            ///< From CLOSED; a failed probe opens it again, but not anew.
  std::chrono::milliseconds time_open{0};    ///< From leaving CLOSED until CLOSED again, all times together.
  std::chrono::milliseconds longest_open{0}; ///< The longest of them; both include the one that still lasts.
};

/// Circuit breaker around calls to one dependency. A plain value: no thread, no clock, no actor. Whatever is
/// asked of it, it first moves to the phase that is due at `now`, so no phase outlasts its time for want of a
/// timer or of traffic.
class breaker {
public:
  /// A probe's permit returns by itself after this time, so a lost caller cannot keep the breaker half-open.
  static constexpr std::chrono::milliseconds probe_deadline{10000};
  /// What a caller is told to wait where no time is known: behind another's probe, or an operator.
  static constexpr std::chrono::milliseconds ask_again_after{1000};

  breaker(std::string name, breaker_settings settings);

  /// May a call be made?
  [[nodiscard]] permit ask(mono_time now);
  /// How a call ended, permitted or not. An outcome of an earlier phase's permit is counted but moves
  /// nothing.
  void record(const call_outcome& outcome, mono_time now, wall_time wall);
  /// The dependency was reached: OPEN becomes HALF_OPEN at once.
  void restored(mono_time now);
  /// Moves to the phase that is due.
  void advance(mono_time now);

  /// The moves since the last call of this, oldest first.
  [[nodiscard]] std::vector<breaker_move> take_moves();
  /// When `advance` has something to do; nullopt: nothing changes by time alone.
  [[nodiscard]] std::optional<mono_time> next_wake() const noexcept;

  [[nodiscard]] breaker_phase phase() const noexcept { return phase_; }
  /// Failures in a row.
  [[nodiscard]] unsigned failures() const noexcept { return failures_; }
  [[nodiscard]] std::size_t probes_out() const noexcept { return probes_.size(); }
  [[nodiscard]] breaker_statistics statistics(mono_time now) const;
  [[nodiscard]] std::uint64_t would_block() const noexcept { return seen_.would_block; }
  /// Of the last failure counted; epoch and empty if there was none.
  [[nodiscard]] wall_time last_failure_at() const noexcept { return last_failure_at_; }
  [[nodiscard]] const std::string& last_failure() const noexcept { return last_failure_; }
  /// How long until calls are let through again; 0 when they are.
  [[nodiscard]] std::chrono::milliseconds retry_after(mono_time now) const;
  [[nodiscard]] const breaker_settings& settings() const noexcept { return settings_; }

private:
  void move_to(breaker_phase next, std::string reason, mono_time now);
  void open(std::string reason, mono_time now);
  [[nodiscard]] bool refuses() const noexcept;
  [[nodiscard]] permit refusal(mono_time now);

  std::string name_;
  breaker_settings settings_;
  breaker_phase phase_ = breaker_phase::closed;
  unsigned failures_ = 0;
  std::chrono::milliseconds open_for_; ///< Of the next or present OPEN; doubles with each failed probe.
  mono_time open_until_{};
  mono_time left_closed_at_{};
  std::map<std::uint64_t, mono_time> probes_; ///< Permits out in HALF_OPEN, and when each returns.
  std::size_t probes_succeeded_ = 0;
  std::uint64_t last_permit_ = 0;
  std::uint64_t first_of_phase_ = 1; ///< Permits below were given in an earlier phase.
  std::uint64_t last_move_ = 0;
  std::vector<breaker_move> moves_;
  breaker_statistics seen_;
  wall_time last_failure_at_{};
  std::string last_failure_;
};

} // namespace breakwater
