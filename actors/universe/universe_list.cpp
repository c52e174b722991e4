#include "actors/universe/universe_list.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <unordered_set>
#include <utility>

namespace breakwater {
namespace {

/// Base and quote joined, as in symbols.list.
bool is_symbol(std::string_view text) {
  constexpr std::array<std::string_view, 5> quotes{"USDT", "USDC", "USD", "EUR", "BTC"};
  const bool fits = std::all_of(text.begin(), text.end(),
                                [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); });
  return fits && std::any_of(quotes.begin(), quotes.end(), [&](std::string_view quote) {
           return text.size() > quote.size() && text.size() <= quote.size() + 20 && text.ends_with(quote);
         });
}

/// For people, in ASCII and short. Lists and objects only by their kind: they may be nested without end.
std::string shown(const nlohmann::json& item) {
  if (item.is_array()) return "[...]";
  if (item.is_object()) return "{...}";
  return item.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace).substr(0, 40);
}

} // namespace

universe_list::universe_list(std::vector<std::string> first, std::size_t most)
    : first_(std::move(first)), most_(most), followed_(first_) {}

result<universe_list::change> universe_list::take(std::string_view text) {
  const auto value = nlohmann::json::parse(text, nullptr, false);
  if (value.is_discarded() || !value.is_object()) return failure{errc::frame_not_json, "no JSON object"};
  const auto symbols = value.find("symbols");
  if (symbols == value.end()) return failure{errc::field_missing, "symbols"};
  if (!symbols->is_array()) return failure{errc::field_malformed, "symbols is no list"};
  change out;
  out.names_none = symbols->empty();
  auto next = first_;
  std::unordered_set<std::string> known{next.begin(), next.end()};
  for (const auto& item : *symbols) {
    if (!item.is_string() || !is_symbol(item.get_ref<const std::string&>())) {
      out.odd.push_back(shown(item));
      continue;
    }
    const auto& symbol = item.get_ref<const std::string&>();
    if (!known.insert(symbol).second) continue;
    (next.size() < most_ ? next : out.cut).push_back(symbol);
  }
  out.changed = next != followed_;
  followed_ = std::move(next);
  return out;
}

} // namespace breakwater
