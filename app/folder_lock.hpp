#pragma once

#include "messages/error.hpp"

#include <string>

namespace breakwater {

/// Holds data_dir for this process; the lock goes with the descriptor, however the process ends.
class folder_lock {
public:
  /// Makes the folder where it is missing. Fails with errc::already_running or errc::file_unreadable.
  static result<folder_lock> take(const std::string& folder);
  folder_lock(folder_lock&& other) noexcept;
  folder_lock& operator=(folder_lock&&) = delete;
  ~folder_lock();

private:
  folder_lock() = default;
  int descriptor_ = -1;
};

} // namespace breakwater
