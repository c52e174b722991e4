#pragma once

#include "actors/aggregator/last_prices.hpp"
#include "actors/aggregator/merge_tally.hpp"
#include "actors/aggregator/merge_window.hpp"
#include "actors/aggregator/record_outlet.hpp"
#include "actors/support/actor_base.hpp"
#include "actors/support/metrics.hpp"
#include "actors/support/timer.hpp"
#include "messages/record.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace breakwater {

struct aggregator_options {
  aggregator_settings rules;
  market kind = market::spot;
  std::string name = "aggregator"; ///< In logs and health.
  /// feeds.fill_within: so long past minutes wait for filled candles. Candles of a stream are never filled.
  milliseconds fill_within{0};
};

/// Where what an aggregator makes goes to; none of what has no publisher is made.
struct aggregator_publishers {
  publisher_actor merged{}; ///< Records of the open minutes.
  publisher_actor raw{};    ///< The candles themselves.
};

struct aggregator_state {
  static inline const char* name = "aggregator";

  /// A publisher and what waits for it.
  struct outlet {
    publisher_actor to;
    record_outlet core;
  };

  explicit aggregator_state(aggregator_actor::pointer owner) : self(owner) {}

  /// Candles come out of a stream, so what was merged of it is kept with the records.
  bool reads_stream() const { return merged_out && options.rules.source == candle_source::raw_stream; }
  void ask_for_checkpoint();
  void restore(const checkpoint& kept);
  intake_answer take(const candle_batch& batch);
  void merge(const candle_batch& batch);
  void publish(std::vector<merged>& what);
  void flush_interval();
  /// Tells the past minutes that rest, as many as there is room for.
  void flush_filled();
  /// Nothing more will come: tells whatever is held.
  void flush_everything();
  /// Makes and offers the batches that are due, answers who waits for the end.
  void send_on();
  std::shared_ptr<const checkpoint> make_checkpoint();
  void offer(outlet& out);
  void on_wake(wake which);
  bool is_idle() const;
  merge_report report() const;
  health_answer health() const;

  aggregator_actor::pointer self;
  aggregator_options options;
  std::uint64_t incarnation = 0; ///< Names this life to the publishers and to the feeds.
  std::unique_ptr<merge_window> window;
  std::vector<merged> merged_now; ///< Scratch of take().
  std::optional<outlet> merged_out, raw_out;
  merge_tally tally;
  last_prices prices;
  std::optional<mono_time> next_flush, next_filled_flush;
  timer alarm;

  bool restored = true; ///< False: what was kept is not known yet, and nothing can be merged.
  std::string position; ///< Behind the last candle that was merged.
  /// The position moved since a checkpoint was made. Without a record it is kept then: candles that make no
  /// record need no transaction each.
  std::optional<mono_time> keep_at;
  std::optional<mono_time> ask_again_at; ///< For the checkpoint.
  std::vector<caf::typed_response_promise<position_answer>> position_asked;

  std::uint64_t candles = 0, records = 0, raw_records = 0, late_told = 0;
  mono_time last_candle_at, last_record_at;
  last_success candle_merged, record_made;
  /// When the oldest candle was received that is in the records that wait.
  std::optional<wall_time> oldest_waiting, oldest_raw_waiting;
  std::vector<caf::typed_response_promise<drained>> drains;
};

/// Merges candles and hands records to a publisher, and the candles themselves to another, one unanswered
/// batch at a time. While one of them has no room it answers `busy`, so what waits here is bounded.
///
/// Candles of a stream are merged exactly once whatever ends whoever: the position behind them, the open
/// minutes they changed and the records they made are one batch, and a new life goes on from there.
aggregator_actor::behavior_type aggregator_behavior(self_ptr<aggregator_actor, aggregator_state> self,
                                                    aggregator_options options, aggregator_publishers to);

} // namespace breakwater
