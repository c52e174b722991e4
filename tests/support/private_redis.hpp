#pragma once

#include "messages/redis.hpp"

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

struct redisContext;

namespace breakwater::test {

/// Blocking connection for tests. Throws std::runtime_error when the server does not answer.
class redis_client {
public:
  explicit redis_client(const std::string& socket_path);
  ~redis_client();
  redis_client(const redis_client&) = delete;
  redis_client& operator=(const redis_client&) = delete;

  redis_reply operator()(std::initializer_list<std::string_view> command);
  /// Sends `count` whole commands as they are and reads as many replies.
  std::vector<redis_reply> pipeline(const std::string& wire, std::size_t count);

private:
  redisContext* context_;
};

/// A real redis-server of this test alone, on a Unix socket in a folder of its own and, if asked for, on a
/// free TCP port of the loopback. It persists nothing unless `arguments` say so. The server and the folder
/// end with this object; the server ends with the test process, too.
class private_redis {
public:
  struct options {
    bool tcp = false;
    std::vector<std::string> arguments; ///< As on redis-server's command line: {"--maxmemory", "10mb"}.
  };

  private_redis() : private_redis(options{}) {}
  /// Starts it and waits until it answers.
  explicit private_redis(options how);
  ~private_redis();
  private_redis(const private_redis&) = delete;
  private_redis& operator=(const private_redis&) = delete;

  /// On the same address as before; what is in memory is gone unless it was told to persist.
  void start();
  /// SIGKILL: connections break, nothing is saved.
  void kill();
  /// SIGTERM: an orderly shutdown.
  void stop();
  /// SIGSTOP and SIGCONT: connections stand, nothing answers.
  void pause();
  void resume();

  /// One command on a connection of its own.
  redis_reply operator()(std::initializer_list<std::string_view> command) const;

  [[nodiscard]] const std::filesystem::path& folder() const noexcept { return folder_; }
  [[nodiscard]] std::string socket_path() const { return (folder_ / "redis.sock").string(); }
  [[nodiscard]] std::string url() const { return "unix://" + socket_path(); }
  [[nodiscard]] std::string tcp_url() const { return "redis://127.0.0.1:" + std::to_string(port_) + "/0"; }
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; } ///< 0 without TCP.
  [[nodiscard]] bool running() const noexcept { return process_ > 0; }

private:
  void end_with(int signal);

  options how_;
  std::filesystem::path folder_;
  std::uint16_t port_ = 0;
  pid_t process_ = 0;
};

} // namespace breakwater::test
