#pragma once

#include "messages/error.hpp"

#include <cstdint>
#include <string_view>

namespace breakwater {

/// Where audit lines go. audit_file_io keeps a file; tests keep a vector.
struct audit_port {
  virtual ~audit_port() = default;
  /// The number of the newest line that is there; 0: none.
  [[nodiscard]] virtual std::uint64_t last_number() const = 0;
  /// Appends `line` and a line end. Fails with errc::file_unreadable; then nothing of the line counts.
  virtual result<done> append(std::string_view line) = 0;
};

} // namespace breakwater
