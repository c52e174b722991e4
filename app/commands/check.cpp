#include "app/commands/check.hpp"

#include "actors/feed/dialect.hpp"
#include "app/commands/common.hpp"
#include "config/load.hpp"
#include "config/print.hpp"

#include <ostream>

namespace breakwater {

namespace {

/// An empty feeds.<exchange>.url stands for the exchange's own address on the market; this is it.
void spell_out_urls(settings& what) {
  const auto kind = what.symbols.market;
  for (auto x : all_exchanges) {
    auto& feed = what.feeds.of[index_of(x)];
    if (!feed.url.empty()) continue;
    if (const auto speaks = make_dialect(x, kind, symbol_names::any(x, kind, {})))
      feed.url = speaks->rules().url;
  }
}

} // namespace

int check_command(const std::string& config_path, std::ostream& out, std::ostream& err) {
  auto loaded = load_settings(config_path, process_environment());
  if (!loaded) {
    err << loaded.error().detail << '\n';
    return exit_unusable;
  }
  for (const auto& warning : loaded->warnings) err << "warning: " << warning << '\n';
  if (const auto usable = judge_for_parts(loaded->values); !usable) {
    err << config_path << ": " << usable.error().detail << '\n';
    return exit_unusable;
  }
  spell_out_urls(loaded->values);
  out << effective_config(loaded->values);
  return exit_ok;
}

} // namespace breakwater
