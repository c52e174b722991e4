#pragma once

#include "actors/support/entry_id.hpp"
#include "messages/record.hpp"
#include "messages/spool.hpp"
#include "messages/time.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
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

/// Ids from `first` to `last`, both included.
struct id_range {
  entry_id first, last;
};

/// The stream as it was when all that is in it was accounted for. What was added later tells how much of what
/// is trimmed again can have been ours.
struct stream_mark {
  entry_id last;           ///< Its newest id then.
  std::uint64_t added = 0; ///< Entries ever added to it then; 0: not known.
};

/// New ids for what the stream lacks.
struct restamping {
  entry_id above;               ///< Redis has everything up to here.
  stream_mark seen;             ///< And what the stream was, without what gets new ids.
  std::vector<id_range> stored; ///< What it has above that, ascending: it is retained under its ids.
  entry_id first;               ///< The rest gets this id, first.plus(1) ... in its order.
};

/// Where records are from their acceptance until Redis has them, and a while longer. One per output stream.
/// Writing is asked for and told of later, in the order of asking; reading answers at once. Of what was not
/// told to be kept, reading shows nothing. The calls may come from any thread, one at a time.
struct spool_port {
  using sink = std::function<void(spool_event)>;

  virtual ~spool_port() = default;

  /// From here on `events` hears what becomes of requests: first `opened`, once those of an earlier life are
  /// through. Before that nothing else may be called.
  virtual void attach(sink events) = 0;

  /// Keeps `run`, whose ids are above all earlier ones, and what belongs to it, in one transaction: all or
  /// nothing. An empty run keeps only that.
  virtual void append(std::uint64_t ticket, stamped_run run, batch_mark from,
                      std::shared_ptr<const checkpoint> state) = 0;
  /// Gives new ids, above all earlier ones, in one transaction.
  virtual void restamp(std::uint64_t ticket, restamping how) = 0;

  /// Redis has everything at or below `upto` and, when the stream was as `seen`, nothing above. It is
  /// retained for a while, for a Redis that comes back older. A crash may undo this: Redis itself can be
  /// asked.
  virtual void acknowledge(entry_id upto, stream_mark seen, mono_time now) = 0;
  /// Redis has nothing above `upto` any more: what is retained above it waits again.
  virtual void rewind(entry_id upto) = 0;

  /// Up to `max` records above `after` in the order of their ids, waiting and acknowledged alike. Records
  /// that fail their checksum are left out and set aside.
  [[nodiscard]] virtual std::vector<stamped_run> read(entry_id after, std::size_t max) = 0;
  /// Records above `after` up to `upto`.
  [[nodiscard]] virtual std::size_t count(entry_id after, entry_id upto) const = 0;
  /// Whether `id` is of a record that is still here.
  [[nodiscard]] virtual bool holds(entry_id id) const = 0;
  [[nodiscard]] virtual entry_id last() const = 0;         ///< Newest id ever kept; 0-0: none.
  [[nodiscard]] virtual entry_id acknowledged() const = 0; ///< Newest id Redis has; 0-0: none.
  [[nodiscard]] virtual stream_mark seen() const = 0;      ///< Of the last acknowledgement.
  [[nodiscard]] virtual entry_id forgotten() const = 0;    ///< Newest id no longer retained; 0-0: none.
  /// The mark of the last append.
  [[nodiscard]] virtual batch_mark last_batch() const = 0;
  /// The newest position, and every part of the state that belongs to it.
  [[nodiscard]] virtual std::shared_ptr<const checkpoint> saved() const = 0;
  /// Names this spool and no other, for as long as it exists.
  [[nodiscard]] virtual std::string uuid() const = 0;

  struct figures {
    std::size_t waiting = 0;  ///< Records Redis does not have yet.
    std::size_t retained = 0; ///< Records Redis has that are kept.
    std::size_t bytes = 0;    ///< Of both.
    std::size_t max_bytes = 0;
    std::size_t dead = 0; ///< Records set aside.
  };
  [[nodiscard]] virtual figures size() const = 0;
};

} // namespace breakwater
