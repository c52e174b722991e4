#include "app/simulator/frame_script.hpp"

#include "app/simulator/dialects.hpp"

#include <simdjson.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <utility>

namespace breakwater {
namespace {

namespace ondemand = simdjson::ondemand;
using simdjson::dom::element;

constexpr std::uintmax_t most_file_bytes = std::uintmax_t{1} << 30;

std::string_view text_of(simdjson::simdjson_result<element> field) {
  std::string_view text;
  return field.get(text) ? std::string_view{} : text;
}

/// Fills in key and symbol; leaves the key empty when the frame belongs to no stream.
void name_stream(scripted_frame& out, element frame) {
  switch (out.from) {
  case exchange::binance: {
    const auto kind = text_of(frame["e"]);
    out.symbol = text_of(frame["s"]);
    if (kind.empty() || out.symbol.empty()) return;
    for (auto c : out.symbol) out.key += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    out.key.append("@").append(kind);
    if (kind == "kline") out.key.append("_").append(text_of(frame["k"]["i"]));
    return;
  }
  case exchange::bybit:
    out.key = text_of(frame["topic"]);
    out.symbol = out.key.substr(out.key.rfind('.') + 1);
    return;
  case exchange::okx: {
    auto instrument = text_of(frame["arg"]["instId"]);
    if (!frame["event"].error() || instrument.empty()) return;
    out.key.append(text_of(frame["arg"]["channel"])).append(":").append(instrument);
    if (instrument.ends_with("-SWAP")) instrument.remove_suffix(5);
    out.symbol = dialects::joined_name(instrument);
    return;
  }
  case exchange::kraken: {
    const auto first = frame["data"].at(0);
    const auto name = text_of(first["symbol"]);
    if (name.empty()) return;
    out.key.append(text_of(frame["channel"])).append(":").append(name);
    if (std::int64_t interval = 1; !first["interval"].get(interval) && interval != 1)
      out.key.append(":").append(std::to_string(interval));
    out.symbol = dialects::joined_name(name);
    return;
  }
  case exchange::coinbase: {
    const auto product = text_of(frame["product_id"]);
    if (text_of(frame["type"]) != "match" || product.empty()) return;
    out.key.append("matches:").append(product);
    out.symbol = dialects::joined_name(product);
    return;
  }
  }
}

/// The object in `field` as it was written, digits and all. Empty: there is none.
std::string raw_object(ondemand::object& in, std::string_view field) {
  ondemand::object found;
  std::string_view raw;
  if (in.find_field_unordered(field).get_object().get(found) || found.raw_json().get(raw)) return {};
  return std::string{raw};
}

} // namespace

result<std::optional<scripted_frame>> parse_scripted_frame(const std::string& line) {
  simdjson::dom::parser reader;
  element whole;
  // Read once as a tree, so that the second reading is of JSON known to be sound.
  if (reader.parse(line).get(whole)) return failure{errc::frame_not_json, "is not JSON"};
  scripted_frame out;
  if (whole["recv_ms"].get(out.recv_ms)) return failure{errc::field_missing, "has no recv_ms"};
  const auto name = text_of(whole["exchange"]);
  if (name.empty()) return failure{errc::field_missing, "has no exchange"};
  const auto from = parse_exchange(name);
  if (!from) return failure{errc::exchange_unknown, "names the unknown exchange '" + std::string{name} + "'"};
  out.from = *from;
  element frame;
  if (whole["frame"].get(frame)) return failure{errc::field_missing, "has no frame"};
  if (!frame.is_object()) return std::optional<scripted_frame>{}; // plain text such as "pong"

  const bool wrapped = *from == exchange::binance && frame["data"].is_object();
  name_stream(out, wrapped ? frame["data"].value() : frame);
  if (out.key.empty() || out.symbol.empty()) return std::optional<scripted_frame>{};

  ondemand::parser again;
  const simdjson::padded_string padded{line};
  ondemand::document document;
  ondemand::object object;
  if (again.iterate(padded).get(document) || document.get_object().get(object))
    return failure{errc::frame_not_json, "is no JSON object"};
  out.text = raw_object(object, "frame");
  if (wrapped) {
    const simdjson::padded_string envelope{out.text};
    if (again.iterate(envelope).get(document) || document.get_object().get(object))
      return failure{errc::frame_not_json, "is no JSON object"};
    out.text = raw_object(object, "data");
  }
  while (!out.text.empty() && out.text.back() != '}') out.text.pop_back(); // blanks up to the next token
  return std::optional{std::move(out)};
}

result<frame_script> read_frame_script(const std::string& file) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(file, error);
  if (error) return failure{errc::file_unreadable, file + ": " + error.message()};
  if (bytes > most_file_bytes) return failure{errc::file_unreadable, file + ": is larger than 1 GiB"};
  std::ifstream in{file};
  if (!in) return failure{errc::file_unreadable, file + ": " + std::strerror(errno)};

  frame_script script;
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto parsed = parse_scripted_frame(line);
    if (!parsed)
      return failure{parsed.error().code, file + ":" + std::to_string(number) + ": " + parsed.error().detail};
    if (*parsed)
      script.frames.push_back(std::move(**parsed));
    else
      ++script.skipped;
  }
  std::stable_sort(script.frames.begin(), script.frames.end(),
                   [](const auto& a, const auto& b) { return a.recv_ms < b.recv_ms; });
  return script;
}

} // namespace breakwater
