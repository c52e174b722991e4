#include "actors/support/reply_class.hpp"

#include <array>
#include <cstddef>

namespace breakwater {
namespace {

using enum reply_class;

constexpr std::array meanings{
    // what, name, counts as failure, keeps the connection, retry
    reply_meaning{fine, "fine", false, true, retry_way::none},
    reply_meaning{transport, "transport", true, false, retry_way::backoff},
    reply_meaning{waiting, "waiting", false, true, retry_way::backoff},
    reply_meaning{temporary, "temporary", true, true, retry_way::backoff},
    reply_meaning{failed_over, "failed_over", true, false, retry_way::backoff},
    reply_meaning{refusing_writes, "refusing_writes", true, true, retry_way::backoff},
    reply_meaning{configuration, "configuration", true, true, retry_way::slowly},
    reply_meaning{capacity, "capacity", true, false, retry_way::backoff},
    reply_meaning{target, "target", false, true, retry_way::none},
    reply_meaning{group_gone, "group_gone", false, true, retry_way::none},
    reply_meaning{id_not_above, "id_not_above", false, true, retry_way::none},
    reply_meaning{transaction, "transaction", false, true, retry_way::backoff},
};

constexpr bool meanings_stand_in_the_order_of_the_enum() {
  for (std::size_t i = 0; i < meanings.size(); ++i)
    if (static_cast<std::size_t>(meanings[i].what) != i) return false;
  return true;
}
static_assert(meanings_stand_in_the_order_of_the_enum());

struct error_word {
  std::string_view word;
  reply_class what;
};
/// By the first word of the error.
constexpr std::array words{
    error_word{"LOADING", waiting},
    error_word{"BUSY", waiting},
    error_word{"MASTERDOWN", temporary},
    error_word{"CLUSTERDOWN", temporary},
    error_word{"TRYAGAIN", temporary},
    error_word{"READONLY", failed_over},
    error_word{"OOM", refusing_writes},
    error_word{"MISCONF", refusing_writes},
    error_word{"NOREPLICAS", refusing_writes},
    error_word{"NOAUTH", configuration},
    error_word{"WRONGPASS", configuration},
    error_word{"NOPERM", configuration},
    error_word{"DENIED", configuration},
    error_word{"NOGROUP", group_gone},
    error_word{"EXECABORT", transaction},
};
/// By how the error begins: Redis gives these no word of their own.
constexpr std::array beginnings{
    error_word{"ERR max number of clients", capacity},
    error_word{"ERR The ID specified in XADD is equal or smaller", id_not_above},
    // Redis before 6 with a wrong password; AUTH where none is set, old and new.
    error_word{"ERR invalid password", configuration},
    error_word{"ERR Client sent AUTH, but no password is set", configuration},
    error_word{"ERR AUTH <password> called without any password configured", configuration},
};

/// `worst` becomes the first failure, else the first error; `cause` the last error that is no EXECABORT.
void look_at(std::span<const redis_reply> replies, bool top, verdict& worst, verdict& cause) {
  for (const auto& reply : replies) {
    if (reply.what == redis_reply::kind::array) {
      // Errors stand in EXEC's array, no deeper: below it are entries, and there may be many.
      if (top) look_at(reply.items, false, worst, cause);
      continue;
    }
    if (reply.what != redis_reply::kind::error) continue;
    auto what = classify_error(reply.text);
    auto text = reply.text;
    if (what == transaction) {
      if (cause.what != fine) continue; // its cause was looked at already
    } else if (cause.what == fine) {
      cause = {what, text};
    }
    const bool more = worst.what == fine || worst.what == transaction ||
                      (meaning_of(what).counts_as_failure && !meaning_of(worst.what).counts_as_failure);
    if (more) worst = {what, std::move(text)};
  }
}

} // namespace

const reply_meaning& meaning_of(reply_class what) noexcept {
  return meanings[static_cast<std::size_t>(what)];
}

reply_class classify_error(std::string_view text) noexcept {
  const auto word = text.substr(0, text.find(' '));
  if (word == "EXECABORT") {
    constexpr std::string_view mark = "because of: ";
    const auto at = text.find(mark);
    return at == std::string_view::npos ? transaction : classify_error(text.substr(at + mark.size()));
  }
  for (const auto& row : words)
    if (word == row.word) return row.what;
  for (const auto& row : beginnings)
    if (text.starts_with(row.word)) return row.what;
  return target;
}

verdict judge(std::span<const redis_reply> replies) {
  verdict worst;
  verdict cause;
  look_at(replies, true, worst, cause);
  return worst;
}

} // namespace breakwater
