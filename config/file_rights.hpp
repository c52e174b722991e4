#pragma once

#include <string>

/// Who may change a file that we believe, and who may read one that holds a secret.
namespace breakwater {

/// What is known of a file, its symbolic links followed.
struct file_rights {
  bool is_regular = true;
  unsigned mode = 0600;        ///< The lowest nine bits of st_mode.
  bool group_is_owners = true; ///< Its group is its owner's own, or ours: nobody else is in it.
  bool folder_is_open = false; ///< Everyone may replace it: its folder lets them, without the sticky bit.
};

/// A file that others may get at, and what to do. `command` is empty where there is nothing to do.
struct exposure {
  std::string text;    ///< Goes on behind the file's name: "can be read by everyone on this machine".
  std::string command; ///< "chmod o-r /etc/..."
  [[nodiscard]] bool empty() const noexcept { return command.empty(); }
};
inline std::string to_string(const exposure& x) { return x.text + ": " + x.command; }

/// Whether others can change what we are told. That must not be believed.
exposure who_may_write(const file_rights& of, const std::string& path);
/// Whether everyone can read it.
exposure who_may_read(const file_rights& of, const std::string& path);

/// Of the open file `descriptor`, which was found at `path`.
file_rights rights_of(int descriptor, const std::string& path);
/// Of the file at `path`; what cannot be looked at counts as no regular file.
file_rights rights_of(const std::string& path);

} // namespace breakwater
