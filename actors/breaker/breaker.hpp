#pragma once

#include "actors/breaker/breaker_memory.hpp"

#include "config/settings.hpp"
#include "messages/breaker.hpp"
#include "messages/time.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace breakwater {

/// Circuit breaker around calls to one dependency. A plain value: no thread, no clock, no actor. Whatever is
/// asked of it, it first moves to the phase that is due at `now`, so no phase outlasts its time for want of a
/// timer or of traffic.
class breaker {
public:
  /// A probe's permit returns by itself after this time, so a lost caller cannot keep the breaker half-open.
  static constexpr std::chrono::milliseconds probe_deadline{10000};
  /// What a caller is told to wait where no time is known: behind another's probe, or an operator.
  static constexpr std::chrono::milliseconds ask_again_after{1000};
  /// Moves kept, failures remembered for a reset's sake, and characters of a reason.
  static constexpr std::size_t max_history = 1000, max_recent_failures = 100, max_reason = 512;

  breaker(std::string name, breaker_settings settings);
  /// Goes on where the one that had this memory ended. The time until HALF_OPEN is never longer than it was,
  /// whatever the wall clock did meanwhile. With mode off an open breaker closes.
  breaker(std::string name, breaker_settings settings, breaker_memory before, moment now);

  /// May a call be made?
  [[nodiscard]] permit ask(moment now);
  /// May a trade intent pass? One that reduces risk always may, and is no probe. What
  /// became of it is counted by gated().
  [[nodiscard]] permit gate(const gate_request& asked, moment now);
  /// What became of it. A probe's permit stays out when it passed: the result decides, or the deadline.
  void gated(const gate_outcome& outcome, moment now);
  /// How a call ended, permitted or not. An outcome of an earlier phase's permit is counted but moves
  /// nothing.
  void record(const call_outcome& outcome, moment now);
  /// The dependency was reached: OPEN becomes HALF_OPEN at once.
  void restored(moment now);
  /// Moves to the phase that is due.
  void advance(moment now);

  /// Why a reset would not be safe; empty: it is.
  [[nodiscard]] std::vector<std::string> reset_blocked(moment now) const;
  /// An operator's orders, judged before: closed and all failures forgotten; FORCED_OPEN until reset.
  void reset(const std::string& reason, const std::string& by, moment now);
  void force_open(const std::string& reason, const std::string& by, moment now);

  /// The moves since the last call of this, oldest first.
  [[nodiscard]] std::vector<breaker_move> take_moves();
  [[nodiscard]] bool has_moves() const noexcept { return !moves_.empty(); }
  /// When `advance` has something to do; nullopt: nothing changes by time alone.
  [[nodiscard]] std::optional<mono_time> next_wake() const noexcept;

  [[nodiscard]] breaker_phase phase() const noexcept { return phase_; }
  /// Whether calls are refused, were the mode enforce or not.
  [[nodiscard]] bool holds_back() const noexcept;
  /// Failures in a row.
  [[nodiscard]] unsigned failures() const noexcept { return failures_; }
  [[nodiscard]] std::size_t probes_out() const noexcept { return probes_.size(); }
  [[nodiscard]] breaker_statistics statistics(moment now) const;
  [[nodiscard]] std::uint64_t would_block() const noexcept { return seen_.would_block; }
  [[nodiscard]] breaker_report report(moment now) const;
  /// The newest moves, newest first.
  [[nodiscard]] breaker_history history(std::size_t limit) const;
  /// All there is to keep; of the history only the newest move, for the older ones were kept before.
  [[nodiscard]] breaker_memory memory(moment now) const;
  [[nodiscard]] const breaker_settings& settings() const noexcept { return settings_; }

private:
  void move_to(breaker_phase next, std::string reason, moment now, const std::string& by);
  void open(std::string reason, moment now);
  [[nodiscard]] bool refuses() const noexcept;
  /// Leave to go on, a probe's if one is needed.
  [[nodiscard]] permit leave(moment now);
  [[nodiscard]] permit refusal(moment now) const;
  /// How long until calls are let through again; 0 when they are, nullopt when only an operator can tell.
  [[nodiscard]] std::optional<std::chrono::milliseconds> retry_after(moment now) const;
  [[nodiscard]] std::size_t failures_within_quiet_period(moment now) const;

  std::string name_;
  breaker_settings settings_;
  breaker_phase phase_ = breaker_phase::closed;
  unsigned failures_ = 0;
  std::chrono::milliseconds open_for_; ///< Of the next or present OPEN; doubles with each failed probe.
  mono_time open_until_{};
  moment left_closed_at_{};
  std::string trigger_;
  std::map<std::uint64_t, mono_time> probes_; ///< Permits out in HALF_OPEN, and when each returns.
  std::size_t probes_succeeded_ = 0;
  std::uint64_t last_permit_ = 0;
  std::uint64_t first_of_phase_ = 1;   ///< Permits below were given in an earlier phase.
  std::deque<moment> recent_failures_; ///< Oldest first.
  std::string last_failure_;
  std::string cursor_;
  std::deque<breaker_move> history_;
  std::vector<breaker_move> moves_;
  breaker_statistics seen_;
};

} // namespace breakwater
