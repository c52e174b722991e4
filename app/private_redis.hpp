#pragma once

#include "messages/error.hpp"

#include <string>

#include <sys/types.h>

namespace breakwater {

/// A redis-server of our own in a temporary folder, for the demo and the tests. It has a Unix socket only,
/// keeps nothing but over stop() and start_again(), and is gone with its folder when this object is; it also
/// dies with the thread that started it.
class private_redis {
public:
  /// Starts one and waits until it answers. Fails with errc::redis_unavailable; `detail` says what to install
  /// or quotes the server's own last words.
  static result<private_redis> start();

  /// Ends the server as an operator would who stops it for a while: it saves what it has. Fails with
  /// errc::redis_unavailable if it does not end in time.
  result<done> stop();
  /// Starts it again at the same address, with what it had. Fails like start().
  result<done> start_again();
  [[nodiscard]] bool runs() const noexcept { return pid_ > 0; }

  ~private_redis();
  private_redis(private_redis&& other) noexcept;
  private_redis& operator=(private_redis&& other) noexcept;

  [[nodiscard]] std::string address() const { return "unix://" + socket_path(); } ///< For redis.url.
  [[nodiscard]] std::string socket_path() const { return folder_ + "/redis.sock"; }
  [[nodiscard]] const std::string& folder() const noexcept { return folder_; }
  [[nodiscard]] pid_t pid() const noexcept { return pid_; } ///< -1: it is stopped.

private:
  private_redis() = default;
  void end() noexcept;

  std::string folder_; ///< Empty: moved from.
  pid_t pid_ = -1;
};

} // namespace breakwater
