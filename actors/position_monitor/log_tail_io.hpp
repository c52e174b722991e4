#pragma once

#include "actors/position_monitor/log_tail_port.hpp"

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace breakwater {

struct log_tail_options {
  std::chrono::milliseconds look_every{250};
  std::string journalctl = "journalctl"; ///< Looked for in PATH, unless it has a '/'.
};

/// Follows log files and the systemd journal, each on a thread of its own that looks a few times a second and
/// reads at most 4 MiB at a look; what is more waits in the file or the pipe.
///
/// A file is followed across rotation, by renaming it and making a new one as well as by copying and
/// truncating it, and need not exist yet. Of one that is there at the beginning only what is added is read; a
/// new one is read from its beginning. One that is truncated and grows beyond its old size between two looks
/// passes for one that only grew.
///
/// A journal is read by a child, `journalctl -f -n 0 -o cat -u UNIT`, that ends with us and is started again
/// with a growing wait when it ends; what is logged meanwhile is not seen.
class log_tail_io final : public log_tail_port {
public:
  explicit log_tail_io(log_tail_options how = {}) : how_(std::move(how)) {}
  ~log_tail_io() override { end(); }
  log_tail_io(const log_tail_io&) = delete;
  log_tail_io& operator=(const log_tail_io&) = delete;

  std::unique_ptr<log_tail> follow(log_source from, sink sightings) override;
  /// Ends every thread and waits for it: no sink is called from here on.
  void end();

private:
  struct follower;
  struct handle;
  struct running {
    std::shared_ptr<follower> who;
    std::thread thread;
  };

  log_tail_options how_;
  std::mutex mutex_;
  std::vector<running> running_;
};

} // namespace breakwater
