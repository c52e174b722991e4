#include "actors/feed/dialect.hpp"

#include <simdjson.h>
#include <time.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// For parse_cost.py: what a dialect takes for a frame, beside what simdjson takes to walk through the same
// bytes.
//   parse_cost FRAMES ROUNDS
// FRAMES has lines of "<group> <exchange> <market>" and, behind a tab, a frame. Prints a line for each group
// and round: group, frames, candles, bytes, ns a frame of the dialect, ns a frame of the walk.

namespace breakwater {
namespace {

using namespace std::chrono_literals;

struct group {
  exchange which = exchange::binance;
  market where = market::spot;
  std::vector<std::string> frames;
  std::size_t bytes = 0;
};

std::map<std::string, group> read_groups(const char* path) {
  std::map<std::string, group> groups;
  std::ifstream file{path};
  std::string name, which, where;
  for (std::string text; file >> name >> which >> where && std::getline(file.ignore(), text);) {
    auto& into = groups[name];
    into.which = parse_exchange(which).value();
    into.where = where == "linear" ? market::linear : market::spot;
    into.bytes += text.size();
    into.frames.push_back(std::move(text));
  }
  return groups;
}

/// The walk does not even copy its frames: they lie here with the padding simdjson wants behind each.
class padded_frames {
public:
  explicit padded_frames(const std::vector<std::string>& frames) {
    for (const auto& text : frames) {
      places_.emplace_back(bytes_.size(), text.size());
      bytes_ += text;
      bytes_.append(simdjson::SIMDJSON_PADDING, ' ');
    }
  }
  template <class Visit>
  void each(Visit&& visit) const {
    for (const auto& [at, size] : places_) visit(bytes_.data() + at, size);
  }

private:
  std::string bytes_;
  std::vector<std::pair<std::size_t, std::size_t>> places_;
};

/// Looks at every key and every value inside, numbers as numbers; what it returns hangs on all of them.
std::uint64_t walk(simdjson::ondemand::value x) {
  switch (x.type()) {
  case simdjson::ondemand::json_type::object: {
    std::uint64_t sum = 0;
    for (auto field : x.get_object()) {
      const std::string_view key = field.unescaped_key();
      sum += key.size() + walk(field.value());
    }
    return sum;
  }
  case simdjson::ondemand::json_type::array: {
    std::uint64_t sum = 0;
    for (auto element : x.get_array()) sum += walk(element.value());
    return sum;
  }
  case simdjson::ondemand::json_type::string: return x.get_string().value().size();
  case simdjson::ondemand::json_type::number: return static_cast<std::uint64_t>(x.get_double().value() > 0);
  case simdjson::ondemand::json_type::boolean: return x.get_bool().value();
  case simdjson::ondemand::json_type::null: return x.is_null();
  }
  return 0;
}

/// The document itself is no value; what is in it is.
std::uint64_t walk(simdjson::ondemand::document& x) {
  std::uint64_t sum = 0;
  if (x.type() == simdjson::ondemand::json_type::array) {
    for (auto element : x.get_array()) sum += walk(element.value());
  } else {
    for (auto field : x.get_object()) {
      const std::string_view key = field.unescaped_key();
      sum += key.size() + walk(field.value());
    }
  }
  return sum;
}

/// What this thread has used of a processor: what others use of it meanwhile counts for neither side.
std::chrono::nanoseconds used() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
}

double ns_a_frame(std::chrono::nanoseconds took, std::size_t frames) {
  return static_cast<double>(took.count()) / static_cast<double>(frames);
}

/// What a dialect takes to read all frames; `made` is how many candles came of them.
std::chrono::nanoseconds read_all(const group& x, std::size_t& made) {
  // A new one each time: to one that knows them, trades are no news.
  auto speaks = make_dialect(x.which, x.where, symbol_names::any(x.which, x.where, {}));
  std::vector<candle> out;
  made = 0;
  const auto began = used();
  for (const auto& text : x.frames) {
    out.clear();
    (void)speaks->read(text, wall_time_from_ms(1767571234567), out);
    made += out.size();
  }
  return used() - began;
}

/// What simdjson takes to walk through them.
std::chrono::nanoseconds walk_all(simdjson::ondemand::parser& parser, const padded_frames& frames,
                                  std::uint64_t& seen) {
  const auto began = used();
  frames.each([&](const char* text, std::size_t size) {
    simdjson::ondemand::document document;
    if (parser.iterate(text, size, size + simdjson::SIMDJSON_PADDING).get(document) == simdjson::SUCCESS)
      seen += walk(document);
  });
  return used() - began;
}

int run(const char* path, int rounds) {
  const auto groups = read_groups(path);
  simdjson::ondemand::parser parser;
  std::uint64_t seen = 0;
  for (int round = 0; round < rounds; ++round)
    for (const auto& [name, x] : groups) {
      const padded_frames padded{x.frames};
      std::size_t made = 0, frames = 0;
      std::chrono::nanoseconds reading{0}, walking{0};
      // In short turns, so that a processor that is slower for a while is so for both.
      for (; reading + walking < 200ms; frames += x.frames.size()) {
        reading += read_all(x, made);
        walking += walk_all(parser, padded, seen);
      }
      std::cout << name << ' ' << x.frames.size() << ' ' << made << ' ' << x.bytes << ' '
                << ns_a_frame(reading, frames) << ' ' << ns_a_frame(walking, frames) << std::endl;
    }
  return seen > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

} // namespace
} // namespace breakwater

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "parse_cost FRAMES ROUNDS, as parse_cost.py calls it\n";
    return EXIT_FAILURE;
  }
  return breakwater::run(argv[1], std::atoi(argv[2]));
}
