#pragma once

#include "config/load.hpp"
#include "messages/error.hpp"

#include <string>

namespace breakwater {

/// Exit codes of all commands.
inline constexpr int exit_ok = 0, exit_failed = 1, exit_unusable = 2;

/// Reads the config, writes its warnings to standard error and opens the log. On failure everything to be
/// said was said.
result<settings> load_for_command(const std::string& config_path);

/// The same for a command that only looks: the log is left to the process.
result<settings> load_without_log(const std::string& config_path);
/// The same, with what the loader has to say beside.
result<loaded_settings> load_whole(const std::string& config_path);

/// What only the parts themselves can tell of their settings, such as whether redis.url is an address.
result<done> judge_for_parts(const settings& what);

/// Says on standard error why a command cannot start; returns exit_unusable.
int refuse(const failure& why);

} // namespace breakwater
