#pragma once

#include "config/settings.hpp"

#include <string>

/// Settings as text: what is in force, and the documents that are generated from the schema.
namespace breakwater {

/// The settings in force as a config file, every key. Secrets print as ***.
std::string effective_config(const settings& values);

/// config/breakwater.toml: every key with its default and what it means.
std::string example_config();

/// config/reference.md: one table a section, and the keys that wait for a later version.
std::string config_reference();

} // namespace breakwater
