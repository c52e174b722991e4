#include "app/commands/common.hpp"

#include "actors/bridge/contract_io.hpp"
#include "actors/redis/redis_url.hpp"
#include "actors/support/emit_io.hpp"
#include "config/load.hpp"

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
  return done{};
}

result<settings> load_without_log(const std::string& config_path) {
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
  return loaded->values;
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
