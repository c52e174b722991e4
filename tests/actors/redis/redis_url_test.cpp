#include "actors/redis/redis_url.hpp"

#include <boost/test/unit_test.hpp>

#include <ostream>

namespace breakwater {
namespace {

struct good_row {
  const char* url;
  const char* shown;
  const char* username;
  const char* password;
};
std::ostream& operator<<(std::ostream& out, const good_row& row) { return out << row.url; }

const good_row good[] = {
    {"redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0", "", ""},
    {"redis://redis.example", "redis://redis.example:6379/0", "", ""},
    {"redis://redis.example/", "redis://redis.example:6379/0", "", ""},
    {"redis://redis.example:7000/15", "redis://redis.example:7000/15", "", ""},
    {"redis://[::1]:6380/2", "redis://[::1]:6380/2", "", ""},
    {"redis://[fe80::1]", "redis://[fe80::1]:6379/0", "", ""},
    {"redis://bridge:s%40cr%2Ft@host:1/3", "redis://host:1/3", "bridge", "s@cr/t"},
    {"redis://:only-password@host", "redis://host:6379/0", "", "only-password"},
    {"redis://user:p@ss:word@host", "redis://host:6379/0", "user", "p@ss:word"},
    {"unix:///run/redis.sock", "unix:///run/redis.sock", "", ""},
    {"unix:///run/redis.sock?db=4", "unix:///run/redis.sock?db=4", "", ""},
    {"redis+unix:///run/a%20b.sock", "unix:///run/a b.sock", "", ""},
    {"unix://u:p@/run/redis.sock", "unix:///run/redis.sock", "u", "p"},
};

struct bad_row {
  const char* url;
  const char* says;
};
std::ostream& operator<<(std::ostream& out, const bad_row& row) { return out << row.url; }

const bad_row bad[] = {
    {"", "must begin with"},
    {"127.0.0.1:6379", "must begin with"},
    {"http://host", "must begin with"},
    {"rediss://host", "TLS"},
    {"redis://", "host is missing"},
    {"redis://:6379", "host is missing"},
    {"redis://host:", "port"},
    {"redis://host:0", "port"},
    {"redis://host:65536", "port"},
    {"redis://host:63 79", "port"},
    {"redis://host/one", "database"},
    {"redis://host/-1", "database"},
    {"redis://host/1/2", "database"},
    {"redis://ho st", "character"},
    {"redis://host?db=1", "character"},
    {"redis://::1:6379", "brackets"},
    {"redis://[::1", "without"},
    {"redis://[::1]6379", "only :port"},
    {"redis://[host]:1", "IPv6"},
    {"redis://user:hush%4@host", "hex"},
    {"redis://user:hush%zz@host", "hex"},
    {"redis://user:hush%00@host", "hex"},
    {"redis://user:hush@host:port", "port"},
    {"unix://relative.sock", "absolute"},
    {"unix:///", "absolute"},
    {"unix:///a.sock?database=1", "db="},
    {"unix:///a.sock?db=x", "number"},
};

} // namespace

BOOST_AUTO_TEST_CASE(reads_every_form_and_shows_it_without_the_login) {
  for (const auto& row : good) BOOST_TEST_CONTEXT(row) {
      const auto read = parse_redis_url(row.url);
      BOOST_REQUIRE_MESSAGE(bool{read}, (read ? "" : read.error().detail));
      BOOST_TEST(to_string(*read) == row.shown);
      BOOST_TEST(read->username == row.username);
      BOOST_TEST(read->password.reveal() == row.password);
    }
}

BOOST_AUTO_TEST_CASE(refuses_what_it_cannot_read_and_never_shows_the_password) {
  for (const auto& row : bad) BOOST_TEST_CONTEXT(row) {
      const auto read = parse_redis_url(row.url);
      BOOST_REQUIRE(!read);
      BOOST_TEST((read.error().code == errc::address_invalid));
      BOOST_TEST(read.error().detail.find(row.says) != std::string::npos, read.error().detail);
      BOOST_TEST(read.error().detail.find("hush") == std::string::npos);
    }
}

BOOST_AUTO_TEST_CASE(refuses_a_socket_path_the_kernel_has_no_room_for) {
  BOOST_TEST(!parse_redis_url("unix:///" + std::string(107, 'x')));
  BOOST_TEST(bool{parse_redis_url("unix:///" + std::string(106, 'x'))});
}

BOOST_AUTO_TEST_CASE(the_settings_login_wins_over_that_of_the_url) {
  redis_settings settings;
  settings.url = "redis://a:b@host";
  settings.username = std::string{"c"};
  settings.password = secret{"d"};
  const auto made = address_of(settings);
  BOOST_REQUIRE(bool{made});
  BOOST_TEST(made->username == "c");
  BOOST_TEST(made->password.reveal() == "d");
}

BOOST_AUTO_TEST_CASE(a_username_without_password_is_refused) {
  redis_settings settings;
  settings.username = std::string{"c"};
  BOOST_TEST(!address_of(settings));
}

} // namespace breakwater
