#pragma once

#include "messages/health.hpp"
#include "messages/notice.hpp"
#include "messages/time.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace breakwater {

/// The newest answer of every actor, and who owes one. A plain value.
class health_board {
public:
  explicit health_board(std::vector<std::string> names);

  /// A tick: everybody owes an answer.
  void ask_everyone();
  void answered(std::size_t who, health_answer answer);
  [[nodiscard]] bool everyone_answered() const;
  /// The time to answer a look beside the ticks is over.
  void close_look();
  /// The time to answer a tick is over. Returns who has now missed two ticks in a row; each is named once per
  /// two misses.
  [[nodiscard]] std::vector<std::string> close_tick();

  /// The worst of the parts as of the last tick that is over; an actor that missed it is critical, and so is
  /// one that has never answered.
  [[nodiscard]] health_level overall() const;
  /// What is wrong, part by part: "redis: not connected; feed/okx: no answer"; empty: nothing.
  [[nodiscard]] std::string attention() const;
  /// What the health line says: overall level, how many answered, what is wrong, then each actor's first two
  /// facts.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> line() const;

  /// The tick that was closed at `at` as a stream entry: time (RFC 3339), status, instance, version, parts (a
  /// JSON object: name -> level), why (as attention()).
  [[nodiscard]] entry_fields entry(wall_time at, const std::string& instance,
                                   const std::string& version) const;

  /// Every part's newest answer; that of a silent one says so.
  [[nodiscard]] std::vector<health_report::part> parts() const;

private:
  struct part_state {
    std::string name;
    std::optional<health_answer> newest;
    bool owes = false;            ///< Asked and not answered; whether that is too late close_tick() says.
    bool is_silent = false;       ///< It missed the last look or tick.
    std::size_t missed_ticks = 0; ///< In a row.
  };
  [[nodiscard]] static bool silent(const part_state& of);
  [[nodiscard]] static health_level level_of(const part_state& of);
  std::vector<part_state> parts_;
};

} // namespace breakwater
