#include "actors/position_monitor/log_reading.hpp"

#include <algorithm>
#include <array>

namespace breakwater {
namespace {

constexpr std::size_t longest_shown = 200;
constexpr std::string_view dots = "...";

/// How the names end whose values are nobody's business: "apiKey", "X-MBX-APIKEY", "listen_key".
constexpr std::array<std::string_view, 8> secret_names{
    "key", "secret", "signature", "token", "password", "passphrase", "sign", "authorization"};

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_around_value(char c) noexcept { return c == ' ' || c == '"' || c == '\''; }

bool names_a_secret(std::string_view before) {
  while (!before.empty() && is_around_value(before.back())) before.remove_suffix(1);
  return std::any_of(secret_names.begin(), secret_names.end(), [&](std::string_view name) {
    return before.size() >= name.size() &&
           std::equal(name.begin(), name.end(), before.end() - static_cast<std::ptrdiff_t>(name.size()),
                      [](char a, char b) { return a == lower(b); });
  });
}

/// Where the value that begins at `from` ends. One behind "Bearer" is two words.
std::size_t end_of_value(std::string_view line, std::size_t from) {
  const auto end = std::min(line.find_first_of(" &,;\"')}]", from), line.size());
  const auto word = line.substr(from, end - from);
  const bool is_scheme = word == "Bearer" || word == "Basic";
  return is_scheme && end + 1 < line.size() ? end_of_value(line, end + 1) : end;
}

std::string without_secrets(std::string_view line) {
  std::string out;
  for (std::size_t i = 0; i < line.size();) {
    out += line[i++];
    if ((out.back() != '=' && out.back() != ':') ||
        !names_a_secret(std::string_view{out}.substr(0, out.size() - 1)))
      continue;
    while (i < line.size() && is_around_value(line[i])) out += line[i++];
    const auto end = end_of_value(line, i);
    if (end > i) out += "***";
    i = end;
  }
  return out;
}

} // namespace

void sightings_count::take(std::string_view line, bool was_cut) {
  if (was_cut) ++counted_.cut;
  if (line.find(activity_) != std::string_view::npos) ++counted_.activities;
  if (error_.empty() || line.find(error_) == std::string_view::npos) return;
  ++counted_.errors;
  counted_.last_error = showable(line);
}

std::string showable(std::string_view line) {
  // Cut before, too, so that a line of any length costs the same; what is cut apart there is cut off below.
  std::string plain{line.substr(0, longest_shown * 2)};
  std::replace_if(
      plain.begin(), plain.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  auto shown = without_secrets(plain);
  if (shown.size() > longest_shown) shown = shown.substr(0, longest_shown - dots.size()).append(dots);
  return shown;
}

} // namespace breakwater
