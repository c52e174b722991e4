#pragma once

#include "app/simulator/market.hpp"
#include "app/simulator/rate_limit.hpp"
#include "messages/exchange.hpp"
#include "messages/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace breakwater {

/// An answer over HTTP; its body is JSON.
struct rest_answer {
  unsigned status = 200;
  int retry_after_s = 0; ///< 0: not said.
  std::string body;
};

/// The exchanges' past candles over HTTP, one minute long, in each one's own format and order, with its most
/// rows and its limit of requests. A plain value of the time it is given: it has no socket and no clock.
class rest_venue {
public:
  /// `shared` must outlive it. `invents` false: candles come from a frames file, so there are none of the
  /// past.
  explicit rest_venue(invented_market& shared, bool invents = true);

  /// Whose request `target` (path and query) is; nullopt: nobody's.
  [[nodiscard]] static std::optional<exchange> owner_of(std::string_view target);
  /// Answers a GET of `target`, which has an owner.
  [[nodiscard]] rest_answer get(std::string_view target, wall_time now);
  /// What `from` answers who asks too often.
  [[nodiscard]] static rest_answer too_often(exchange from);

private:
  /// Binance weighs requests and counts the weights of each minute; who goes on over the limit is locked out.
  struct weighing {
    std::int64_t minute = 0;
    int used = 0, refused = 0;
    wall_time locked_until{};
  };
  /// What refuses a request for being one too many, if it is.
  std::optional<rest_answer> refusal(exchange from, std::string_view target, wall_time now);
  static std::optional<rest_answer> weigh(weighing& so_far, int weight, int most, wall_time now);

  invented_market& market_;
  bool invents_;
  weighing binance_spot_, binance_linear_;
  rate_limit bybit_;
  rate_limit okx_, okx_history_;
  burst_limit kraken_;
  burst_limit coinbase_;
};

} // namespace breakwater
