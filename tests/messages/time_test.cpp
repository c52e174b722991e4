#include "messages/time.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstdint>
#include <string_view>

using namespace breakwater;

namespace {

struct stamp {
  std::int64_t ms;
  const char* text;
};
constexpr std::array stamps{
    stamp{0, "1970-01-01T00:00:00.000Z"},
    stamp{999, "1970-01-01T00:00:00.999Z"},
    stamp{1763359437339, "2025-11-17T06:03:57.339Z"},
    stamp{951782400000, "2000-02-29T00:00:00.000Z"},  // leap: divisible by 400
    stamp{1709251199999, "2024-02-29T23:59:59.999Z"}, // leap
    stamp{1709251200000, "2024-03-01T00:00:00.000Z"},
    stamp{4107542400000, "2100-03-01T00:00:00.000Z"}, // 2100 is no leap year
    stamp{4107542399999, "2100-02-28T23:59:59.999Z"},
    stamp{-1, "1969-12-31T23:59:59.999Z"},
    stamp{253402300799999, "9999-12-31T23:59:59.999Z"},
};

struct spelling {
  const char* text;
  std::int64_t ms;
};
/// What exchanges write beside our own form.
constexpr std::array spellings{
    spelling{"2025-11-17T06:03:57Z", 1763359437000},
    spelling{"2025-11-17T06:03:57.3Z", 1763359437300},
    spelling{"2025-11-17T06:03:57.339456Z", 1763359437339},
    spelling{"2025-11-17T06:03:57.339999999Z", 1763359437339},
    spelling{"2016-12-31T23:59:60Z", 1483228800000}, // a leap second counts into the next minute
};

constexpr std::array malformed{
    "",
    "Z",
    "2025-11-17",
    "2025-11-17T06:03:57",       // no zone
    "2025-11-17T06:03:57+00:00", // only Z
    "2025-11-17 06:03:57Z",
    "2025-11-17T06:03Z",
    "2025-11-17T06:03:57.Z",
    "2025-11-17T06:03:57,339Z",
    "2025-11-17T06:03:57.33x9Z",
    "2025-11-17T06:03:57.339ZZ",
    "2025-1-17T06:03:57Z",
    "2025-00-17T06:03:57Z",
    "2025-13-17T06:03:57Z",
    "2025-11-00T06:03:57Z",
    "2025-11-31T06:03:57Z",
    "2023-02-29T00:00:00Z",
    "2100-02-29T00:00:00Z",
    "2025-11-17T24:00:00Z",
    "2025-11-17T06:60:00Z",
    "2025-11-17T06:03:61Z",
    "-025-11-17T06:03:57Z",
    " 2025-11-17T06:03:57Z",
};

} // namespace

BOOST_AUTO_TEST_CASE(a_wall_time_is_written_and_read_back) {
  for (const auto& [ms, text] : stamps) BOOST_TEST_CONTEXT(text) {
      BOOST_TEST(to_rfc3339(wall_time_from_ms(ms)) == text);
      const auto read = parse_rfc3339(text);
      BOOST_REQUIRE(read.has_value());
      BOOST_TEST(epoch_ms(*read) == ms);
    }
}

BOOST_AUTO_TEST_CASE(fractions_of_any_length_are_read_to_the_millisecond) {
  for (const auto& [text, ms] : spellings) BOOST_TEST_CONTEXT(text) {
      const auto read = parse_rfc3339(text);
      BOOST_REQUIRE(read.has_value());
      BOOST_TEST(epoch_ms(*read) == ms);
    }
}

BOOST_AUTO_TEST_CASE(anything_else_is_no_time) {
  for (const auto* text : malformed) BOOST_TEST(!parse_rfc3339(text).has_value(), text);
  BOOST_TEST(!parse_rfc3339(std::string_view{"2025-11-17T06:03:57Z\0", 21}).has_value());
}

BOOST_AUTO_TEST_CASE(the_system_clock_tells_a_time_of_this_century) {
  BOOST_TEST(epoch_ms(system_wall_time()) > 1700000000000);
  BOOST_TEST(epoch_ms(system_wall_time()) < 4102444800000);
}
