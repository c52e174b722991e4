#include "actors/bridge/finish.hpp"

#include "actors/bridge/contract_io.hpp"
#include "actors/support/resp.hpp"
#include "tests/support/private_redis.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <sstream>
#include <string>
#include <vector>

using namespace breakwater;
using namespace breakwater::test;
using namespace std::chrono_literals;

// The scripts in a real Redis: what they do, and that they do nothing where they should not.

namespace {

struct finish_fixture {
  private_redis redis;
  redis_client client{redis.socket_path()};
  bridge_settings route = [] {
    bridge_settings made;
    made.from = "in";
    made.group = "g";
    made.to = "copy";
    made.latest_key = "latest";
    made.keep = 3;
    return made;
  }();

  finish_fixture() { run("XGROUP CREATE in g 0 MKSTREAM"); }

  redis_reply run(const std::string& line) {
    std::istringstream words{line};
    std::vector<std::string> command;
    for (std::string word; words >> word;) command.push_back(word);
    return send(command);
  }
  redis_reply send(const std::vector<std::string>& command) {
    const std::vector<std::string_view> words{command.begin(), command.end()};
    std::string wire;
    append_command(wire, std::span{words});
    return client.pipeline(wire, 1).front();
  }
  std::vector<redis_reply> send(const redis_commands& what) {
    return client.pipeline(*what.wire, what.count);
  }

  /// An entry that consumer `a` has read.
  group_reader::entry has_read(const std::string& consumer = "a") {
    const auto id = run("XADD in * payload {}").text;
    run("XREADGROUP GROUP g " + consumer + " COUNT 1 STREAMS in >");
    return {*parse_entry_id(id), {{"payload", "{}"}, {"note", "as it was"}}};
  }
  ending valid(group_reader::entry entry, const std::string& text, bool reduces_risk = false,
               const std::string& identity = {}) {
    return {std::move(entry), ending::what::valid, {}, text, reduces_risk, identity};
  }
  redis_reply finish(const ending& what, const std::string& consumer = "a") {
    return send(finish_commands(route, consumer, {what}, {})).front();
  }
  std::string how(const ending& what, const std::string& consumer = "a") {
    return finish(what, consumer).text;
  }

  std::int64_t length(const std::string& stream) { return run("XLEN " + stream).integer; }
  std::string latest() { return run("GET latest").text; }
  std::int64_t pending() { return run("XPENDING in g").items.at(0).integer; }
  /// The fields of a stream's only entry.
  std::map<std::string, std::string> only(const std::string& stream) {
    const auto all = run("XRANGE " + stream + " - +");
    BOOST_REQUIRE(all.items.size() == 1u);
    std::map<std::string, std::string> fields;
    const auto& flat = all.items[0].items.at(1).items;
    for (std::size_t i = 0; i + 1 < flat.size(); i += 2) fields[flat[i].text] = flat[i + 1].text;
    return fields;
  }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(a_valid_one_is_copied_kept_and_acknowledged_at_once, finish_fixture) {
  const auto entry = has_read();
  BOOST_TEST(how(valid(entry, R"({"n":0.1})")) == "valid");
  BOOST_TEST(latest() == R"([{"n":0.1}])");
  const auto copy = only("copy");
  BOOST_TEST(copy.at("note") == "as it was");
  BOOST_TEST(copy.at("source_id") == to_string(entry.id));
  BOOST_TEST(pending() == 0);
  BOOST_TEST(run("GET " + group_reader::checkpoint_key("in", "g")).text == to_string(entry.id));
  for (int i = 1; i < 5; ++i) BOOST_TEST(how(valid(has_read(), std::to_string(i))) == "valid");
  BOOST_TEST(latest() == "[2,3,4]");
}

BOOST_FIXTURE_TEST_CASE(what_is_not_pending_for_us_is_left_alone, finish_fixture) {
  const auto finished = has_read();
  BOOST_TEST(how(valid(finished, "1")) == "valid");
  BOOST_TEST(how(valid(finished, "1")) == "gone");
  const auto theirs = has_read("b");
  BOOST_TEST(how(valid(theirs, "2")) == "gone");
  const auto claimed = has_read();
  run("XCLAIM in g b 0 " + to_string(claimed.id));
  BOOST_TEST(how(valid(claimed, "3")) == "gone");
  BOOST_TEST(length("copy") == 1);
  BOOST_TEST(latest() == "[1]");
  BOOST_TEST(pending() == 2);
  BOOST_TEST(how(valid(claimed, "3"), "b") == "valid");
}

BOOST_FIXTURE_TEST_CASE(invalid_and_held_back_ones_say_why, finish_fixture) {
  const auto invalid = has_read(), held = has_read();
  BOOST_TEST(how({invalid, ending::what::invalid, "confidence: too high", {}, false, {}}) == "invalid");
  BOOST_TEST(how({held, ending::what::held_back, "circuit OPEN", {}, false, {}}) == "held_back");
  const auto dead = only("in.dead"), blocked = only("in.blocked");
  BOOST_TEST(dead.at("error") == "confidence: too high");
  BOOST_TEST(dead.at("source_id") == to_string(invalid.id));
  BOOST_TEST(dead.at("note") == "as it was");
  BOOST_TEST(blocked.at("reason") == "circuit OPEN");
  BOOST_TEST(blocked.at("source_id") == to_string(held.id));
  BOOST_TEST(length("copy") == 0);
  BOOST_TEST(pending() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_second_one_of_the_same_identity_is_a_duplicate_a_redelivery_is_not,
                        finish_fixture) {
  const auto first = has_read(), second = has_read();
  BOOST_TEST(how(valid(first, "1", false, "id")) == "valid");
  BOOST_TEST(how(valid(second, "1", false, "id")) == "duplicate");
  BOOST_TEST(only("in.dead").at("error") == "duplicate of " + to_string(first.id));
  const auto seen = run("TTL breakwater:{in}:seen:id").integer;
  BOOST_TEST((seen > 890 && seen <= 900));
  // Pending again, as after a group that was set back.
  run("XCLAIM in g a 0 " + to_string(first.id) + " FORCE JUSTID");
  BOOST_TEST(how(valid(first, "1", false, "id")) == "valid");
}

BOOST_FIXTURE_TEST_CASE(a_key_of_another_kind_stops_it_before_anything_is_written, finish_fixture) {
  for (const auto* key : {"latest", "copy", "in.dead", "breakwater:{latest}:entries",
                          "breakwater:{in}:seen:id", "breakwater:{in}:g:checkpoint"})
    BOOST_TEST_CONTEXT(key) {
      run("DEL latest copy in.dead in.blocked breakwater:{latest}:entries breakwater:{in}:seen:id "
          "breakwater:{in}:g:checkpoint");
      run(std::string{"SADD "} + key + " x");
      const auto entry = has_read();
      const auto reply = finish(valid(entry, "1", false, "id"));
      BOOST_TEST((reply.what == redis_reply::kind::error));
      BOOST_TEST(reply.text.find(std::string{"WRONGTYPE "} + key + " holds a set") != std::string::npos,
                 reply.text);
      BOOST_TEST(run("EXISTS copy latest breakwater:{in}:seen:id breakwater:{in}:g:checkpoint").integer <= 1);
      BOOST_TEST(run("XPENDING in g - + 10 a").items.size() >= 1u);
    }
}

BOOST_FIXTURE_TEST_CASE(without_memory_nothing_is_written, finish_fixture) {
  const auto entry = has_read();
  run("CONFIG SET maxmemory 1");
  BOOST_TEST((finish(valid(entry, "1", false, "id")).what == redis_reply::kind::error));
  run("CONFIG SET maxmemory 0");
  BOOST_TEST(run("EXISTS copy latest breakwater:{in}:seen:id").integer == 0);
  BOOST_TEST(how(valid(entry, "1", false, "id")) == "valid");
}

BOOST_FIXTURE_TEST_CASE(the_checkpoint_never_goes_back, finish_fixture) {
  const auto first = has_read(), second = has_read();
  BOOST_TEST(how(valid(second, "2")) == "valid");
  BOOST_TEST(how(valid(first, "1")) == "valid");
  BOOST_TEST(run("GET " + group_reader::checkpoint_key("in", "g")).text == to_string(second.id));
}

BOOST_FIXTURE_TEST_CASE(a_withdrawal_leaves_what_reduces_risk, finish_fixture) {
  BOOST_TEST(how(valid(has_read(), "1")) == "valid");
  BOOST_TEST(how(valid(has_read(), "2", true)) == "valid");
  BOOST_TEST(how(valid(has_read(), "3")) == "valid");
  BOOST_TEST(send(withdraw_commands(route)).front().integer == 2);
  BOOST_TEST(latest() == "[2]");
  BOOST_TEST(send(withdraw_commands(route)).front().integer == 0);
  BOOST_TEST(how(valid(has_read(), "4", true)) == "valid");
  BOOST_TEST(latest() == "[2,4]");
}

BOOST_FIXTURE_TEST_CASE(what_somebody_else_wrote_is_taken_over_once, finish_fixture) {
  const intent_rules rules{route, {"CLOSE"}, *load_contract("trade.intent", "no such folder")};
  BOOST_TEST(!adopt_commands(route, rules, send(look_at_latest(route))));
  send({"SET", "latest", R"([1,{"action":"BUY"},{"action":"CLOSE","q":0.1},{"action":"SELL"}])"});
  const auto adopt = adopt_commands(route, rules, send(look_at_latest(route)));
  BOOST_REQUIRE(adopt.has_value());
  BOOST_TEST(send(*adopt).front().integer == 3); // keep
  BOOST_TEST(!adopt_commands(route, rules, send(look_at_latest(route))));
  send(withdraw_commands(route));
  BOOST_TEST(latest() == R"([{"action":"CLOSE","q":0.1}])");
  send({"DEL", "breakwater:{latest}:entries"});
  send({"SET", "latest", "no list"});
  BOOST_TEST(!adopt_commands(route, rules, send(look_at_latest(route))));
}

BOOST_FIXTURE_TEST_CASE(entries_without_a_body_are_acknowledged_behind_the_others, finish_fixture) {
  const auto entry = has_read(), gone = has_read();
  const auto replies = send(finish_commands(route, "a", {valid(entry, "1")}, {gone.id}));
  BOOST_REQUIRE(replies.size() == 2u);
  BOOST_TEST(replies[1].integer == 1);
  BOOST_TEST(pending() == 0);
}
