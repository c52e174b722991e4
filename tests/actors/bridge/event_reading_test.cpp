#include "actors/bridge/event_reading.hpp"

#include <boost/test/unit_test.hpp>

using namespace breakwater;
using nlohmann::json;

namespace {

const auto schema = json::parse(R"({"properties": {
  "n": {"type": "number"}, "b": {"type": ["boolean", "null"]}, "o": {"type": "object"}, "s": {"type": "string"},
  "either": {"type": ["number", "string"]}, "open": {"enum": ["1"]}}})");

/// An object that nests `levels` deep.
std::string nested(std::size_t levels) {
  return R"({"a":)" + std::string(levels - 1, '[') + std::string(levels - 1, ']') + "}";
}

} // namespace

BOOST_AUTO_TEST_CASE(brackets_inside_texts_do_not_nest) {
  const auto brackets = std::string(1000, '[') + R"(\"{)";
  BOOST_TEST(!nests_too_deep(R"({"a":")" + brackets + R"("})"));
  BOOST_TEST(nests_too_deep(R"({"a":"\\",)" + brackets));
  BOOST_TEST(!nests_too_deep(nested(64)));
  BOOST_TEST(static_cast<bool>(read_event({{"payload", nested(64)}}, schema)));
  // It stays a text, which the contract refuses.
  BOOST_TEST(read_event({{"o", nested(1'000'000)}}, schema)->event["o"].is_string());
}

BOOST_AUTO_TEST_CASE(payload_comes_before_data_and_data_before_the_fields) {
  struct row {
    stream_fields fields;
    json event;
  };
  const std::vector<row> table{
      {{{"payload", R"({"a":1})"}, {"data", R"({"a":2})"}, {"a", "3"}}, {{"a", 1}}},
      {{{"x", "y"}, {"data", R"({"a":2})"}}, {{"a", 2}}},
      {{{"a", "3"}}, {{"a", "3"}}},
      {{}, json::object()},
      {{{"n", "1.5"}, {"b", "true"}, {"o", R"({"x":[1]})"}, {"s", "7"}, {"either", "8"}, {"open", "1"}},
       {{"n", 1.5}, {"b", true}, {"o", {{"x", {1}}}}, {"s", "7"}, {"either", "8"}, {"open", "1"}}},
      {{{"n", "None"}, {"b", "True"}}, {{"n", "None"}, {"b", "True"}}}, // the contract refuses these
  };
  for (const auto& [fields, event] : table) BOOST_TEST_CONTEXT(event.dump()) {
      const auto read = read_event(fields, schema);
      BOOST_REQUIRE(read);
      BOOST_TEST(read->event == event);
      BOOST_TEST(!read->from_side);
    }
}

BOOST_AUTO_TEST_CASE(side_stands_for_an_action_that_is_not_there) {
  const auto read = read_event({{"payload", R"({"side":"SELL"})"}}, schema);
  BOOST_REQUIRE(read);
  BOOST_TEST(read->from_side);
  BOOST_TEST(read->event["action"] == "SELL");
  const auto both = read_event({{"payload", R"({"side":"SELL","action":"CLOSE"})"}}, schema);
  BOOST_TEST(both->event["action"] == "CLOSE");
  BOOST_TEST(!both->from_side);
}

BOOST_AUTO_TEST_CASE(what_is_no_event_says_why) {
  const std::vector<std::pair<stream_fields, std::string>> table{
      {{{"payload", "{"}}, "payload is no JSON"},
      {{{"data", "[1]"}}, "data is JSON, but no object: array"},
      {{{"payload", R"("{\"a\":1}")"}}, "payload is JSON, but no object: string"},
      {{{"payload", "\xff"}}, "payload is no JSON"},
      {{{"s", "\xff"}}, "a field is no UTF-8 text"},
      {{{"payload", nested(65)}}, "payload nests deeper than 64 levels"},
      {{{"data", nested(1'000'000)}}, "data nests deeper than 64 levels"},
  };
  for (const auto& [fields, why] : table) {
    const auto read = read_event(fields, schema);
    BOOST_REQUIRE(!read);
    BOOST_TEST(read.error().detail == why);
  }
}
