#include "actors/support/resp.hpp"

#include <boost/test/unit_test.hpp>

#include <vector>

namespace breakwater {

BOOST_AUTO_TEST_CASE(a_command_is_an_array_of_bulk_strings) {
  std::string wire;
  append_command(wire, {"SET", "key", ""});
  BOOST_TEST(wire == "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$0\r\n\r\n");
}

BOOST_AUTO_TEST_CASE(a_command_is_appended_to_what_is_there) {
  std::string wire = "*1\r\n$4\r\nPING\r\n";
  append_command(wire, {"PING"});
  BOOST_TEST(wire == "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n");
}

BOOST_AUTO_TEST_CASE(any_bytes_pass_unchanged) {
  using namespace std::string_view_literals;
  std::string wire;
  append_command(wire, {"A\0\r\nB"sv});
  BOOST_TEST(wire == "*1\r\n$5\r\nA\0\r\nB\r\n"sv);
}

BOOST_AUTO_TEST_CASE(the_pieces_make_the_same_bytes) {
  const std::vector<std::string_view> words{"XADD", "a-stream-of-some-length", "*", "field",
                                            std::string_view{}};
  std::string whole;
  append_command(whole, words);
  std::string pieces;
  append_array_head(pieces, words.size());
  for (const auto& word : words) append_bulk(pieces, word);
  BOOST_TEST(whole == pieces);
}

} // namespace breakwater
