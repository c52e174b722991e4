#include "actors/audit/audit_line.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <string>

using namespace breakwater;

namespace {

constexpr auto at = wall_time_from_ms(1763359437339);

nlohmann::json read(const std::string& line) { return nlohmann::json::parse(line); }

} // namespace

BOOST_AUTO_TEST_CASE(a_line_is_one_json_object_with_its_keys_in_order) {
  const auto line =
      audit_line(7, at, "a", {"actor_failed", "feed/okx", {{"errc", "crashed"}, {"restarts", "2"}}});
  BOOST_TEST(line == R"({"number":7,"time":"2025-11-17T06:03:57.339Z","instance":"a","what":"actor_failed",)"
                     R"("actor":"feed/okx","details":{"errc":"crashed","restarts":"2"}})");
}

BOOST_AUTO_TEST_CASE(details_keep_their_order_and_may_be_absent) {
  BOOST_TEST(audit_line(1, at, "a", {"x", "y", {}}).ends_with(R"("details":{}})"));
  BOOST_TEST(audit_line(1, at, "a", {"x", "y", {{"z", "1"}, {"a", "2"}}}).ends_with(R"({"z":"1","a":"2"}})"));
}

BOOST_AUTO_TEST_CASE(whatever_stands_in_a_reason_stays_one_line_and_reads_back) {
  for (const std::string text : {"two\nlines\r\n", "\"quoted\" \\ {json}", "tab\tand\x01 control",
                                 "gr\xc3\xbc\xc3\x9f \xe2\x82\xac", ""}) {
    const auto line = audit_line(1, at, "a", {"x", "y", {{"reason", text}}});
    BOOST_TEST(line.find('\n') == line.npos);
    BOOST_TEST(read(line)["details"]["reason"].get<std::string>() == text);
  }
}

BOOST_AUTO_TEST_CASE(bytes_that_are_no_utf8_are_replaced_and_the_rest_is_kept) {
  const std::string bad = "before \xff\xfe\xc3 after";
  const auto line = audit_line(1, at, bad, {bad, bad, {{bad, bad}}});
  const auto back = read(line);
  for (const auto& text : {back["what"], back["actor"], back["instance"], back["details"].begin().value()}) {
    BOOST_TEST(text.get<std::string>().starts_with("before "));
    BOOST_TEST(text.get<std::string>().ends_with(" after"));
    BOOST_TEST(text.get<std::string>().find("\xef\xbf\xbd") !=
               std::string::npos); // U+FFFD tells that something was there
  }
  BOOST_TEST(audit_number(line) == 1u);
}

BOOST_AUTO_TEST_CASE(the_number_of_a_line_is_read_back) {
  struct row {
    const char* line;
    std::uint64_t number;
  };
  constexpr row rows[] = {
      {R"({"number":7,"what":"x"})", 7},
      {R"({"what":"x","number":18446744073709551615})", 18446744073709551615u},
      {R"({"number":"7"})", 0},
      {R"({"number":-7})", 0},
      {R"({"number":7.5})", 0},
      {R"({"what":"x"})", 0},
      {R"({"number":7,"what":"x)", 0},
      {R"([7])", 0},
      {"7", 0},
      {"", 0},
      {"no json", 0},
      {"\xff\xfe", 0},
  };
  for (const auto& r : rows) BOOST_TEST_CONTEXT(r.line) BOOST_TEST(audit_number(r.line) == r.number);
  BOOST_TEST(audit_number(audit_line(12345678901, at, "a", {})) == 12345678901u);
}
