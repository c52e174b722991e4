#pragma once

#include "messages/alert.hpp"
#include "messages/time.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace breakwater {

/// Something a look found to be wrong, or nearly right again.
struct finding {
  std::string rule, subject; ///< As in alert.
  alert_level level = alert_level::warning;
  std::string text, what_to_do;
  bool at_once = false; ///< The rule has a time of its own, so that one look is enough.
  bool holds = true; ///< False: back within the threshold, but not by enough to clear. Such an alert stands.
};

/// What one look found.
struct judgement {
  std::vector<finding> findings;
  /// What could not be judged, (rule, subject), and why. An empty subject: the whole rule. What stood there
  /// stands on.
  std::map<std::pair<std::string, std::string>, std::string> unjudged;
  /// Rules of which nothing new was to be seen: not looked at, and nothing to be said about it.
  std::set<std::string> untouched;
};

/// Which alerts stand: raises one when it was found at two looks in a row, clears it when it was not at
/// three. A plain value.
class alert_state {
public:
  static constexpr unsigned looks_to_raise = 2, looks_to_clear = 3;
  static constexpr std::size_t most_recent = 50; ///< Cleared ones kept for people; older ones go.

  /// The first alert gets the number behind `last_number`.
  explicit alert_state(std::uint64_t last_number = 0) : last_number_(last_number) {}

  /// What this look changed: alerts raised, and cleared ones (with cleared_at), in the order they happened.
  [[nodiscard]] std::vector<alert> take(const judgement& what, wall_time now);

  /// The most urgent first, then the oldest.
  [[nodiscard]] std::vector<alert> active() const;
  [[nodiscard]] const std::deque<alert>& recent() const noexcept { return recent_; } ///< The newest first.
  /// Whether an alert of this rule is about to be raised or to be cleared: the next look decides.
  [[nodiscard]] bool is_undecided(const std::string& rule) const;
  [[nodiscard]] std::uint64_t last_number() const noexcept { return last_number_; }

private:
  using key = std::pair<std::string, std::string>; ///< Rule and subject.
  struct entry {
    alert what;
    bool stands = false;
    unsigned found = 0, missed = 0; ///< Looks in a row.
  };
  void see(const finding& found, wall_time now, std::vector<alert>& changes);
  /// Nothing was found of it. Returns whether it is to be forgotten.
  bool miss(entry& of, wall_time now, std::vector<alert>& changes);

  std::map<key, entry> all_;
  std::deque<alert> recent_;
  std::uint64_t last_number_ = 0;
};

} // namespace breakwater
