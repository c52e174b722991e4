#include "actors/position_monitor/log_tail_io.hpp"

#include "tests/support/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <csignal>
#include <unistd.h>

namespace breakwater::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

/// A real log file or journalctl, and what was heard of it.
struct tail_fixture {
  temporary_folder folder;
  std::string file = (folder.path() / "monitor.log").string();
  std::string journalctl = (folder.path() / "journalctl").string();
  log_tail_io sut{{5ms, journalctl}};
  std::unique_ptr<log_tail> tail;
  std::mutex mutex;
  log_sightings sum; ///< Counts together, the newest problem.
  std::size_t looks = 0;
  std::vector<std::string> problems; ///< Each that was told.

  ~tail_fixture() { sut.end(); } // it tells this fixture

  void writes(const std::string& text, const std::string& to = {}) {
    std::ofstream{to.empty() ? file : to, std::ios::app} << text;
  }
  void follows(log_source from) {
    from.activity_pattern = "BOTH";
    from.error_pattern = "Error";
    tail = sut.follow(std::move(from), [this](log_sightings seen) {
      const std::lock_guard lock{mutex};
      sum.activities += seen.activities;
      sum.errors += seen.errors;
      sum.cut += seen.cut;
      if (seen.errors > 0) sum.last_error = seen.last_error;
      if (seen.problem != sum.problem) problems.push_back(seen.problem);
      sum.problem = seen.problem;
    });
  }
  void follows_file() { follows({file, {}, {}, {}}); }
  log_sightings seen() {
    const std::lock_guard lock{mutex};
    return sum;
  }
  bool comes_true(const std::function<bool()>& what, std::chrono::milliseconds within = 5s) {
    const auto deadline = std::chrono::steady_clock::now() + within;
    while (!what()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(2ms);
    }
    return true;
  }
  /// Waits until so many activities were counted, and a little longer, for there must be no more.
  void expects(std::uint64_t activities) {
    comes_true([&] { return seen().activities >= activities; });
    std::this_thread::sleep_for(30ms);
    BOOST_TEST(seen().activities == activities);
  }
  void expects_problem(const std::string& text) {
    const auto is_there = [&] {
      return text.empty() ? seen().problem.empty() : seen().problem.find(text) != std::string::npos;
    };
    BOOST_TEST(comes_true(is_there), "the problem is '" + seen().problem + "', should be '" + text + "'");
  }
  /// Waits until the file is being followed: a line of its own is counted.
  void is_being_read() {
    const auto before = seen().errors;
    BOOST_TEST_REQUIRE(comes_true([&] {
      writes("Error\n");
      return seen().errors > before;
    }));
  }
  void has_journalctl(const std::string& script) {
    std::ofstream{journalctl} << "#!/bin/sh\n" << script << "\n";
    fs::permissions(journalctl, fs::perms::owner_all);
  }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(log_tail_io_suite, tail_fixture)

BOOST_AUTO_TEST_CASE(only_what_is_added_to_a_file_counts) {
  writes("BOTH\nBOTH\nError old\n");
  follows_file();
  is_being_read();
  writes("order BOTH\nnothing\nBOTH\n");
  expects(2);
  writes("BOTH Error at last\n");
  expects(3);
  BOOST_TEST(seen().last_error == "BOTH Error at last");
  BOOST_TEST(seen().problem.empty());
}

BOOST_AUTO_TEST_CASE(a_line_counts_when_it_is_whole) {
  writes("");
  follows_file();
  is_being_read();
  writes("order BO");
  expects(0);
  writes("TH and mo");
  expects(0);
  writes("re\n");
  expects(1);
}

BOOST_AUTO_TEST_CASE(a_rotated_file_is_read_to_its_end_and_the_new_one_from_its_beginning) {
  writes("BOTH\n");
  follows_file();
  is_being_read();
  writes("BOTH\n");
  fs::rename(file, file + ".1");
  writes("BOTH 2\n", file + ".1"); // its writer does not know yet
  writes("BOTH 1\nBOTH 2\n");
  writes("BOTH without an end", file + ".1");
  expects(5);
  writes("BOTH 3\n");
  expects(6);
  BOOST_TEST(problems.empty());
}

BOOST_AUTO_TEST_CASE(many_rotations_in_a_row_lose_nothing) {
  writes("");
  follows_file();
  is_being_read();
  for (int i = 1; i <= 5; ++i) {
    fs::rename(file, file + "." + std::to_string(i));
    writes("BOTH\nBOTH\n");
    expects(static_cast<std::uint64_t>(2 * i));
  }
}

BOOST_AUTO_TEST_CASE(a_file_that_was_truncated_is_read_from_its_beginning) {
  writes("BOTH\nsomething long that makes it bigger\n");
  follows_file();
  is_being_read();
  writes("BOTH in a line without an end");
  expects(0);
  fs::copy_file(file, file + ".1");
  fs::resize_file(file, 0);
  writes("what followed\nBOTH\n");
  expects(1);
  writes("BOTH\n");
  expects(2);
}

BOOST_AUTO_TEST_CASE(a_file_that_appears_late_is_read_from_its_beginning) {
  follows_file();
  expects_problem("monitor.log does not exist; it is read from its beginning when it does");
  writes("BOTH\nBOTH\n");
  expects(2);
  expects_problem("");
  fs::remove(file);
  expects_problem("does not exist");
  writes("BOTH\n");
  expects(3);
  expects_problem("");
}

BOOST_AUTO_TEST_CASE(a_folder_that_appears_late_is_no_worse) {
  file = (folder.path() / "later" / "monitor.log").string();
  follows_file();
  expects_problem("does not exist");
  fs::create_directory(folder.path() / "later");
  writes("BOTH\n");
  expects(1);
}

BOOST_AUTO_TEST_CASE(what_is_no_file_or_must_not_be_read_is_said) {
  fs::create_directory(file);
  follows_file();
  expects_problem("monitor.log is no regular file; name the file");
  fs::remove(file);
  expects_problem("does not exist");
  if (::geteuid() == 0) return; // root may read everything
  const auto elsewhere = file + ".new";
  writes("BOTH\n", elsewhere);
  fs::permissions(elsewhere, fs::perms::none);
  fs::rename(elsewhere, file);
  expects_problem("Permission denied; let the user breakwater runs as read it");
  fs::permissions(file, fs::perms::owner_all);
  expects(1); // it was not there before
}

BOOST_AUTO_TEST_CASE(a_very_long_line_costs_no_memory_and_hides_no_other) {
  writes("");
  follows_file();
  is_being_read();
  writes("Error BOTH " + std::string(20 << 20, 'x') + " BOTH\nBOTH\n");
  expects(2);
  BOOST_TEST(seen().cut == 1u);
  BOOST_TEST(seen().last_error.size() == 200u);
}

BOOST_AUTO_TEST_CASE(a_flood_is_told_in_few_messages) {
  writes("");
  follows_file();
  is_being_read();
  std::string flood;
  for (int i = 0; i < 1'000'000; ++i) flood += "BOTH\n";
  writes(flood);
  expects(1'000'000);
}

BOOST_AUTO_TEST_CASE(nothing_is_heard_after_the_tail_is_gone_and_another_begins_anew) {
  writes("");
  follows_file();
  is_being_read();
  tail.reset();
  std::this_thread::sleep_for(30ms);
  writes("BOTH\n");
  expects(0);
  follows_file();
  is_being_read();
  writes("BOTH\n");
  expects(1);
}

BOOST_AUTO_TEST_CASE(a_journal_is_read_through_journalctl) {
  has_journalctl("echo \"$@\" > " + file +
                 "\necho BOTH\necho Error\nprintf 'BO'\nsleep 0.1\necho TH\nexec sleep 60");
  follows({{}, "monitor.service", {}, {}});
  expects(2);
  BOOST_TEST(seen().errors == 1u);
  std::string words;
  std::getline(std::ifstream{file} >> std::ws, words);
  BOOST_TEST(words == "-f -n 0 -o cat -u monitor.service");
  BOOST_TEST(problems.empty());
}

BOOST_AUTO_TEST_CASE(a_journalctl_that_ends_is_said_and_started_again) {
  has_journalctl("echo x >> " + file + "\necho BOTH\n[ $(wc -l < " + file +
                 ") -ge 2 ] && exec sleep 60\nexit 3");
  follows({{}, "monitor.service", {}, {}});
  expects_problem("journalctl ended with code 3; see what it says: journalctl -n 1 -u monitor.service");
  expects(2);
  expects_problem("");
}

BOOST_AUTO_TEST_CASE(without_journalctl_it_says_so) {
  follows({{}, "monitor.service", {}, {}});
  expects_problem("journalctl is not installed; name position_monitor.log_file instead");
}

BOOST_AUTO_TEST_CASE(journalctl_ends_with_the_tail) {
  has_journalctl("echo $$ > " + file + "\necho BOTH\nexec sleep 60");
  follows({{}, "monitor.service", {}, {}});
  expects(1);
  pid_t child = 0;
  std::ifstream{file} >> child;
  BOOST_TEST_REQUIRE(child > 0);
  BOOST_TEST(::kill(child, 0) == 0);
  tail.reset();
  BOOST_TEST(comes_true([&] { return ::kill(child, 0) != 0; }));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace breakwater::test
