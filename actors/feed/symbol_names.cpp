#include "actors/feed/symbol_names.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace breakwater {
namespace {

constexpr std::size_t longest_symbol = 32;
/// In replay a file could name anything; so many different symbols are enough for every exchange there is.
constexpr std::size_t most_symbols = 20000;

/// What a joined name can end with. Longer ones first; TUSD and BUSD are left out, or DOTUSD and BNBUSD would
/// be misread.
constexpr std::array<std::string_view, 14> quotes{"FDUSD", "USDT", "USDC", "USD", "EUR", "GBP", "JPY",
                                                  "TRY",   "BRL",  "AUD",  "DAI", "BTC", "ETH", "BNB"};

constexpr bool is_letter_or_digit(char c) noexcept {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

std::string upper(std::string_view text) {
  std::string out{text};
  for (auto& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return out;
}

std::string asset(std::string_view name) {
  auto out = upper(name);
  if (out == "XBT") return "BTC";
  if (out == "XDG") return "DOGE";
  return out;
}

struct pair {
  std::string base, quote;
};

/// Splits a joined name at its quote.
std::optional<pair> split(std::string_view joined) {
  for (auto quote : quotes)
    if (joined.size() > quote.size() && joined.ends_with(quote))
      return pair{asset(joined.substr(0, joined.size() - quote.size())), std::string{quote}};
  if (joined.size() > 3 && joined.ends_with("XBT"))
    return pair{asset(joined.substr(0, joined.size() - 3)), "BTC"};
  return std::nullopt;
}

/// Whether a name from a data frame has the form the exchange gives to this market's symbols.
bool fits(exchange which, market where, std::string_view theirs) {
  const auto parts = [&](char separator) { return std::count(theirs.begin(), theirs.end(), separator) + 1; };
  switch (which) {
  case exchange::okx:
    return where == market::spot ? parts('-') == 2 : parts('-') == 3 && theirs.ends_with("-SWAP");
  case exchange::coinbase: return parts('-') == 2;
  case exchange::kraken: return parts('/') == 2;
  case exchange::binance:
  case exchange::bybit: return std::all_of(theirs.begin(), theirs.end(), is_letter_or_digit);
  }
  return false;
}

std::string_view without_suffix(exchange which, market where, std::string_view theirs) {
  constexpr std::string_view swap = "-SWAP";
  if (which == exchange::okx && where == market::linear && theirs.ends_with(swap))
    theirs.remove_suffix(swap.size());
  return theirs;
}

} // namespace

std::string canonical_symbol(std::string_view name) {
  if (name.size() > longest_symbol) return {};
  const auto separator = std::find_if_not(name.begin(), name.end(), is_letter_or_digit);
  if (separator == name.end()) {
    const auto joined = upper(name);
    const auto both = split(joined);
    return both ? both->base + both->quote : joined;
  }
  if (*separator != '-' && *separator != '/' && *separator != '_') return {};
  const auto base = name.substr(0, static_cast<std::size_t>(separator - name.begin()));
  const auto quote = name.substr(base.size() + 1);
  if (base.empty() || quote.empty() || !std::all_of(quote.begin(), quote.end(), is_letter_or_digit))
    return {};
  // By the same rule as a joined name, so that a name made here is what it is made of.
  return canonical_symbol(asset(base) + asset(quote));
}

std::optional<std::string> exchange_symbol(exchange which, market where, std::string_view ours) {
  if (which == exchange::binance || which == exchange::bybit) return std::string{ours};
  const auto both = split(ours);
  if (!both) return std::nullopt;
  switch (which) {
  case exchange::okx: return both->base + "-" + both->quote + (where == market::linear ? "-SWAP" : "");
  case exchange::coinbase: return both->base + "-" + both->quote;
  default: return both->base + "/" + both->quote;
  }
}

symbol_names::symbol_names(exchange which, market where, const overrides& given)
    : which_(which), market_(where) {
  for (const auto& [ours, theirs] : given) given_[canonical_symbol(ours)] = theirs;
}

symbol_names::symbol_names(exchange which, market where, const std::vector<std::string>& symbols,
                           const overrides& given)
    : symbol_names(which, where, given) {
  for (const auto& symbol : symbols)
    if (auto why_not = learn(symbol)) left_out_.push_back(*std::move(why_not));
}

symbol_names symbol_names::any(exchange which, market where, const overrides& given) {
  symbol_names names{which, where, given};
  names.takes_any_ = true;
  for (const auto& [ours, theirs] : names.given_)
    if (!names.by_theirs_.contains(theirs)) names.add(ours, theirs);
  return names;
}

std::optional<symbol_names::problem> symbol_names::learn(const std::string& symbol) {
  auto ours = canonical_symbol(symbol);
  if (ours.empty()) return problem{symbol, "no base and quote in letters and digits"};
  if (by_ours_.contains(ours)) return std::nullopt;
  if (entries_.size() >= most_symbols) return problem{ours, "too many symbols"};
  const auto by_hand = given_.find(ours);
  auto theirs =
      by_hand != given_.end() ? std::optional{by_hand->second} : exchange_symbol(which_, market_, ours);
  if (!theirs)
    return problem{ours,
                   "its quote is not known; name it in feeds." + std::string{to_string(which_)} + ".symbols"};
  const bool is_given_to_another =
      by_hand == given_.end() &&
      std::any_of(given_.begin(), given_.end(), [&](const auto& x) { return x.second == *theirs; });
  if (is_given_to_another || by_theirs_.contains(*theirs))
    return problem{ours, "another symbol is called " + *theirs + " at the exchange"};
  add(std::move(ours), *std::move(theirs));
  return std::nullopt;
}

std::optional<std::size_t> symbol_names::place_of(std::string_view ours) const {
  const auto known = by_ours_.find(ours);
  return known != by_ours_.end() ? std::optional{known->second} : std::nullopt;
}

const std::string* symbol_names::ours(std::string_view theirs) {
  if (const auto known = by_theirs_.find(theirs); known != by_theirs_.end())
    return &entries_[known->second].ours;
  if (!takes_any_ || entries_.size() >= most_symbols || !fits(which_, market_, theirs)) return nullptr;
  auto name = canonical_symbol(without_suffix(which_, market_, theirs));
  if (name.empty()) return nullptr;
  add(std::move(name), std::string{theirs});
  return &entries_.back().ours;
}

void symbol_names::add(std::string ours, std::string theirs) {
  by_theirs_.emplace(theirs, entries_.size());
  by_ours_.emplace(ours, entries_.size());
  entries_.push_back({std::move(ours), std::move(theirs)});
}

} // namespace breakwater
