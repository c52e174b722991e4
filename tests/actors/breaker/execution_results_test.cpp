#include "actors/breaker/execution_results.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <utility>
#include <vector>

namespace breakwater::test {
namespace {

using kind = redis_reply::kind;
using pairs = std::vector<std::pair<std::string, std::string>>;

redis_reply text(const std::string& value) { return {.what = kind::text, .text = value, .items = {}}; }
redis_reply array(std::vector<redis_reply> items) {
  return {.what = kind::array, .text = {}, .items = std::move(items)};
}
redis_reply integer(std::int64_t value) {
  return {.what = kind::integer, .text = {}, .integer = value, .items = {}};
}
redis_reply error(const std::string& what) { return {.what = kind::error, .text = what, .items = {}}; }

redis_reply look(const std::string& last) {
  return array(
      {text("length"), integer(1), text("last-generated-id"), text(last), text("entries-added"), integer(1)});
}
redis_reply entry(const std::string& id, const pairs& fields) {
  std::vector<redis_reply> flat;
  for (const auto& [name, value] : fields) flat.push_back(text(name)), flat.push_back(text(value));
  return array({text(id), array(std::move(flat))});
}
redis_reply entries(std::vector<redis_reply> all) {
  return array({array({text("results"), array(std::move(all))})});
}

struct reader {
  execution_results sut{"results", {"rejected", "Failed"}};
  std::vector<call_outcome> take(std::vector<redis_reply> replies) {
    auto outcomes = sut.take(replies);
    BOOST_REQUIRE(outcomes);
    return *outcomes;
  }
};

} // namespace

BOOST_AUTO_TEST_CASE(without_a_cursor_it_looks_first_and_reads_from_the_end) {
  reader r;
  BOOST_TEST(*r.sut.next().wire == "*3\r\n$5\r\nXINFO\r\n$6\r\nSTREAM\r\n$7\r\nresults\r\n");
  BOOST_TEST((r.sut.next().lane == redis_lane::reads));
  BOOST_TEST(r.take({look("7-1")}).empty());
  const auto read = r.sut.next();
  BOOST_TEST(read.count == 2u);
  BOOST_TEST(read.wire->ends_with(
      "$5\r\nXREAD\r\n$5\r\nCOUNT\r\n$3\r\n100\r\n$5\r\nBLOCK\r\n$4\r\n5000\r\n$7\r\nSTREAMS\r\n"
      "$7\r\nresults\r\n$3\r\n7-1\r\n"));
  BOOST_TEST((read.blocks_for == execution_results::block_for));
}

BOOST_AUTO_TEST_CASE(a_stream_that_is_not_there_yet_is_read_from_its_first_entry) {
  reader r;
  r.take({error("ERR no such key")});
  BOOST_TEST((r.sut.cursor() == entry_id{0, 0}));
}

BOOST_AUTO_TEST_CASE(every_status_means_something) {
  struct row {
    pairs fields;
    bool decides, succeeded;
    std::string reason;
  };
  const row rows[] = {
      {{{"status", "filled"}}, true, true, ""},
      {{{"status", "PARTIALLY_FILLED"}}, true, true, ""},
      {{{"status", "success"}}, true, true, ""},
      {{{"status", "rejected"}, {"symbol", "BTCUSDT"}, {"error", "margin"}},
       true,
       false,
       "execution rejected BTCUSDT margin"},
      {{{"status", "FAILED"}}, true, false, "execution failed"},
      {{{"status", "error"}}, false, false, ""}, // not in this config's list
      {{{"status", "new"}}, false, false, ""},
      {{{"other", "x"}}, false, false, ""},
      {{{"payload", R"({"status":"rejected","reason":"too late"})"}},
       true,
       false,
       "execution rejected too late"},
      {{{"data", R"({"status":"filled"})"}}, true, true, ""},
      {{{"payload", "no json"}}, false, false, ""},
      {{{"payload", R"({"status":7})"}}, false, false, ""},
      {{}, false, false, ""},
  };
  for (const auto& row : rows) {
    reader r;
    r.sut.read_from(entry_id{1, 0});
    const auto outcomes = r.take({look("2-0"), entries({entry("2-0", row.fields)})});
    BOOST_TEST_CONTEXT((row.fields.empty() ? "none" : row.fields[0].second)) {
      BOOST_REQUIRE(outcomes.size() == 1u);
      BOOST_TEST((outcomes[0].decides == row.decides && outcomes[0].succeeded == row.succeeded));
      BOOST_TEST(outcomes[0].reason == row.reason);
      BOOST_TEST((outcomes[0].cursor == "2-0" && outcomes[0].permit == 0));
    }
  }
}

BOOST_AUTO_TEST_CASE(the_cursor_moves_behind_what_was_read_and_stays_when_nothing_came) {
  reader r;
  r.sut.read_from(entry_id{1, 0});
  BOOST_TEST(r.take({look("3-0"), entries({entry("2-0", {}), entry("3-0", {})})}).size() == 2u);
  BOOST_TEST((r.sut.cursor() == entry_id{3, 0}));
  BOOST_TEST(r.take({look("3-0"), {}}).empty());
  BOOST_TEST((r.sut.cursor() == entry_id{3, 0}));
}

BOOST_AUTO_TEST_CASE(a_stream_older_than_the_cursor_is_read_on_from_its_end) {
  reader r;
  r.sut.read_from(entry_id{9, 0});
  r.take({look("4-0"), {}});
  BOOST_TEST((r.sut.cursor() == entry_id{4, 0}));
}

BOOST_AUTO_TEST_CASE(what_redis_refuses_is_a_failure_and_moves_nothing) {
  reader r;
  r.sut.read_from(entry_id{1, 0});
  BOOST_TEST(!r.sut.take({error("WRONGTYPE Operation against a key"), {}}));
  BOOST_TEST(!r.sut.take({look("1-0"), error("NOPERM this user has no permissions")}));
  BOOST_TEST((r.sut.cursor() == entry_id{1, 0}));
}

} // namespace breakwater::test
