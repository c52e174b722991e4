#include "messages/record.hpp"

#include <array>
#include <charconv>
#include <cstring>

namespace breakwater {
namespace {

/// "$<size>\r\n" at `to`; returns its end.
char* write_bulk_head(char* to, std::size_t size) {
  *to++ = '$';
  to = std::to_chars(to, to + 20, size).ptr;
  *to++ = '\r';
  *to++ = '\n';
  return to;
}

char* write_bulk(char* to, std::string_view text) {
  to = write_bulk_head(to, text.size());
  std::memcpy(to, text.data(), text.size());
  to += text.size();
  *to++ = '\r';
  *to++ = '\n';
  return to;
}

} // namespace

void record_list::add(std::string_view name, std::string_view value) {
  // Nearly every field fits the piece, and goes into the wire with one append instead of six.
  std::array<char, 256> piece;
  constexpr std::size_t lengths_and_line_ends = 64;
  if (name.size() + value.size() + lengths_and_line_ends <= piece.size()) {
    char* past = write_bulk(write_bulk(piece.data(), name), value);
    wire_.append(piece.data(), static_cast<std::size_t>(past - piece.data()));
  } else {
    for (const auto text : {name, value}) {
      char* past = write_bulk_head(piece.data(), text.size());
      wire_.append(piece.data(), static_cast<std::size_t>(past - piece.data()))
          .append(text)
          .append("\r\n", 2);
    }
  }
  ++open_fields_;
}

void record_list::add_record(view record) {
  wire_.append(record.wire);
  open_fields_ = record.field_count;
  end_record();
}

void record_list::reserve(std::size_t records, std::size_t bytes) {
  ends_.reserve(records);
  wire_.reserve(bytes);
}

void record_list::reserve_like(const record_list& like) {
  wire_.reserve(like.wire_.size() + like.wire_.size() / 8);
  ends_.reserve(like.ends_.size() + like.ends_.size() / 8);
}

void record_list::shrink() {
  if (wire_.capacity() > wire_.size() + wire_.size() / 2) wire_.shrink_to_fit();
  if (ends_.capacity() > ends_.size() + ends_.size() / 2) ends_.shrink_to_fit();
}

void record_list::end_record() {
  ends_.push_back({static_cast<std::uint32_t>(wire_.size()), open_fields_});
  open_fields_ = 0;
}

record_list::view record_list::operator[](std::size_t i) const noexcept {
  const std::size_t begin = i == 0 ? 0 : ends_[i - 1].position;
  return {std::string_view{wire_}.substr(begin, ends_[i].position - begin), ends_[i].field_count};
}

std::vector<std::pair<std::string, std::string>> fields_of(record_list::view record) {
  auto next_text = [rest = record.wire]() mutable {
    std::size_t length = 0;
    const auto* after = std::from_chars(rest.data() + 1, rest.data() + rest.size(), length).ptr;
    const auto start = static_cast<std::size_t>(after - rest.data()) + 2;
    std::string text{rest.substr(start, length)};
    rest.remove_prefix(start + length + 2);
    return text;
  };
  std::vector<std::pair<std::string, std::string>> fields;
  for (std::uint32_t i = 0; i < record.field_count; ++i) {
    auto name = next_text();
    fields.emplace_back(std::move(name), next_text());
  }
  return fields;
}

} // namespace breakwater
