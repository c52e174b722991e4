#pragma once

#include "messages/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace breakwater {

enum class breaker_phase : std::uint8_t {
  closed,      ///< Calls pass.
  open,        ///< Calls are refused until the open time is over.
  half_open,   ///< A few probes pass; they decide.
  forced_open, ///< Opened by an operator; only an operator closes it.
};

constexpr const char* to_string(breaker_phase phase) noexcept {
  switch (phase) {
  case breaker_phase::closed: return "CLOSED";
  case breaker_phase::open: return "OPEN";
  case breaker_phase::half_open: return "HALF_OPEN";
  case breaker_phase::forced_open: return "FORCED_OPEN";
  }
  return "UNKNOWN";
}

/// May a call be made? From: redis. To: breaker.
struct permit_request {};

/// May this trade intent pass? From: bridge. To: breaker, which answers with a permit and counts nothing: how
/// it went is told by gate_outcome.
struct gate_request {
  bool reduces_risk = false; ///< Passes whatever the state.
};

/// Leave to make one call, or why not. From: breaker. To: whoever asked.
struct permit {
  bool granted = false;
  std::uint64_t number = 0;                 ///< To be handed back with call_outcome; 0 when refused.
  std::string why;                          ///< Empty when granted.
  std::chrono::milliseconds retry_after{0}; ///< When refused: come back then.
};

/// How a call ended. From: redis; api and result_reader, of what others did. To: breaker, which answers with
/// breaker_standing.
struct call_outcome {
  std::uint64_t permit = 0; ///< Of the permit; 0 for something that needed none, such as a connect attempt.
  bool succeeded = false;
  std::string reason;  ///< Of a failure: its class and text.
  bool decides = true; ///< False: neither success nor failure (not sent, or "wait"); the permit returns.
  /// Of a result read from a stream: its entry's id. One at or below the last that was taken counts no second
  /// time.
  std::string cursor{};
};

/// What became of a trade intent that asked for leave. From: bridge. To: breaker.
struct gate_outcome {
  enum class what : std::uint8_t {
    passed, ///< It is with its consumers. Their result decides, not this.
    held,   ///< It was refused and is held back for good.
    unused, ///< Neither: it will ask again, or was none of ours. The permit returns.
  };
  std::uint64_t permit = 0; ///< 0: it was refused.
  what became = what::unused;
};

/// Where the breaker stands after an outcome. From: breaker. To: whoever reported it.
struct breaker_standing {
  breaker_phase phase = breaker_phase::closed;
};

/// The guarded dependency was reached again, so an open breaker need not wait longer. From: redis. To:
/// breaker.
struct dependency_restored {};

/// Where the breaker stands now, told when it moved and, unless it is closed, when it begins. From: breaker.
/// To: bridge.
struct breaker_turned {
  breaker_phase phase = breaker_phase::closed;
  bool holds_back = false; ///< What adds risk is refused now: the phase says so, and the mode enforces it.
};

/// A breaker changed its phase. In its history, and in the audit.
struct breaker_move {
  std::uint64_t number = 0; ///< 1, 2, 3 ... since the breaker began, over all runs of the process.
  wall_time at;
  breaker_phase from = breaker_phase::closed;
  breaker_phase to = breaker_phase::closed;
  std::string reason;
  std::string by;                        ///< "breaker": by its rules; else the operator.
  unsigned failures = 0;                 ///< In a row, when it moved.
  unsigned failure_threshold = 0;        ///< In force when it moved; so is open_for.
  std::chrono::milliseconds open_for{0}; ///< How long it stays open (of a move to open).

  bool operator==(const breaker_move&) const = default;
};

/// What a breaker has seen since it began, over all runs of the process.
struct breaker_statistics {
  std::uint64_t allowed = 0;
  std::uint64_t blocked = 0;
  std::uint64_t would_block = 0; ///< In mode observe: granted, but enforce would have refused.
  std::uint64_t successes = 0;
  std::uint64_t failures = 0;
  std::uint64_t times_opened = 0;            ///< From CLOSED; a failed probe opens it again, but not anew.
  std::chrono::milliseconds time_open{0};    ///< From leaving CLOSED until CLOSED again, all times together.
  std::chrono::milliseconds longest_open{0}; ///< The longest of them; both include the one that still lasts.

  bool operator==(const breaker_statistics&) const = default;
};

/// How do you stand? From: api. To: breaker, which answers with breaker_report.
struct breaker_question {};

struct breaker_report {
  std::string name; ///< "redis", "orders".
  std::string mode; ///< As in the config file.
  breaker_phase phase = breaker_phase::closed;
  unsigned failures = 0; ///< In a row.
  unsigned failure_threshold = 0;
  std::optional<wall_time> last_failure_at;
  std::string last_failure;           ///< Of the last failure counted; empty if there was none.
  std::string trigger;                ///< Why it left CLOSED; empty when closed.
  std::optional<wall_time> opened_at; ///< When it left CLOSED; absent when closed.
  std::optional<wall_time> retry_at; ///< When calls are let through again; absent when they are, or when only
                                     ///< an operator can tell.
  std::vector<std::string> reset_blocked; ///< Why a reset would be refused now; empty: it is safe.
  breaker_statistics statistics;
  std::string cursor; ///< Of the last result that had one; empty: there was none.
};

/// The newest moves, please. From: api. To: breaker, which answers with breaker_history.
struct breaker_history_request {
  std::size_t limit = 50;
};
struct breaker_history {
  std::vector<breaker_move> moves; ///< Newest first.
};

/// Close the circuit, please. Refused unless that is safe, or `override` is set. From: api. To: breaker,
/// which answers with breaker_order_answer, or with errc::audit_unwritable (nothing changed).
struct breaker_reset {
  bool override = false;
  std::string reason;
  std::string who;  ///< As the operator named himself.
  std::string from; ///< Address.
};

/// Open the circuit and keep it open. From: api. To: breaker, which answers like to breaker_reset.
struct breaker_force_open {
  std::string reason;
  std::string who;
  std::string from;
};

struct breaker_order_answer {
  bool done = false;
  std::vector<std::string> refused; ///< Why not.
  breaker_report report;            ///< How the breaker stands now.
};

} // namespace breakwater
