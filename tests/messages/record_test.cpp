#include "messages/record.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <utility>
#include <vector>

using namespace breakwater;

namespace {

using field_list = std::vector<std::pair<std::string, std::string>>;

} // namespace

BOOST_AUTO_TEST_CASE(a_record_is_kept_as_it_goes_over_the_wire) {
  record_list list;
  list.add("symbol", "BTCUSDT");
  list.add("note", "");
  list.end_record();
  BOOST_REQUIRE_EQUAL(list.size(), 1u);
  BOOST_TEST(list[0].field_count == 2u);
  BOOST_TEST(list[0].wire == "$6\r\nsymbol\r\n$7\r\nBTCUSDT\r\n$4\r\nnote\r\n$0\r\n\r\n");
}

BOOST_AUTO_TEST_CASE(records_come_back_as_they_went_in) {
  std::string any_bytes;
  for (int byte = 0; byte < 256; ++byte) any_bytes += static_cast<char>(byte);
  const std::vector<field_list> records{
      {{"symbol", "BTCUSDT"}, {"timestamp", "1763359380"}},
      {{"bytes", any_bytes}, {any_bytes, "\r\n$3\r\nabc\r\n"}, {"", ""}},
      {{"long", std::string(70'000, 'x')}},
  };
  record_list list;
  for (const auto& record : records) {
    for (const auto& [name, value] : record) list.add(name, value);
    list.end_record();
  }
  BOOST_REQUIRE_EQUAL(list.size(), records.size());
  for (std::size_t i = 0; i < records.size(); ++i) BOOST_TEST_CONTEXT("record " << i) {
      BOOST_TEST(list[i].field_count == records[i].size());
      BOOST_TEST((fields_of(list[i]) == records[i]));
    }
}

BOOST_AUTO_TEST_CASE(an_open_record_does_not_count_yet) {
  record_list list;
  BOOST_TEST(list.empty());
  list.add("a", "b");
  BOOST_TEST(list.empty());
  list.end_record();
  BOOST_TEST(list.size() == 1u);
}

BOOST_AUTO_TEST_CASE(bytes_are_the_memory_it_takes_and_shrinking_gives_back_what_is_too_much) {
  record_list large;
  for (int i = 0; i < 100; ++i) {
    large.add("name", "value");
    large.end_record();
  }
  std::size_t wire = 0;
  for (std::size_t i = 0; i < large.size(); ++i) wire += large[i].wire.size();
  BOOST_TEST(large.bytes() >= wire);

  record_list small;
  small.reserve_like(large);
  BOOST_TEST(small.bytes() >= wire);
  small.add("name", "value");
  small.end_record();
  small.shrink();
  BOOST_TEST(small.bytes() < 100u);
  BOOST_TEST((fields_of(small[0]) == field_list{{"name", "value"}}));
}
