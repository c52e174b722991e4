#pragma once

#include "config/file_rights.hpp"
#include "config/settings.hpp"
#include "messages/error.hpp"

#include <string>

namespace breakwater {

struct read_secret {
  secret value;
  exposure readable; ///< Empty, unless everyone on this machine can read the file.
};

/// The first line of a file, without its line end. Fails with errc::file_unreadable when it cannot be read,
/// is no regular file (a pipe would hold us up), or others can change it; `detail` says what is wrong and
/// never what stands there.
result<read_secret> read_secret_file(const std::string& path);

} // namespace breakwater
