#include "actors/bridge/finish.hpp"

#include "tests/support/private_redis.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace breakwater;
using namespace breakwater::test;

namespace {

/// The scripts in a real Redis that refuses something: a stream "s" whose entries consumer "a" has read.
struct finish_fixture {
  private_redis server;
  redis_client admin{server.socket_path()};
  bridge_settings route;

  finish_fixture() {
    route.from = "s";
    route.to = "copy";
    admin({"XGROUP", "CREATE", "s", route.group, "0-0", "MKSTREAM"});
    for (const auto* id : {"1-0", "2-0", "3-0"}) admin({"XADD", "s", id, "payload", "{}"});
    admin({"XREADGROUP", "GROUP", route.group, "a", "STREAMS", "s", ">"});
  }

  static ending one(const std::string& id, ending::what becomes = ending::what::valid) {
    ending what;
    what.entry = {*parse_entry_id(id), {{"payload", "{}"}}};
    what.becomes = becomes;
    what.reason = "a reason";
    what.text = "{\"id\":\"" + id + "\"}";
    what.identity = "BTCUSDT:BUY:" + id;
    return what;
  }
  redis_reply finish(const ending& what) { return finish_by(admin, what); }
  redis_reply finish_by(redis_client& client, const ending& what) {
    const auto commands = finish_commands(route, "a", {what}, {});
    return client.pipeline(*commands.wire, commands.count).front();
  }
  std::int64_t length(std::string_view stream) { return admin({"XLEN", stream}).integer; }
  std::int64_t pending() { return admin({"XPENDING", "s", route.group}).items.at(0).integer; }
  std::string latest() { return admin({"GET", "live_signals"}).text; }
};

} // namespace

// A script is not rolled back: refused in its middle, it would deliver the entry with every attempt.
BOOST_FIXTURE_TEST_CASE(what_the_acl_does_not_allow_is_refused_before_the_first_write, finish_fixture) {
  for (const auto* lacks : {"-rpush", "-ltrim", "-xack", "-set", "-xadd", "-lrange"})
    BOOST_TEST_CONTEXT(lacks) {
      admin({"ACL", "SETUSER", "limited", "reset", "on", "nopass", "~*", "+@all", lacks});
      redis_client limited{server.socket_path()};
      limited({"AUTH", "limited", "any"});
      const auto refused = finish_by(limited, one("1-0"));
      BOOST_TEST((refused.what == redis_reply::kind::error));
      BOOST_TEST(refused.text.starts_with("NOPERM the bridge needs "), refused.text);
      BOOST_TEST((length("copy") == 0 && length("s.dead") == 0 && pending() == 3));
      BOOST_TEST(admin({"KEYS", "breakwater:*"}).items.empty());
    }
  BOOST_TEST(finish(one("1-0")).text == "valid");
}

BOOST_FIXTURE_TEST_CASE(a_withdrawal_the_acl_forbids_leaves_what_reduces_risk, finish_fixture) {
  auto close = one("1-0");
  close.reduces_risk = true;
  finish(close);
  finish(one("2-0"));
  admin({"ACL", "SETUSER", "limited", "on", "nopass", "~*", "+@all", "-rpush"});
  redis_client limited{server.socket_path()};
  limited({"AUTH", "limited", "any"});
  const auto withdraw = withdraw_commands(route);
  BOOST_TEST(limited.pipeline(*withdraw.wire, 1).front().text.starts_with("NOPERM the bridge needs RPUSH"));
  BOOST_TEST(latest() == R"([{"id":"1-0"},{"id":"2-0"}])");
  BOOST_TEST(admin.pipeline(*withdraw.wire, 1).front().integer == 1);
  BOOST_TEST(latest() == R"([{"id":"1-0"}])");
}

BOOST_FIXTURE_TEST_CASE(a_withdrawal_works_when_redis_is_out_of_memory, finish_fixture) {
  auto close = one("1-0");
  close.reduces_risk = true;
  finish(close);
  finish(one("2-0"));
  admin({"CONFIG", "SET", "maxmemory", "1"});
  BOOST_TEST(finish(one("3-0")).text.starts_with("OOM"));
  const auto withdraw = withdraw_commands(route);
  BOOST_TEST(admin.pipeline(*withdraw.wire, 1).front().integer == 1);
  BOOST_TEST(latest() == R"([{"id":"1-0"}])");
  BOOST_TEST(length("copy") == 2);
}

BOOST_FIXTURE_TEST_CASE(a_key_that_an_entry_does_not_need_does_not_stop_it, finish_fixture) {
  admin({"SET", "s.blocked", "x"});
  BOOST_TEST(finish(one("1-0")).text == "valid");
  BOOST_TEST(
      finish(one("2-0", ending::what::held_back)).text.starts_with("WRONGTYPE s.blocked holds a string"));
  admin({"DEL", "live_signals"});
  admin({"RPUSH", "live_signals", "x"});
  BOOST_TEST(finish(one("3-0")).text.starts_with("WRONGTYPE live_signals holds a list"));
  BOOST_TEST(finish(one("3-0", ending::what::invalid)).text == "invalid");
  BOOST_TEST((length("copy") == 1 && length("s.dead") == 1 && pending() == 1));
}

BOOST_FIXTURE_TEST_CASE(a_checkpoint_somebody_spoilt_is_written_anew, finish_fixture) {
  const auto key = group_reader::checkpoint_key("s", route.group);
  admin({"SET", key, "$"});
  BOOST_TEST(finish(one("2-0")).text == "valid");
  BOOST_TEST(admin({"GET", key}).text == "2-0");
  BOOST_TEST(finish(one("1-0")).text == "valid");
  BOOST_TEST(admin({"GET", key}).text == "2-0");
  BOOST_TEST((length("copy") == 2 && pending() == 1));
}
