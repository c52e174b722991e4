#include "actors/aggregator/merged_record.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <optional>
#include <string>
#include <vector>

using namespace breakwater;

namespace {

using field_list = std::vector<std::pair<std::string, std::string>>;

merged of_two() {
  merged m;
  m.symbol = "BTCUSDT";
  m.start_s = 1763359380;
  m.prices[index_of(exchange::binance)] = 95184.77;
  m.prices[index_of(exchange::bybit)] = 95184.25;
  m.contributing = 2;
  m.mean = 95184.51;
  m.deviation = 0.26;
  m.spread_bps = 0.0546;
  m.vwap = 95184.6;
  m.volume = 12.5;
  m.lead_lag = 0.0000055;
  m.event_at = wall_time_from_ms(1763359437339);
  m.ingest_at = wall_time_from_ms(1763359437400);
  return m;
}

field_list written(const merged& what, market kind = market::spot) {
  record_list out;
  append_record(out, what, kind);
  BOOST_TEST_REQUIRE(out.size() == 1u);
  return fields_of(out[0]);
}

void compare(const field_list& got, const field_list& want) {
  BOOST_TEST(got.size() == want.size());
  for (std::size_t i = 0; i < std::min(got.size(), want.size()); ++i) {
    BOOST_TEST(got[i].first == want[i].first);
    BOOST_TEST(got[i].second == want[i].second,
               want[i].first << ": " << got[i].second << " != " << want[i].second);
  }
}

std::map<std::string, std::string> by_name(const field_list& fields) {
  return {fields.begin(), fields.end()};
}

} // namespace

BOOST_AUTO_TEST_CASE(the_fields_stand_in_the_order_of_the_wire_format) {
  compare(written(of_two()), {{"symbol", "BTCUSDT"},
                              {"timestamp", "1763359380"},
                              {"avg_price", "95184.51"},
                              {"price_divergence", "0.26"},
                              {"num_exchanges", "2"},
                              {"binance_price", "95184.77"},
                              {"bybit_price", "95184.25"},
                              {"coinbase_price", "null"},
                              {"funding_delta", "0.0"},
                              {"market", "spot"},
                              {"volatility_factor", "0.0000027315368855709823"},
                              {"lead_lag", "0.0000055"},
                              {"max_spread_bps", "0.0546"},
                              {"vwap", "95184.6"},
                              {"volume", "12.5"},
                              {"suspect", "0"},
                              {"closed", "0"},
                              {"event_ms", "1763359437339"},
                              {"ingest_ms", "1763359437400"}});
}

BOOST_AUTO_TEST_CASE(later_exchanges_stand_behind_the_original_three_and_the_excluded_are_named) {
  auto m = of_two();
  m.prices = {};
  m.prices[index_of(exchange::okx)] = 0.000051;
  m.prices[index_of(exchange::coinbase)] = 100000;
  m.prices[index_of(exchange::kraken)] = 1e-9;
  m.excluded.set(index_of(exchange::coinbase));
  m.excluded.set(index_of(exchange::kraken));
  m.mean = 0.000051;
  m.deviation = 0;
  m.spread_bps = 0;
  m.vwap = 0.000051;
  m.volume = 0;
  m.lead_lag.reset();
  m.suspect = m.closed = true;
  compare(written(m, market::linear), {{"symbol", "BTCUSDT"},
                                       {"timestamp", "1763359380"},
                                       {"avg_price", "0.000051"},
                                       {"price_divergence", "0"},
                                       {"num_exchanges", "2"},
                                       {"binance_price", "null"},
                                       {"bybit_price", "null"},
                                       {"coinbase_price", "100000"},
                                       {"okx_price", "0.000051"},
                                       {"kraken_price", "0.000000001"},
                                       {"funding_delta", "0.0"},
                                       {"market", "linear"},
                                       {"volatility_factor", "0"},
                                       {"max_spread_bps", "0"},
                                       {"vwap", "0.000051"},
                                       {"volume", "0"},
                                       {"suspect", "1"},
                                       {"closed", "1"},
                                       {"event_ms", "1763359437339"},
                                       {"ingest_ms", "1763359437400"},
                                       {"excluded", "coinbase,kraken"}});
}

BOOST_AUTO_TEST_CASE(numbers_read_back_to_what_they_were) {
  auto m = of_two();
  m.mean = 100.0 / 3;
  m.deviation = 0.1 + 0.2;
  m.lead_lag = -1.0 / 3e7;
  m.vwap = 33.333333333333336;
  m.volume = 1e15 + 0.125;
  const auto fields = by_name(written(m));
  BOOST_TEST((std::stod(fields.at("avg_price")) == m.mean));
  BOOST_TEST((std::stod(fields.at("price_divergence")) == m.deviation));
  BOOST_TEST((std::stod(fields.at("lead_lag")) == *m.lead_lag));
  BOOST_TEST((std::stod(fields.at("vwap")) == m.vwap));
  BOOST_TEST((std::stod(fields.at("volume")) == m.volume));
  BOOST_TEST((std::stod(fields.at("volatility_factor")) == m.deviation / m.mean));
}

BOOST_AUTO_TEST_CASE(quality_is_written_at_its_edges) {
  struct row {
    double mean, deviation, spread_bps;
    std::optional<double> lead_lag;
    std::vector<exchange> excluded;
    const char *volatility_text, *spread_text, *lead_lag_text, *excluded_text; ///< nullptr: left out
  };
  using enum exchange;
  const row rows[] = {
      {100, 0, 0, 0.0, {}, "0", "0", "0", nullptr},
      {100, 2.5, 500, -0.05, {okx}, "0.025", "500", "-0.05", "okx"},
      {200, 1, 0.5, std::nullopt, {binance, bybit}, "0.005", "0.5", nullptr, "binance,bybit"},
      {0.5,
       0.000000001,
       1e-7,
       1e-12,
       {kraken, coinbase},
       "0.000000002",
       "0.0000001",
       "1e-12",
       "coinbase,kraken"},
  };
  for (const auto& r : rows) BOOST_TEST_CONTEXT(r.volatility_text) {
      auto m = of_two();
      m.mean = r.mean;
      m.deviation = r.deviation;
      m.spread_bps = r.spread_bps;
      m.lead_lag = r.lead_lag;
      for (auto x : r.excluded) m.excluded.set(index_of(x));
      auto fields = by_name(written(m));
      BOOST_TEST(fields.at("volatility_factor") == r.volatility_text);
      BOOST_TEST(fields.at("max_spread_bps") == r.spread_text);
      BOOST_TEST(fields.contains("lead_lag") == (r.lead_lag_text != nullptr));
      if (r.lead_lag_text) BOOST_TEST(fields.at("lead_lag") == r.lead_lag_text);
      BOOST_TEST(fields.contains("excluded") == (r.excluded_text != nullptr));
      if (r.excluded_text) BOOST_TEST(fields.at("excluded") == r.excluded_text);
    }
}

BOOST_AUTO_TEST_CASE(records_follow_each_other_in_one_list) {
  record_list out;
  auto first = of_two(), second = of_two();
  second.symbol = "ETHUSDT";
  append_record(out, first, market::spot);
  append_record(out, second, market::spot);
  BOOST_TEST_REQUIRE(out.size() == 2u);
  BOOST_TEST(by_name(fields_of(out[0])).at("symbol") == "BTCUSDT");
  BOOST_TEST(by_name(fields_of(out[1])).at("symbol") == "ETHUSDT");
}
