#include "config/schema.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <string>
#include <type_traits>

using namespace breakwater;
using namespace breakwater::config;

namespace {

/// Stands for any member when counting them.
struct anything {
  template <class T>
  operator T() const;
};

/// How many members an aggregate has.
template <class T, class... Found>
constexpr std::size_t members_of() {
  if constexpr (requires { T{Found{}..., anything{}}; })
    return members_of<T, Found..., anything>();
  else
    return sizeof...(Found);
}

std::size_t keys_of(const std::string& section) {
  std::size_t keys = 0;
  for (const auto& row : options()) keys += parent_of(row.key) == section ? 1 : 0;
  return keys;
}

} // namespace

BOOST_AUTO_TEST_CASE(every_member_of_the_settings_has_a_row) {
  BOOST_TEST(keys_of("process") == members_of<process_settings>());
  BOOST_TEST(keys_of("log") == members_of<log_settings>());
  BOOST_TEST(keys_of("redis") == members_of<redis_settings>() - 1); // password
  BOOST_TEST(keys_of("breaker.redis") == members_of<breaker_settings>());
  BOOST_TEST(keys_of("breaker.orders") == members_of<breaker_settings>() + members_of<orders_settings>());
  BOOST_TEST(keys_of("symbols") == members_of<symbols_settings>());
  BOOST_TEST(keys_of("feeds") == members_of<feeds_settings>() - 1); // and one section an exchange
  for (const auto* exchange : {"binance", "bybit", "okx", "kraken"})
    BOOST_TEST(keys_of("feeds." + std::string{exchange}) == members_of<feed_settings>());
  BOOST_TEST(keys_of("aggregator") == members_of<aggregator_settings>());
  BOOST_TEST(keys_of("spool") == members_of<spool_settings>());
  BOOST_TEST(keys_of("health") == members_of<health_settings>());
  BOOST_TEST(keys_of("supervisor") == members_of<supervisor_settings>());
  BOOST_TEST(keys_of("api") == members_of<api_settings>() - 1); // token
  BOOST_TEST(keys_of("chaos") == members_of<chaos_settings>());
}

BOOST_AUTO_TEST_CASE(every_row_has_a_section_a_help_and_a_key_of_its_own) {
  std::set<std::string> seen, known;
  for (const auto& part : sections()) {
    BOOST_TEST(known.insert(part.name).second, part.name);
    BOOST_TEST(keys_of(part.name) > 0u, part.name);
  }
  for (const auto& row : options()) {
    BOOST_TEST(seen.insert(row.key).second, row.key);
    BOOST_TEST(known.contains(parent_of(row.key)), row.key);
    BOOST_TEST(row.help.ends_with('.'), row.key);
  }
}

BOOST_AUTO_TEST_CASE(a_row_writes_the_member_it_reads) {
  // Each row of a fresh settings is changed alone, and no other row may see it.
  for (const auto& changed : options()) BOOST_TEST_CONTEXT(changed.key) {
      settings values;
      const auto before = changed.member.get(values);
      auto other = before;
      if (auto* x = std::get_if<bool>(&other)) *x = !*x;
      if (auto* x = std::get_if<std::size_t>(&other)) *x = *x == 0 ? 1 : 0;
      if (auto* x = std::get_if<double>(&other)) *x += 0.5;
      if (auto* x = std::get_if<milliseconds>(&other)) *x += 1ms;
      if (auto* x = std::get_if<std::string>(&other)) *x += "x";
      if (auto* x = std::get_if<std::vector<std::string>>(&other)) x->emplace_back("XRPUSDT");
      if (auto* x = std::get_if<std::map<std::string, std::string>>(&other)) x->emplace("XRPUSDT", "XRP");
      changed.member.set(values, other);
      for (const auto& row : options()) {
        const bool is_changed = row.member.get(values) != row.member.get(settings{});
        BOOST_TEST(is_changed == (row.key == changed.key), row.key);
      }
    }
}

BOOST_AUTO_TEST_CASE(every_default_lies_within_its_bounds) {
  const settings defaults;
  for (const auto& row : options()) BOOST_TEST_CONTEXT(row.key) {
      const auto value = row.member.get(defaults);
      if (const auto* x = std::get_if<count>(&row.kind)) {
        BOOST_TEST(std::get<std::size_t>(value) >= x->min);
        BOOST_TEST(std::get<std::size_t>(value) <= x->max);
      }
      if (const auto* x = std::get_if<byte_size>(&row.kind)) {
        BOOST_TEST(std::get<std::size_t>(value) >= x->min);
        BOOST_TEST(std::get<std::size_t>(value) <= x->max);
      }
      if (const auto* x = std::get_if<duration>(&row.kind)) {
        BOOST_TEST((std::get<milliseconds>(value) >= x->min && std::get<milliseconds>(value) <= x->max));
        BOOST_TEST((x->min == 10ms));
      }
      if (const auto* x = std::get_if<number>(&row.kind))
        BOOST_TEST((std::get<double>(value) >= x->min && std::get<double>(value) <= x->max));
    }
}
