#pragma once

#include "actors/feed/dialect.hpp"

#include <memory>

/// One factory a dialect, for make_dialect().
namespace breakwater {

std::unique_ptr<dialect> make_binance(market where, symbol_names names);
std::unique_ptr<dialect> make_bybit(market where, symbol_names names);
std::unique_ptr<dialect> make_coinbase(market where, symbol_names names);
std::unique_ptr<dialect> make_okx(market where, symbol_names names);
std::unique_ptr<dialect> make_kraken(market where, symbol_names names);

} // namespace breakwater
