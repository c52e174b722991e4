#include "config/secret_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace breakwater {
namespace {

/// Of a password or token; what is longer is another file.
constexpr std::size_t longest_secret = 4096;

struct open_file {
  explicit open_file(const std::string& path)
      : number(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {}
  ~open_file() {
    if (number >= 0) ::close(number);
  }
  open_file(const open_file&) = delete;
  open_file& operator=(const open_file&) = delete;
  int number;
};

failure unusable(std::string why) { return {errc::file_unreadable, std::move(why)}; }

} // namespace

result<read_secret> read_secret_file(const std::string& path) {
  const open_file file{path};
  const auto unreadable = [] { return unusable("cannot be read: " + std::string{std::strerror(errno)}); };
  if (file.number < 0) return unreadable();
  // Of the open file, so that it is not another one that is judged.
  const auto rights = rights_of(file.number, path);
  std::string text(longest_secret + 1, '\0');
  const auto size = ::read(file.number, text.data(), text.size());
  if (size < 0 && errno == EISDIR) return unreadable();
  if (!rights.is_regular) return unusable("is no regular file");
  if (size < 0) return unreadable();
  if (const auto open = who_may_write(rights, path); !open.empty())
    return unusable(to_string(open) + ", and put in what belongs there");
  text.resize(static_cast<std::size_t>(size));
  const auto end = text.find('\n');
  if (end == std::string::npos && text.size() > longest_secret)
    return unusable("has a first line of more than " + std::to_string(longest_secret) +
                    " bytes: is it the right file?");
  text.resize(std::min(end, text.size()));
  if (text.ends_with('\r')) text.pop_back();
  if (text.empty()) return unusable("has nothing in its first line");
  return read_secret{secret{std::move(text)}, who_may_read(rights, path)};
}

} // namespace breakwater
