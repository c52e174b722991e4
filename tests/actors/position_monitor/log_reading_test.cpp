#include "actors/position_monitor/log_reading.hpp"

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

namespace breakwater::test {
namespace {

std::vector<std::string> lines_of(line_cutter& sut, std::string_view bytes) {
  std::vector<std::string> lines;
  sut.take(bytes, [&](std::string_view line, bool was_cut) {
    lines.push_back(std::string{line} + (was_cut ? " (cut)" : ""));
  });
  return lines;
}

using lines = std::vector<std::string>;

} // namespace

BOOST_AUTO_TEST_CASE(lines_are_the_same_however_the_bytes_are_cut) {
  const std::string text = "one\ntwo\n\nthree\nfo";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    line_cutter sut;
    lines found;
    for (std::size_t at = 0; at < text.size(); at += size)
      for (auto& line : lines_of(sut, std::string_view{text}.substr(at, size)))
        found.push_back(std::move(line));
    BOOST_TEST(found == (lines{"one", "two", "", "three"}), boost::test_tools::per_element());
    BOOST_TEST(lines_of(sut, "ur\n") == lines{"four"}, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(a_line_beyond_the_limit_is_cut_and_the_next_is_whole) {
  line_cutter sut;
  const std::string limit(line_cutter::longest_line, 'x');
  BOOST_TEST(lines_of(sut, limit + "\n") == lines{limit}, boost::test_tools::per_element());
  BOOST_TEST(lines_of(sut, limit).empty());
  BOOST_TEST(lines_of(sut, std::string(1 << 20, 'y')).empty());
  BOOST_TEST(lines_of(sut, "\nnext\n") == (lines{limit + " (cut)", "next"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_is_left_counts_or_is_forgotten) {
  line_cutter sut;
  lines found;
  const auto keep = [&](std::string_view line, bool) { found.emplace_back(line); };
  sut.take("half", keep);
  sut.finish(keep);
  sut.finish(keep);
  BOOST_TEST(found == lines{"half"}, boost::test_tools::per_element());
  sut.take("half", keep);
  sut.forget();
  BOOST_TEST(lines_of(sut, "whole\n") == lines{"whole"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(each_line_counts_as_what_it_says) {
  struct row {
    const char *activity, *error, *line;
    std::uint64_t activities, errors;
  };
  const row rows[] = {{"positionSide=BOTH", "APIError", "order positionSide=BOTH qty=1", 1, 0},
                      {"positionSide=BOTH", "APIError", "APIError(code=-1021): Timestamp", 0, 1},
                      {"positionSide=BOTH", "APIError", "APIError at positionSide=BOTH", 1, 1},
                      {"positionSide=BOTH", "APIError", "apierror positionside=both", 0, 0},
                      {"positionSide=BOTH", "APIError", "", 0, 0},
                      {"", "APIError", "anything", 1, 0},
                      {"tick", "", "anything", 0, 0}};
  for (const auto& [activity, error, line, activities, errors] : rows) BOOST_TEST_CONTEXT(line) {
      sightings_count sut{activity, error};
      sut.take(line, false);
      const auto seen = sut.collect();
      BOOST_TEST(seen.activities == activities);
      BOOST_TEST(seen.errors == errors);
      BOOST_TEST(seen.last_error == (errors ? line : ""));
      BOOST_TEST(sut.collect().activities == 0u);
    }
}

BOOST_AUTO_TEST_CASE(cut_lines_are_counted_and_the_newest_error_is_told) {
  sightings_count sut{"BOTH", "Error"};
  sut.take("Error 1", false);
  sut.take("BOTH Error 2", true);
  sut.take("nothing", true);
  const auto seen = sut.collect();
  BOOST_TEST((seen.activities == 1u && seen.errors == 2u && seen.cut == 2u));
  BOOST_TEST(seen.last_error == "BOTH Error 2");
}

BOOST_AUTO_TEST_CASE(nothing_secret_is_shown) {
  struct row {
    const char *line, *shown;
  };
  const row rows[] = {
      {"APIError(code=-2019): Margin is insufficient.", "APIError(code=-2019): Margin is insufficient."},
      {"GET /order?symbol=BTCUSDT&signature=ab12cd&timestamp=5",
       "GET /order?symbol=BTCUSDT&signature=***&timestamp=5"},
      {R"({"apiKey": "abc", "symbol": "BTC"})", R"({"apiKey": "***", "symbol": "BTC"})"},
      {"X-MBX-APIKEY: abc123", "X-MBX-APIKEY: ***"},
      {"API_SECRET='top secret' rest", "API_SECRET='*** secret' rest"},
      {"Authorization: Bearer abc def", "Authorization: *** def"},
      {"password=", "password="},
      {"key", "key"},
      {"token:", "token:"},
      {"tab\tand\x1b[31m red", "tab and [31m red"},
  };
  for (const auto& [line, shown] : rows) BOOST_TEST(showable(line) == shown);
  const auto shortened = showable(std::string(1000, 'x'));
  BOOST_TEST((shortened.size() == 200u && shortened.ends_with("x...")));
  const auto secret_at_the_end = showable(std::string(190, 'x') + " key=" + std::string(500, 's'));
  BOOST_TEST(secret_at_the_end.find("sss") == std::string::npos);
}

} // namespace breakwater::test
