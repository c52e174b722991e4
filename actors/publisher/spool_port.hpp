#pragma once

#include "actors/support/entry_id.hpp"
#include "messages/record.hpp"
#include "messages/time.hpp"

#include <cstddef>
#include <memory>
#include <vector>

namespace breakwater {

/// Records in a row with ids in a row: record `begin + i` has the id `first.plus(i)`.
struct stamped_run {
  entry_id first;
  std::shared_ptr<const record_list> records;
  std::size_t begin = 0;
  std::size_t end = 0;

  [[nodiscard]] std::size_t size() const noexcept { return end - begin; }
  [[nodiscard]] entry_id last() const noexcept { return first.plus(size() - 1); }
};

/// Which batch of which producer was taken last, so that one sent twice is taken once.
struct batch_mark {
  std::uint64_t producer = 0;
  std::uint64_t number = 0;
};

/// Where records are from their acceptance until Redis has them, and a while longer. One per output stream.
/// It outlives the publisher's actor; what else it outlives is its own matter (memory_spool: nothing).
struct spool_port {
  virtual ~spool_port() = default;

  /// Keeps `run`, whose ids are above all earlier ones. False: no room, nothing was kept.
  [[nodiscard]] virtual bool append(const stamped_run& run, batch_mark from) = 0;
  /// The mark of the last append.
  [[nodiscard]] virtual batch_mark last_batch() const = 0;

  /// Up to `max` records above `after` in the order of their ids, waiting and acknowledged alike.
  [[nodiscard]] virtual std::vector<stamped_run> read(entry_id after, std::size_t max) const = 0;

  /// Redis has everything at or below `upto`. It is retained for a while, for a Redis that comes back older.
  virtual void acknowledge(entry_id upto, mono_time now) = 0;
  /// Redis has nothing above `upto` any more: what is retained above it waits again.
  virtual void rewind(entry_id upto) = 0;
  /// Puts `runs` in the place of everything above `after`: they wait, and their ids are above all earlier
  /// ones.
  virtual void replace_above(entry_id after, std::vector<stamped_run> runs) = 0;

  /// Whether `id` is of a record that is still here.
  [[nodiscard]] virtual bool holds(entry_id id) const = 0;
  [[nodiscard]] virtual entry_id last() const = 0;         ///< Newest id ever appended; 0-0: none.
  [[nodiscard]] virtual entry_id acknowledged() const = 0; ///< Newest id Redis has; 0-0: none.
  [[nodiscard]] virtual entry_id forgotten() const = 0;    ///< Newest id no longer retained; 0-0: none.

  struct figures {
    std::size_t waiting = 0;  ///< Records Redis does not have yet.
    std::size_t retained = 0; ///< Records Redis has that are kept.
    std::size_t bytes = 0;    ///< Of both.
    std::size_t max_bytes = 0;
  };
  [[nodiscard]] virtual figures size() const = 0;
};

} // namespace breakwater
