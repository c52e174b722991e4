#pragma once

#include "messages/redis.hpp"

#include <string>
#include <vector>

/// Commands to Redis as tests read them, and its replies as they lay them out.
namespace breakwater::test {

/// The words of each command in a wire.
inline std::vector<std::vector<std::string>> commands_of(const std::string& wire) {
  std::vector<std::vector<std::string>> all;
  for (std::size_t at = 0; at < wire.size();) {
    const auto end = wire.find("\r\n", at);
    if (wire[at] == '*') {
      all.emplace_back();
      at = end + 2;
      continue;
    }
    const auto size = std::stoul(wire.substr(at + 1, end - at - 1));
    all.back().push_back(wire.substr(end + 2, size));
    at = end + 2 + size + 2;
  }
  return all;
}

inline redis_reply text(std::string value) {
  redis_reply reply;
  reply.what = redis_reply::kind::text;
  reply.text = std::move(value);
  return reply;
}
inline redis_reply nil() { return {}; }
inline redis_reply error(std::string value) {
  auto reply = text(std::move(value));
  reply.what = redis_reply::kind::error;
  return reply;
}
inline redis_reply integer(std::int64_t value) {
  redis_reply reply;
  reply.what = redis_reply::kind::integer;
  reply.integer = value;
  return reply;
}
inline redis_reply array(std::vector<redis_reply> items) {
  redis_reply reply;
  reply.what = redis_reply::kind::array;
  reply.items = std::move(items);
  return reply;
}
/// Names and values in turn.
inline redis_reply texts(const std::vector<std::string>& values) {
  std::vector<redis_reply> items;
  for (const auto& value : values) items.push_back(text(value));
  return array(std::move(items));
}
/// An entry with its fields; without any it has no body any more.
inline redis_reply entry(const std::string& id, const std::vector<std::string>& fields) {
  return array({text(id), fields.empty() ? nil() : texts(fields)});
}
/// What XREADGROUP answers.
inline redis_reply entries(const std::string& stream, std::vector<redis_reply> all) {
  return array({array({text(stream), array(std::move(all))})});
}

} // namespace breakwater::test
