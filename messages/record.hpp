#pragma once

#include "messages/time.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace breakwater {

/// Stream entries in a row, without their ids. Fields are kept as RESP bulk strings ("$6\r\nsymbol\r\n...")
/// in one buffer, written once by the aggregator: queueing and sending them are copies, and none of them
/// allocates.
class record_list {
public:
  /// One record: `field_count` names and as many values, alternating, in wire form.
  struct view {
    std::string_view wire;
    std::uint32_t field_count = 0;
  };

  /// Adds a field to the record being written. Any bytes are allowed in `value`.
  void add(std::string_view name, std::string_view value);
  /// Adds a whole record in wire form.
  void add_record(view record);
  /// Makes room for so many records of so many bytes together.
  void reserve(std::size_t records, std::size_t bytes);
  /// Makes room for about as much as `like` holds, so that writing does not copy again and again.
  void reserve_like(const record_list& like);
  /// Gives back most of what reserve_like() took too much. Before the list is kept for long.
  void shrink();
  /// Ends the record being written. It must have at least one field.
  void end_record();

  [[nodiscard]] std::size_t size() const noexcept { return ends_.size(); }
  [[nodiscard]] bool empty() const noexcept { return ends_.empty(); }
  /// Memory it takes.
  [[nodiscard]] std::size_t bytes() const noexcept {
    return wire_.capacity() + ends_.capacity() * sizeof(end);
  }
  [[nodiscard]] view operator[](std::size_t i) const noexcept;

private:
  struct end {
    std::uint32_t position;
    std::uint32_t field_count;
  };
  std::string wire_;
  std::vector<end> ends_;
  std::uint32_t open_fields_ = 0;
};

/// The fields of a record as text, for comparing with what Redis holds and for tests.
std::vector<std::pair<std::string, std::string>> fields_of(record_list::view record);

/// What a producer needs to go on exactly behind a batch. It is kept in one transaction with the batch.
struct checkpoint {
  std::string position; ///< In the producer's input; opaque to everyone else. Empty: none was ever kept.
  /// Parts of its state by name. In a batch: those that changed, and an empty text removes one.
  std::vector<std::pair<std::string, std::string>> parts;
};

/// Records to be published. From: aggregator. To: publisher, which answers with intake_answer once they are
/// on disk. A batch whose answer was lost is sent again under the same number; the publisher takes it once.
struct record_batch {
  std::uint64_t producer = 0; ///< Which life of the aggregator sends.
  std::uint64_t number = 0;   ///< 1, 2, 3 ... within that life.
  std::shared_ptr<const record_list> records;
  std::shared_ptr<const checkpoint> state{}; ///< nullptr: none. With one, `records` may be empty.
  std::optional<wall_time> received_at{};    ///< When the oldest frame that went into it was received.
};

/// What was kept last? From: aggregator, when it begins to read a stream. To: publisher.
struct checkpoint_request {};
struct checkpoint_answer {
  std::shared_ptr<const checkpoint> what; ///< With all parts.
};

} // namespace breakwater
