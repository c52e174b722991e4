#pragma once

#include "actors/support/entry_id.hpp"
#include "messages/error.hpp"
#include "messages/record.hpp"
#include "messages/time.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace breakwater {

/// A spool looked at from outside. A process that has it open goes on writing meanwhile.
class spool_view {
public:
  /// To be read only, or written, for which no other process may have it open. Fails with
  /// errc::spool_unusable, also when there is none.
  static result<spool_view> open(const std::string& folder, bool writable = false);

  struct stream_status {
    std::string name;
    std::size_t waiting = 0, retained = 0, dead = 0;
    std::size_t bytes = 0; ///< Of what waits and what is retained.
    entry_id last;         ///< Newest id given.
    entry_id acknowledged; ///< Newest id Redis has, as far as it was written down: within a second.
    std::string position;  ///< Of the input; empty: it is no stream.
  };
  [[nodiscard]] const std::string& uuid() const;
  [[nodiscard]] std::vector<stream_status> streams() const;

  struct totals {
    std::size_t batches = 0, records = 0, problems = 0;
  };
  /// Reads every batch, checks checksums and the order of ids. Each problem is told as it is found.
  totals verify(const std::function<void(const std::string&)>& problem) const;

  /// Records set aside together.
  struct dead_letter {
    std::string stream;
    std::uint64_t number = 0; ///< Within the stream.
    std::string why;
    entry_id first;
    std::size_t count = 0;
    std::shared_ptr<const record_list> records; ///< nullptr: they cannot be made out any more.
    std::size_t begin = 0;                      ///< Where in `records` they are.
  };
  [[nodiscard]] std::vector<dead_letter> dead() const;
  void drop(const dead_letter& which);
  /// Lets them wait for Redis again, under new ids. Fails with errc::spool_unusable where that cannot be.
  result<done> requeue(const dead_letter& which, wall_time now);

private:
  struct state;
  explicit spool_view(std::shared_ptr<state> opened) : state_(std::move(opened)) {}
  std::shared_ptr<state> state_;
};

} // namespace breakwater
