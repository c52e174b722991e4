#include "actors/audit/audit_file_io.hpp"

#include "actors/audit/sha256_io.hpp"
#include "tests/support/temporary_folder.hpp"

#include <csignal>
#include <fstream>
#include <string>
#include <sys/resource.h>
#include <vector>

namespace breakwater::test {
namespace {

struct file_fixture : temporary_folder {
  std::shared_ptr<audit_port> sut;
  audit_tip tip;

  audit_state_found opens() {
    sut = audit_file(path().string());
    auto found = sut->open();
    BOOST_REQUIRE(found);
    tip = found->tip;
    return *found;
  }
  bool appends(const std::string& reason = "r") {
    auto entry = next_entry(tip, wall_time{}, "a", {"x", "y", {{"reason", reason}}}, sha256);
    if (!sut->append(entry)) return false;
    tip = entry.tip;
    return true;
  }
  [[nodiscard]] std::string log() const { return (path() / "audit.jsonl").string(); }
  [[nodiscard]] std::string head() const { return (path() / "audit.head").string(); }
  [[nodiscard]] static std::string text(const std::string& of) {
    std::ifstream in{of};
    return {std::istreambuf_iterator<char>{in}, {}};
  }
  void becomes(const std::string& file, const std::string& content) const { std::ofstream{file} << content; }
};

/// While it lives no file may grow beyond `bytes`: what a full disk does.
struct disk_full {
  explicit disk_full(std::size_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before);
    auto limit = before;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~disk_full() { ::setrlimit(RLIMIT_FSIZE, &before); }
  rlimit before{};
};

} // namespace

BOOST_FIXTURE_TEST_CASE(the_chain_goes_on_over_runs, file_fixture) {
  BOOST_TEST(opens().lines == 0u);
  for (int i = 0; i < 3; ++i) BOOST_TEST(appends());
  const auto found = opens();
  BOOST_TEST(
      (found.lines == 3u && found.tip.number == 3u && found.problem_count == 0u && found.torn.empty()));
  BOOST_TEST(appends());
  const auto checked = check_audit_file(path().string());
  BOOST_REQUIRE(checked);
  BOOST_TEST((checked->lines == 4u && checked->problem_count == 0u));
}

BOOST_FIXTURE_TEST_CASE(a_log_that_is_not_there_has_no_lines_and_no_problem, file_fixture) {
  const auto checked = check_audit_file(path().string());
  BOOST_REQUIRE(checked);
  BOOST_TEST((checked->lines == 0u && checked->problem_count == 0u));
}

BOOST_FIXTURE_TEST_CASE(a_line_that_a_crash_tore_is_cut_off_and_told, file_fixture) {
  opens();
  appends();
  appends();
  const auto before = text(log());
  becomes(log(), before + R"({"number":3,"ti)");
  const auto checked = check_audit_file(path().string());
  BOOST_TEST((checked->problem_count == 0u && checked->torn == R"({"number":3,"ti)"));
  const auto found = opens();
  BOOST_TEST((found.problem_count == 0u && found.torn == R"({"number":3,"ti)" && found.tip.number == 2u));
  BOOST_TEST(text(log()) == before);
  BOOST_TEST(appends());
  BOOST_TEST(opens().lines == 3u);
}

BOOST_FIXTURE_TEST_CASE(an_acknowledged_line_that_was_cut_is_damage_and_stays_it, file_fixture) {
  opens();
  appends();
  appends();
  const auto whole = text(log());
  becomes(log(), whole.substr(0, whole.size() - 50));
  BOOST_TEST(opens().problem_count == 1u);
  BOOST_TEST(appends());
  BOOST_TEST(opens().problem_count > 0u);
}

BOOST_FIXTURE_TEST_CASE(a_crash_between_line_and_head_is_no_damage, file_fixture) {
  opens();
  appends();
  const auto head_before = text(head());
  appends();
  becomes(head(), head_before);
  BOOST_TEST(opens().problem_count == 0u);
  BOOST_TEST(appends());
  BOOST_TEST(opens().problem_count == 0u);
}

BOOST_FIXTURE_TEST_CASE(lines_removed_at_the_end_are_found_by_the_head, file_fixture) {
  opens();
  for (int i = 0; i < 3; ++i) appends();
  const auto whole = text(log());
  becomes(log(), whole.substr(0, whole.find('\n') + 1));
  const auto found = opens();
  BOOST_REQUIRE(found.problems.size() == 1u);
  BOOST_TEST(found.problems[0].text == "numbers 2 to 3 are missing at the end");
  BOOST_TEST(appends()); // which does not cover it up
  BOOST_TEST(opens().problems.at(0).text == "numbers 2 to 3 are missing before it");
}

BOOST_FIXTURE_TEST_CASE(a_log_removed_while_it_is_written_is_begun_anew_and_the_gap_seen, file_fixture) {
  opens();
  appends();
  appends();
  std::filesystem::remove(log());
  BOOST_TEST(appends());
  const auto checked = check_audit_file(path().string());
  BOOST_TEST((checked->lines == 1u && checked->problem_count == 1u));
  BOOST_TEST(checked->problems.at(0).text == "numbers 1 to 2 are missing before it");
}

BOOST_FIXTURE_TEST_CASE(a_line_without_end_is_told_and_takes_no_memory, file_fixture) {
  opens();
  appends();
  becomes(log(), text(log()) + std::string(std::size_t{3} << 20, 'x') + "\n");
  BOOST_TEST(opens().problem_count == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_folder_that_can_be_appended_to_is_told_from_one_that_cannot, file_fixture) {
  BOOST_TEST(static_cast<bool>(can_append_audit(path().string())));
  BOOST_TEST(!can_append_audit("/nonexistent/folder"));
}

BOOST_FIXTURE_TEST_CASE(a_damaged_log_is_written_on_behind_its_newest_line, file_fixture) {
  opens();
  for (int i = 0; i < 3; ++i) appends();
  auto content = text(log());
  content.replace(content.find("\"x\""), 3, "\"z\"");
  becomes(log(), content);
  BOOST_TEST(opens().problem_count == 1u);
  BOOST_TEST(appends());
  const auto found = opens();
  BOOST_TEST((found.problem_count == 1u && found.lines == 4u && found.tip.number == 4u));
}

BOOST_FIXTURE_TEST_CASE(a_full_disk_leaves_no_part_of_a_line_and_the_next_one_fits_the_chain, file_fixture) {
  opens();
  appends();
  const auto before = text(log());
  {
    const disk_full full{before.size() + 40};
    BOOST_TEST(!appends());
  }
  BOOST_TEST(text(log()) == before);
  BOOST_TEST(appends());
  BOOST_TEST(opens().problem_count == 0u);
}

BOOST_FIXTURE_TEST_CASE(the_newest_lines_are_read_backwards_in_blocks, file_fixture) {
  opens();
  for (int i = 0; i < 300; ++i)
    appends(std::string(static_cast<std::size_t>(i) * 7 % 2000, 'r')); // over many blocks
  std::vector<std::string> all;
  std::ifstream in{log()};
  for (std::string line; std::getline(in, line);) all.insert(all.begin(), line);
  for (const std::size_t limit : {1u, 2u, 57u, 300u, 1000u}) {
    const auto newest = sut->newest(limit);
    BOOST_REQUIRE(newest.size() == std::min<std::size_t>(limit, 300));
    BOOST_TEST((std::equal(newest.begin(), newest.end(), all.begin())));
  }
}

BOOST_FIXTURE_TEST_CASE(a_line_longer_than_a_block_is_read_whole, file_fixture) {
  opens();
  appends(std::string(300000, 'r'));
  appends();
  BOOST_TEST(opens().problem_count == 0u);
  BOOST_TEST(sut->newest(10).size() == 2u);
  BOOST_TEST(sut->newest(2)[1].size() > 300000u);
}

BOOST_AUTO_TEST_CASE(a_folder_that_is_not_there_is_named) {
  const auto opened = audit_file("/nonexistent/folder")->open();
  BOOST_REQUIRE(!opened);
  BOOST_TEST(opened.error().detail == "/nonexistent/folder/audit.jsonl: No such file or directory");
}

} // namespace breakwater::test
