#include "actors/support/url.hpp"

#include <boost/test/unit_test.hpp>

namespace breakwater {
namespace {

BOOST_AUTO_TEST_SUITE(url_suite)

BOOST_AUTO_TEST_CASE(an_address_is_taken_apart) {
  struct row {
    const char* text;
    bool tls;
    const char *host, *port, *target, *authority;
  };
  const row rows[] = {
      {"http://x.example", false, "x.example", "80", "/", "x.example"},
      {"https://x.example", true, "x.example", "443", "/", "x.example"},
      {"https://x.example:443/a", true, "x.example", "443", "/a", "x.example"},
      {"https://x.example:80/a", true, "x.example", "80", "/a", "x.example:80"},
      {"http://127.0.0.1:8080/a/b?c=d&e=f", false, "127.0.0.1", "8080", "/a/b?c=d&e=f", "127.0.0.1:8080"},
      {"http://h?c=d", false, "h", "80", "/?c=d", "h"},
      {"http://h:1?c=http://i:2/", false, "h", "1", "/?c=http://i:2/", "h:1"},
      {"http://h/a?t=12:00", false, "h", "80", "/a?t=12:00", "h"},
      {"http://h/a@b", false, "h", "80", "/a@b", "h"},
      {"http://[::1]", false, "::1", "80", "/", "[::1]"},
      {"http://[::1]:65535/x", false, "::1", "65535", "/x", "[::1]:65535"},
      {"http://h:007", false, "h", "007", "/", "h:007"},
  };
  for (const auto& r : rows) BOOST_TEST_CONTEXT(r.text) {
      const auto got = parse_url(r.text, "http", "https");
      BOOST_TEST_REQUIRE(got.has_value());
      BOOST_TEST(got->tls == r.tls);
      BOOST_TEST(got->host == r.host);
      BOOST_TEST(got->port == r.port);
      BOOST_TEST(got->target == r.target);
      BOOST_TEST(got->authority() == r.authority);
    }
}

BOOST_AUTO_TEST_CASE(the_caller_says_which_schemes_there_are) {
  BOOST_TEST(parse_url("ws://h", "ws", "wss").has_value());
  BOOST_TEST(parse_url("wss://h", "ws", "wss")->tls);
  BOOST_TEST(!parse_url("ws://h", "http", "https"));
  BOOST_TEST(!parse_url("http://h", "ws", "wss"));
}

BOOST_AUTO_TEST_CASE(what_is_no_address_is_refused) {
  for (const char* text : {"",
                           "h",
                           "http:",
                           "http:/h",
                           "http://",
                           "HTTP://h",
                           "ftp://h",
                           "://h",
                           "http:///a",
                           "http://:80",
                           "http://h:",
                           "http://h:0",
                           "http://h:65536",
                           "http://h:99999999999",
                           "http://h:8a",
                           "http://h:-1",
                           "http://h:+1",
                           "http://a:b:80",
                           "http://::1/x",
                           "http://[::1",
                           "http://[]",
                           "http://[::1]x",
                           "http://[::1]:",
                           "http://me@h",
                           "http://me:pw@h",
                           "http://h/a b",
                           "http://h/a\r\nX: y",
                           "http://h/\x7f",
                           "http://h/\xc3\xa4",
                           " http://h",
                           "http://h/#part"})
    BOOST_TEST_CONTEXT(text) { BOOST_TEST(!parse_url(text, "http", "https")); }
  BOOST_TEST(!parse_url(std::string_view{"http://h/\0x", 11}, "http", "https"));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater
