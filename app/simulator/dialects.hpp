#pragma once

#include "app/simulator/venue.hpp"

/// For the venues only: one factory an exchange, and the texts they are made of.
namespace breakwater::dialects {

std::unique_ptr<venue> make_binance(venue_address address, invented_market& shared, std::uint64_t connection);
std::unique_ptr<venue> make_bybit(venue_address address, invented_market& shared, std::uint64_t connection);
std::unique_ptr<venue> make_coinbase(venue_address address, invented_market& shared,
                                     std::uint64_t connection);
std::unique_ptr<venue> make_okx(venue_address address, invented_market& shared, std::uint64_t connection);
std::unique_ptr<venue> make_kraken(venue_address address, invented_market& shared, std::uint64_t connection);

/// Base currency in one contract of an OKX swap. OKX has one per instrument; here one serves all, so that
/// contracts differ from coins.
inline constexpr double okx_contract_size = 0.01;

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

/// The market behind "BTC-USDT" or "BTC/USD": what trades against USDT trades against USD, too, at the same
/// price. nullopt: not listed, or not of that form.
std::optional<invented_market::symbol_id> dollar_market(const invented_market& in, std::string_view name,
                                                        char separator);

} // namespace breakwater::dialects
