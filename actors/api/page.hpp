#pragma once

#include <string_view>

namespace breakwater {

/// The status page, page/index.html. Every "@NONCE@" in it gives way to a number used once, which its style
/// and its script are let through by.
std::string_view page_text() noexcept;

} // namespace breakwater
