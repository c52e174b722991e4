#include "actors/audit/audit_file_io.hpp"

#include "actors/audit/audit_line.hpp"

#include <boost/test/unit_test.hpp>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/resource.h>
#include <vector>

using namespace breakwater;

namespace {

std::string line_of(std::uint64_t number, std::string reason = "r") {
  return audit_line(number, wall_time{}, "a", {"x", "y", {{"reason", std::move(reason)}}});
}

struct file_fixture {
  std::filesystem::path folder;
  std::string path;

  file_fixture() {
    auto name = (std::filesystem::temp_directory_path() / "breakwater-audit-XXXXXX").string();
    BOOST_TEST_REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder = name;
    path = folder / "audit.jsonl";
  }
  ~file_fixture() { std::filesystem::remove_all(folder); }

  std::shared_ptr<audit_port> open() {
    auto opened = open_audit_file(path);
    BOOST_TEST_REQUIRE(static_cast<bool>(opened));
    return *opened;
  }
  void contains(const std::string& text) { std::ofstream{path} << text; }
  std::string text() const {
    std::ifstream in{path};
    return {std::istreambuf_iterator<char>{in}, {}};
  }
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

BOOST_FIXTURE_TEST_SUITE(audit_file_io_, file_fixture)

BOOST_AUTO_TEST_CASE(lines_are_appended_one_after_the_other) {
  auto file = open();
  BOOST_TEST(file->last_number() == 0u);
  BOOST_TEST(static_cast<bool>(file->append(line_of(1))));
  BOOST_TEST(static_cast<bool>(file->append(line_of(2))));
  BOOST_TEST(file->last_number() == 2u);
  BOOST_TEST(text() == line_of(1) + "\n" + line_of(2) + "\n"); // it is in the file at once
}

BOOST_AUTO_TEST_CASE(numbering_continues_when_the_file_is_opened_again) {
  for (std::uint64_t n = 1; n <= 5; ++n) {
    auto file = open();
    BOOST_TEST(file->last_number() == n - 1);
    BOOST_TEST(static_cast<bool>(file->append(line_of(n))));
  }
  BOOST_TEST(open()->last_number() == 5u);
}

BOOST_AUTO_TEST_CASE(a_line_a_crash_left_unfinished_is_ended_and_kept) {
  const auto torn = line_of(2).substr(0, 20);
  contains(line_of(1) + "\n" + torn);
  auto file = open();
  BOOST_TEST(file->last_number() == 1u);
  BOOST_TEST(static_cast<bool>(file->append(line_of(2))));
  BOOST_TEST(text() == line_of(1) + "\n" + torn + "\n" + line_of(2) + "\n");
  BOOST_TEST(open()->last_number() == 2u);
}

BOOST_AUTO_TEST_CASE(a_whole_line_that_only_lacks_its_end_counts) {
  contains(line_of(1) + "\n" + line_of(2));
  auto file = open();
  BOOST_TEST(file->last_number() == 2u);
  BOOST_TEST(static_cast<bool>(file->append(line_of(3))));
  BOOST_TEST(text() == line_of(1) + "\n" + line_of(2) + "\n" + line_of(3) + "\n");
}

BOOST_AUTO_TEST_CASE(foreign_lines_are_left_where_they_are) {
  contains("\n# a note\n" + line_of(8) + "\n\xff\xfe\n");
  auto file = open();
  BOOST_TEST(file->last_number() == 8u);
  BOOST_TEST(text() == "\n# a note\n" + line_of(8) + "\n\xff\xfe\n");
}

BOOST_AUTO_TEST_CASE(a_path_that_cannot_be_written_is_named) {
  for (const auto& bad : {(folder / "no" / "such" / "folder").string(), folder.string()}) {
    const auto opened = open_audit_file(bad);
    BOOST_TEST_REQUIRE(!opened);
    BOOST_TEST((opened.error().code == errc::file_unreadable));
    BOOST_TEST(opened.error().detail.starts_with(bad + ": "));
  }
}

BOOST_AUTO_TEST_CASE(a_line_that_does_not_fit_leaves_nothing_behind) {
  auto file = open();
  BOOST_TEST_REQUIRE(static_cast<bool>(file->append(line_of(1))));
  for (const std::size_t room : {0, 10}) {
    const auto before = text();
    const auto written = [&] {
      disk_full full{before.size() + room};
      return file->append(line_of(2, std::string(100, 'x')));
    }();
    BOOST_TEST_REQUIRE(!written);
    BOOST_TEST((written.error().code == errc::file_unreadable));
    BOOST_TEST(written.error().detail.starts_with(path + ": "));
    BOOST_TEST(text() == before);
    BOOST_TEST(file->last_number() == 1u);
  }
  BOOST_TEST(static_cast<bool>(file->append(line_of(2))));
  BOOST_TEST(text() == line_of(1) + "\n" + line_of(2) + "\n");
}

BOOST_AUTO_TEST_SUITE_END()
