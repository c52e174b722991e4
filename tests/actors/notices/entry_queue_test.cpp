#include "actors/notices/entry_queue.hpp"

#include "actors/notices/marker_entry.hpp"

#include <boost/test/unit_test.hpp>

namespace breakwater {
namespace {

entry_fields marker(const std::string& symbol) {
  return entry_of({exchange::okx, symbol, quality_kind::gap, wall_time_from_ms(1767571200000),
                   wall_time_from_ms(1767571260000), "its close never came"});
}

redis_reply reply(redis_reply::kind what, std::string text = {}) {
  redis_reply made;
  made.what = what;
  made.text = std::move(text);
  return made;
}
const auto stored = reply(redis_reply::kind::text, "1-0");

BOOST_AUTO_TEST_SUITE(entry_queue_suite)

BOOST_AUTO_TEST_CASE(a_marker_is_one_bounded_xadd) {
  entry_queue sut{"q", 10000};
  BOOST_TEST(sut.empty());
  sut.add({marker("BTCUSDT")});
  const auto piece = sut.next_piece();
  BOOST_TEST(piece.count == 1u);
  BOOST_TEST(
      *piece.wire ==
      "*18\r\n$4\r\nXADD\r\n$1\r\nq\r\n$6\r\nMAXLEN\r\n$1\r\n~\r\n$5\r\n10000\r\n$1\r\n*\r\n"
      "$8\r\nexchange\r\n$3\r\nokx\r\n$6\r\nsymbol\r\n$7\r\nBTCUSDT\r\n$4\r\nkind\r\n$3\r\ngap\r\n"
      "$4\r\nfrom\r\n$24\r\n2026-01-05T00:00:00.000Z\r\n$2\r\nto\r\n$24\r\n2026-01-05T00:01:00.000Z\r\n"
      "$5\r\ncause\r\n$20\r\nits close never came\r\n");
  BOOST_TEST(sut.taken({stored}).refusal.empty());
  BOOST_TEST(sut.empty());
  BOOST_TEST(sut.written() == 1u);
}

BOOST_AUTO_TEST_CASE(pieces_are_bounded_and_wait_until_they_are_answered) {
  entry_queue sut{"q", 10};
  sut.add(std::vector<entry_fields>(300, marker("A")));
  BOOST_TEST(sut.next_piece().count == 256u);
  sut.not_taken();
  BOOST_TEST(sut.waiting() == 300u);
  BOOST_TEST(sut.next_piece().count == 256u);
  BOOST_TEST(sut.taken(std::vector<redis_reply>(256, stored)).refusal.empty());
  BOOST_TEST(sut.next_piece().count == 44u);
}

BOOST_AUTO_TEST_CASE(the_oldest_make_room_also_those_under_way) {
  entry_queue sut{"q", 10, 3};
  sut.add({marker("A"), marker("B"), marker("C")});
  BOOST_TEST(sut.next_piece().count == 3u);
  sut.add({marker("D"), marker("E")});
  BOOST_TEST(sut.dropped() == 2u);
  BOOST_TEST(sut.taken({stored, stored, stored}).refusal.empty()); // C is there; A and B made room
  BOOST_TEST(sut.waiting() == 2u);
  BOOST_TEST(sut.written() == 1u);
  BOOST_TEST(sut.next_piece().wire->find("$1\r\nD\r\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_would_be_refused_again_is_dropped_and_the_rest_waits_on_in_order) {
  struct row {
    std::vector<redis_reply> replies; ///< To A, B and C.
    const char* refusal;
    retry_way retry;
    const char* next; ///< What the next piece begins with; empty: nothing waits.
    std::size_t written, refused, waiting;
  };
  const auto wrong_type = reply(redis_reply::kind::error, "WRONGTYPE Operation against a key");
  const auto full = reply(redis_reply::kind::error, "OOM command not allowed");
  const auto loading = reply(redis_reply::kind::error, "LOADING Redis is loading");
  const auto forbidden = reply(redis_reply::kind::error, "NOPERM no");
  const row rows[] = {
      {{wrong_type, stored, stored}, "WRONGTYPE Operation against a key", retry_way::none, "", 2, 1, 0},
      {{stored, full, full}, "OOM command not allowed", retry_way::backoff, "B", 1, 0, 2},
      {{full, stored, wrong_type}, "OOM command not allowed", retry_way::backoff, "A", 1, 1, 1},
      {{loading, loading, loading}, "LOADING Redis is loading", retry_way::backoff, "A", 0, 0, 3},
      {{wrong_type, forbidden, full}, "WRONGTYPE Operation against a key", retry_way::slowly, "B", 0, 1, 2},
  };
  for (const auto& r : rows) BOOST_TEST_CONTEXT(r.refusal << " next " << r.next) {
      entry_queue sut{"q", 10};
      sut.add({marker("A"), marker("B"), marker("C")});
      (void)sut.next_piece();
      const auto out = sut.taken(r.replies);
      BOOST_TEST(out.refusal == r.refusal);
      BOOST_TEST((out.retry == r.retry));
      BOOST_TEST(sut.written() == r.written);
      BOOST_TEST(sut.refused() == r.refused);
      BOOST_TEST(sut.waiting() == r.waiting);
      BOOST_TEST(sut.dropped() == 0u);
      if (r.waiting == 0) continue;
      const auto wire = *sut.next_piece().wire;
      BOOST_TEST(wire.substr(wire.find("$6\r\nsymbol\r\n$1\r\n") + 16, 1) == r.next);
    }
}

BOOST_AUTO_TEST_CASE(what_was_refused_for_now_makes_room_like_any_other) {
  entry_queue sut{"q", 10, 3};
  sut.add({marker("A"), marker("B"), marker("C")});
  (void)sut.next_piece();
  sut.add({marker("D")});
  const auto full = reply(redis_reply::kind::error, "OOM");
  BOOST_TEST(sut.taken({stored, full, full}).refusal == "OOM"); // A made room, whatever became of it
  BOOST_TEST(sut.waiting() == 3u);
  sut.add({marker("E")});
  BOOST_TEST(sut.dropped() == 2u);
  BOOST_TEST(sut.next_piece().wire->find("$1\r\nB\r\n") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater
