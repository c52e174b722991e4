#include "app/redis_client.hpp"

#include <hiredis.h>

#include <chrono>

namespace breakwater {
namespace {

struct reply_deleter {
  void operator()(redisReply* reply) const noexcept { freeReplyObject(reply); }
};
using reply_ptr = std::unique_ptr<redisReply, reply_deleter>;

result<reply_ptr> ask(redisContext* context, const std::vector<std::string>& command) {
  std::vector<const char*> words;
  std::vector<std::size_t> sizes;
  for (const auto& word : command) {
    words.push_back(word.data());
    sizes.push_back(word.size());
  }
  reply_ptr reply{static_cast<redisReply*>(
      redisCommandArgv(context, static_cast<int>(words.size()), words.data(), sizes.data()))};
  if (!reply) return failure{errc::redis_unavailable, std::string{"Redis: "} + context->errstr};
  if (reply->type == REDIS_REPLY_ERROR)
    return failure{errc::redis_refused, "Redis refuses " + command.front() + ": " + reply->str};
  return reply;
}

redis_reply converted(const redisReply& from) {
  using kind = redis_reply::kind;
  redis_reply reply;
  reply.what = from.type == REDIS_REPLY_NIL       ? kind::nil
               : from.type == REDIS_REPLY_STATUS  ? kind::status
               : from.type == REDIS_REPLY_ERROR   ? kind::error
               : from.type == REDIS_REPLY_INTEGER ? kind::integer
               : from.type == REDIS_REPLY_ARRAY   ? kind::array
                                                  : kind::text;
  reply.integer = from.integer;
  if (from.str != nullptr) reply.text.assign(from.str, from.len);
  for (std::size_t i = 0; i < from.elements; ++i) reply.items.push_back(converted(*from.element[i]));
  return reply;
}

timeval as_timeval(std::chrono::milliseconds time) {
  const auto s = std::chrono::duration_cast<std::chrono::seconds>(time);
  return {static_cast<time_t>(s.count()), static_cast<suseconds_t>((time - s).count()) * 1000};
}

} // namespace

void redis_client::closer::operator()(redisContext* context) const noexcept { redisFree(context); }

result<redis_client> redis_client::connect(const redis_address& to, std::chrono::milliseconds timeout) {
  const auto limit = as_timeval(timeout);
  redis_client made{to.socket_path.empty() ? redisConnectWithTimeout(to.host.c_str(), to.port, limit)
                                           : redisConnectUnixWithTimeout(to.socket_path.c_str(), limit)};
  if (!made.context_) return failure{errc::redis_unavailable, "out of memory"};
  auto* context = made.context_.get();
  if (context->err != 0)
    return failure{errc::redis_unavailable, to_string(to) + " cannot be reached: " + context->errstr};
  redisSetTimeout(context, limit);
  if (!to.password.empty()) {
    std::vector<std::string> auth{"AUTH"};
    if (!to.username.empty()) auth.push_back(to.username);
    auth.push_back(to.password.reveal());
    if (auto reply = breakwater::ask(context, auth); !reply) return reply.error();
  }
  if (to.database != 0)
    if (auto reply = breakwater::ask(context, {"SELECT", std::to_string(to.database)}); !reply)
      return reply.error();
  return made;
}

result<redis_reply> redis_client::ask(const std::vector<std::string>& command) {
  const auto reply = breakwater::ask(context_.get(), command);
  if (!reply) return reply.error();
  return converted(**reply);
}

result<std::optional<std::string>> redis_client::text(const std::vector<std::string>& command) {
  const auto reply = breakwater::ask(context_.get(), command);
  if (!reply) return reply.error();
  if ((*reply)->str == nullptr) return std::optional<std::string>{};
  return std::optional{std::string{(*reply)->str, (*reply)->len}};
}

result<bool> redis_client::compare_and_set(const std::string& key, const std::optional<std::string>& from,
                                           const std::string& to) {
  for (const auto& command : {std::vector<std::string>{"WATCH", key}, {"GET", key}}) {
    const auto reply = text(command);
    if (!reply) return reply.error();
    if (command.front() == "GET" && *reply != from) return false;
  }
  for (const auto& command : {std::vector<std::string>{"MULTI"}, {"SET", key, to}})
    if (auto reply = breakwater::ask(context_.get(), command); !reply) return reply.error();
  const auto done = breakwater::ask(context_.get(), {"EXEC"});
  if (!done) return done.error();
  return (*done)->type != REDIS_REPLY_NIL;
}

} // namespace breakwater
