#pragma once

#include "messages/position.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

/// Reading the position monitor's log: bytes in, counts out.
namespace breakwater {

/// Cuts bytes that come in any pieces into lines. Holds at most `longest_line` bytes: what a line has beyond
/// them is passed over.
class line_cutter {
public:
  static constexpr std::size_t longest_line = 16 * 1024;

  /// Calls `line(std::string_view text, bool was_cut)` for each line that ends within `bytes`; its end is not
  /// part of it.
  template <class Line>
  void take(std::string_view bytes, Line&& line) {
    while (!bytes.empty()) {
      const auto end = bytes.find('\n');
      const auto piece = bytes.substr(0, end);
      const auto room = longest_line - begun_.size();
      begun_.append(piece.substr(0, room));
      is_cut_ = is_cut_ || piece.size() > room;
      if (end == std::string_view::npos) return;
      bytes.remove_prefix(end + 1);
      end_line(line);
    }
  }
  /// Nothing follows: what has no end yet is a line, too.
  template <class Line>
  void finish(Line&& line) {
    if (!begun_.empty()) end_line(line);
  }
  /// What has no end yet will get none.
  void forget() noexcept {
    begun_.clear();
    is_cut_ = false;
  }

private:
  template <class Line>
  void end_line(Line&& line) {
    line(std::string_view{begun_}, is_cut_);
    forget();
  }

  std::string begun_;
  bool is_cut_ = false;
};

/// Counts the lines that say something of the position monitor.
class sightings_count {
public:
  /// A line with `activity` in it shows the position monitor active; empty: every line does. One with `error`
  /// in it is an error; empty: none is. A line with both counts as both: it is alive, and failed.
  sightings_count(std::string activity, std::string error)
      : activity_(std::move(activity)), error_(std::move(error)) {}

  void take(std::string_view line, bool was_cut);
  /// What was counted since the last call.
  [[nodiscard]] log_sightings collect() { return std::exchange(counted_, {}); }

private:
  std::string activity_, error_;
  log_sightings counted_;
};

/// `line` as it may be shown: at most 200 bytes, control characters as spaces, and the values of `key=...`,
/// `signature=...`, `token: ...` and their like as ***.
std::string showable(std::string_view line);

} // namespace breakwater
