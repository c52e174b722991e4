#pragma once

#include "messages/error.hpp"
#include "messages/exchange.hpp"
#include "messages/time.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What goes wrong on purpose, and when.
namespace breakwater {

/// What an exchange can do wrong, or a network between. What is lost by it is only lost on the wire: the past
/// candles have it.
enum class fault : std::uint8_t {
  slow,                  ///< Frames come three seconds late.
  cut,                   ///< The connection breaks without a word.
  silent,                ///< Connected, acknowledged, and nothing more.
  duplicate,             ///< Every frame comes twice.
  reordered,             ///< Neighbouring frames change places.
  malformed,             ///< Every fourth frame comes cut off or garbled, or has such a text before it.
  snapshot,              ///< A huge frame of another channel, once.
  wrong_acknowledgement, ///< Answers to subscriptions are missing, errors, or another request's.
  day_end,               ///< The planned end of a connection: announced where the exchange announces it.
  rate_limit,            ///< Connects, subscriptions and REST requests are refused for being too many.
};
inline constexpr std::size_t fault_count = 10;

const char* to_string(fault what) noexcept;
/// What `what` does, in a line.
const char* help_of(fault what) noexcept;
std::optional<fault> parse_fault(std::string_view name) noexcept;

/// A fault that comes again and again.
struct fault_rule {
  fault what = fault::cut;
  std::optional<exchange> from{};         ///< nullopt: every exchange, one after the other.
  std::chrono::milliseconds after{0};     ///< The first time, since the simulator began.
  std::chrono::milliseconds every{30000}; ///< From one time to the next.
  std::chrono::milliseconds lasts{10000}; ///< Of those that last.
  double share = 1;                       ///< Of the symbols, where only some are silent.
};

/// Reads "cut", or "slow,exchange=okx,every=1m,for=5s,after=20s", or "silent,share=0.5". Fails with
/// errc::config_invalid.
result<fault_rule> parse_fault_rule(std::string_view text);

/// Reads "all" or "all,every=10m": the time within which every kind has its turn. Fails as parse_fault_rule.
result<std::chrono::milliseconds> parse_all_faults(std::string_view text);

/// Each kind in its turn within `every`, in an order drawn by `seed`. Silence comes once of all and once of
/// half the symbols; limits are in force while what was cut wants to come back, and answers are wrong while
/// connections whose day ends are replaced.
std::vector<fault_rule> all_faults(std::chrono::milliseconds every, std::uint64_t seed);

/// Which faults there are when. A plain value: the same question always has the same answer.
class fault_plan {
public:
  fault_plan(std::vector<fault_rule> rules, wall_time began) : rules_(std::move(rules)), began_(began) {}

  /// The rule by which a fault of that kind is under way, the one of the largest share; nullptr: none is.
  [[nodiscard]] const fault_rule* active(fault what, exchange from, wall_time now) const;
  /// How often it has begun so far.
  [[nodiscard]] std::size_t begun(fault what, exchange from, wall_time now) const;
  /// When something of this changes next.
  [[nodiscard]] wall_time next_change(exchange from, wall_time now) const;

private:
  [[nodiscard]] static bool concerns(const fault_rule& rule, exchange from) {
    return !rule.from || *rule.from == from;
  }
  [[nodiscard]] wall_time first_of(const fault_rule& rule, exchange from) const;

  std::vector<fault_rule> rules_;
  wall_time began_;
};

/// How often each fault did something: to a frame, an answer, a connection or a request.
using fault_counts = std::array<std::uint64_t, fault_count>;

} // namespace breakwater
