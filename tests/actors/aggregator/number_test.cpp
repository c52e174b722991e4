#include "actors/aggregator/number.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <random>
#include <string>

using namespace breakwater;

namespace {

struct row {
  double value;
  const char* text;
};
constexpr std::array rows{
    row{0.0, "0"},
    row{1.0, "1"},
    row{-1.5, "-1.5"},
    row{0.1, "0.1"},
    row{100000, "100000"},
    row{0.0000510, "0.000051"},
    row{0.00000000123, "0.00000000123"},
    row{1e-9, "0.000000001"},
    row{95184.77, "95184.77"},
    row{-95184.77, "-95184.77"},
    row{1e15, "1000000000000000"},
    row{9007199254740993.0, "9007199254740992"},
    row{0.1 + 0.2, "0.30000000000000004"},
};

double read_back(std::string_view text) {
  double value = std::numeric_limits<double>::quiet_NaN();
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  BOOST_TEST_REQUIRE((end.ec == std::errc{} && end.ptr == text.data() + text.size()), std::string{text});
  return value;
}

/// How many significant digits the shortest text needs that reads back to `value`.
int shortest_digits(double value) {
  for (int digits = 1; digits < 17; ++digits) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*e", digits - 1, value);
    if (std::strtod(text, nullptr) == value) return digits;
  }
  return 17;
}

/// Without the zeros that only place the decimal point.
int significant_digits(std::string_view text) {
  std::string digits;
  for (auto c : text.substr(0, text.find('e')))
    if (c >= '0' && c <= '9') digits += c;
  digits.erase(0, digits.find_first_not_of('0'));
  digits.erase(digits.find_last_not_of('0') + 1);
  return static_cast<int>(digits.size());
}

} // namespace

BOOST_AUTO_TEST_CASE(ordinary_numbers_are_written_short_and_without_exponent) {
  number_text text;
  for (const auto& r : rows) BOOST_TEST_CONTEXT(r.text) BOOST_TEST(text.of(r.value) == r.text);
}

BOOST_AUTO_TEST_CASE(whole_numbers_are_written_as_they_are) {
  number_text text;
  BOOST_TEST(text.of(std::int64_t{0}) == "0");
  BOOST_TEST(text.of(std::int64_t{-1}) == "-1");
  BOOST_TEST(text.of(std::int64_t{1763359437339}) == "1763359437339");
  BOOST_TEST(text.of(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
}

BOOST_AUTO_TEST_CASE(prices_of_every_size_read_back_to_the_same_double) {
  std::mt19937_64 random{1};
  std::uniform_real_distribution<double> exponent{-9, 15.9}, sign{-1, 1};
  number_text text;
  for (int i = 0; i < 50'000; ++i) {
    const double value = std::copysign(std::pow(10.0, exponent(random)), sign(random));
    if (std::fabs(value) < 1e-9) continue;
    const auto written = text.of(value);
    BOOST_TEST_REQUIRE((read_back(written) == value), std::string{written});
    BOOST_TEST_REQUIRE((written.find('e') == written.npos), std::string{written});
    // From 2^53 on the digits before the point are all written out, also those no double tells apart.
    if (std::fabs(value) < 9e15)
      BOOST_TEST_REQUIRE(significant_digits(written) == shortest_digits(value), std::string{written});
  }
}

BOOST_AUTO_TEST_CASE(any_bit_pattern_of_a_finite_double_reads_back) {
  std::mt19937_64 random{2};
  number_text text;
  for (int i = 0; i < 200'000; ++i) {
    const auto value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    const auto written = text.of(value);
    BOOST_TEST_REQUIRE(
        (std::bit_cast<std::uint64_t>(read_back(written)) == std::bit_cast<std::uint64_t>(value)),
        std::string{written});
  }
  for (const double edge : {std::numeric_limits<double>::max(), std::numeric_limits<double>::min(),
                            std::numeric_limits<double>::denorm_min(), std::nextafter(1e16, 0), 1e16,
                            std::nextafter(1e-9, 0), -std::numeric_limits<double>::max()})
    BOOST_TEST((read_back(text.of(edge)) == edge));
}
