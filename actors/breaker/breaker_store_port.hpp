#pragma once

#include "messages/error.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace breakwater {

/// Where a breaker's memory lies between two lives: a state that is replaced as a whole, and the history,
/// which grows by a line a move. breaker_store_io keeps files, tests keep them in memory.
struct breaker_store_port {
  struct kept {
    std::string state;                ///< Empty: there was none.
    std::vector<std::string> history; ///< Its newest lines, oldest first.
    std::string problem;              ///< What could not be read, though something is there; empty: nothing.
  };

  virtual ~breaker_store_port() = default;
  /// At most `max_history` lines. Never fails: what cannot be read is told in `problem`.
  virtual kept load(const std::string& breaker, std::size_t max_history) = 0;
  /// Survives the end of the process at any moment; with `on_disk` that of the machine, too.
  /// Fails with errc::file_unreadable; what was kept before is kept.
  virtual result<done> save(const std::string& breaker, std::string_view state, bool on_disk) = 0;
  virtual result<done> append_history(const std::string& breaker, std::string_view line) = 0;
};

} // namespace breakwater
