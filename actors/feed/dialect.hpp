#pragma once

#include "actors/feed/symbol_names.hpp"
#include "actors/support/pace.hpp"
#include "config/settings.hpp"
#include "messages/candle.hpp"
#include "messages/error.hpp"
#include "messages/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// What the exchanges have in common: how each wants to be spoken to, as data, and what its frames say, as
/// values.
namespace breakwater {

/// How an exchange wants to be spoken to. Every number is one that it documents, or lies on the safe side of
/// it. Source: the exchanges' own pages on their WebSocket and REST limits.
struct exchange_rules {
  std::string url = {};                              ///< Empty: the exchange has no such market.
  rate messages{1, std::chrono::milliseconds{1000}}; ///< Ours, of one connection, pings among them.
  rate messages_of_all = {};                         ///< The same, of all our connections together.
  rate requests_of_one = {}; ///< To subscribe and unsubscribe only, of one connection.
  rate connects = {};        ///< Of all attempts to connect.
  std::size_t symbols_per_request = 1;
  std::size_t symbols_per_connection = 1000;
  std::size_t name_bytes_per_connection = 0; ///< All the arguments of a connection together; 0: no limit.
  std::size_t connections = 100;             ///< At most so many at a time.
  std::string ping = {};                     ///< Empty: the WebSocket's own pings do.
  std::chrono::milliseconds ping_after{
      0}; ///< Since the last ping; with `ping_when_quiet` since anything came.
  bool ping_when_quiet = false;
  std::chrono::milliseconds dead_after{
      60000}; ///< Nothing heard for so long, not even a pong: the connection is gone.
  std::chrono::milliseconds replace_after{0}; ///< A connection this old is replaced in good time; 0: never.
  /// A refusal that names one symbol of a request refuses all that were asked for with it.
  bool one_refused_refuses_all = false;
  bool marks_closed = true; ///< Its candles say when they are closed; else see candle_closer.
  bool sends_every_minute =
      true; ///< A minute without trades has a candle, too: one that does not come is a gap.
  /// Its candles are made of trades here, so the minute in which listening began is incomplete.
  bool counts_trades = false;

  std::string rest_url = {}; ///< Of past candles, without a path; empty: it has none.
  rate history_requests{1, std::chrono::milliseconds{1000}};
  std::size_t minutes_per_history_request = 100;
};

/// A subscription stands. `symbol` empty: everything request number `request` asked for; else that symbol
/// (ours).
struct acknowledgement {
  std::uint64_t request = 0; ///< 0: the answer does not say.
  std::string symbol;
  std::vector<std::string> symbols{}; ///< Instead of both: everything that stands now (ours).
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
struct candles_read { ///< Candles were appended.
  /// Trades between the last ones and these never came: the candles' minute is incomplete.
  bool trades_missing = false;
};
struct pong_read {};       ///< The answer to a ping, or a heartbeat: the connection lives.
struct closing_announced { ///< The exchange will close the connection soon.
  std::string reason;
};
/// Another channel or interval, or an answer without news: nothing for us.
struct other_read {
  /// The exchange's name for it ("trade", "orderbook.50", "candle5m" ...): one of a bounded set of constants,
  /// or empty for answers.
  std::string_view channel;
};

/// What a frame was. A failure is errc::frame_not_json, frame_unknown (`detail` is a sample), field_missing,
/// field_malformed (`detail` names the field) or symbol_unknown (`detail` is the symbol).
using frame_content =
    std::variant<candles_read, acknowledgement, refusal, pong_read, closing_announced, other_read, failure>;

/// One exchange's language on one market. A plain value behind an interface: no thread, no clock, no socket.
class dialect {
public:
  virtual ~dialect() = default;

  /// Reads one text message and appends its candles to `out`: all of them, or none and a failure. Candles of
  /// exchanges that do not mark closed ones come as open.
  frame_content read(std::string_view text, wall_time received_at, std::vector<candle>& out) {
    const auto had = out.size();
    auto content = read_frame(text, received_at, out);
    // What came before the fault must not get through.
    if (!std::holds_alternative<candles_read>(content)) out.resize(had);
    return content;
  }

  /// The request number `id` for these symbols, in the exchange's spelling.
  [[nodiscard]] virtual std::string subscribe_text(std::uint64_t id,
                                                   std::span<const std::string_view> theirs) const = 0;

  /// The opposite, likewise.
  [[nodiscard]] virtual std::string unsubscribe_text(std::uint64_t id,
                                                     std::span<const std::string_view> theirs) const = 0;

  /// Path and query under rules().rest_url that asks for the one-minute candles that start from `from_s` to
  /// `to_s`, both included (epoch seconds, multiples of 60), at most rules().minutes_per_history_request of
  /// them.
  [[nodiscard]] virtual std::string history_target(std::string_view theirs, std::int64_t from_s,
                                                   std::int64_t to_s) const = 0;
  /// Reads the answer to it: appends the candles of `ours`, oldest first, all `closed` and `filled`, or none
  /// and a failure. The exchange may send more minutes than were asked for; the caller picks.
  result<done> read_history(std::string_view body, const std::string& ours, wall_time received_at,
                            std::vector<candle>& out) {
    const auto had = out.size();
    auto read = read_rows(body, ours, received_at, out);
    if (!read) out.resize(had);
    return read;
  }

  /// Learns another symbol of ours; says why not, if it has no name here. Names once learnt stay.
  std::optional<symbol_names::problem> learn(const std::string& ours) { return names_.learn(ours); }

  [[nodiscard]] const exchange_rules& rules() const noexcept { return rules_; }
  [[nodiscard]] const symbol_names& names() const noexcept { return names_; }

protected:
  /// read(); what it appends counts only if it returns candles_read.
  virtual frame_content read_frame(std::string_view text, wall_time received_at,
                                   std::vector<candle>& out) = 0;
  /// read_history(); what it appends counts only if it succeeds.
  virtual result<done> read_rows(std::string_view body, const std::string& ours, wall_time received_at,
                                 std::vector<candle>& out) = 0;

  dialect(exchange_rules rules, symbol_names names) : rules_(std::move(rules)), names_(std::move(names)) {}

  exchange_rules rules_;
  symbol_names names_;
};

std::unique_ptr<dialect> make_dialect(exchange which, market where, symbol_names names);

} // namespace breakwater
