#include "messages/text.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

namespace breakwater::test {

using namespace std::string_literals;

BOOST_AUTO_TEST_CASE(a_terminal_gets_characters_and_nothing_it_would_obey) {
  struct row {
    std::string text, shown;
  };
  const row rows[] = {
      {"", ""},
      {"plain text, 100 %", "plain text, 100 %"},
      {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
      {"\x1b[2J", "\\x1b[2J"},
      {"a\nb\tc\0d"s, "a\\x0ab\\x09c\\x00d"},
      {"\x7f", "\\x7f"},
      {"\xc2\x9b"
       "31m",
       "\\xc2\\x9b31m"},                                 // the C1 form of ESC [
      {"\xe2\x80\xaegpj.exe", "\\xe2\\x80\\xaegpj.exe"}, // turns the direction
      {"\xe2\x81\xa6x", "\\xe2\\x81\\xa6x"},             // likewise
      {"\xe2\x80\xa8x", "\\xe2\\x80\\xa8x"},             // ends a line
      {"\xff\xfe", "\\xff\\xfe"},
      {"\xc3", "\\xc3"},
      {"\xe2\x82", "\\xe2\\x82"},
      {"\xc0\x8a", "\\xc0\\x8a"},                   // a line end, too long
      {"\xe0\x80\x8a", "\\xe0\\x80\\x8a"},          // likewise
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          // half a pair
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, // beyond the last
      {"\xc3\xa9\x1b\xc3\xa9", "\xc3\xa9\\x1b\xc3\xa9"},
  };
  for (const auto& row : rows) BOOST_TEST(printable(row.text) == row.shown);
}

BOOST_AUTO_TEST_CASE(a_shell_gets_one_word) {
  struct row {
    std::string text, word;
  };
  const row rows[] = {
      {"quantum:stream:trade.intent", "quantum:stream:trade.intent"},
      {"/etc/breakwater/b-1.toml", "/etc/breakwater/b-1.toml"},
      {"", "''"},
      {"a b", "'a b'"},
      {"$(reboot)", "'$(reboot)'"},
      {"`id`;&|<>*?~!#", "'`id`;&|<>*?~!#'"},
      {"it's", "'it'\\''s'"},
      {"{a,b}", "'{a,b}'"},
      {"a\nb", "'a\nb'"},
  };
  for (const auto& row : rows) BOOST_TEST(shell_word(row.text) == row.word);
}

BOOST_AUTO_TEST_CASE(an_address_is_shown_without_user_and_query) {
  struct row {
    std::string address, shown;
  };
  const row rows[] = {
      {"wss://host:9443/ws", "wss://host:9443/ws"},
      {"wss://user:secret@host/ws", "wss://host/ws"},
      {"wss://user:sec@ret@host", "wss://host"},
      {"wss://host/ws?key=secret", "wss://host/ws?***"},
      {"wss://host?key=a@b", "wss://host?***"},
      {"wss://host/a@b", "wss://host/a@b"},
      {"user:secret@host", "host"},
      {"", ""},
  };
  for (const auto& row : rows) BOOST_TEST(shown_address(row.address) == row.shown);
}

} // namespace breakwater::test
