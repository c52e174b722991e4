#include "actors/raw_reader/raw_position.hpp"

#include <boost/test/unit_test.hpp>

using namespace breakwater;

BOOST_AUTO_TEST_CASE(a_position_reads_back) {
  const raw_position all[] = {
      {},
      {{5, 7}, 12, {}, 0},
      {{5, 7}, std::nullopt, {9, 1}, 3},
      {{UINT64_MAX, UINT64_MAX}, UINT64_MAX, {UINT64_MAX, 0}, UINT64_MAX},
  };
  for (const auto& position : all)
    for (const auto* stream : {"quantum:stream:exchange.raw", "with blanks in it", "-"})
      BOOST_TEST((parse_raw_position(to_text(position, stream), stream) == position));
}

BOOST_AUTO_TEST_CASE(the_text_is_one_line_for_people) {
  BOOST_TEST(to_text({{1767571200000, 2}, 41, {}, 3}, "raw") == "1 1767571200000-2 41 0-0 3 raw");
  BOOST_TEST(to_text({{5, 0}, std::nullopt, {6, 0}, 0}, "raw") == "1 5-0 - 6-0 0 raw");
}

BOOST_AUTO_TEST_CASE(anything_else_is_no_position) {
  for (const auto* text : {"", "1", "2 5-7 12 0-0 0 raw", "1 5-7 12 0-0 0 other", "1 5-7 12 0-0 0 raw ",
                           "1 5-7 12 0-0 raw", "1 5 12 0-0 0 raw", "1 5-7 x 0-0 0 raw", "1 5-7 12 - 0 raw",
                           "1 5-7 12 0-0 - raw", "1  5-7 12 0-0 0 raw"})
    BOOST_TEST(!parse_raw_position(text, "raw").has_value(), text);
}
