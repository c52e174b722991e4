#include "actors/feed/dialect.hpp"

#include "actors/feed/dialects.hpp"

namespace breakwater {

std::unique_ptr<dialect> make_dialect(exchange which, market where, symbol_names names) {
  switch (which) {
  case exchange::binance: return make_binance(where, std::move(names));
  case exchange::bybit: return make_bybit(where, std::move(names));
  case exchange::okx: return make_okx(where, std::move(names));
  case exchange::kraken: return make_kraken(where, std::move(names));
  case exchange::coinbase: return make_coinbase(where, std::move(names));
  }
  return nullptr;
}

} // namespace breakwater
