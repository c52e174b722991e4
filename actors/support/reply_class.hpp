#pragma once

#include "messages/redis.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

/// What an error of Redis means. Replies are classified, not lumped together: only some count against the
/// breaker, only some cost the connection.
namespace breakwater {

enum class reply_class : std::uint8_t {
  fine,            ///< No error.
  transport,       ///< Connect refused, reset, EOF, time-out, no such name. Never made of a reply.
  waiting,         ///< LOADING, BUSY: Redis will be back by itself.
  temporary,       ///< MASTERDOWN, CLUSTERDOWN, TRYAGAIN.
  failed_over,     ///< READONLY: this is a replica now; the address means another server.
  refusing_writes, ///< OOM, MISCONF, NOREPLICAS: nothing was stored.
  configuration,   ///< NOAUTH, WRONGPASS, NOPERM: a human is needed.
  capacity,        ///< Too many clients.
  target,          ///< WRONGTYPE and other ERR: the command or its key, not Redis.
  group_gone,      ///< NOGROUP: stream or consumer group vanished.
  id_not_above,    ///< XADD with an id that is not above the stream's last: the caller resyncs.
  transaction,     ///< EXECABORT of unknown cause: nothing of the transaction was applied.
};

enum class retry_way : std::uint8_t {
  none,    ///< Not by repeating it: the caller decides.
  backoff, ///< Again, waiting longer each time.
  slowly,  ///< Again each 30 s: it will not mend by itself.
};

struct reply_meaning {
  reply_class what;
  const char* name;
  bool counts_as_failure; ///< For the breaker.
  bool keeps_connection;
  retry_way retry;
};

const reply_meaning& meaning_of(reply_class what) noexcept;
inline const char* to_string(reply_class what) noexcept { return meaning_of(what).name; }

/// The class of an error reply, given its text without the leading '-'. An EXECABORT that names its cause
/// ("discarded because of: OOM ...") has the class of the cause.
reply_class classify_error(std::string_view text) noexcept;

/// How a pipeline went: the class that decides, and the text it was read from.
struct verdict {
  reply_class what = reply_class::fine;
  std::string text; ///< Empty when fine.
};

/// Looks through the errors among `replies`, also those inside an EXEC's array. The first error that counts
/// as a failure decides, else the first error; a bare EXECABORT has the class of the error queued before it.
verdict judge(std::span<const redis_reply> replies);

} // namespace breakwater
