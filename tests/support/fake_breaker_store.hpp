#pragma once

#include "actors/breaker/breaker_store_port.hpp"

#include <map>

namespace breakwater::test {

/// A store in memory, which outlives the breakers that use it.
struct fake_breaker_store final : breaker_store_port {
  std::map<std::string, std::string> state;
  std::map<std::string, std::vector<std::string>> history;
  bool fails = false;

  kept load(const std::string& breaker, std::size_t max_history) override {
    auto lines = history[breaker];
    if (lines.size() > max_history) lines.erase(lines.begin(), lines.end() - static_cast<long>(max_history));
    return {state[breaker], lines, {}};
  }
  result<done> save(const std::string& breaker, std::string_view text, bool) override {
    if (fails) return failure{errc::file_unreadable, "disk on fire"};
    state[breaker] = text;
    return done{};
  }
  result<done> append_history(const std::string& breaker, std::string_view line) override {
    if (fails) return failure{errc::file_unreadable, "disk on fire"};
    history[breaker].emplace_back(line);
    return done{};
  }
};

} // namespace breakwater::test
