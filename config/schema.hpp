#pragma once

#include "config/settings.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <variant>
#include <vector>

/// One row per key of the config file. The loader, `check`, reference.md and breakwater.toml all read these
/// rows.
namespace breakwater::config {

struct flag {}; ///< true or false
struct count {
  std::size_t min, max;
}; ///< A whole number.
struct number {
  double min, max;
}; ///< With or without fraction.
struct duration {
  milliseconds min, max;
}; ///< "30s"
struct byte_size {
  std::size_t min, max;
};                     ///< "64MiB"
struct text {};        ///< "anything"
struct hidden_text {}; ///< Likewise, but a secret may be in it: shown as ***.
struct text_list {};   ///< ["a", "b"]
struct text_map {};    ///< { A = "b" }
struct choice {
  std::vector<std::string> names;
}; ///< One of these, in the order of the enum.
using value_kind =
    std::variant<flag, count, number, duration, byte_size, text, hidden_text, text_list, text_map, choice>;

/// A value of any kind. std::size_t stands for counts, sizes, and the index of a choice.
using option_value = std::variant<bool, std::size_t, double, milliseconds, std::string,
                                  std::vector<std::string>, std::map<std::string, std::string>>;

/// Reads and writes one member of the settings.
struct access {
  std::function<option_value(const settings&)> get;
  std::function<void(settings&, option_value)> set;
};

struct option {
  std::string key; ///< Full and dotted: "breaker.redis.open_duration".
  access member;
  value_kind kind;
  std::string help;
};

struct section {
  std::string name; ///< "breaker.redis"
  std::string help;
  bool repeats = false; ///< [[name]]: any number of them.
};

/// All keys, section by section, in the order of settings.hpp.
const std::vector<option>& options();
/// The sections in the order of their first key.
const std::vector<section>& sections();

/// "breaker.redis" of "breaker.redis.mode"; empty for a key without a dot.
std::string parent_of(const std::string& key);
/// "mode" of "breaker.redis.mode".
std::string leaf_of(const std::string& key);

/// What a value of this kind may be, in words: "1..1000", "one of spot, linear".
std::string bounds_of(const value_kind& kind);
/// The value as it stands behind "key = " in a config file.
std::string format_value(const value_kind& kind, const option_value& value);

} // namespace breakwater::config
