#include "config/file_rights.hpp"

#include "messages/text.hpp"

#include <array>
#include <filesystem>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace breakwater {
namespace {

namespace fs = std::filesystem;

/// Whether `group` is the one its owner was given with his account, as Debian does, or that we run in.
bool is_own_group(uid_t owner, gid_t group) {
  if (group == ::getegid() || group == 0) return true;
  std::array<char, 4096> room{};
  passwd entry{}, *found = nullptr;
  return ::getpwuid_r(owner, &entry, room.data(), room.size(), &found) == 0 && found != nullptr &&
         found->pw_gid == group;
}

/// In a folder with the sticky bit, such as /tmp, only a file's owner can replace it.
bool is_open(const fs::path& folder) {
  struct stat seen {};
  return ::stat(folder.empty() ? "." : folder.c_str(), &seen) == 0 && (seen.st_mode & S_IWOTH) != 0 &&
         (seen.st_mode & S_ISVTX) == 0;
}

/// The folder of the name, and that of the file it leads to.
fs::path open_folder(const std::string& path) {
  if (const auto named = fs::path{path}.parent_path(); is_open(named)) return named.empty() ? "." : named;
  std::error_code error;
  const auto meant = fs::canonical(path, error).parent_path();
  return !error && is_open(meant) ? meant : fs::path{};
}

file_rights rights_in(const struct stat& seen, const std::string& path) {
  file_rights found;
  found.is_regular = S_ISREG(seen.st_mode);
  found.mode = static_cast<unsigned>(seen.st_mode) & 0777u;
  found.group_is_owners = is_own_group(seen.st_uid, seen.st_gid);
  found.folder_is_open = !open_folder(path).empty();
  return found;
}

} // namespace

exposure who_may_write(const file_rights& of, const std::string& path) {
  const bool others = (of.mode & 0002u) != 0;
  const bool group = (of.mode & 0020u) != 0 && !of.group_is_owners;
  if (others) return {"can be written by everyone on this machine", "chmod go-w " + shell_word(path)};
  if (group) return {"can be written by a group that is not its owner's", "chmod g-w " + shell_word(path)};
  if (!of.folder_is_open) return {};
  const auto folder = open_folder(path);
  return {"can be replaced by everyone on this machine",
          "chmod o-w " +
              shell_word(folder.empty() ? fs::path{path}.parent_path().string() : folder.string())};
}

exposure who_may_read(const file_rights& of, const std::string& path) {
  if ((of.mode & 0004u) == 0) return {};
  return {"can be read by everyone on this machine", "chmod o-r " + shell_word(path)};
}

file_rights rights_of(int descriptor, const std::string& path) {
  struct stat seen {};
  if (::fstat(descriptor, &seen) != 0) return {.is_regular = false};
  return rights_in(seen, path);
}

file_rights rights_of(const std::string& path) {
  struct stat seen {};
  if (::stat(path.c_str(), &seen) != 0) return {.is_regular = false};
  return rights_in(seen, path);
}

} // namespace breakwater
