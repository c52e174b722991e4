#include "app/commands/common.hpp"

#include "actors/bridge/contract_io.hpp"
#include "actors/redis/redis_url.hpp"
#include "actors/support/emit_io.hpp"

#include <filesystem>
#include <iostream>

namespace breakwater {

int refuse(const failure& why) {
  std::cerr << "breakwater: " << why.detail << '\n';
  return exit_unusable;
}

result<done> judge_for_parts(const settings& what) {
  if (auto address = address_of(what.redis); !address)
    return failure{errc::config_invalid, "redis.url, redis.username: " + address.error().detail};
  if (auto contracts = load_contracts(what); !contracts) return contracts.error();
  // Who can change a contract decides what is a valid intent.
  for (const auto& route : what.bridges) {
    const auto path =
        (std::filesystem::path{what.folder} / "contracts" / (route.contract + ".json")).string();
    const auto rights = rights_of(path);
    if (const auto open = who_may_write(rights, path); rights.is_regular && !open.empty())
      return failure{errc::config_invalid, path + ": " + to_string(open) + ", and look what stands in it"};
  }
  return done{};
}

result<loaded_settings> load_whole(const std::string& config_path) {
  auto loaded = load_settings(config_path, process_environment());
  if (!loaded) {
    std::cerr << loaded.error().detail << '\n';
    return loaded.error();
  }
  for (const auto& warning : loaded->warnings) std::cerr << "warning: " << warning << '\n';
  if (auto usable = judge_for_parts(loaded->values); !usable) {
    refuse(usable.error());
    return usable.error();
  }
  return loaded;
}

result<settings> load_without_log(const std::string& config_path) {
  auto loaded = load_whole(config_path);
  if (!loaded) return loaded.error();
  return std::move(loaded->values);
}

result<settings> load_for_command(const std::string& config_path) {
  auto loaded = load_without_log(config_path);
  if (!loaded) return loaded;
  if (auto opened = open_log(loaded->log); !opened) {
    refuse(opened.error());
    return opened.error();
  }
  return loaded;
}

} // namespace breakwater
