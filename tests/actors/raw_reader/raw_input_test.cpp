#include "actors/raw_reader/raw_input.hpp"

#include "tests/actors/raw_reader/raw_stream_model.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

using namespace breakwater;
using namespace breakwater::test;

namespace {

constexpr auto now = wall_time_from_ms(1'767'571'200'000);

std::string wire_of(const redis_commands& commands) {
  std::string words;
  for (std::size_t at = 0; (at = commands.wire->find('$', at)) != std::string::npos;) {
    const auto begin = commands.wire->find("\r\n", at) + 2;
    const auto size = std::stoul(commands.wire->substr(at + 1));
    words += (words.empty() ? "" : " ") + commands.wire->substr(begin, size);
    at = begin + size;
  }
  return words;
}

struct input_fixture {
  raw_stream_model stream;
  raw_input::options how{"raw", 10, std::chrono::milliseconds{1000}};
  raw_input sut{how};
  std::vector<std::string> closes;           ///< What was read, by its price.
  std::map<std::string, std::string> notice; ///< The details of the last one.
  std::vector<event> told;

  input_fixture() { sut.read_from(""); }

  entry_id add(int number) { return stream.add(raw_candle("okx", "BTCUSDT", std::to_string(number))); }
  void add_all(int from, int upto) {
    for (int i = from; i <= upto; ++i) add(i);
  }
  raw_input::reading look() {
    BOOST_TEST_REQUIRE(!sut.waits());
    auto found = sut.take(stream.look(sut.at().cursor, how.entries_a_read), now);
    BOOST_TEST_REQUIRE(bool{found});
    for (const auto& batch : found->batches)
      for (const auto& c : *batch.candles) closes.push_back(std::to_string(static_cast<int>(c.close)));
    for (const auto& n : found->notices) {
      told.push_back(n.what);
      notice.clear();
      for (const auto& [key, value] : n.details) notice[key] = value;
    }
    return *found;
  }
  void is_woken() {
    BOOST_TEST_REQUIRE(sut.waits());
    BOOST_TEST(bool{sut.take(std::vector<redis_reply>(1), now)});
  }
  void read_all() {
    if (sut.waits()) is_woken();
    while (!sut.waits()) look();
  }
  /// Another process goes on from what was kept.
  void begins_again_at(std::string position) {
    sut = raw_input{how};
    sut.read_from(position);
  }
  std::string all_closes() const {
    std::string all;
    for (const auto& c : closes) all += (all.empty() ? "" : " ") + c;
    return all;
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(raw_input_, input_fixture)

BOOST_AUTO_TEST_CASE(it_begins_with_the_oldest_entry) {
  BOOST_TEST(wire_of(sut.next()) == "MULTI XINFO STREAM raw XREAD COUNT 10 STREAMS raw 0-0 EXEC");
  BOOST_TEST(sut.next().count == 4u);
  BOOST_TEST((sut.next().lane == redis_lane::raw));
  BOOST_TEST((sut.next().blocks_for == std::chrono::milliseconds{0}));
  add_all(1, 3);
  const auto found = look();
  BOOST_TEST_REQUIRE(found.batches.size() == 1u);
  BOOST_TEST(!found.batches[0].again);
  BOOST_TEST(found.batches[0].after == "");
  BOOST_TEST(found.batches[0].position == "1 3-0 3 0-0 0 raw");
  BOOST_TEST(all_closes() == "1 2 3");
}

BOOST_AUTO_TEST_CASE(a_candle_has_the_time_of_its_entry_and_of_its_reading) {
  stream.add(raw_candle("okx", "BTCUSDT", "7"), {1'767'571'199'123, 4});
  const auto found = look();
  const auto& c = found.batches.at(0).candles->at(0);
  BOOST_TEST((c.event_at == wall_time_from_ms(1'767'571'199'123)));
  BOOST_TEST((c.received_at == now));
}

BOOST_AUTO_TEST_CASE(when_all_is_read_it_waits_and_then_looks) {
  add_all(1, 3);
  look();
  BOOST_TEST(sut.waits());
  BOOST_TEST(wire_of(sut.next()) == "XREAD COUNT 1 BLOCK 1000 STREAMS raw 3-0");
  BOOST_TEST(sut.next().count == 1u);
  BOOST_TEST((sut.next().blocks_for == std::chrono::milliseconds{1000}));
  add(4);
  is_woken();
  BOOST_TEST(wire_of(sut.next()) == "MULTI XINFO STREAM raw XREAD COUNT 10 STREAMS raw 3-0 EXEC");
  look();
  BOOST_TEST(all_closes() == "1 2 3 4");
}

BOOST_AUTO_TEST_CASE(while_more_may_be_there_it_reads_on_at_once) {
  add_all(1, 20);
  look();
  BOOST_TEST(!sut.waits());
  BOOST_TEST(sut.counted().behind == 10u);
  look();
  BOOST_TEST(!sut.waits());
  BOOST_TEST(look().batches.empty());
  BOOST_TEST(sut.waits());
  BOOST_TEST(closes.size() == 20u);
  BOOST_TEST(sut.position() == "1 20-0 20 0-0 0 raw");
}

BOOST_AUTO_TEST_CASE(nothing_new_moves_nothing) {
  BOOST_TEST(look().batches.empty()); // not even there
  is_woken();
  stream.exists = true;
  BOOST_TEST(look().batches.empty());
  add(1);
  is_woken();
  look();
  is_woken();
  BOOST_TEST(look().batches.empty());
  BOOST_TEST(told.empty());
}

BOOST_AUTO_TEST_CASE(batches_follow_on_one_another) {
  add_all(1, 25);
  std::string position;
  while (!sut.waits())
    for (const auto& batch : look().batches) {
      BOOST_TEST(batch.after == position);
      position = batch.position;
    }
  BOOST_TEST(position == sut.position());
}

BOOST_AUTO_TEST_CASE(markers_and_unreadable_entries_are_passed_over_and_counted) {
  stream.add({{"init", "1"}});
  add(1);
  stream.add(raw_candle("mtgox", "BTCUSDT", "1"));
  stream.add(raw_candle("okx", "BTCUSDT", "None"));
  add(2);
  look();
  BOOST_TEST(all_closes() == "1 2");
  BOOST_TEST(sut.counted().markers == 1u);
  BOOST_TEST(sut.counted().unreadable == 2u);
  BOOST_TEST_REQUIRE(told.size() == 1u);
  BOOST_TEST((told[0] == event::raw_entry_unreadable));
  BOOST_TEST(notice.at("count") == "2");
  BOOST_TEST(notice.at("entry") == "3-0");
  BOOST_TEST(notice.at("reason") == "exchange is unknown");
  BOOST_TEST(sut.at().ordinal.value() == 5u);
}

BOOST_AUTO_TEST_CASE(entries_without_a_candle_still_move_the_position) {
  stream.add({{"init", "1"}});
  const auto found = look();
  BOOST_TEST_REQUIRE(found.batches.size() == 1u);
  BOOST_TEST(found.batches[0].candles->empty());
  BOOST_TEST(found.batches[0].position == "1 1-0 1 0-0 0 raw");
}

BOOST_AUTO_TEST_CASE(it_goes_on_exactly_behind_a_position) {
  add_all(1, 5);
  begins_again_at("1 3-0 3 0-0 0 raw");
  BOOST_TEST(look().batches.at(0).after == "1 3-0 3 0-0 0 raw");
  BOOST_TEST(all_closes() == "4 5");
  BOOST_TEST(told.empty());
}

BOOST_AUTO_TEST_CASE(a_position_of_another_stream_is_none) {
  add_all(1, 3);
  begins_again_at("1 2-0 2 0-0 0 another");
  const auto found = look();
  BOOST_TEST(found.batches.at(0).after == "1 2-0 2 0-0 0 another");
  BOOST_TEST(all_closes() == "1 2 3");
  BOOST_TEST(told.empty());
}

BOOST_AUTO_TEST_CASE(the_position_it_stands_at_already_changes_nothing) {
  read_all(); // nothing is there, and that is known now
  sut.read_from("");
  add_all(1, 4);
  stream.trim(2);
  look();
  BOOST_TEST(sut.at().gone_unread == 2u);
}

// Holes.

BOOST_AUTO_TEST_CASE(entries_trimmed_before_they_were_read_are_counted) {
  add_all(1, 5);
  read_all();
  add_all(6, 30);
  stream.trim(18); // 1 to 5 were read, 13 of the others were not
  read_all();
  BOOST_TEST(closes.size() == 5u + 12u);
  BOOST_TEST(closes[5] == "19");
  BOOST_TEST_REQUIRE(told.size() == 1u);
  BOOST_TEST((told[0] == event::raw_hole));
  BOOST_TEST(notice.at("from") == "5-0");
  BOOST_TEST(notice.at("to") == "19-0");
  BOOST_TEST(notice.at("count") == "13");
  BOOST_TEST(sut.at().gone_unread == 13u);
  BOOST_TEST(sut.position() == "1 30-0 30 0-0 13 raw");
}

BOOST_AUTO_TEST_CASE(that_only_read_entries_were_trimmed_is_no_hole) {
  add_all(1, 5);
  read_all();
  stream.trim(5);
  add_all(6, 8);
  read_all();
  BOOST_TEST(told.empty());
  BOOST_TEST(sut.at().gone_unread == 0u);
}

BOOST_AUTO_TEST_CASE(what_was_trimmed_before_it_ever_read_is_no_hole) {
  add_all(1, 50);
  stream.trim(40);
  read_all();
  BOOST_TEST(closes.size() == 10u);
  BOOST_TEST(told.empty());
  BOOST_TEST(sut.at().ordinal.value() == 50u);
}

BOOST_AUTO_TEST_CASE(a_hole_that_takes_everything_is_counted) {
  add_all(1, 5);
  read_all();
  add_all(6, 9);
  stream.trim(9);
  is_woken();
  const auto found = look();
  BOOST_TEST(sut.at().gone_unread == 4u);
  BOOST_TEST_REQUIRE(found.batches.size() == 1u); // so that the count is kept
  BOOST_TEST(found.batches[0].position == "1 9-0 9 0-0 4 raw");
  add(10);
  read_all();
  BOOST_TEST(told.size() == 1u);
}

BOOST_AUTO_TEST_CASE(entries_deleted_in_the_middle_before_they_were_read_are_counted) {
  add_all(1, 3);
  read_all();
  add_all(4, 8);
  stream.remove(5);
  stream.remove(5);
  read_all();
  BOOST_TEST(all_closes() == "1 2 3 4 5 8");
  BOOST_TEST(sut.at().gone_unread == 2u);
  BOOST_TEST(sut.at().ordinal.value() == 8u);
}

BOOST_AUTO_TEST_CASE(entries_deleted_after_they_were_read_are_none_of_our_business) {
  add_all(1, 6);
  read_all();
  stream.remove(5);
  stream.remove(2);
  add_all(7, 8);
  read_all();
  BOOST_TEST(told.empty());
}

BOOST_AUTO_TEST_CASE(a_hole_is_counted_once_over_restarts) {
  add_all(1, 5);
  read_all();
  add_all(6, 9);
  stream.trim(7);
  const auto kept = sut.position();
  read_all();
  BOOST_TEST(sut.at().gone_unread == 2u);
  begins_again_at(kept); // what came of that was not kept
  read_all();
  BOOST_TEST(sut.at().gone_unread == 2u);
  begins_again_at(sut.position());
  read_all();
  BOOST_TEST(sut.at().gone_unread == 2u);
}

BOOST_AUTO_TEST_CASE(a_redis_before_7_tells_of_a_hole_without_a_count) {
  stream.tells_added = false;
  add_all(1, 5);
  read_all();
  BOOST_TEST(sut.position() == "1 5-0 - 0-0 0 raw");
  add_all(6, 20);
  stream.trim(10);
  read_all();
  BOOST_TEST(all_closes().ends_with("5 11 12 13 14 15 16 17 18 19 20"));
  BOOST_TEST_REQUIRE(told.size() == 1u);
  BOOST_TEST((told[0] == event::raw_hole));
  BOOST_TEST(!notice.contains("count"));
  BOOST_TEST(notice.at("to") == "11-0");
  BOOST_TEST(sut.counted().holes == 1u);
  BOOST_TEST(sut.at().gone_unread == 0u);
}

BOOST_AUTO_TEST_CASE(counting_begins_when_redis_is_updated) {
  stream.tells_added = false;
  add_all(1, 5);
  read_all();
  stream.tells_added = true;
  add_all(6, 7);
  read_all();
  BOOST_TEST(told.empty());
  BOOST_TEST(sut.at().ordinal.value() == 7u);
}

// A Redis that is older than what was read.

BOOST_AUTO_TEST_CASE(an_older_stream_is_read_again_from_its_beginning) {
  add_all(1, 3);
  const auto snapshot = stream;
  add_all(4, 6);
  read_all();
  stream = snapshot;
  stream.add(raw_candle("okx", "BTCUSDT", "40"), {4, 1});
  is_woken();
  BOOST_TEST(look().batches.empty());
  BOOST_TEST_REQUIRE(told.size() == 1u);
  BOOST_TEST((told[0] == event::raw_again));
  BOOST_TEST(notice.at("cursor") == "6-0");
  BOOST_TEST(notice.at("reason") == "its last id is 4-1");
  const auto found = look();
  BOOST_TEST_REQUIRE(found.batches.size() == 1u);
  BOOST_TEST(found.batches[0].again);
  BOOST_TEST(found.batches[0].position == "1 4-1 4 6-0 0 raw");
  BOOST_TEST(all_closes().ends_with(" 6 1 2 3 40"));
  BOOST_TEST(sut.waits());
}

BOOST_AUTO_TEST_CASE(what_is_read_again_and_what_is_new_are_batches_of_their_own) {
  add_all(1, 5);
  read_all();
  stream = {};
  is_woken();
  look(); // gone altogether
  stream.add(raw_candle("okx", "BTCUSDT", "50"), {5, 0});
  stream.add(raw_candle("okx", "BTCUSDT", "51"), {5, 1});
  stream.add(raw_candle("okx", "BTCUSDT", "52"), {5, 2});
  const auto found = look();
  BOOST_TEST_REQUIRE(found.batches.size() == 2u);
  BOOST_TEST(found.batches[0].again);
  BOOST_TEST(found.batches[0].candles->size() == 1u);
  BOOST_TEST(found.batches[0].after == "1 5-0 5 0-0 0 raw");
  BOOST_TEST(found.batches[0].position == "1 5-0 1 0-0 0 raw");
  BOOST_TEST(!found.batches[1].again);
  BOOST_TEST(found.batches[1].candles->size() == 2u);
  BOOST_TEST(found.batches[1].after == found.batches[0].position);
  BOOST_TEST(found.batches[1].position == "1 5-2 3 0-0 0 raw");
}

BOOST_AUTO_TEST_CASE(a_stream_that_is_gone_is_said_once) {
  add_all(1, 5);
  read_all();
  stream = {};
  for (int i = 0; i < 5; ++i) read_all();
  BOOST_TEST(told.size() == 1u);
  add(1);
  read_all();
  BOOST_TEST(told.size() == 1u);
}

BOOST_AUTO_TEST_CASE(how_far_was_read_before_is_known_after_a_crash_in_the_middle_of_reading_again) {
  how.entries_a_read = 2;
  begins_again_at("");
  add_all(1, 6);
  read_all();
  stream.trim(6);
  stream = {};
  add_all(1, 5);
  is_woken();
  look();
  const auto half = look().batches.at(0).position;
  BOOST_TEST(half == "1 2-0 2 6-0 0 raw");
  begins_again_at(half);
  BOOST_TEST(look().batches.at(0).again);
  BOOST_TEST(look().batches.at(0).again);
  add_all(6, 7);
  read_all();
  BOOST_TEST(sut.position() == "1 7-0 7 0-0 0 raw");
  BOOST_TEST(told.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_stream_written_anew_past_the_cursor_is_noticed_by_its_count) {
  add_all(1, 5);
  read_all();
  stream = {};
  stream.add(raw_candle("okx", "BTCUSDT", "40"), {4, 0});
  stream.add(raw_candle("okx", "BTCUSDT", "60"), {6, 0});
  is_woken();
  look();
  BOOST_TEST(notice.at("reason") == "only 2 entries were ever added to it, 5 were read");
  const auto found = look();
  BOOST_TEST_REQUIRE(found.batches.size() == 2u);
  BOOST_TEST(found.batches[0].again);
  BOOST_TEST(!found.batches[1].again);
  BOOST_TEST(all_closes().ends_with(" 5 40 60"));
}

BOOST_AUTO_TEST_CASE(a_stream_that_lost_its_newest_and_grew_past_them_is_noticed) {
  add_all(1, 3);
  const auto snapshot = stream;
  add_all(4, 6);
  read_all();
  stream = snapshot;
  for (std::uint64_t ms = 7; ms < 12; ++ms)
    stream.add(raw_candle("okx", "BTCUSDT", std::to_string(ms)), {ms, 0});
  is_woken();
  look(); // 8 were added: more than were read, but 5 of them lie behind the cursor
  BOOST_TEST(notice.at("reason") == "it lacks entries that were read");
  read_all();
  BOOST_TEST(all_closes().ends_with(" 6 1 2 3 7 8 9 10 11"));
}

// Refusals.

BOOST_AUTO_TEST_CASE(a_refusal_is_told_and_the_same_is_sent_again) {
  add_all(1, 2);
  const auto before = wire_of(sut.next());
  const redis_reply ok{.what = redis_reply::kind::status, .text = "OK", .items = {}};
  const std::vector<std::vector<redis_reply>> refusals{
      {ok, error_reply("NOPERM no rights"), error_reply("NOPERM no rights"),
       error_reply("EXECABORT Transaction discarded because of previous errors.")},
      {ok, ok, ok,
       array_reply({error_reply("WRONGTYPE Operation against a key holding the wrong kind of value"),
                    error_reply("WRONGTYPE Operation against a key holding the wrong kind of value")})},
      {ok, ok, ok, array_reply({stream.info(), error_reply("WRONGTYPE Operation")})},
      {ok, ok, ok, redis_reply{}},
      {ok, ok, ok, array_reply({array_reply({}), redis_reply{}})},
  };
  const std::vector<std::string> words{"NOPERM", "WRONGTYPE", "WRONGTYPE", "EXEC", "XINFO"};
  for (std::size_t i = 0; i < refusals.size(); ++i) {
    const auto found = sut.take(refusals[i], now);
    BOOST_TEST_REQUIRE(!found);
    BOOST_TEST((found.error().code == errc::redis_refused));
    BOOST_TEST(found.error().detail.starts_with(words[i]), found.error().detail);
    BOOST_TEST(wire_of(sut.next()) == before);
  }
  look();
  BOOST_TEST(all_closes() == "1 2");
  const auto refused = sut.take(std::vector{error_reply("WRONGTYPE Operation")}, now);
  BOOST_TEST(!refused);
  BOOST_TEST(sut.waits());
  sut.look_again();
  BOOST_TEST(!sut.waits());
}

BOOST_AUTO_TEST_CASE(an_answer_that_does_not_come_is_asked_for_in_smaller_pieces) {
  how.entries_a_read = 100;
  begins_again_at("");
  add_all(1, 100);
  const auto asked = [&] {
    const auto words = wire_of(sut.next());
    return std::stoi(words.substr(words.find("COUNT ") + 6));
  };
  BOOST_TEST(asked() == 100);
  for (int i = 0; i < 10; ++i) sut.look_again();
  BOOST_TEST(asked() == 16);
  const auto found = sut.take(stream.look({}, 16), now);
  BOOST_REQUIRE(bool{found});
  BOOST_TEST(found->batches.front().candles->size() == 16u);
  BOOST_TEST(!sut.waits()); // there is more
  BOOST_TEST(asked() == 32);
}

// Everything together.

/// A stream that is written, trimmed and deleted from, a reader, and what is kept of what it read: now and
/// then everything up to there, and a crash undoes the rest.
struct random_story {
  explicit random_story(unsigned seed) : dice(seed) {
    add(1);
    read(); // from the beginning, so that whatever goes from here on is ours to miss
    keeps();
  }

  std::mt19937 dice;
  std::size_t roll(std::size_t below) { return dice() % below; }
  raw_stream_model server;
  raw_input::options how{"raw", 1 + roll(12), std::chrono::milliseconds{1000}};
  raw_input reader{how};
  std::uint64_t written = 0;
  std::vector<int> merged, merged_kept;
  std::string position, position_kept;

  void add(std::size_t count) {
    for (; count > 0; --count) server.add(raw_candle("okx", "BTCUSDT", std::to_string(++written)));
  }
  void read() {
    if (reader.waits()) BOOST_TEST_REQUIRE(bool{reader.take(std::vector<redis_reply>(1), now)});
    auto found = reader.take(server.look(reader.at().cursor, how.entries_a_read), now);
    BOOST_TEST_REQUIRE(bool{found});
    for (const auto& batch : found->batches) {
      BOOST_TEST(batch.after == position);
      BOOST_TEST(!batch.again);
      position = batch.position;
      for (const auto& c : *batch.candles) merged.push_back(static_cast<int>(c.close));
    }
  }
  void keeps() {
    position_kept = position;
    merged_kept = merged;
  }
  void crashes() {
    position = position_kept;
    merged = merged_kept;
    reader = raw_input{how};
    reader.read_from(position);
  }
  void something_happens() {
    switch (roll(7)) {
    case 0: add(roll(20)); break;
    case 1: server.trim(roll(10)); break;
    case 2:
      if (!server.entries.empty()) server.remove(roll(server.entries.size()));
      break;
    case 3: crashes(); break;
    case 4: keeps(); break;
    default: read();
    }
  }
};

BOOST_AUTO_TEST_CASE(every_entry_is_read_once_or_counted_as_gone) {
  for (unsigned seed = 1; seed <= 500; ++seed) BOOST_TEST_CONTEXT("seed " << seed) {
      random_story story{seed};
      for (int step = 0; step < 300; ++step) story.something_happens();
      do story.read();
      while (!story.reader.waits());
      story.read();
      BOOST_TEST(std::is_sorted(story.merged.begin(), story.merged.end()));
      BOOST_TEST((std::adjacent_find(story.merged.begin(), story.merged.end()) == story.merged.end()));
      BOOST_TEST(story.merged.size() + story.reader.at().gone_unread == story.written);
    }
}

BOOST_AUTO_TEST_SUITE_END()
