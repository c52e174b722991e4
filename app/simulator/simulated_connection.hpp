#pragma once

#include "app/simulator/misbehaviour.hpp"
#include "app/simulator/venue.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace breakwater {

/// What goes over the wire to the client.
struct wire_actions {
  std::vector<std::string> texts; ///< To send, in order, before the end if there is one.
  enum class ending : std::uint8_t {
    none,
    close, ///< In good order, with `code` and `reason`.
    cut,   ///< Without a word.
    reset, ///< Without a word, by a TCP reset: what is under way is lost.
  };
  ending end = ending::none;
  std::uint16_t code = 0; ///< Of the WebSocket's close.
  std::string reason;
  // For the statistics; see venue_reaction.
  std::size_t frames = 0, granted = 0, refused = 0;
  bool broke_limit = false; ///< The client did.
};

/// One connection of an exchange that behaves as well as its faults let it. A plain value of the time it is
/// given: it has no socket and no clock. Nothing is to be asked of it once it ended.
class simulated_connection {
public:
  /// `plan` and `done` outlive it; `done` counts what the faults did. `seed` draws where a fault has a
  /// choice.
  simulated_connection(std::unique_ptr<venue> side, const fault_plan& plan, fault_counts& done,
                       std::uint64_t seed, wall_time now);

  wire_actions on_open(wall_time now);
  wire_actions on_text(std::string_view text, wall_time now);
  wire_actions on_control(wall_time now);
  /// What is due by now; to be asked several times an interval, or at next_due.
  wire_actions frames_due(wall_time now);
  [[nodiscard]] wall_time next_due(wall_time now) const;
  wire_actions on_scripted(const scripted_frame& frame, wall_time now);

  [[nodiscard]] const venue& side() const noexcept { return *side_; }

private:
  [[nodiscard]] bool suffers(fault what, wall_time now) const {
    return plan_.active(what, side_->from(), now) != nullptr;
  }
  /// Whether a fault that happens once is due.
  [[nodiscard]] bool begins(fault what, wall_time now);
  void count(fault what) { ++done_[static_cast<std::size_t>(what)]; }
  [[nodiscard]] venue_reaction answer(std::string_view text, wall_time now);
  /// What of `reaction` reaches the client, and when.
  [[nodiscard]] wire_actions pass(venue_reaction reaction, wall_time now);
  void pass_frame(std::string text, const std::string& symbol, wall_time now, wire_actions& out);
  /// The end of the line: the network.
  void carry(std::string text, wall_time now, wire_actions& out);
  [[nodiscard]] bool is_silenced(const std::string& symbol, wall_time now) const;
  void happen(wire_actions& out, wall_time now);
  [[nodiscard]] std::string garbled(const std::string& text) const;
  [[nodiscard]] std::string huge_frame() const;
  [[nodiscard]] std::chrono::milliseconds announce_end(wall_time now, wire_actions& out) const;

  std::unique_ptr<venue> side_;
  const fault_plan& plan_;
  fault_counts& done_;
  std::uint64_t seed_;
  fault_counts seen_{}; ///< How often each fault had begun when looked at last.
  std::deque<std::pair<wall_time, std::string>> delayed_; ///< Until when.
  std::optional<std::pair<wall_time, std::string>> held_; ///< Since when; it changes places with the next.
  std::uint64_t frames_ = 0, answers_ = 0, garbled_ = 0;
  std::string last_answer_; ///< To a subscription.
  std::optional<wall_time> ends_at_;
};

} // namespace breakwater
