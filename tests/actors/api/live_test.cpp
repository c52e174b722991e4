#include "actors/api/live.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace breakwater;

namespace {

happening something(const std::string& text) { return {{}, "INFO", "api", "api_listening", text, {}}; }

std::size_t events_in(const std::string& stream) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = stream.find("event: ", at)) != std::string::npos; ++at) ++count;
  return count;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_part_is_told_only_when_it_changed) {
  live sut{"1"};
  BOOST_TEST(*sut.stands("spool", "{}\n") == "event: spool\ndata: {}\n\n");
  BOOST_TEST(!sut.stands("spool", "{}\n"));
  BOOST_TEST(sut.stands("health", "{}"));
  BOOST_TEST(sut.stands("spool", "{\"a\":1}"));
  sut.forget();
  BOOST_TEST(sut.stands("spool", "{\"a\":1}"));
}

BOOST_AUTO_TEST_CASE(an_event_is_one_line_whatever_is_in_it) {
  live sut{"1"};
  const auto piece = *sut.happened(something("two\nlines \xff <script>"));
  BOOST_TEST(piece.starts_with("id: 1-1\nevent: happening\ndata: {\"at\":"));
  BOOST_TEST(piece.find("two\\nlines \xef\xbf\xbd <script>") != std::string::npos);
  BOOST_TEST(piece.find('\n', piece.find("data:")) == piece.size() - 2);
}

BOOST_AUTO_TEST_CASE(who_comes_back_gets_what_he_missed_as_far_as_it_is_kept) {
  live sut{"1"};
  BOOST_TEST(sut.greeting("") == "retry: 2000\n\n");
  for (int i = 0; i < 600; ++i) (void)sut.happened(something(std::to_string(i)));
  struct row {
    const char* last_seen;
    std::size_t events;
  };
  const row rows[] = {{"1-600", 0},   {"1-590", 10}, {"1-1", 500}, {"", 100},
                      {"2-599", 100}, {"1-x", 100},  {"1", 100}};
  for (const auto& row : rows) BOOST_TEST_CONTEXT(row.last_seen) {
      BOOST_TEST(events_in(sut.greeting(row.last_seen)) == row.events);
    }
}
