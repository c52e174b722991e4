#include "actors/audit/sha256_io.hpp"

#include <openssl/sha.h>

#include <array>

namespace breakwater {

std::string sha256(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  for (const auto byte : digest) (hex += digits[byte >> 4]) += digits[byte & 15];
  return hex;
}

} // namespace breakwater
