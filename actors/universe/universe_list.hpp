#pragma once

#include "messages/error.hpp"
#include "messages/redis.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace breakwater {

/// Which symbols to follow: the configured ones first, then those of the universe, in its order, until there
/// are enough. (The universe is sorted by the alphabet, so cutting it alone would keep the obscure ones.)
class universe_list {
public:
  universe_list(std::vector<std::string> first, std::size_t most);

  struct change {
    bool changed = false;         ///< What is followed is other than before.
    bool names_none = false;      ///< The universe is there and empty: only the configured ones are left.
    std::vector<std::string> odd; ///< Texts of the universe that are no symbols; left aside.
    std::vector<std::string> cut; ///< Symbols beyond the most.
  };
  /// Takes the key's value, JSON {"symbols": ["BTCUSDT", ...]}. Fails with errc::frame_not_json,
  /// errc::field_missing or errc::field_malformed, and leaves everything as it was.
  [[nodiscard]] result<change> take(std::string_view json);

  [[nodiscard]] const std::vector<std::string>& followed() const noexcept { return followed_; }

private:
  std::vector<std::string> first_;
  std::size_t most_;
  std::vector<std::string> followed_;
};

} // namespace breakwater
