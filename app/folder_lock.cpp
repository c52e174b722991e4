#include "app/folder_lock.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <unistd.h>
#include <utility>

namespace breakwater {

result<folder_lock> folder_lock::take(const std::string& folder) {
  std::error_code error;
  // Ours alone and our group's, whatever umask we were started with; one that is there is the operator's.
  const bool is_new = std::filesystem::create_directories(folder, error);
  if (is_new && !error) {
    using std::filesystem::perms;
    std::filesystem::permissions(folder, perms::owner_all | perms::group_read | perms::group_exec, error);
  }
  if (error) return failure{errc::file_unreadable, "process.data_dir " + folder + ": " + error.message()};
  const auto path = folder + "/lock";
  folder_lock lock;
  lock.descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (lock.descriptor_ < 0) return failure{errc::file_unreadable, path + ": " + std::strerror(errno)};
  if (::flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0)
    return failure{errc::already_running, "another breakwater runs on process.data_dir " + folder +
                                              "; stop it, or give this one a data_dir of its own"};
  return lock;
}

folder_lock::folder_lock(folder_lock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

folder_lock::~folder_lock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

} // namespace breakwater
