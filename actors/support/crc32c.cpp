#include "actors/support/crc32c.hpp"

#include <array>
#include <cstring>

namespace breakwater {
namespace {

constexpr auto table = [] {
  std::array<std::uint32_t, 256> made{};
  for (std::uint32_t i = 0; i < made.size(); ++i) {
    auto x = i;
    for (int bit = 0; bit < 8; ++bit) x = (x & 1) != 0 ? (x >> 1) ^ 0x82f63b78u : x >> 1;
    made[i] = x;
  }
  return made;
}();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::string_view bytes) noexcept {
  std::uint64_t x = 0xffffffffu;
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t eight;
    std::memcpy(&eight, bytes.data() + i, 8);
    x = __builtin_ia32_crc32di(x, eight);
  }
  auto last = static_cast<std::uint32_t>(x);
  for (; i < bytes.size(); ++i) last = __builtin_ia32_crc32qi(last, static_cast<unsigned char>(bytes[i]));
  return ~last;
}
#endif

} // namespace

std::uint32_t crc32c_by_table(std::string_view bytes) noexcept {
  std::uint32_t x = 0xffffffffu;
  for (const char c : bytes) x = (x >> 8) ^ table[(x ^ static_cast<unsigned char>(c)) & 0xff];
  return ~x;
}

std::uint32_t crc32c(std::string_view bytes) noexcept {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  if (has_instruction) return by_instruction(bytes);
#endif
  return crc32c_by_table(bytes);
}

} // namespace breakwater
