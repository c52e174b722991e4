#pragma once

#include "config/settings.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

/// How single values are written in the config file: "30s", "64MiB", "text", 0.05.
namespace breakwater::config {

/// Reads digits and one of ms, s, m, h: "250ms". nullopt: not of that form, or too large for the type.
std::optional<milliseconds> parse_duration(std::string_view text) noexcept;
/// The shortest usual spelling: "100ms", "90s", "10m", "1h".
std::string format_duration(milliseconds time);

/// Reads digits and one of B, KiB, MiB, GiB, TiB: "64MiB". nullopt: not of that form, or too large for the
/// type.
std::optional<std::size_t> parse_size(std::string_view text) noexcept;
/// In the largest unit that divides it: "1GiB", "1500B".
std::string format_size(std::size_t bytes);

/// Reads back to the same double, without exponent for ordinary figures: "0.05", "1".
std::string format_number(double x);

/// A TOML basic string, in quotes and escaped.
std::string toml_string(std::string_view text);
/// A TOML key: bare if it may be, else quoted.
std::string key_text(std::string_view name);

/// "symbols.list[2]": the key of one element.
std::string element(const std::string& key, std::size_t index);

/// A URL without what stands before its last "@", for messages: the password is there.
std::string without_user_info(std::string_view url);

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
std::size_t edit_distance(std::string_view a, std::string_view b);

} // namespace breakwater::config
