#pragma once

#include "messages/candle.hpp"
#include "messages/error.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What the dialects share for reading JSON without copying or allocating.
namespace breakwater::json {

using value = simdjson::ondemand::value;

constexpr std::size_t sample_bytes = 200; ///< Of what could not be read, for those who look into it.

/// A field's name as it stands in the frame. Each is compared with many, so that is done without a call.
class field_name {
public:
  constexpr explicit field_name(std::string_view text) : text_(text) {}

  [[nodiscard]] constexpr std::size_t size() const noexcept { return text_.size(); }
  [[nodiscard]] constexpr char operator[](std::size_t place) const noexcept { return text_[place]; }
  template <std::size_t N>
  [[nodiscard]] bool operator==(const char (&literal)[N]) const noexcept {
    return text_.size() == N - 1 && std::memcmp(text_.data(), literal, N - 1) == 0;
  }

private:
  std::string_view text_;
};

/// One parser and one padded buffer for all frames of a dialect. What is read from a frame is valid until the
/// next.
class frame_reader {
public:
  /// Opens `text`, which must be one JSON object; false if it is none.
  [[nodiscard]] bool open(std::string_view text) {
    if (buffer_.size() < text.size() + simdjson::SIMDJSON_PADDING)
      buffer_.resize(2 * text.size() + simdjson::SIMDJSON_PADDING);
    std::memcpy(buffer_.data(), text.data(), text.size());
    // The padding is read, never looked at; but left-overs of a longer frame could complete a cut one.
    std::memset(buffer_.data() + text.size(), ' ', simdjson::SIMDJSON_PADDING);
    return parser_.iterate(buffer_.data(), text.size(), buffer_.size()).get(document_) == simdjson::SUCCESS;
  }

  /// Calls visit(key, value) for each field of the frame; false if it turns out not to be JSON. May be called
  /// again.
  template <class Visit>
  [[nodiscard]] bool each_field(Visit&& visit) {
    document_.rewind();
    simdjson::ondemand::object top;
    if (document_.get_object().get(top) != simdjson::SUCCESS) return false;
    if (!each(top, visit)) return false;
    return document_.current_location().error() ==
           simdjson::OUT_OF_BOUNDS; // else something follows the object
  }

  /// Whether the frame is an array. Nothing is read yet.
  [[nodiscard]] bool is_array() {
    simdjson::ondemand::json_type type{};
    return document_.type().get(type) == simdjson::SUCCESS && type == simdjson::ondemand::json_type::array;
  }
  /// Calls visit(value) for each element of a frame that is an array; false if it turns out not to be JSON.
  template <class Visit>
  [[nodiscard]] bool each_element(Visit&& visit) {
    document_.rewind();
    simdjson::ondemand::array top;
    if (document_.get_array().get(top) != simdjson::SUCCESS) return false;
    for (auto element : top) {
      value item;
      if (std::move(element).get(item) != simdjson::SUCCESS) return false;
      visit(item);
    }
    return document_.current_location().error() == simdjson::OUT_OF_BOUNDS;
  }

  /// The same for an object inside; false if `inside` is no object, or is broken.
  template <class Visit>
  [[nodiscard]] static bool each_field(value inside, Visit&& visit) {
    simdjson::ondemand::object object;
    return inside.get_object().get(object) == simdjson::SUCCESS && each(object, visit);
  }

  /// Calls visit(value) for each element; false if `inside` is no array, or is broken.
  template <class Visit>
  [[nodiscard]] static bool each_element(value inside, Visit&& visit) {
    simdjson::ondemand::array array;
    if (inside.get_array().get(array) != simdjson::SUCCESS) return false;
    for (auto element : array) {
      value item;
      if (std::move(element).get(item) != simdjson::SUCCESS) return false;
      visit(item);
    }
    return true;
  }

private:
  template <class Visit>
  [[nodiscard]] static bool each(simdjson::ondemand::object object, Visit&& visit) {
    for (auto entry : object) {
      simdjson::ondemand::field field;
      if (std::move(entry).get(field) != simdjson::SUCCESS) return false;
      const char* const name = field.key().raw();
      const char* end = name; // most names are short: to call strchr would take longer
      while (*end != '"') ++end;
      visit(field_name{{name, static_cast<std::size_t>(end - name)}}, field.value());
    }
    return true;
  }

  simdjson::ondemand::parser parser_;
  simdjson::ondemand::document document_;
  std::vector<char> buffer_;
};

/// `frame_not_json` with the beginning of what came instead.
inline failure not_json(std::string_view text) {
  return {errc::frame_not_json, std::string{text.substr(0, sample_bytes)}};
}

/// A frame of no form we know of, with its beginning: looks whether it is JSON at all, which the dialects do
/// not of values that they do not read.
inline failure unknown(std::string_view text) {
  simdjson::dom::parser whole;
  if (whole.parse(text.data(), text.size()).error() != simdjson::SUCCESS) return not_json(text);
  return {errc::frame_unknown, std::string{text.substr(0, sample_bytes)}};
}

/// Which of the `known` names this is, as a constant; empty: none of them.
template <std::size_t N>
constexpr std::string_view one_of(const std::array<std::string_view, N>& known, std::string_view name) {
  for (const auto& each : known)
    if (each == name) return each;
  return {};
}

/// A value without taking it out of the frame: of strings what stands between the quotes, escapes as they
/// are.
inline std::string_view text_of(value x) {
  auto token = x.raw_json_token();
  while (!token.empty() &&
         (token.back() == ' ' || token.back() == '\n' || token.back() == '\r' || token.back() == '\t'))
    token.remove_suffix(1);
  if (token.size() >= 2 && token.front() == '"' && token.back() == '"')
    return token.substr(1, token.size() - 2);
  return token;
}

inline bool is_string(value x) { return x.raw_json_token().starts_with('"'); }

/// The nearest double of a number, bare or in a string. Numbers without a value, such as infinity, are none.
inline std::optional<double> number_of(value x) {
  const auto text = text_of(x);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

template <class Integer>
std::optional<Integer> integer_in(std::string_view text) {
  Integer number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// Epoch milliseconds, bare or in a string; microseconds, which Binance sends on request, are recognised by
/// their size.
inline std::optional<std::int64_t> ms_of(value x) {
  const auto number = integer_in<std::int64_t>(text_of(x));
  if (!number || *number <= 0) return std::nullopt;
  constexpr std::int64_t ms_of_the_year_5138 = 100'000'000'000'000;
  return *number < ms_of_the_year_5138 ? *number : *number / 1000;
}

/// A candle in the making: what is still missing and what could not be read.
class candle_parts {
public:
  enum part : unsigned { start, open, high, low, close, volume, symbol, count };

  candle made;

  /// Reads a price, which is > 0, or the volume, which is >= 0.
  void number(part which, double candle::*where, value x) {
    const auto read = number_of(x);
    if (!read || *read < 0 || (*read == 0 && which != volume)) return malformed(which);
    made.*where = *read;
    seen_ |= 1u << which;
  }
  void start_ms(std::optional<std::int64_t> ms) {
    if (!ms || *ms <= 0 || *ms % 60000 != 0) return malformed(start);
    made.start_s = *ms / 1000;
    seen_ |= 1u << start;
  }
  void ours(const std::string& name) {
    made.symbol = name;
    seen_ |= 1u << symbol;
  }
  void malformed(part which) {
    if (bad_ == count) bad_ = which;
  }

  /// Why this is no candle, if it is none. `names` are the fields' names in the frame, in the order of
  /// `part`.
  [[nodiscard]] std::optional<failure> problem(const std::array<const char*, count>& names) const {
    if (bad_ != count) return failure{errc::field_malformed, names[bad_]};
    for (unsigned i = 0; i < count; ++i)
      if (!(seen_ & (1u << i))) return failure{errc::field_missing, names[i]};
    return std::nullopt;
  }

private:
  unsigned seen_ = 0;
  part bad_ = count;
};

/// Which column of a row of past candles holds what.
struct row_columns {
  unsigned start, open, high, low, close, volume;
  std::int64_t ms_of_start = 1; ///< 1000: the start is in seconds.
  unsigned finished = nowhere;  ///< "1" where the exchange calls the minute finished.

  static constexpr unsigned nowhere = ~0u;
};

/// Reads one row of an answer to history_target(): appends its candle, closed and filled, unless the minute
/// is not over yet.
inline std::optional<failure> read_past_row(value row, const row_columns& at, exchange from,
                                            const std::string& ours, wall_time received_at,
                                            std::vector<candle>& out) {
  candle_parts parts;
  parts.ours(ours);
  unsigned column = 0;
  bool is_finished = true;
  if (!frame_reader::each_element(row, [&](value x) {
        if (column == at.start) {
          const auto start = integer_in<std::int64_t>(text_of(x));
          constexpr std::int64_t most = std::int64_t{1} << 50;
          parts.start_ms(start && *start > 0 && *start < most ? std::optional{*start * at.ms_of_start}
                                                              : std::nullopt);
        } else if (column == at.open)
          parts.number(candle_parts::open, &candle::open, x);
        else if (column == at.high)
          parts.number(candle_parts::high, &candle::high, x);
        else if (column == at.low)
          parts.number(candle_parts::low, &candle::low, x);
        else if (column == at.close)
          parts.number(candle_parts::close, &candle::close, x);
        else if (column == at.volume)
          parts.number(candle_parts::volume, &candle::volume, x);
        else if (column == at.finished)
          is_finished = text_of(x) == "1";
        ++column;
      }))
    return failure{errc::field_malformed, "row"};
  static constexpr std::array names{"row.start", "row.open",   "row.high",  "row.low",
                                    "row.close", "row.volume", "row.symbol"};
  if (auto problem = parts.problem(names)) return problem;
  auto& made = parts.made;
  made.from = from;
  made.closed = made.filled = true;
  made.event_at = wall_time_from_ms((made.start_s + 60) * 1000);
  made.received_at = received_at;
  if (is_finished && made.event_at <= received_at) out.push_back(std::move(made));
  return std::nullopt;
}

/// The rows appended since there were `had`, oldest first, each minute once.
inline void in_order(std::vector<candle>& rows, std::size_t had) {
  const auto first = rows.begin() + static_cast<std::ptrdiff_t>(had);
  std::stable_sort(first, rows.end(), [](const candle& a, const candle& b) { return a.start_s < b.start_s; });
  rows.erase(
      std::unique(first, rows.end(), [](const candle& a, const candle& b) { return a.start_s == b.start_s; }),
      rows.end());
}

/// Reads all rows of an answer: `walk` calls what it is given for what read_past_row() found of each, and
/// returns whether they could be walked.
template <class Walk>
result<done> read_past_rows(std::string_view body, std::vector<candle>& out, Walk&& walk) {
  const auto had = out.size();
  std::optional<failure> problem;
  const bool walked = walk([&](std::optional<failure> of_row) {
    if (!problem && of_row) problem = std::move(of_row);
  });
  if (!walked) problem = unknown(body);
  if (problem) return *std::move(problem);
  in_order(out, had);
  return done{};
}

/// An answer without past candles: what the exchange says instead, if it does.
inline failure refused_history(std::string_view message, std::string_view body) {
  if (message.empty()) return unknown(body);
  return {errc::frame_unknown, std::string{message.substr(0, sample_bytes)}};
}

} // namespace breakwater::json
