#pragma once

#include "messages/time.hpp"

#include <chrono>
#include <cstdint>
#include <string>

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

/// Leave to make one call, or why not. From: breaker. To: whoever asked.
struct permit {
  bool granted = false;
  std::uint64_t number = 0;                 ///< To be handed back with call_outcome; 0 when refused.
  std::string why;                          ///< Empty when granted.
  std::chrono::milliseconds retry_after{0}; ///< When refused: come back then.
};

/// How a call ended. From: redis. To: breaker, which answers with breaker_standing.
struct call_outcome {
  std::uint64_t permit = 0; ///< Of the permit; 0 for something that needed none, such as a connect attempt.
  bool succeeded = false;
  std::string reason;  ///< Of a failure: its class and text.
  bool decides = true; ///< False: neither success nor failure (not sent, or "wait"); the permit returns.
};

/// Where the breaker stands after an outcome. From: breaker. To: whoever reported it.
struct breaker_standing {
  breaker_phase phase = breaker_phase::closed;
};

/// The guarded dependency was reached again, so an open breaker need not wait longer. From: redis. To:
/// breaker.
struct dependency_restored {};

/// A breaker changed its phase. From: breaker. To: audit.
struct breaker_move {
  std::string breaker;      ///< "redis", "orders".
  std::uint64_t number = 0; ///< 1, 2, 3 ... since the breaker began.
  breaker_phase from = breaker_phase::closed;
  breaker_phase to = breaker_phase::closed;
  std::string reason;
  unsigned failures = 0;                 ///< In a row, when it moved.
  unsigned failure_threshold = 0;        ///< In force when it moved; so is open_for.
  std::chrono::milliseconds open_for{0}; ///< How long it stays open (of a move to open).
};

} // namespace breakwater
