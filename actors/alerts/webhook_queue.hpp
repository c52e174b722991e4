#pragma once

#include "actors/support/backoff.hpp"
#include "messages/alert.hpp"
#include "messages/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace breakwater {

struct webhook_limits {
  std::size_t capacity = 256; ///< The oldest make room and are counted.
  std::chrono::milliseconds tried_for = std::chrono::hours{1};
  std::chrono::milliseconds answer_within = std::chrono::seconds{15}; ///< The edge gives up long before.
  backoff::limits waits{std::chrono::seconds{1}, std::chrono::minutes{5}, 0.2};
};

/// Alerts on their way to a webhook, one at a time and in order, so that nobody hears of an end before its
/// beginning. A plain value.
///
/// What failed is tried again after 1 s, doubling to 5 min, until it is an hour old; one whose body the
/// receiver refuses (400, 413, 415, 422) is not. A receiver can get an alert twice: its number tells.
class webhook_queue {
public:
  explicit webhook_queue(webhook_limits how = {}) : limits_(how), waits_(how.waits) {}

  void add(std::string body, mono_time now);

  struct post {
    std::uint64_t number = 0;
    std::string body;
  };
  /// What to send now, if anything: nothing while an answer is owed or a wait lasts.
  [[nodiscard]] std::optional<post> next(mono_time now);
  /// When to ask next() again; nullopt: after the next add() or answered().
  [[nodiscard]] std::optional<mono_time> due() const;
  void answered(const webhook_answered& what, mono_time now);

  /// "ok", or why the last delivery failed.
  [[nodiscard]] std::string state() const { return problem_.empty() ? "ok" : problem_; }
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }
  [[nodiscard]] std::uint64_t delivered() const noexcept { return delivered_; }
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }   ///< For room.
  [[nodiscard]] std::uint64_t given_up() const noexcept { return given_up_; } ///< Too old, or refused.

private:
  struct entry {
    std::string body;
    mono_time since;
  };
  void failed(std::string problem, bool again, mono_time now);
  void forget_old(mono_time now);

  webhook_limits limits_;
  std::deque<entry> waiting_;        ///< The oldest first; the first may be under way.
  std::optional<mono_time> sent_at_; ///< Set: one is under way.
  bool first_is_sent_ = false;       ///< It is the first of `waiting_`; else it made room meanwhile.
  std::optional<mono_time> not_before_;
  backoff waits_;
  std::uint64_t last_number_ = 0;
  std::uint64_t delivered_ = 0, dropped_ = 0, given_up_ = 0;
  std::string problem_;
};

} // namespace breakwater
