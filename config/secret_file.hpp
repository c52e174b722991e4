#pragma once

#include "config/settings.hpp"
#include "messages/error.hpp"

#include <string>

namespace breakwater {

/// The first line of a file, without its line end. Fails with errc::file_unreadable; `detail` says what is
/// wrong and never what stands there.
result<secret> read_secret_file(const std::string& path);

} // namespace breakwater
