#pragma once

#include "messages/happening.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace breakwater {

/// A piece of an event stream (Server-Sent Events), shared by all who read it.
using live_piece = std::shared_ptr<const std::string>;

/// What those who watch live are told: what happens, and how each part stands whenever that changes. A plain
/// value.
class live {
public:
  /// `life` tells the ids of this process from those of an earlier one.
  explicit live(std::string life) : life_(std::move(life)) {}

  /// The event for `what`: its id, and its JSON {"at","level","actor","event","text","details"}. The newest
  /// are kept for those who come later.
  live_piece happened(const happening& what);

  /// The event `part` with the JSON `body`; nullptr: all have been told just that.
  live_piece stands(const std::string& part, std::string body);
  /// Somebody new has been told nothing: the next of every part is told again.
  void forget() { told_.clear(); }

  /// What somebody new is told first: how soon to come back, and what happened behind `last_seen`, or lately
  /// if that is no id of ours.
  [[nodiscard]] std::string greeting(std::string_view last_seen) const;

private:
  static constexpr std::size_t kept = 500, told_at_first = 100;

  struct past {
    std::uint64_t number;
    live_piece piece;
  };
  std::string life_;
  std::uint64_t last_ = 0;
  std::deque<past> happened_;
  std::map<std::string, std::string> told_; ///< Part -> body.
};

} // namespace breakwater
