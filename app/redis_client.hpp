#pragma once

#include "actors/redis/redis_url.hpp"
#include "messages/error.hpp"
#include "messages/redis.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

struct redisContext;

namespace breakwater {

/// One connection to Redis for a command that runs and ends: asks and waits.
class redis_client {
public:
  /// Connects, and says who we are. Fails with errc::redis_unavailable or errc::redis_refused.
  static result<redis_client> connect(const redis_address& to, std::chrono::milliseconds timeout);

  /// Any reply. Errors as of connect(); an error reply is errc::redis_refused.
  result<redis_reply> ask(const std::vector<std::string>& command);
  /// A reply that is a text; nullopt for nil. Errors as of connect().
  result<std::optional<std::string>> text(const std::vector<std::string>& command);
  /// Sets `key` to `to` if it still has the value `from` (nullopt: if it is not there). false: it changed.
  result<bool> compare_and_set(const std::string& key, const std::optional<std::string>& from,
                               const std::string& to);

private:
  struct closer {
    void operator()(redisContext* context) const noexcept;
  };
  explicit redis_client(redisContext* context) : context_(context) {}
  std::unique_ptr<redisContext, closer> context_;
};

} // namespace breakwater
