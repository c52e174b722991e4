#include "config/value_text.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <optional>

using namespace breakwater;
using namespace breakwater::config;

namespace {

struct duration_row {
  const char* text;
  std::optional<milliseconds> time;
  const char* printed; ///< nullptr: as `text`.
};
constexpr std::array durations{
    duration_row{"10ms", 10ms, nullptr},
    duration_row{"1500ms", 1500ms, nullptr},
    duration_row{"30s", 30s, nullptr},
    duration_row{"120s", 2min, nullptr},
    duration_row{"1000ms", 1s, "1s"},
    duration_row{"5m", 5min, nullptr},
    duration_row{"2m", 2min, "120s"},
    duration_row{"60m", 1h, "1h"},
    duration_row{"2h", 2h, nullptr},
    duration_row{"0s", 0ms, nullptr},
    duration_row{"", std::nullopt, nullptr},
    duration_row{"5", std::nullopt, nullptr},
    duration_row{"s", std::nullopt, nullptr},
    duration_row{"-5s", std::nullopt, nullptr},
    duration_row{"5 s", std::nullopt, nullptr},
    duration_row{"1.5s", std::nullopt, nullptr},
    duration_row{"5S", std::nullopt, nullptr},
    duration_row{"5days", std::nullopt, nullptr},
    duration_row{"99999999999999999999s", std::nullopt, nullptr},
    duration_row{"9223372036854775807h", std::nullopt, nullptr},
};

struct size_row {
  const char* text;
  std::optional<std::size_t> bytes;
  const char* printed; ///< nullptr: as `text`.
};
constexpr std::array sizes{
    size_row{"0B", 0, nullptr},
    size_row{"1500B", 1500, nullptr},
    size_row{"64KiB", 65536, nullptr},
    size_row{"64MiB", std::size_t{64} << 20, nullptr},
    size_row{"1024MiB", std::size_t{1} << 30, "1GiB"},
    size_row{"2TiB", std::size_t{2} << 40, nullptr},
    size_row{"64", std::nullopt, nullptr},
    size_row{"64MB", std::nullopt, nullptr},
    size_row{"64 MiB", std::nullopt, nullptr},
    size_row{"-1B", std::nullopt, nullptr},
    size_row{"99999999TiB", std::nullopt, nullptr},
};

} // namespace

BOOST_AUTO_TEST_CASE(durations_are_digits_and_a_unit) {
  for (const auto& row : durations) BOOST_TEST_CONTEXT(row.text) {
      const auto read = parse_duration(row.text);
      BOOST_TEST(read.has_value() == row.time.has_value());
      BOOST_TEST((read == row.time));
      if (read) BOOST_TEST(format_duration(*read) == (row.printed ? row.printed : row.text));
    }
}

BOOST_AUTO_TEST_CASE(sizes_are_digits_and_a_binary_unit) {
  for (const auto& row : sizes) BOOST_TEST_CONTEXT(row.text) {
      const auto read = parse_size(row.text);
      BOOST_TEST(read.has_value() == row.bytes.has_value());
      BOOST_TEST((read == row.bytes));
      if (read) BOOST_TEST(format_size(*read) == (row.printed ? row.printed : row.text));
    }
}

BOOST_AUTO_TEST_CASE(texts_are_quoted_so_that_toml_reads_them_back) {
  BOOST_TEST(toml_string("plain") == "\"plain\"");
  BOOST_TEST(toml_string("a \"b\" \\ c") == R"("a \"b\" \\ c")");
  BOOST_TEST(toml_string("a\nb\x7f") == R"("a\u000Ab\u007F")");
  BOOST_TEST(key_text("BTC-USDT_1") == "BTC-USDT_1");
  BOOST_TEST(key_text("BTC/USDT") == "\"BTC/USDT\"");
  BOOST_TEST(key_text("") == "\"\"");
}

BOOST_AUTO_TEST_CASE(a_url_is_shown_without_what_may_be_a_password) {
  BOOST_TEST(without_user_info("redis://host:6379/0") == "redis://host:6379/0");
  BOOST_TEST(without_user_info("redis://me:pass@word@host") == "redis://***@host");
  BOOST_TEST(without_user_info("redis:/:password@host") == "***@host");
  BOOST_TEST(without_user_info("user:pw@x://y") == "***@x://y");
}

BOOST_AUTO_TEST_CASE(the_edit_distance_counts_a_swap_as_one) {
  BOOST_TEST(edit_distance("", "") == 0u);
  BOOST_TEST(edit_distance("mode", "mode") == 0u);
  BOOST_TEST(edit_distance("mode", "") == 4u);
  BOOST_TEST(edit_distance("open_durration", "open_duration") == 1u);
  BOOST_TEST(edit_distance("lvoel", "level") == 2u);
  BOOST_TEST(edit_distance("lveel", "level") == 1u);
}
