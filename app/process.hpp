#pragma once

#include "app/wiring.hpp"
#include "config/settings.hpp"
#include "messages/error.hpp"

#include <chrono>
#include <memory>

namespace breakwater {

/// What to replay instead of connecting to exchanges.
struct recording {
  std::shared_ptr<frame_source_port> frames; ///< nullptr: live feeds.
  double speed = 0;                          ///< Times as fast as recorded; 0: as fast as it goes.
};

/// The runtime with its real edges: what `run`, `replay` and `demo` have in common.
class process {
public:
  /// Makes and locks data_dir, opens the audit log and starts the actors. Call it with SIGTERM and SIGINT
  /// blocked (see stop_signals). Fails with errc::already_running or errc::file_unreadable.
  static result<std::unique_ptr<process>> start(const settings& what, recording recorded = {});
  ~process();
  process(const process&) = delete;
  process& operator=(const process&) = delete;

  [[nodiscard]] caf::actor_system& system() noexcept;
  [[nodiscard]] const wired& actors() const noexcept;

  /// Drains what was taken for up to process.shutdown_timeout and ends the actors in order. Returns the exit
  /// code: 0, or 1 if the supervisor had given up or records were lost.
  int stop();

private:
  struct parts;
  explicit process(std::unique_ptr<parts> made);
  std::unique_ptr<parts> parts_;
};

/// SIGTERM and SIGINT, blocked for this thread and all it starts, to be waited for.
class stop_signals {
public:
  stop_signals();
  /// Whether one came within `time`.
  [[nodiscard]] bool wait_for(std::chrono::milliseconds time) const;
};

} // namespace breakwater
