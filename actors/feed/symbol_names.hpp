#pragma once

#include "config/settings.hpp"
#include "messages/exchange.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace breakwater {

/// "BTC-USDT", "xbt/usdt" -> "BTCUSDT": base and quote joined, upper case, XBT = BTC, XDG = DOGE. USD stays
/// USD. Empty if `name` is no pair of letters and digits.
std::string canonical_symbol(std::string_view name);

/// What an exchange calls one of our symbols under its naming rule; nullopt if base and quote cannot be told
/// apart. The spelling is the one in its data frames ("BTCUSDT", "BTC-USDT", "BTC-USDT-SWAP", "BTC/USDT").
std::optional<std::string> exchange_symbol(exchange which, market where, std::string_view ours);

/// Lets tables of texts be asked without making one.
struct text_hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
};

/// How one exchange spells our symbols, both ways.
class symbol_names {
public:
  using overrides = std::map<std::string, std::string>; ///< Ours -> the exchange's.

  struct entry {
    std::string ours;
    std::string theirs; ///< As in data frames.
  };
  struct problem {
    std::string ours;
    std::string reason;
  };

  /// Only `symbols`, in their order, and what is learnt later; names said twice count once. A name that
  /// `given` gives to one symbol is no other's.
  symbol_names(exchange which, market where, const std::vector<std::string>& symbols, const overrides& given);
  /// Every symbol that comes and fits the naming rule, for replay.
  static symbol_names any(exchange which, market where, const overrides& given);

  /// Follows another symbol from now on; says why not, if it has no name here. Nothing is ever forgotten.
  std::optional<problem> learn(const std::string& symbol);
  /// Where one of our symbols stands in entries(); nullopt: it has no name here.
  [[nodiscard]] std::optional<std::size_t> place_of(std::string_view ours) const;

  /// Our spelling of a name in a data frame; nullptr if it is none of ours. Valid until the next call.
  const std::string* ours(std::string_view theirs);

  /// Only ever grows; what stands in it stays where it is.
  [[nodiscard]] const std::deque<entry>& entries() const noexcept { return entries_; }
  /// What of the constructor's could not be given a name, and why.
  [[nodiscard]] const std::vector<problem>& left_out() const noexcept { return left_out_; }

private:
  using index = std::unordered_map<std::string, std::size_t, text_hash, std::equal_to<>>;

  symbol_names(exchange which, market where, const overrides& given);
  void add(std::string ours, std::string theirs);

  exchange which_;
  market market_;
  bool takes_any_ = false;
  overrides given_; ///< By our canonical spelling.
  std::deque<entry> entries_;
  std::vector<problem> left_out_;
  index by_theirs_, by_ours_;
};

} // namespace breakwater
