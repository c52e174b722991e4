#pragma once

#include "actors/audit/audit_port.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace breakwater::test {

/// An audit log in memory.
struct fake_audit final : audit_port {
  std::vector<std::string> lines;

  [[nodiscard]] std::uint64_t last_number() const override { return lines.size(); }
  result<done> append(std::string_view line) override {
    lines.emplace_back(line);
    return done{};
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
