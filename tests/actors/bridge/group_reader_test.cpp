#include "actors/bridge/group_reader.hpp"

#include "tests/support/replies.hpp"

#include <boost/test/unit_test.hpp>

using namespace breakwater;
using namespace breakwater::test;
using namespace std::chrono_literals;

namespace {

redis_reply stream_state(const std::string& last, std::int64_t length, std::int64_t added,
                         const std::string& first = "") {
  return array({text("length"), integer(length), text("last-generated-id"), text(last), text("entries-added"),
                integer(added), text("first-entry"), first.empty() ? nil() : entry(first, {"a", "1"})});
}

redis_reply groups(const std::string& delivered, std::int64_t read) {
  return array({array({text("name"), text("other"), text("last-delivered-id"), text("9-9")}),
                array({text("name"), text("g"), text("last-delivered-id"), text(delivered),
                       text("entries-read"), integer(read)})});
}

struct reader_fixture {
  group_reader sut{{.stream = "s", .group = "g", .consumer = "a", .claim_after = 60s}};
  mono_time now{};

  /// The words of the next commands, one line each.
  std::string next() {
    const auto commands = sut.next(now);
    BOOST_TEST((commands.lane == redis_lane::bridge));
    std::string words;
    for (const auto& command : commands_of(*commands.wire)) {
      words += words.empty() ? "" : "\n";
      for (const auto& word : command) words += (&word == &command.front() ? "" : " ") + word;
    }
    return words;
  }
  group_reader::found take(std::vector<redis_reply> replies) {
    auto found = sut.take(replies, now);
    BOOST_REQUIRE_MESSAGE(found, (found ? "" : found.error().detail));
    return std::move(*found);
  }
  group_reader::found looks(redis_reply stream, redis_reply all_groups, redis_reply checkpoint = nil()) {
    BOOST_TEST(next() == "GET breakwater:{s}:g:checkpoint\nXINFO STREAM s\nXINFO GROUPS s");
    return take({std::move(checkpoint), std::move(stream), std::move(all_groups)});
  }
  void reads_new() {
    looks(stream_state("5-0", 5, 5, "1-0"), groups("5-0", 5));
    BOOST_TEST(next() == own("0-0"));
    take({entries("s", {})});
    BOOST_TEST(next() == "XAUTOCLAIM s g a 60000 0-0 COUNT 64");
    take({array({text("0-0"), array({}), array({})})});
    BOOST_TEST(next() == fresh);
  }
  static std::string own(const std::string& after) {
    return "XREADGROUP GROUP g a COUNT 64 STREAMS s " + after;
  }
  const std::string fresh = "XREADGROUP GROUP g a COUNT 64 BLOCK 2000 STREAMS s >";
};

} // namespace

BOOST_FIXTURE_TEST_CASE(own_pending_entries_come_first_then_those_of_others_then_new_ones, reader_fixture) {
  auto found = looks(stream_state("5-0", 5, 5, "1-0"), groups("3-0", 3));
  BOOST_TEST((found.notices.at(0).what == event::bridge_reading));
  BOOST_TEST(next() == own("0-0"));
  found = take({entries("s", {entry("1-0", {"k", "v"}), entry("2-0", {})})});
  BOOST_REQUIRE(found.entries.size() == 1u);
  BOOST_TEST((found.entries[0].fields == stream_fields{{"k", "v"}}));
  BOOST_TEST((found.bodiless == std::vector{entry_id{2, 0}}));
  BOOST_TEST(next() == own("2-0"));
  take({entries("s", {})});
  BOOST_TEST(next() == "XAUTOCLAIM s g a 60000 0-0 COUNT 64");
  found = take({array({text("4-0"), array({entry("3-0", {"k", "v"})}), texts({"2-5"})})});
  BOOST_TEST(found.claimed == 1u);
  BOOST_TEST(found.dropped == 1u);
  BOOST_TEST(found.entries.size() == 1u);
  BOOST_TEST(next() == "XAUTOCLAIM s g a 60000 4-0 COUNT 64");
  take({array({text("0-0"), array({}), array({})})});
  BOOST_TEST(next() == fresh);
  found = take({entries("s", {entry("4-0", {"k", "v"})})});
  BOOST_TEST(found.entries.size() == 1u);
  BOOST_TEST(take({nil()}).entries.empty());
}

BOOST_FIXTURE_TEST_CASE(claims_and_looks_come_again_in_their_time, reader_fixture) {
  reads_new();
  now += 29s;
  BOOST_TEST(next() == fresh);
  now += 1s;
  BOOST_TEST(next() == "XAUTOCLAIM s g a 60000 0-0 COUNT 64");
  take({array({text("0-0"), array({}), array({})})});
  now += 30s;
  BOOST_TEST(next().starts_with("XAUTOCLAIM"));
  take({array({text("0-0"), array({}), array({})})});
  BOOST_TEST(next().starts_with("GET"));
}

BOOST_FIXTURE_TEST_CASE(what_was_not_finished_is_read_again_from_its_beginning, reader_fixture) {
  reads_new();
  sut.start_over();
  looks(stream_state("5-0", 5, 5, "1-0"), groups("5-0", 5));
  BOOST_TEST(next() == own("0-0"));
}

BOOST_AUTO_TEST_CASE(a_missing_group_is_created_where_reading_ended) {
  struct row {
    std::string checkpoint;
    redis_reply stream;
    std::string create;
    bool was_there;
  };
  const std::vector<row> table{
      {"", error("ERR no such key"), "0-0 MKSTREAM ENTRIESREAD 0", false},
      {"", stream_state("5-0", 3, 5, "3-0"), "0-0 MKSTREAM ENTRIESREAD 2", false},
      {"4-0", stream_state("5-0", 3, 5, "3-0"), "4-0 MKSTREAM ENTRIESREAD -1", true},
      {"4-0", error("ERR no such key"), "4-0 MKSTREAM ENTRIESREAD -1", true},
      {"9-0", stream_state("5-0", 3, 5, "3-0"), "0-0 MKSTREAM ENTRIESREAD 2", false}, // another stream
  };
  for (const auto& row : table) BOOST_TEST_CONTEXT(row.create) {
      reader_fixture f;
      const auto found = f.looks(row.stream, error("ERR no such key"),
                                 row.checkpoint.empty() ? nil() : text(row.checkpoint));
      BOOST_TEST(found.notices.size() == (row.was_there ? 1u : 0u));
      BOOST_TEST(f.next() == "XGROUP CREATE s g " + row.create);
      BOOST_TEST((f.take({text("OK")}).notices.at(0).what == event::bridge_group_created));
      BOOST_TEST(f.next() == reader_fixture::own("0-0"));
    }
}

BOOST_FIXTURE_TEST_CASE(somebody_else_may_create_it_first, reader_fixture) {
  looks(stream_state("5-0", 5, 5, "1-0"), array({}));
  BOOST_TEST(next().starts_with("XGROUP CREATE"));
  BOOST_TEST(take({error("BUSYGROUP Consumer Group name already exists")}).notices.empty());
  BOOST_TEST(next().starts_with("GET"));
}

BOOST_AUTO_TEST_CASE(a_group_or_stream_that_vanishes_is_looked_at_again) {
  for (const auto* why :
       {"NOGROUP No such key 's' or consumer group 'g'", "UNBLOCKED the stream key no longer exists"}) {
    reader_fixture f;
    f.reads_new();
    BOOST_TEST(f.take({error(why)}).entries.empty());
    BOOST_TEST(f.next().starts_with("GET"));
  }
}

BOOST_AUTO_TEST_CASE(entries_trimmed_before_they_were_read_are_counted_once) {
  struct row {
    std::string delivered;
    std::int64_t read;
    redis_reply stream;
    std::size_t hole;
  };
  const std::vector<row> table{
      {"2-0", 2, stream_state("9-0", 4, 9, "6-0"), 3}, // 3, 4 and 5 are gone
      {"5-0", 5, stream_state("9-0", 4, 9, "6-0"), 0}, // trimmed behind us
      {"7-0", 7, stream_state("9-0", 4, 9, "6-0"), 0}, // in the middle of what is there
      {"2-0", 2, stream_state("9-0", 0, 9), 7},        // all of it is gone
      {"9-0", 9, stream_state("9-0", 0, 9), 0},
  };
  for (const auto& row : table) BOOST_TEST_CONTEXT(row.delivered) {
      reader_fixture f;
      BOOST_TEST(f.looks(row.stream, groups(row.delivered, row.read)).trimmed_unread == row.hole);
      const auto next = f.next();
      if (row.hole == 0) {
        BOOST_TEST(next == reader_fixture::own("0-0"));
        continue;
      }
      // Redis counts them as read, so that they are told once.
      BOOST_TEST(next.starts_with("EVAL"));
      BOOST_TEST(next.ends_with("1 s g " + row.delivered + (row.stream.items[1].integer == 0 ? " 9" : " 5")));
      f.take({text("done")});
      BOOST_TEST(f.next() == reader_fixture::own("0-0"));
    }
}

BOOST_FIXTURE_TEST_CASE(a_refusal_is_told, reader_fixture) {
  (void)sut.next(now);
  BOOST_TEST(!sut.take({error("WRONGTYPE x"), nil(), nil()}, now));
  BOOST_TEST(!sut.take({nil(), error("NOPERM x"), nil()}, now));
  reads_new();
  BOOST_TEST(!sut.take({error("NOPERM x")}, now));
}
