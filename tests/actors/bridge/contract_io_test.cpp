#include "actors/bridge/contract_io.hpp"

#include "tests/support/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>

using namespace breakwater;
using namespace breakwater::test;
using nlohmann::json;

namespace {

struct folder_fixture {
  temporary_folder folder;
  void holds(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(folder.path() / "contracts");
    std::ofstream{folder.path() / "contracts" / (name + ".json")} << text;
  }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(trade_intent_is_built_in_and_a_file_takes_its_place, folder_fixture) {
  const auto built_in = load_contract("trade.intent", folder.path().string());
  BOOST_REQUIRE_MESSAGE(built_in, (built_in ? "" : built_in.error().detail));
  const json good{{"symbol", "BTCUSDT"}, {"action", "BUY"}, {"confidence", 1}, {"timestamp", 1}};
  BOOST_TEST((*built_in)->problem(good) == "");
  auto bad = good;
  bad["confidence"] = 1.05;
  BOOST_TEST((*built_in)->problem(bad).starts_with("confidence: "), (*built_in)->problem(bad));
  bad = good;
  bad["harvest_policy"] = {{"mode", "yolo"}};
  BOOST_TEST((*built_in)->problem(bad).starts_with("harvest_policy.mode: "), (*built_in)->problem(bad));

  holds("trade.intent", R"({"required": ["colour"]})");
  const auto own = load_contract("trade.intent", folder.path().string());
  BOOST_REQUIRE(own);
  BOOST_TEST((*own)->problem(good).find("colour") != std::string::npos, (*own)->problem(good));
}

BOOST_FIXTURE_TEST_CASE(another_contract_is_added_by_a_file, folder_fixture) {
  holds("risk.note", R"({"properties": {"level": {"type": "integer", "maximum": 3}}})");
  settings what;
  what.folder = folder.path().string();
  what.bridges.resize(2);
  what.bridges[1].contract = "risk.note";
  const auto all = load_contracts(what);
  BOOST_REQUIRE_MESSAGE(all, (all ? "" : all.error().detail));
  BOOST_TEST(all->size() == 2u);
  BOOST_TEST(all->at("risk.note")->problem({{"level", 4}}) != "");
  BOOST_TEST(all->at("risk.note")->problem({{"level", 3}}) == "");
}

BOOST_FIXTURE_TEST_CASE(a_text_too_long_for_a_pattern_is_refused_before_it_is_matched, folder_fixture) {
  holds("p", R"({"properties": {"a": {"pattern": "^(x|y)*$"}, "b": {"type": "string"}}})");
  holds("q", R"({"patternProperties": {"^(x|y)*$": {"type": "number"}}})");
  const std::string long_text(1 << 20, 'x');
  const auto p = *load_contract("p", folder.path().string()), q = *load_contract("q", folder.path().string());
  BOOST_TEST(p->problem({{"a", long_text}}) == "a: longer than 4096 bytes");
  BOOST_TEST(p->problem({{"a", {{"deep", long_text}}}}) == "a: longer than 4096 bytes");
  BOOST_TEST(p->problem({{"a", "xyx"}, {"b", long_text}}) == "");
  BOOST_TEST(q->problem({{"c", {{long_text, 1}}}}) == "c: longer than 4096 bytes");
  BOOST_TEST(q->problem({{"xy", 1}}) == "");
}

BOOST_FIXTURE_TEST_CASE(one_that_cannot_be_used_says_where_it_was_looked_for, folder_fixture) {
  holds("broken", "{");
  holds("odd", R"({"type": 5})");
  const std::vector<std::pair<std::string, std::string>> table{
      {"nope", "contracts/nope.json"}, {"broken", "is no JSON object"}, {"odd", "is no JSON Schema"}};
  for (const auto& [name, said] : table) {
    const auto loaded = load_contract(name, folder.path().string());
    BOOST_REQUIRE(!loaded);
    BOOST_TEST((loaded.error().code == errc::config_invalid));
    BOOST_TEST(loaded.error().detail.find(said) != std::string::npos, loaded.error().detail);
  }
}
