#pragma once

#include "actors/support/entry_id.hpp"
#include "messages/record.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

/// How records lie on disk. Two tables a stream: batches of records by sequence number, which never change;
/// and by entry id, which record of which batch has it. So new ids cost no copy of the records.
namespace breakwater::spool_format {

/// Grows when an older breakwater could not read what a newer one wrote.
inline constexpr unsigned version = 1;
/// Of a batch on disk. With LMDB's page head it is 16 whole pages: batches that go leave room that fits the
/// next.
inline constexpr std::size_t batch_bytes = 16 * 4096 - 16;
/// A larger record is none that anybody meant to publish.
inline constexpr std::size_t record_bytes = std::size_t{1} << 20;

/// Some records of a list.
struct piece {
  std::size_t begin = 0, end = 0;
  std::size_t bytes = 0;  ///< Encoded.
  bool too_large = false; ///< One record, larger than record_bytes.
};
/// Cuts a list into batches.
[[nodiscard]] std::vector<piece> cut(const record_list& records, std::size_t begin, std::size_t end);

/// Writes a piece to `to`, piece::bytes long. Integers are little-endian: u32 CRC-32C of all that follows,
/// u32 count, u64 sequence, then per record u32 where it ends and u32 its number of fields, then the records
/// in wire form.
void encode(const record_list& records, const piece& what, std::uint64_t sequence, char* to);
/// nullptr: the checksum or the structure is wrong.
[[nodiscard]] std::shared_ptr<const record_list> decode(std::string_view batch, std::uint64_t sequence);
/// How many records a batch says it has.
[[nodiscard]] std::size_t count_of(std::string_view batch) noexcept;
/// The records as far as they can be made out, whatever the checksum says.
[[nodiscard]] std::shared_ptr<const record_list> salvage(std::string_view batch);

/// Entry ids as keys that sort like them.
using id_key = std::array<unsigned char, 16>;
[[nodiscard]] id_key key_of(entry_id id) noexcept;
[[nodiscard]] std::optional<entry_id> id_of(std::string_view key) noexcept;
using sequence_key = std::array<unsigned char, 8>;
[[nodiscard]] sequence_key key_of(std::uint64_t sequence) noexcept;
[[nodiscard]] std::optional<std::uint64_t> sequence_of(std::string_view key) noexcept;

/// Records in a row of one batch whose ids are in a row: the value behind the first one's id.
struct stored_run {
  std::uint64_t sequence = 0; ///< Of the batch.
  std::uint32_t begin = 0;    ///< Of its records.
  std::uint32_t count = 0;
  std::uint64_t bytes = 0; ///< Its share of the disk.
};

} // namespace breakwater::spool_format
