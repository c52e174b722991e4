#pragma once

#include "app/simulator/venue.hpp"

/// For the venues only: one factory an exchange, and the texts they are made of.
namespace breakwater::dialects {

std::unique_ptr<venue> make_binance(venue_address address, invented_market& shared, std::uint64_t connection);
std::unique_ptr<venue> make_bybit(venue_address address, invented_market& shared, std::uint64_t connection);
std::unique_ptr<venue> make_okx(venue_address address, invented_market& shared, std::uint64_t connection);
std::unique_ptr<venue> make_kraken(venue_address address, invented_market& shared, std::uint64_t connection);

/// "84017.80": always this many decimals.
std::string fixed(double value, int decimals);
/// "84017.8": at most this many decimals, without closing zeros.
std::string trimmed(double value, int decimals);
/// The text as a JSON string, with the quotes.
std::string in_quotes(std::string_view text);
/// A number that looks drawn, the same for the same key.
std::uint64_t scramble(std::uint64_t key) noexcept;
/// `name` without '-' and '/', in capitals: our spelling of a symbol.
std::string joined_name(std::string_view name);

} // namespace breakwater::dialects
