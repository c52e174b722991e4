#include "config/print.hpp"

#include "config/schema.hpp"
#include "messages/text.hpp"

#include <algorithm>
#include <string_view>

namespace breakwater {
namespace {

using namespace config;

std::string shown(const option& row, const settings& values) {
  auto value = row.member.get(values);
  // What follows the '?' of an exchange's address may be a key.
  if (auto* text = std::get_if<std::string>(&value);
      text && row.key.starts_with("feeds.") && leaf_of(row.key) == "url")
    *text = shown_address(*text);
  return format_value(row.kind, value);
}

/// What a reader of the config file needs beside the help: nothing for plain texts, whose help says it all.
std::string hint(const value_kind& kind) {
  const bool says_nothing = std::holds_alternative<text>(kind) || std::holds_alternative<hidden_text>(kind) ||
                            std::holds_alternative<text_list>(kind) ||
                            std::holds_alternative<text_map>(kind) || std::holds_alternative<flag>(kind);
  return says_nothing ? "" : std::string{" ("}.append(bounds_of(kind)).append(")");
}

/// `text` as comment lines of at most 100 characters.
std::string as_comment(std::string_view text) {
  constexpr std::size_t width = 98;
  std::string out;
  while (text.size() > width) {
    const auto cut = text.rfind(' ', width);
    if (cut == std::string_view::npos) break;
    out.append("# ").append(text.substr(0, cut)).append("\n");
    text.remove_prefix(cut + 1);
  }
  return out.append("# ").append(text).append("\n");
}

/// A cell of a Markdown table.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) (c == '|' ? out += '\\' : out) += c;
  return out;
}

/// "[redis]", "[[bridge]]".
std::string heading(const section& part) {
  return part.repeats ? "[[" + part.name + "]]" : "[" + part.name + "]";
}

template <class Write>
void for_each_key_of(const section& part, Write write) {
  for (const auto& row : options())
    if (parent_of(row.key) == part.name) write(row);
}

} // namespace

std::string effective_config(const settings& values) {
  std::string out;
  const auto print = [&](const section& part, const settings& from) {
    out += (out.empty() ? "" : "\n") + heading(part) + "\n";
    for_each_key_of(part,
                    [&](const option& row) { out += leaf_of(row.key) + " = " + shown(row, from) + "\n"; });
  };
  for (const auto& part : sections()) {
    if (!part.repeats) print(part, values);
    if (part.repeats)
      for (const auto& route : values.bridges) {
        auto one = values;
        one.bridges = {route}; // the rows reach the last
        print(part, one);
      }
    // No key of its own: it came from password_file, the URL or REDIS_URL.
    if (part.name == "redis" && !values.redis.password.empty())
      out += "# password = \"" + to_string(values.redis.password) + "\"\n";
  }
  return out;
}

std::string example_config() {
  std::string out =
      "# Every key of breakwater with its default. All are optional: keep the lines you change.\n"
      "# Durations are written \"100ms\", \"30s\", \"5m\", \"2h\"; sizes \"64KiB\", \"64MiB\", \"1GiB\".\n"
      "# `breakwater check --config FILE` tells what is wrong with a file, and what is in force.\n"
      "# Generated from config/schema.cpp by breakwater_config_docs.\n";
  const settings defaults;
  for (const auto& part : sections()) {
    // A section that stands there makes one, so those that may repeat are shown commented out.
    const std::string mark = part.repeats ? "#" : "";
    out.append("\n").append(as_comment(part.help)).append(mark).append(heading(part)).append("\n");
    for_each_key_of(part, [&](const option& row) {
      out += as_comment(row.help + hint(row.kind)) + mark + leaf_of(row.key) + " = " + shown(row, defaults) +
             "\n";
    });
  }
  return out;
}

std::string config_reference() {
  std::string out = "# Configuration reference\n\n"
                    "One TOML file; every key is optional. Unknown keys are refused. `breakwater check "
                    "--config FILE` tells all\n"
                    "problems at once, each with line and column, and prints what is in force. "
                    "[breakwater.toml](breakwater.toml)\n"
                    "holds every key with its default.\n\n"
                    "Durations are a whole number with `ms`, `s`, `m` or `h`; sizes with `B`, `KiB`, `MiB`, "
                    "`GiB` or `TiB`; both in\n"
                    "quotes. Secrets come from `redis.password_file` or from `REDIS_URL` in the environment, "
                    "never from the command\n"
                    "line, and print as `***`.\n\n"
                    "Generated from [schema.cpp](schema.cpp) by `breakwater_config_docs`.\n";
  const settings defaults;
  for (const auto& part : sections()) {
    out += "\n## " + heading(part) + "\n\n" + part.help +
           "\n\n| key | default | accepts | meaning |\n|---|---|---|---|\n";
    for_each_key_of(part, [&](const option& row) {
      out += "| `" + leaf_of(row.key) + "` | `" + cell(shown(row, defaults)) + "` | " +
             cell(bounds_of(row.kind)) + " | " + cell(row.help) + " |\n";
    });
  }
  return out;
}

} // namespace breakwater
