#include "actors/audit/audit_chain.hpp"

#include "actors/audit/sha256_io.hpp"

#include <boost/test/unit_test.hpp>

#include <nlohmann/json.hpp>

#include <functional>
#include <string>
#include <vector>

namespace breakwater::test {
namespace {

using lines = std::vector<std::string>;

struct log {
  lines written;
  audit_tip tip;

  explicit log(std::size_t count = 5) {
    for (std::size_t i = 0; i < count; ++i) append("reason " + std::to_string(i));
  }
  void append(const std::string& reason) {
    auto entry =
        next_entry(tip, wall_time_from_ms(1767571200000), "a", {"x", "y", {{"reason", reason}}}, sha256);
    written.push_back(entry.line);
    tip = entry.tip;
  }
};

audit_check checked(const lines& all, std::optional<audit_tip> head) {
  audit_check check{sha256, head};
  for (const auto& line : all) check.take(line);
  check.finish(head);
  return check;
}

/// "2: number 2 was changed: ..." of every problem.
lines told(const audit_check& check) {
  lines all;
  for (const auto& problem : check.problems())
    all.push_back(std::to_string(problem.line) + ": " + problem.text);
  return all;
}

void replace(std::string& in, const std::string& what, const std::string& with) {
  const auto at = in.find(what);
  BOOST_REQUIRE(at != std::string::npos);
  in.replace(at, what.size(), with);
}

/// With its hash made to fit its text again.
std::string rehashed(std::string line) {
  const auto key = line.rfind(R"(,"hash":")");
  const auto text = line.substr(0, key);
  return text + R"(,"hash":")" + sha256(text) + "\"}";
}

} // namespace

BOOST_AUTO_TEST_CASE(sha256_is_that_of_the_standard) {
  BOOST_TEST(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  BOOST_TEST(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

BOOST_AUTO_TEST_CASE(a_line_tells_everything_and_carries_both_hashes) {
  const audit_record record{
      "actor_failed", "feed/okx", {{"errc", "crashed"}, {"reason", "a \"quote\"\n\xff"}}};
  const auto entry =
      next_entry({6, std::string(64, 'a')}, wall_time_from_ms(1767571201500), "desk", record, sha256);
  const std::string text =
      R"({"number":7,"time":"2026-01-05T00:00:01.500Z","instance":"desk","what":"actor_failed",)"
      R"("actor":"feed/okx","details":{"errc":"crashed","reason":"a \"quote\"\n)"
      "\xef\xbf\xbd"
      R"("},"previous":")" +
      std::string(64, 'a') + "\"";
  BOOST_TEST(entry.line == text + R"(,"hash":")" + sha256(text) + "\"}");
  BOOST_TEST((entry.tip == audit_tip{7, sha256(text)}));
  BOOST_TEST(nlohmann::json::parse(entry.line).size() == 8u);
}

BOOST_AUTO_TEST_CASE(an_untouched_log_is_intact) {
  for (const std::size_t count : {0u, 1u, 2u, 100u}) {
    const log it{count};
    const auto check = checked(it.written, it.tip);
    BOOST_TEST(told(check).empty());
    BOOST_TEST(check.lines() == count);
    BOOST_TEST((check.tip() == it.tip));
  }
}

BOOST_AUTO_TEST_CASE(a_details_text_that_looks_like_a_hash_confuses_nobody) {
  log it{1};
  it.append(R"(,"hash":"0000"})");
  it.append(R"(","hash":"0000"})");
  BOOST_TEST(told(checked(it.written, it.tip)).empty());
}

BOOST_AUTO_TEST_CASE(every_byte_of_a_line_counts) {
  const log it{3};
  for (std::size_t at = 0; at < it.written[1].size(); ++at) {
    auto all = it.written;
    all[1][at] = all[1][at] == '7' ? '8' : '7';
    if (all[1] == it.written[1]) continue;
    BOOST_TEST_CONTEXT("byte " << at << ": " << all[1]) {
      const auto check = checked(all, it.tip);
      BOOST_TEST(check.problem_count() >= 1u);
      BOOST_TEST((check.problems().front().line == 2 || check.problems().front().line == 3));
    }
  }
}

BOOST_AUTO_TEST_CASE(what_was_done_to_a_log_is_found_and_located) {
  struct row {
    std::string done;
    std::function<void(lines&)> tamper;
    lines found;
  };
  const row rows[] = {
      {"a field changed",
       [](lines& l) { replace(l[1], "reason 1", "reason 9"); },
       {"2: number 2 was changed: its hash is not that of its text"}},
      {"the time changed",
       [](lines& l) { replace(l[1], "2026", "2025"); },
       {"2: number 2 was changed: its hash is not that of its text"}},
      {"the last line changed",
       [](lines& l) { replace(l[4], "reason 4", "reason 9"); },
       {"5: number 5 was changed: its hash is not that of its text"}},
      {"changed and hashed again",
       [](lines& l) {
         replace(l[1], "reason 1", "reason 9");
         l[1] = rehashed(l[1]);
       },
       {"3: number 3 does not follow the line before it: that one was replaced"}},
      {"the last one changed and hashed again",
       [](lines& l) {
         replace(l[4], "reason 4", "reason 9");
         l[4] = rehashed(l[4]);
       },
       {"5: number 5 was replaced: audit.head has another hash for it"}},
      {"the first removed", [](lines& l) { l.erase(l.begin()); }, {"1: number 1 is missing before it"}},
      {"one removed", [](lines& l) { l.erase(l.begin() + 2); }, {"3: number 3 is missing before it"}},
      {"two removed",
       [](lines& l) { l.erase(l.begin() + 1, l.begin() + 3); },
       {"2: numbers 2 to 3 are missing before it"}},
      {"the last removed", [](lines& l) { l.pop_back(); }, {"0: number 5 is missing at the end"}},
      {"the last two removed", [](lines& l) { l.resize(3); }, {"0: numbers 4 to 5 are missing at the end"}},
      {"all removed", [](lines& l) { l.clear(); }, {"0: numbers 1 to 5 are missing at the end"}},
      {"two swapped",
       [](lines& l) { std::swap(l[1], l[2]); },
       {"2: number 2 is missing before it",
        "3: number 2 stands behind number 3: it was moved, inserted or is there twice"}},
      {"one twice",
       [](lines& l) { l.insert(l.begin() + 2, l[1]); },
       {"3: number 2 stands behind number 2: it was moved, inserted or is there twice"}},
      {"one inserted",
       [](lines& l) {
         auto made = l[1];
         replace(made, "reason 1", "reason 9");
         l.insert(l.begin() + 2, rehashed(made));
       },
       {"3: number 2 stands behind number 2: it was moved, inserted or is there twice"}},
      {"an empty line",
       [](lines& l) { l.insert(l.begin() + 2, ""); },
       {"3: is no line of an audit log, or was changed so that it cannot be read"}},
      {"something behind a hash",
       [](lines& l) { l[1] += " "; },
       {"2: is no line of an audit log, or was changed so that it cannot be read",
        "3: number 2 is missing before it"}},
      {"a hash cut off",
       [](lines& l) { l[1].resize(l[1].rfind(R"(,"hash":")")), l[1] += "}"; },
       {"2: is no line of an audit log, or was changed so that it cannot be read",
        "3: number 2 is missing before it"}},
  };
  for (const auto& row : rows) BOOST_TEST_CONTEXT(row.done) {
      const log it;
      auto all = it.written;
      row.tamper(all);
      BOOST_TEST(told(checked(all, it.tip)) == row.found, boost::test_tools::per_element());
    }
}

BOOST_AUTO_TEST_CASE(a_log_ahead_of_its_head_is_what_a_crash_leaves) {
  const log shorter{4}, it{5};
  BOOST_TEST(told(checked(it.written, shorter.tip)).empty());
  BOOST_TEST(told(checked(log{1}.written, std::nullopt)).empty()); // the very first line
}

BOOST_AUTO_TEST_CASE(a_log_far_ahead_of_its_head_is_what_no_crash_leaves) {
  const log shorter{2}, it{5};
  BOOST_TEST(told(checked(it.written, shorter.tip)) ==
             lines{"0: audit.head stands at number 2, far behind the log"});
}

BOOST_AUTO_TEST_CASE(lines_written_while_the_log_is_read_are_no_problem) {
  const log before{2}, it{5};
  audit_check check{sha256, before.tip};
  for (const auto& line : it.written) check.take(line);
  check.finish(it.tip);
  BOOST_TEST(told(check).empty());
}

BOOST_AUTO_TEST_CASE(what_is_missing_at_the_end_stays_a_gap_whatever_is_written_next) {
  const log it;
  lines left{it.written.begin(), it.written.begin() + 2};
  const auto tip = checked(left, it.tip).tip();
  BOOST_TEST((tip == it.tip));
  const auto next = next_entry(tip, wall_time{}, "a", {"x", "y", {}}, sha256);
  left.push_back(next.line);
  BOOST_TEST(told(checked(left, next.tip)) == lines{"3: numbers 3 to 5 are missing before it"});
}

BOOST_AUTO_TEST_CASE(a_head_that_is_gone_or_of_another_log_is_told) {
  const log it;
  BOOST_TEST(told(checked(it.written, std::nullopt)) ==
             lines{"0: audit.head is missing, so nobody can tell whether lines are missing at the end"});
  BOOST_TEST(told(checked(it.written, audit_tip{4, std::string(64, 'f')})) ==
             lines{"4: number 4 was replaced: audit.head has another hash for it"});
}

BOOST_AUTO_TEST_CASE(many_problems_are_counted_and_the_first_are_kept) {
  log it{200};
  for (auto& line : it.written) replace(line, "reason", "season");
  const auto check = checked(it.written, it.tip);
  BOOST_TEST(check.problem_count() == 200u);
  BOOST_TEST(check.problems().size() == audit_check::max_problems);
}

} // namespace breakwater::test
