#pragma once

#include "actors/feed/symbol_names.hpp"
#include "config/settings.hpp"
#include "messages/candle.hpp"
#include "messages/error.hpp"
#include "messages/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// What the exchanges have in common: how each wants to be spoken to, as data, and what its frames say, as
/// values.
namespace breakwater {

/// How an exchange wants to be spoken to. Source: the exchanges' own pages on their WebSocket limits.
struct exchange_rules {
  std::string url;                     ///< Empty: the exchange has no such market.
  std::size_t messages = 1;            ///< At most so many of ours ...
  std::chrono::milliseconds per{1000}; ///< ... in this time.
  std::size_t symbols_per_request = 1;
  std::size_t symbols_per_connection = 1000;
  std::string ping; ///< Empty: the WebSocket's own pings do.
  std::chrono::milliseconds ping_after{
      0}; ///< Since the last ping; with `ping_when_quiet` since anything came.
  bool ping_when_quiet = false;
  std::chrono::milliseconds dead_after{
      60000};               ///< Nothing heard for so long, not even a pong: the connection is gone.
  bool marks_closed = true; ///< Its candles say when they are closed; else see candle_closer.
};

/// A subscription stands. `symbol` empty: everything request number `request` asked for; else that symbol
/// (ours).
struct acknowledgement {
  std::uint64_t request = 0; ///< 0: the answer does not say.
  std::string symbol;
};
/// A subscription was refused, as an acknowledgement grants it. Neither request nor symbol: the exchange did
/// not say.
struct refusal {
  std::uint64_t request = 0;
  std::string symbol;
  std::string reason;
  bool subscribed_already =
      false; ///< Refused because it stands: fine, if the request asked for one symbol only.
};
struct candles_read {};    ///< Candles were appended.
struct pong_read {};       ///< The answer to a ping, or a heartbeat: the connection lives.
struct closing_announced { ///< The exchange will close the connection soon.
  std::string reason;
};
struct other_read {}; ///< Another channel or interval, or an answer without news: nothing for us.

/// What a frame was. A failure is errc::frame_not_json, field_missing, field_malformed (`detail` names the
/// field) or symbol_unknown (`detail` is the symbol).
using frame_content =
    std::variant<candles_read, acknowledgement, refusal, pong_read, closing_announced, other_read, failure>;

/// One exchange's language on one market. A plain value behind an interface: no thread, no clock, no socket.
class dialect {
public:
  virtual ~dialect() = default;

  /// Reads one text message and appends its candles to `out`: all of them, or none and a failure. Candles of
  /// exchanges that do not mark closed ones come as open.
  virtual frame_content read(std::string_view text, wall_time received_at, std::vector<candle>& out) = 0;

  /// The request number `id` for these symbols, in the exchange's spelling.
  [[nodiscard]] virtual std::string subscribe_text(std::uint64_t id,
                                                   std::span<const std::string_view> theirs) const = 0;

  [[nodiscard]] const exchange_rules& rules() const noexcept { return rules_; }
  [[nodiscard]] const symbol_names& names() const noexcept { return names_; }

protected:
  dialect(exchange_rules rules, symbol_names names) : rules_(std::move(rules)), names_(std::move(names)) {}

  exchange_rules rules_;
  symbol_names names_;
};

/// nullptr if we do not speak with that exchange yet (Coinbase).
std::unique_ptr<dialect> make_dialect(exchange which, market where, symbol_names names);

} // namespace breakwater
