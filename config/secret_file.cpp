#include "config/secret_file.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>

namespace breakwater {

result<secret> read_secret_file(const std::string& path) {
  errno = 0;
  std::ifstream file{path};
  std::string line;
  if (!file || (!std::getline(file, line) && !file.eof()))
    return failure{errc::file_unreadable,
                   "cannot be read: " + std::string{errno != 0 ? std::strerror(errno) : "it is no file"}};
  if (line.ends_with('\r')) line.pop_back();
  if (line.empty()) return failure{errc::file_unreadable, "has nothing in its first line"};
  return secret{std::move(line)};
}

} // namespace breakwater
