#pragma once

#include "actors/audit/audit_port.hpp"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace breakwater::test {

/// Good enough to tell texts apart.
inline std::string fake_hash(std::string_view text) {
  auto digits = std::to_string(std::hash<std::string_view>{}(text));
  return std::string(64 - digits.size(), '0') + digits;
}

/// An audit log in memory.
struct fake_audit final : audit_port {
  std::vector<std::string> lines;
  std::string torn;   ///< What a crash left; open() takes it away.
  bool fails = false; ///< A full disk.
  std::size_t opened = 0;

  result<audit_state_found> open() override {
    if (fails) return failure{errc::file_unreadable, "No space left on device"};
    ++opened;
    audit_check check{fake_hash, std::nullopt};
    for (const auto& line : lines) check.take(line);
    return audit_state_found{check.tip(),           lines.size(),        check.problems(),
                             check.problem_count(), check.newest_time(), std::exchange(torn, {})};
  }
  result<done> append(const audit_entry& entry) override {
    if (fails) return failure{errc::file_unreadable, "No space left on device"};
    lines.push_back(entry.line);
    return done{};
  }
  std::vector<std::string> newest(std::size_t limit) override {
    return {lines.rbegin(), lines.rbegin() + static_cast<std::ptrdiff_t>(std::min(limit, lines.size()))};
  }
  /// How many lines hold all of `parts`.
  [[nodiscard]] std::size_t count(std::initializer_list<std::string_view> parts) const {
    return static_cast<std::size_t>(std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
      return std::all_of(parts.begin(), parts.end(),
                         [&](std::string_view part) { return line.find(part) != std::string::npos; });
    }));
  }
};

} // namespace breakwater::test
