#include "config/load.hpp"

#include "config/consistency.hpp"
#include "config/schema.hpp"
#include "config/secret_file.hpp"
#include "config/value_text.hpp"
#include "messages/text.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <tuple>

namespace breakwater {
namespace {

using namespace config;

/// Of a token; what is shorter a program finds by trying.
constexpr std::size_t shortest_token = 16;

/// A problem or warning, and where it is: line 0 stands for the file as a whole.
struct remark {
  std::uint32_t line = 0, column = 0;
  std::string text;
  bool is_warning = false;
};

/// A node's value for messages: what was written, shortened.
std::string written(const toml::node& node) {
  if (const auto* x = node.as_string()) {
    constexpr std::size_t enough = 60;
    const auto& whole = x->get();
    return whole.size() <= enough ? toml_string(whole) : toml_string(whole.substr(0, enough)) + "...";
  }
  if (const auto* x = node.as_integer()) return std::to_string(x->get());
  if (const auto* x = node.as_boolean()) return x->get() ? "true" : "false";
  if (const auto* x = node.as_floating_point()) return format_number(x->get());
  if (node.is_array()) return "[...]";
  if (node.is_table()) return "{...}";
  return "a date or time";
}

template <class... Fs>
struct overload : Fs... {
  using Fs::operator()...;
};

/// The dotted names of the file that have something below them: "breaker", "breaker.redis", "bridge".
std::set<std::string> make_branches() {
  std::set<std::string> names;
  const auto add = [&](const std::string& key) {
    for (auto name = parent_of(key); !name.empty(); name = parent_of(name)) names.insert(name);
  };
  for (const auto& row : options()) add(row.key);
  return names;
}

/// "; did you mean x?" or nothing. A neighbour in the same section is named short, anything else in full.
std::string suggestion(const std::string& unknown, const std::set<std::string>& branches) {
  std::vector<std::string> known;
  for (const auto& row : options()) known.push_back(row.key);
  known.insert(known.end(), branches.begin(), branches.end());

  const auto nearest = [&](auto&& distance, std::size_t limit) -> const std::string* {
    const std::string* best = nullptr;
    for (const auto& key : known)
      if (const auto d = distance(key); d <= limit) {
        limit = d == 0 ? 0 : d - 1; // only a nearer one may replace it
        best = &key;
        if (d == 0) break;
      }
    return best;
  };
  const auto leaf = leaf_of(unknown);
  const auto parent = parent_of(unknown);
  constexpr auto far = std::numeric_limits<std::size_t>::max();
  const auto by_neighbour = [&](const std::string& key) {
    return parent_of(key) == parent ? edit_distance(leaf, leaf_of(key)) : far;
  };
  const auto by_full_key = [&](const std::string& key) { return edit_distance(unknown, key); };
  const auto by_leaf = [&](const std::string& key) { return edit_distance(leaf, leaf_of(key)); };
  if (const auto* found = nearest(by_neighbour, std::max<std::size_t>(1, leaf.size() / 3)))
    return "; did you mean " + leaf_of(*found) + "?";
  if (const auto* found = nearest(by_full_key, unknown.size() / 4)) return "; did you mean " + *found + "?";
  if (const auto* found = nearest(by_leaf, leaf.size() / 6)) return "; did you mean " + *found + "?";
  return {};
}

/// Reads one file's tables into settings and collects what is to be said about them.
class reader {
public:
  explicit reader(std::string name) : name_(std::move(name)) {}

  void read(const toml::table& file) { walk(file, ""); }

  /// REDIS_URL and the secrets. After this redis.url holds no user info, so nobody can print it by accident.
  void complete(const environment& variables) {
    auto& redis = values_.redis;
    holds_secret_ = !split_redis_url(redis.url).password.empty() || !values_.alerts.webhook_url.empty();
    if (auto url = variables ? variables("REDIS_URL") : std::nullopt; url && !url->empty()) {
      redis.url = std::move(*url);
      url_from_environment_ = true;
    }
    for (auto& found : judge(values_)) tell(found);
    auto parts = split_redis_url(redis.url);
    redis.url = std::move(parts.url);
    if (redis.username.empty()) redis.username = std::move(parts.username);
    redis.password = secret{std::move(parts.password)};
    if (!redis.password_file.empty()) read_secret("redis.password_file", redis.password_file, redis.password);
    auto& api = values_.api;
    if (!api.token_file.empty()) read_secret("api.token_file", api.token_file, api.token);
    if (!api.token.empty() && api.token.reveal().size() < shortest_token) {
      finding guessable{{"api.token_file"},
                        "api.token_file = " + toml_string(api.token_file) + " holds fewer than " +
                            std::to_string(shortest_token) +
                            " characters, which can be guessed: openssl rand -hex 32",
                        true};
      tell(guessable);
    }
    look_at_data_folder(values_.process.data_dir);
    if (!values_.log.file.empty()) look_at_log_folder(values_.log.file);
  }

  result<loaded_settings> finish() && {
    std::stable_sort(remarks_.begin(), remarks_.end(), [](const remark& a, const remark& b) {
      // What belongs to no line comes last.
      return std::tuple{a.line - 1, a.column} < std::tuple{b.line - 1, b.column};
    });
    loaded_settings loaded{std::move(values_), {}, std::move(exposed_), holds_secret_};
    std::string problems, warnings;
    for (const auto& said : remarks_) {
      auto line = place(said) + ": " + said.text;
      if (said.is_warning) {
        warnings.append("\nwarning: ").append(line);
        loaded.warnings.push_back(std::move(line));
      } else {
        problems.append(problems.empty() ? "" : "\n").append(line);
      }
    }
    if (!problems.empty()) return failure{errc::config_invalid, problems + warnings};
    return loaded;
  }

private:
  void refuse(const toml::source_position& at, std::string text) {
    remarks_.push_back({at.line, at.column, std::move(text), false});
  }
  void warn(const toml::source_position& at, std::string text) {
    remarks_.push_back({at.line, at.column, std::move(text), true});
  }
  std::string place(const remark& said) const {
    if (said.line == 0) return name_;
    return name_ + ":" + std::to_string(said.line) + ":" + std::to_string(said.column);
  }

  /// Puts a finding at the first of its keys that stands in the file.
  void tell(finding& found) {
    if (url_from_environment_ && found.keys.front() == "redis.url") {
      remarks_.push_back({0, 0, "REDIS_URL in the environment: " + found.text, found.is_warning});
      return;
    }
    const auto given = std::find_if(found.keys.begin(), found.keys.end(),
                                    [&](const std::string& key) { return places_.contains(key); });
    const auto at = given == found.keys.end() ? toml::source_position{} : places_.at(*given);
    remarks_.push_back({at.line, at.column, std::move(found.text), found.is_warning});
  }

  void walk(const toml::table& table, const std::string& prefix) {
    for (auto&& [name, node] : table) {
      const auto key = prefix + std::string{name.str()};
      const auto matches = [&](const auto& row) { return row.key == key; };
      if (const auto row = std::find_if(options().begin(), options().end(), matches); row != options().end())
        read_option(*row, node);
      else if (branches_.contains(key))
        walk_branch(key, node);
      else
        refuse(name.source().begin, key + " is unknown" + suggestion(key, branches_));
    }
  }

  void walk_branch(const std::string& key, const toml::node& node) {
    const auto part = std::find_if(sections().begin(), sections().end(),
                                   [&](const section& one) { return one.name == key; });
    const bool repeats = part != sections().end() && part->repeats;
    const auto* list = node.as_array();
    if (repeats && list != nullptr && list->is_array_of_tables())
      for (auto&& one : *list) {
        places_[element(key, values_.bridges.size())] = one.source().begin;
        values_.bridges.emplace_back();
        walk(*one.as_table(), key + ".");
      }
    else if (repeats)
      refuse(node.source().begin, key + " must be a section: [[" + key + "]]"); // it may hold a secret
    else if (const auto* below = node.as_table())
      walk(*below, key + ".");
    else
      refuse(node.source().begin, key + " must be a section: [" + key + "]");
  }

  void read_option(const option& row, const toml::node& node) {
    // Of the bridge that is being read.
    const bool repeats = parent_of(row.key) == "bridge";
    const auto place =
        repeats ? element("bridge", values_.bridges.size() - 1) + "." + leaf_of(row.key) : row.key;
    places_[place] = node.source().begin;
    if (auto value = read_value(row, node)) row.member.set(values_, std::move(*value));
  }

  using maybe = std::optional<option_value>;

  maybe read_value(const option& row, const toml::node& node) {
    const auto wrong_type = [&](const std::string& expected) {
      const auto shown = row.key == "redis.url" && node.is_string() ? "..." : written(node);
      refuse(node.source().begin, row.key + " = " + shown + " must be " + expected);
      return maybe{};
    };
    const auto in_bounds = [&](auto value, auto min, auto max) {
      if (value >= min && value <= max) return maybe{value};
      refuse(node.source().begin, row.key + " = " + written(node) + " is outside " + bounds_of(row.kind));
      return maybe{};
    };
    return std::visit(
        overload{
            [&](flag) {
              const auto* x = node.as_boolean();
              return x ? maybe{x->get()} : wrong_type("true or false");
            },
            [&](const count& bounds) {
              const auto* x = node.as_integer();
              if (!x) return wrong_type("a whole number, " + bounds_of(row.kind));
              // A negative number becomes a huge one and is outside just the same.
              return in_bounds(static_cast<std::size_t>(x->get()), bounds.min, bounds.max);
            },
            [&](const number& bounds) {
              const auto x = node.value<double>();
              if (!x || !node.is_number()) return wrong_type("a number, " + bounds_of(row.kind));
              return in_bounds(*x, bounds.min, bounds.max);
            },
            [&](const duration& bounds) {
              const auto* x = node.as_string();
              const auto time = x ? parse_duration(x->get()) : std::nullopt;
              if (!time)
                return wrong_type("a duration such as \"30s\" (ms, s, m or h), " + bounds_of(row.kind));
              return in_bounds(*time, bounds.min, bounds.max);
            },
            [&](const byte_size& bounds) {
              const auto* x = node.as_string();
              const auto bytes = x ? parse_size(x->get()) : std::nullopt;
              if (!bytes)
                return wrong_type("a size such as \"64MiB\" (B, KiB, MiB, GiB or TiB), " +
                                  bounds_of(row.kind));
              return in_bounds(*bytes, bounds.min, bounds.max);
            },
            [&](text) { return read_text(node, wrong_type); },
            [&](hidden_text) { return read_text(node, wrong_type); },
            [&](text_list) { return read_list(row, node, wrong_type); },
            [&](text_map) { return read_map(row, node, wrong_type); },
            [&](const choice& known) {
              const auto* x = node.as_string();
              const auto found = std::find(known.names.begin(), known.names.end(), x ? x->get() : "");
              if (found == known.names.end()) return wrong_type(bounds_of(row.kind));
              return maybe{static_cast<std::size_t>(found - known.names.begin())};
            },
        },
        row.kind);
  }

  template <class Refuse>
  maybe read_text(const toml::node& node, const Refuse& wrong_type) {
    const auto* x = node.as_string();
    return x ? maybe{x->get()} : wrong_type("a text in quotes");
  }

  template <class Refuse>
  maybe read_list(const option& row, const toml::node& node, const Refuse& wrong_type) {
    const auto* list = node.as_array();
    if (list == nullptr) return wrong_type("a list of texts such as [\"a\", \"b\"]");
    std::vector<std::string> items;
    for (auto&& item : *list) {
      const auto key = element(row.key, items.size());
      places_[key] = item.source().begin;
      const auto* x = item.as_string();
      if (x == nullptr)
        refuse(item.source().begin, row.key + ": " + written(item) + " must be a text in quotes");
      items.push_back(x ? x->get() : std::string{});
    }
    if (std::any_of(list->begin(), list->end(), [](const toml::node& item) { return !item.is_string(); }))
      return std::nullopt;
    return items;
  }

  template <class Refuse>
  maybe read_map(const option& row, const toml::node& node, const Refuse& wrong_type) {
    const auto* table = node.as_table();
    if (table == nullptr) return wrong_type("a table of texts such as { BTCUSDT = \"XBT/USD\" }");
    std::map<std::string, std::string> items;
    for (auto&& [name, item] : *table) {
      const auto key = row.key + "." + std::string{name.str()};
      places_[key] = name.source().begin;
      if (const auto* x = item.as_string())
        items.emplace(name.str(), x->get());
      else
        refuse(item.source().begin, key + " = " + written(item) + " must be a text in quotes");
    }
    return items;
  }

  void read_secret(const std::string& key, const std::string& path, secret& into) {
    // Not every value is shown: people do put the secret itself where the name of its file belongs.
    const bool is_path = path.find('/') != std::string::npos;
    const auto about = [&](const std::string& what) {
      return key + " = " + (is_path ? toml_string(path) : "...") + " " + what;
    };
    auto read = read_secret_file(path);
    if (!read) {
      finding unreadable{{key}, about(read.error().detail), false};
      return tell(unreadable);
    }
    into = std::move(read->value);
    if (!read->readable.empty()) expose(key, path, read->readable);
  }

  /// Warns, and keeps it for who wants to know the command.
  void expose(const std::string& key, const std::string& path, const exposure& how) {
    const auto named = exposure{key + " = " + toml_string(path) + " " + how.text, how.command};
    finding open{{key}, to_string(named), true};
    tell(open);
    exposed_.push_back(named);
  }

  /// Whoever may write there may replace the spool and the audit log.
  void look_at_data_folder(const std::string& path) {
    std::error_code ignored;
    const auto rights = std::filesystem::status(path, ignored);
    if (!std::filesystem::is_directory(rights) ||
        (rights.permissions() & std::filesystem::perms::others_write) == std::filesystem::perms::none)
      return;
    expose("process.data_dir", path,
           {"can be written by everyone on this machine", "chmod o-w " + shell_word(path)});
  }

  void look_at_log_folder(const std::string& path) {
    const auto folder = std::filesystem::absolute(path).parent_path();
    std::error_code ignored;
    if (std::filesystem::is_directory(folder, ignored)) return;
    finding missing{{"log.file"},
                    "log.file = " + toml_string(path) +
                        " lies in a folder that does not exist: " + folder.string(),
                    false};
    tell(missing);
  }

  std::string name_;
  const std::set<std::string> branches_ = make_branches();
  settings values_;
  std::map<std::string, toml::source_position> places_; ///< Where the keys that were given stand.
  bool url_from_environment_ = false, holds_secret_ = false;
  std::vector<exposure> exposed_;
  std::vector<remark> remarks_;
};

} // namespace

environment process_environment() {
  return [](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

result<loaded_settings> parse_settings(std::string_view text, const std::string& name,
                                       const environment& variables) {
  reader reads{name};
  try {
    reads.read(toml::parse(text, name));
  } catch (const toml::parse_error& e) {
    const auto& at = e.source().begin;
    return failure{errc::config_invalid, name + ":" + std::to_string(at.line) + ":" +
                                             std::to_string(at.column) + ": " + std::string{e.description()}};
  }
  reads.complete(variables);
  return std::move(reads).finish();
}

result<loaded_settings> load_settings(const std::string& path, const environment& variables) {
  const auto unreadable = [&](const std::string& why) {
    return failure{errc::file_unreadable,
                   "The config file " + path + " cannot be read: " + why +
                       ". Name one with --config FILE; config/breakwater.toml has every "
                       "key with its default to start from."};
  };
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return unreadable("it is a folder");
  errno = 0;
  std::ifstream file{path};
  std::stringstream text;
  if (file && file.peek() != std::ifstream::traits_type::eof()) text << file.rdbuf();
  if (!file.is_open() || file.bad() || text.bad())
    return unreadable(errno != 0 ? std::strerror(errno) : "reading failed");
  const auto rights = rights_of(path);
  if (const auto open = who_may_write(rights, path); rights.is_regular && !open.empty())
    return failure{errc::config_invalid, path + ": " + to_string(open) + ", and look what stands in it"};
  auto loaded = parse_settings(text.str(), path, variables);
  if (!loaded) return loaded;
  if (auto open = who_may_read(rights, path); loaded->holds_secret && rights.is_regular && !open.empty()) {
    open.text = path + ": " + open.text + " and holds a secret (in redis.url or alerts.webhook_url)";
    loaded->warnings.push_back(to_string(open));
    loaded->exposed.push_back(std::move(open));
  }
  loaded->values.folder = std::filesystem::path{path}.parent_path().string();
  return loaded;
}

} // namespace breakwater
