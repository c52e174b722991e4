#pragma once

#include "messages/intake.hpp"
#include "messages/record.hpp"
#include "messages/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace breakwater {

/// What waits for one publisher, and the batch it has not taken yet. One batch is unanswered at a time, and
/// it is offered under its number until it is taken. A plain value.
class record_outlet {
public:
  /// Records that may wait before whoever brings more is told to come again.
  static constexpr std::size_t max_waiting = 4096;
  static constexpr std::chrono::milliseconds busy_again_after{5}, lost_again_after{100};

  /// `producer` names this life of the sender to the publisher.
  explicit record_outlet(std::uint64_t producer) : producer_(producer) {}

  /// Records added here go with the next batch.
  [[nodiscard]] record_list& waiting() noexcept { return *waiting_; }
  [[nodiscard]] const record_list& waiting() const noexcept { return *waiting_; }
  [[nodiscard]] bool full() const noexcept { return waiting_->size() >= max_waiting; }
  /// Nothing waits, and every batch was taken.
  [[nodiscard]] bool idle() const noexcept { return can_make() && waiting_->empty(); }

  /// Whether the last batch was taken.
  [[nodiscard]] bool can_make() const noexcept { return !unanswered_.records; }
  /// Makes the next batch of what waits, maybe nothing, and of `state`; the oldest frame in it was received
  /// at `received_at`. Only when can_make().
  void make(std::shared_ptr<const checkpoint> state, std::optional<wall_time> received_at = {});
  /// The batch, when now is the time to offer it; how that went is to be told.
  [[nodiscard]] std::optional<record_batch> next(mono_time now);
  void on_answer(intake what, mono_time now);
  /// Nobody answered. The publisher knows by the number whether it has the batch.
  void on_no_answer(mono_time now);
  /// When next() has to be asked again although nothing happened.
  [[nodiscard]] std::optional<mono_time> next_wake() const noexcept { return offer_at_; }

private:
  std::uint64_t producer_;
  std::uint64_t number_ = 0; ///< Of the newest batch.
  std::shared_ptr<record_list> waiting_ = std::make_shared<record_list>();
  record_batch unanswered_;
  std::optional<mono_time> offer_at_; ///< Of what is unanswered; nullopt while it is on its way.
};

} // namespace breakwater
