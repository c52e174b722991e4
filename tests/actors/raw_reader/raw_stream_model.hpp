#pragma once

#include "actors/support/entry_id.hpp"
#include "messages/redis.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace breakwater::test {

inline redis_reply text_reply(std::string text) {
  return {.what = redis_reply::kind::text, .text = std::move(text), .items = {}};
}
inline redis_reply error_reply(std::string text) {
  return {.what = redis_reply::kind::error, .text = std::move(text), .items = {}};
}
inline redis_reply number_reply(std::int64_t value) { return {redis_reply::kind::integer, {}, value, {}}; }
inline redis_reply array_reply(std::vector<redis_reply> items) {
  return {redis_reply::kind::array, {}, 0, std::move(items)};
}

using raw_fields = std::vector<std::pair<std::string, std::string>>;

/// The fields of a candle as others write them.
inline raw_fields raw_candle(const std::string& exchange, const std::string& symbol, const std::string& close,
                             std::int64_t start_s = 1767571200) {
  return {{"exchange", exchange}, {"symbol", symbol}, {"timestamp", std::to_string(start_s)},
          {"open", close},        {"high", close},    {"low", close},
          {"close", close},       {"volume", "1"}};
}

inline redis_reply fields_reply(const raw_fields& fields) {
  std::vector<redis_reply> items;
  for (const auto& [name, value] : fields) {
    items.push_back(text_reply(name));
    items.push_back(text_reply(value));
  }
  return array_reply(std::move(items));
}

/// One stream of a Redis 7, or of one before that, and what it answers to raw_input.
struct raw_stream_model {
  struct entry {
    entry_id id;
    raw_fields fields;
  };
  std::deque<entry> entries;
  entry_id last;
  std::uint64_t added = 0;
  bool exists = false;
  bool tells_added = true; ///< From Redis 7 on.

  entry_id add(raw_fields fields, entry_id id = {}) {
    if (id == entry_id{}) id = {last.ms + 1, 0};
    exists = true;
    entries.push_back({id, std::move(fields)});
    last = id;
    ++added;
    return id;
  }
  /// The oldest go.
  void trim(std::size_t count) {
    for (; count > 0 && !entries.empty(); --count) entries.pop_front();
  }
  void remove(std::size_t at) { entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(at)); }

  redis_reply read(entry_id after, std::size_t count) const {
    std::vector<redis_reply> found;
    for (const auto& e : entries)
      if (e.id > after && found.size() < count)
        found.push_back(array_reply({text_reply(to_string(e.id)), fields_reply(e.fields)}));
    if (found.empty()) return {};
    return array_reply({array_reply({text_reply("raw"), array_reply(std::move(found))})});
  }
  redis_reply info() const {
    if (!exists) return error_reply("ERR no such key");
    std::vector<redis_reply> items{text_reply("length"),
                                   number_reply(static_cast<std::int64_t>(entries.size())),
                                   text_reply("last-generated-id"), text_reply(to_string(last))};
    if (tells_added) {
      items.push_back(text_reply("entries-added"));
      items.push_back(number_reply(static_cast<std::int64_t>(added)));
    }
    items.push_back(text_reply("first-entry"));
    items.push_back(entries.empty() ? redis_reply{}
                                    : array_reply({text_reply(to_string(entries.front().id)),
                                                   fields_reply(entries.front().fields)}));
    return array_reply(std::move(items));
  }
  /// The replies to MULTI, XINFO, XREAD, EXEC.
  std::vector<redis_reply> look(entry_id after, std::size_t count) const {
    const redis_reply ok{.what = redis_reply::kind::status, .text = "OK", .items = {}};
    return {ok, ok, ok, array_reply({info(), read(after, count)})};
  }
};

} // namespace breakwater::test
