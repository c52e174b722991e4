#pragma once

#include "config/file_rights.hpp"
#include "config/settings.hpp"
#include "messages/error.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// From the config file to settings: everything is checked, and every problem is told in one go.
namespace breakwater {

struct loaded_settings {
  settings values;
  std::vector<std::string> warnings; ///< "file:line:column: ..."; the settings can be used all the same.
  std::vector<exposure> exposed{};   ///< Files among these that others may get at, `text` with their names.
  bool holds_secret = false;         ///< The file itself: a password in redis.url, or a webhook's address.
};

/// Looks up an environment variable. Tests pass their own.
using environment = std::function<std::optional<std::string>(const char* name)>;

/// The variables of this process.
environment process_environment();

/// Reads the file at `path`, unless others may change it. REDIS_URL overrides redis.url.
/// Fails with errc::file_unreadable, or with errc::config_invalid: `detail` has one line a problem, then one
/// a warning.
result<loaded_settings> load_settings(const std::string& path, const environment& variables);

/// The same for a text; `name` stands for the file in messages.
result<loaded_settings> parse_settings(std::string_view text, const std::string& name,
                                       const environment& variables);

} // namespace breakwater
