#include "actors/breaker/breaker_store_io.hpp"

#include "tests/support/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>

namespace breakwater::test {
namespace {

using lines = std::vector<std::string>;

struct store_fixture : temporary_folder {
  std::shared_ptr<breaker_store_port> sut = open_breaker_store(path().string());

  void begins_again() { sut = open_breaker_store(path().string()); }
  [[nodiscard]] std::filesystem::path state_file() const { return path() / "breaker-redis.state"; }
  [[nodiscard]] std::filesystem::path history_file() const { return path() / "breaker-redis.history.jsonl"; }
  void overwrite(std::streamoff at, const std::string& bytes) const {
    std::fstream file{state_file(), std::ios::in | std::ios::out | std::ios::binary};
    file.seekp(at);
    file << bytes;
  }
};

constexpr std::streamoff slot_bytes = 16 << 10;

} // namespace

BOOST_FIXTURE_TEST_CASE(nothing_was_kept_at_first_and_that_is_no_problem, store_fixture) {
  const auto found = sut->load("redis", 10);
  BOOST_TEST((found.state.empty() && found.history.empty() && found.problem.empty()));
}

BOOST_FIXTURE_TEST_CASE(the_newest_state_is_found_by_the_next_process, store_fixture) {
  for (int i = 1; i <= 7; ++i) BOOST_REQUIRE(sut->save("redis", "state " + std::to_string(i), i % 2 == 0));
  BOOST_REQUIRE(sut->save("orders", "another", false));
  begins_again();
  BOOST_TEST(sut->load("redis", 10).state == "state 7");
  BOOST_TEST(sut->load("orders", 10).state == "another");
  BOOST_REQUIRE(sut->save("redis", "short", false)); // generations go on
  begins_again();
  BOOST_TEST(sut->load("redis", 10).state == "short");
}

BOOST_FIXTURE_TEST_CASE(a_state_that_was_torn_gives_way_to_the_one_before, store_fixture) {
  for (int i = 1; i <= 4; ++i) BOOST_REQUIRE(sut->save("redis", "state " + std::to_string(i), false));
  overwrite(15, "X"); // generation 4 lies in the first slot
  begins_again();
  const auto found = sut->load("redis", 10);
  BOOST_TEST(found.state == "state 3");
  BOOST_TEST(found.problem.empty());
  BOOST_REQUIRE(sut->save("redis", "state 5", false));
  begins_again();
  BOOST_TEST(sut->load("redis", 10).state == "state 5");
}

BOOST_FIXTURE_TEST_CASE(two_damaged_slots_are_a_problem_that_is_told, store_fixture) {
  for (int i = 1; i <= 2; ++i) BOOST_REQUIRE(sut->save("redis", "state", false));
  overwrite(15, "X");
  overwrite(slot_bytes + 15, "X");
  begins_again();
  const auto found = sut->load("redis", 10);
  BOOST_TEST(found.state.empty());
  BOOST_TEST(found.problem == state_file().string() + " holds no whole state");
  BOOST_REQUIRE(sut->save("redis", "anew", false));
  begins_again();
  BOOST_TEST(sut->load("redis", 10).state == "anew");
}

BOOST_FIXTURE_TEST_CASE(a_state_larger_than_its_place_is_refused_and_the_one_before_stays, store_fixture) {
  BOOST_REQUIRE(sut->save("redis", "small", false));
  BOOST_TEST(!sut->save("redis", std::string(slot_bytes, 'x'), false));
  begins_again();
  BOOST_TEST(sut->load("redis", 10).state == "small");
}

BOOST_FIXTURE_TEST_CASE(history_comes_back_oldest_first_and_only_its_newest, store_fixture) {
  for (int i = 1; i <= 5; ++i) BOOST_REQUIRE(sut->append_history("redis", std::to_string(i)));
  begins_again();
  BOOST_TEST(sut->load("redis", 3).history == (lines{"3", "4", "5"}));
}

BOOST_FIXTURE_TEST_CASE(a_history_line_that_a_crash_tore_is_left_out_and_the_next_stands_alone,
                        store_fixture) {
  BOOST_REQUIRE(sut->append_history("redis", "1"));
  std::ofstream{history_file(), std::ios::app} << "tor";
  begins_again();
  BOOST_TEST(sut->load("redis", 10).history == lines{"1"});
  BOOST_REQUIRE(sut->append_history("redis", "2"));
  BOOST_TEST(sut->load("redis", 10).history == (lines{"1", "2"}));
}

BOOST_FIXTURE_TEST_CASE(a_long_history_is_cut_when_it_is_read, store_fixture) {
  for (int i = 1; i <= 25; ++i) BOOST_REQUIRE(sut->append_history("redis", std::to_string(i)));
  BOOST_TEST(sut->load("redis", 10).history.size() == 10u);
  std::size_t left = 0;
  std::ifstream file{history_file()};
  for (std::string line; std::getline(file, line);) ++left;
  BOOST_TEST(left == 10u);
  const auto others =
      std::filesystem::perms::others_all & std::filesystem::status(history_file()).permissions();
  BOOST_TEST((others == std::filesystem::perms::none)); // as it was before it was cut
}

BOOST_AUTO_TEST_CASE(a_folder_that_is_not_there_is_told_and_nothing_breaks) {
  const auto sut = open_breaker_store("/nonexistent/folder");
  BOOST_TEST(!sut->load("redis", 10).problem.empty());
  const auto saved = sut->save("redis", "state", false);
  BOOST_REQUIRE(!saved);
  BOOST_TEST(saved.error().detail.find("No such file or directory") != std::string::npos);
  BOOST_TEST(!sut->append_history("redis", "1"));
}

} // namespace breakwater::test
