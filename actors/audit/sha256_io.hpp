#pragma once

#include <string>
#include <string_view>

namespace breakwater {

/// SHA-256 of `text` as 64 lower-case hex digits.
std::string sha256(std::string_view text);

} // namespace breakwater
