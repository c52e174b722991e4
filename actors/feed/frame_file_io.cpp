#include "actors/feed/frame_file_io.hpp"

#include <simdjson.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <deque>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace breakwater {

struct frame_file_io::reader {
  reader(std::FILE* opened, std::string where, frame_file_limits bounds)
      : file(opened, &std::fclose),
        path(std::move(where)),
        limits(bounds),
        buffer(bounds.read_bytes + simdjson::SIMDJSON_PADDING) {}

  void next(std::size_t max, recorded_frames& out) {
    out.frames.clear();
    out.skipped.clear();
    out.at_end = false;
    out.broken = {};
    texts.clear();
    while (out.frames.size() < max) {
      const auto* const newline =
          static_cast<const char*>(std::memchr(buffer.data() + begin, '\n', end - begin));
      if (newline) {
        const auto length = static_cast<std::size_t>(newline - (buffer.data() + begin));
        line(begin, length, out);
        begin += length + 1;
      } else if (file_ended) {
        if (begin < end) line(begin, end - begin, out); // the last line needs no line end
        begin = end;
        out.at_end = true;
        return;
      } else {
        // Frames handed out point into the buffer, so it must stay as it is until the caller is done with
        // them.
        if (!out.frames.empty()) return;
        read_more(out);
        if (out.at_end) return;
      }
    }
  }

private:
  void read_more(recorded_frames& out) {
    if (begin > 0) {
      std::memmove(buffer.data(), buffer.data() + begin, end - begin);
      end -= begin;
      begin = 0;
    }
    if (end >= limits.line_bytes) { // the rest of this line is not kept
      if (!oversized) skip(out, ++line_number, {errc::field_malformed, "the line is too long"});
      oversized = true;
      end = 0;
    }
    if (buffer.size() < end + limits.read_bytes + simdjson::SIMDJSON_PADDING)
      buffer.resize(end + limits.read_bytes + simdjson::SIMDJSON_PADDING);
    const auto got = std::fread(buffer.data() + end, 1, limits.read_bytes, file.get());
    end += got;
    if (got < limits.read_bytes) {
      file_ended = true;
      if (std::ferror(file.get())) {
        out.at_end = true;
        out.broken = {errc::file_unreadable, path + ": " + std::generic_category().message(errno)};
      }
    }
  }

  void line(std::size_t at, std::size_t length, recorded_frames& out) {
    if (oversized) { // this is where the line that was too long ends; it has its number
      oversized = false;
      return;
    }
    ++line_number;
    const std::string_view text{buffer.data() + at, length};
    if (text.find_first_not_of(" \t\r") == text.npos) return;
    recorded_frame frame;
    if (auto problem = parse(text, frame))
      skip(out, line_number, std::move(*problem));
    else
      out.frames.push_back(frame);
  }

  static void skip(recorded_frames& out, std::uint64_t number, failure why) {
    out.skipped.push_back({number, std::move(why)});
  }

  std::optional<failure> parse(std::string_view text, recorded_frame& frame) {
    using namespace simdjson;
    // What follows the line in the buffer is the next line, or padding: it may be read, and is never looked
    // at.
    ondemand::document document;
    ondemand::object top;
    if (parser.iterate(text.data(), text.size(), text.size() + SIMDJSON_PADDING).get(document) != SUCCESS ||
        document.get_object().get(top) != SUCCESS)
      return failure{errc::frame_not_json, "the line is no JSON object"};
    bool has_time = false, has_exchange = false, has_frame = false;
    std::optional<failure> problem;
    for (auto entry : top) {
      ondemand::field field;
      if (std::move(entry).get(field) != SUCCESS)
        return failure{errc::frame_not_json, "the line is broken off"};
      const auto key = field.key();
      auto& value = field.value();
      if (key == "recv_ms") {
        std::int64_t ms = 0;
        has_time = true;
        if (value.get_int64().get(ms) != SUCCESS || ms <= 0)
          problem = failure{errc::field_malformed, "recv_ms"};
        else
          frame.received_at = wall_time_from_ms(ms);
      } else if (key == "exchange") {
        std::string_view name;
        has_exchange = true;
        if (value.get_string().get(name) != SUCCESS)
          problem = failure{errc::field_malformed, "exchange"};
        else if (const auto which = parse_exchange(name))
          frame.from = *which;
        else
          problem = failure{errc::exchange_unknown, std::string{name}};
      } else if (key == "frame") {
        has_frame = true;
        if (auto why = take_frame(value, frame)) problem = std::move(why);
      }
    }
    if (document.current_location().error() != OUT_OF_BOUNDS)
      return failure{errc::frame_not_json, "something follows the object"};
    if (problem) return problem;
    if (!has_time) return failure{errc::field_missing, "recv_ms"};
    if (!has_exchange) return failure{errc::field_missing, "exchange"};
    if (!has_frame) return failure{errc::field_missing, "frame"};
    return std::nullopt;
  }

  std::optional<failure> take_frame(simdjson::ondemand::value& value, recorded_frame& frame) {
    using namespace simdjson;
    ondemand::json_type kind{};
    if (value.type().get(kind) != SUCCESS) return failure{errc::field_malformed, "frame"};
    if (kind == ondemand::json_type::string) { // plain text, such as "pong"
      std::string_view text;
      if (value.get_string().get(text) != SUCCESS) return failure{errc::field_malformed, "frame"};
      frame.text = texts.emplace_back(text);
      return std::nullopt;
    }
    if (kind == ondemand::json_type::object) {
      ondemand::object object;
      if (value.get_object().get(object) != SUCCESS || object.raw_json().get(frame.text) != SUCCESS)
        return failure{errc::frame_not_json, "frame"};
      return std::nullopt;
    }
    if (kind == ondemand::json_type::array) {
      ondemand::array array;
      if (value.get_array().get(array) != SUCCESS || array.raw_json().get(frame.text) != SUCCESS)
        return failure{errc::frame_not_json, "frame"};
      return std::nullopt;
    }
    return failure{errc::field_malformed, "frame"};
  }

  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file;
  std::string path;
  frame_file_limits limits;
  simdjson::ondemand::parser parser;
  std::vector<char> buffer;
  std::size_t begin = 0, end = 0; ///< Of what was read and not yet handed out.
  std::deque<std::string> texts;  ///< Of frames that are no JSON; they may hold escapes, so they are copies.
  std::uint64_t line_number = 0;
  bool oversized = false; ///< In the middle of a line that is too long.
  bool file_ended = false;
};

result<std::shared_ptr<frame_source_port>> frame_file_io::open(const std::string& path,
                                                               frame_file_limits limits) {
  auto* const file = std::fopen(path.c_str(), "rbe");
  if (!file) return failure{errc::file_unreadable, path + ": " + std::generic_category().message(errno)};
  return std::shared_ptr<frame_source_port>{new frame_file_io{std::make_unique<reader>(file, path, limits)}};
}

frame_file_io::frame_file_io(std::unique_ptr<reader> made) : reader_(std::move(made)) {}
frame_file_io::~frame_file_io() = default;

void frame_file_io::next(std::size_t max, recorded_frames& out) { reader_->next(max, out); }

} // namespace breakwater
