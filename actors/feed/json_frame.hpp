#pragma once

#include "messages/candle.hpp"
#include "messages/error.hpp"

#include <simdjson.h>

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
      visit(std::string_view{name, static_cast<std::size_t>(std::strchr(name, '"') - name)}, field.value());
    }
    return true;
  }

  simdjson::ondemand::parser parser_;
  simdjson::ondemand::document document_;
  std::vector<char> buffer_;
};

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

/// `frame_not_json` with the beginning of what came instead.
inline failure not_json(std::string_view text) {
  constexpr std::size_t sample = 200;
  return {errc::frame_not_json, std::string{text.substr(0, sample)}};
}

} // namespace breakwater::json
