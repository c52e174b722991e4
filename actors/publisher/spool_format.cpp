#include "actors/publisher/spool_format.hpp"

#include "actors/support/crc32c.hpp"

#include <bit>
#include <cstring>

namespace breakwater::spool_format {
namespace {

static_assert(std::endian::native == std::endian::little, "what lies on disk is little-endian");

constexpr std::size_t crc_at = 0, count_at = 4, sequence_at = 8, ends_at = 16, end_bytes = 8;

template <class T>
T load(std::string_view from, std::size_t at) {
  T value;
  std::memcpy(&value, from.data() + at, sizeof value);
  return value;
}

template <class T>
void store(char* to, std::size_t at, T value) {
  std::memcpy(to + at, &value, sizeof value);
}

std::size_t head_bytes(std::size_t count) { return ends_at + count * end_bytes; }

template <std::size_t N>
void write_big_endian(unsigned char* to, std::uint64_t value) {
  for (std::size_t i = 0; i < N; ++i) to[i] = static_cast<unsigned char>(value >> (8 * (N - 1 - i)));
}

std::uint64_t read_big_endian(std::string_view from) {
  std::uint64_t value = 0;
  for (const char c : from) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

/// Whether `wire` is `fields` names and as many values, each a RESP bulk string.
bool is_wire_form(std::string_view wire, std::uint32_t fields) {
  for (std::uint64_t texts = 0; texts < std::uint64_t{fields} * 2; ++texts) {
    std::size_t length = 0, at = 1;
    if (wire.empty() || wire[0] != '$') return false;
    for (; at < wire.size() && wire[at] >= '0' && wire[at] <= '9' && length <= record_bytes; ++at)
      length = length * 10 + static_cast<std::size_t>(wire[at] - '0');
    if (at == 1 || length > wire.size() || wire.size() - length < at + 4) return false;
    if (wire.substr(at, 2) != "\r\n" || wire.substr(at + 2 + length, 2) != "\r\n") return false;
    wire.remove_prefix(at + 4 + length);
  }
  return wire.empty() && fields > 0;
}

std::shared_ptr<record_list> read_records(std::string_view batch, bool checked) {
  if (batch.size() < ends_at) return nullptr;
  const std::size_t count = load<std::uint32_t>(batch, count_at);
  if (count > (batch.size() - ends_at) / end_bytes) return nullptr;
  const auto wire = batch.substr(head_bytes(count));
  auto records = std::make_shared<record_list>();
  records->reserve(count, wire.size());
  std::size_t begin = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t end = load<std::uint32_t>(batch, ends_at + i * end_bytes);
    const auto fields = load<std::uint32_t>(batch, ends_at + i * end_bytes + 4);
    if (end < begin || end > wire.size()) return nullptr;
    const auto record = wire.substr(begin, end - begin);
    if (!checked && !is_wire_form(record, fields)) return nullptr;
    records->add_record({record, fields});
    begin = end;
  }
  return begin == wire.size() ? records : nullptr;
}

} // namespace

std::vector<piece> cut(const record_list& records, std::size_t begin, std::size_t end) {
  std::vector<piece> pieces;
  for (auto i = begin; i < end; ++i) {
    const auto bytes = records[i].wire.size();
    const bool too_large = bytes > record_bytes;
    const auto needed = bytes + end_bytes;
    if (pieces.empty() || too_large || pieces.back().too_large || pieces.back().bytes + needed > batch_bytes)
      pieces.push_back({i, i, ends_at, too_large});
    pieces.back().end = i + 1;
    pieces.back().bytes += needed;
  }
  return pieces;
}

void encode(const record_list& records, const piece& what, std::uint64_t sequence, char* to) {
  const auto count = what.end - what.begin;
  store(to, count_at, static_cast<std::uint32_t>(count));
  store(to, sequence_at, sequence);
  const auto* wire = records[what.begin].wire.data(); // the records of a list lie one behind the other
  const auto bytes = what.bytes - head_bytes(count);
  std::size_t end = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto record = records[what.begin + i];
    end += record.wire.size();
    store(to, ends_at + i * end_bytes, static_cast<std::uint32_t>(end));
    store(to, ends_at + i * end_bytes + 4, record.field_count);
  }
  std::memcpy(to + head_bytes(count), wire, bytes);
  store(to, crc_at, crc32c({to + count_at, what.bytes - count_at}));
}

std::shared_ptr<const record_list> decode(std::string_view batch, std::uint64_t sequence) {
  if (batch.size() < ends_at || load<std::uint32_t>(batch, crc_at) != crc32c(batch.substr(count_at)) ||
      load<std::uint64_t>(batch, sequence_at) != sequence)
    return nullptr;
  return read_records(batch, true);
}

std::size_t count_of(std::string_view batch) noexcept {
  return batch.size() < ends_at ? 0 : load<std::uint32_t>(batch, count_at);
}

std::shared_ptr<const record_list> salvage(std::string_view batch) { return read_records(batch, false); }

id_key key_of(entry_id id) noexcept {
  id_key key;
  write_big_endian<8>(key.data(), id.ms);
  write_big_endian<8>(key.data() + 8, id.n);
  return key;
}

std::optional<entry_id> id_of(std::string_view key) noexcept {
  if (key.size() != sizeof(id_key)) return std::nullopt;
  return entry_id{read_big_endian(key.substr(0, 8)), read_big_endian(key.substr(8))};
}

sequence_key key_of(std::uint64_t sequence) noexcept {
  sequence_key key;
  write_big_endian<8>(key.data(), sequence);
  return key;
}

std::optional<std::uint64_t> sequence_of(std::string_view key) noexcept {
  if (key.size() != sizeof(sequence_key)) return std::nullopt;
  return read_big_endian(key);
}

} // namespace breakwater::spool_format
