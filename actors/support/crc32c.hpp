#pragma once

#include <cstdint>
#include <string_view>

namespace breakwater {

/// CRC-32C (Castagnoli), as iSCSI and ext4 use it. By the processor's instruction where it has one.
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes) noexcept;
/// The same by table, for processors without it.
[[nodiscard]] std::uint32_t crc32c_by_table(std::string_view bytes) noexcept;

} // namespace breakwater
