#pragma once

#include "messages/audit.hpp"
#include "messages/time.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The audit log is a chain: each line carries the hash of the one before and its own, so that a line that
/// was changed, removed or moved is found.
namespace breakwater {

/// SHA-256 of a text as 64 lower-case hex digits. sha256_io has one.
using hash_function = std::string (*)(std::string_view);

/// The end of a chain: the newest line's number and hash.
struct audit_tip {
  std::uint64_t number = 0; ///< 0: there is no line.
  std::string hash = std::string(64, '0');

  bool operator==(const audit_tip&) const = default;
};

struct audit_entry {
  std::string line; ///< A JSON object without line end.
  audit_tip tip;    ///< Once it is written.
};

/// The line that follows `before`:
/// {"number":7,"time":"2026-...Z","instance":"a","what":"actor_failed","actor":"feed/okx","details":{...},
///  "previous":"<hash of line 6>","hash":"<of this line's text before ,\"hash\">"}.
audit_entry next_entry(const audit_tip& before, wall_time at, std::string_view instance,
                       const audit_record& record, hash_function hash);

/// What is wrong with an audit log, and where.
struct audit_problem {
  std::size_t line = 0; ///< Of the file, 1, 2, 3 ...; 0: the file as a whole.
  std::string text;
};

/// Reads an audit log line by line. A plain value; its memory does not grow with the log.
class audit_check {
public:
  /// Problems kept; all are counted.
  static constexpr std::size_t max_problems = 20;

  /// `head` is what the head file said of the newest line before the log was read; nullopt: there is no head
  /// file.
  audit_check(hash_function hash, std::optional<audit_tip> head);

  /// The next whole line, without its end.
  void take(std::string_view line);
  /// The log is at its end; `head` is what the head file says by now. A crash leaves it one line behind at
  /// most.
  void finish(const std::optional<audit_tip>& head);

  [[nodiscard]] const std::vector<audit_problem>& problems() const noexcept { return problems_; }
  [[nodiscard]] std::size_t problem_count() const noexcept { return problem_count_; }
  [[nodiscard]] std::size_t lines() const noexcept { return lines_; }
  /// What the next line is to follow: the line with the highest number, or the head's where that is missing,
  /// so that the gap can be seen for ever.
  [[nodiscard]] const audit_tip& tip() const noexcept {
    return head_ && head_->number > tip_.number ? *head_ : tip_;
  }
  [[nodiscard]] const std::string& newest_time() const noexcept { return newest_time_; }

private:
  void report(std::size_t line, std::string text);

  hash_function hash_;
  std::optional<audit_tip> head_;
  bool head_was_met_ = false;
  audit_tip tip_;
  std::string newest_time_;
  std::size_t lines_ = 0, problem_count_ = 0;
  std::vector<audit_problem> problems_;
};

} // namespace breakwater
