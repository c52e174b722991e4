#include "app/commands/check.hpp"
#include "app/commands/common.hpp"
#include "app/commands/demo.hpp"
#include "app/commands/replay.hpp"
#include "app/commands/run.hpp"
#include "app/commands/simulate.hpp"

#include "config/value_text.hpp"

#include <CLI/CLI.hpp>

#include <iostream>

namespace {

using namespace breakwater;

void add_duration(CLI::App& command, const std::string& name, milliseconds& into, const std::string& help) {
  command.add_option_function<std::string>(
      name,
      [name, &into](const std::string& text) {
        const auto read = config::parse_duration(text);
        if (!read)
          throw CLI::ValidationError(name, "'" + text + "' is no duration; write it as 250ms, 30s or 2m");
        into = *read;
      },
      help);
}

void add_simulate_options(CLI::App& command, simulate_options& into) {
  command.add_option("--listen", into.listen, "host:port to serve on; port 0 takes any free one")
      ->capture_default_str();
  command.add_option("--frames", into.frames_file, "JSON lines to send instead of invented prices");
  command.add_option("--speed", into.speed, "Of --frames: times as fast as recorded")->capture_default_str();
  add_duration(command, "--interval", into.interval, "Between two updates of a candle [250ms]");
  command.add_option("--seed", into.seed, "The same seed shows the same market")->capture_default_str();
  command.add_option("--symbols", into.symbols, "What the exchanges list; others are unknown to them")
      ->delimiter(',');
  command.add_option("--certificate", into.certificate_file,
                     "PEM file; with --private-key the servers speak wss");
  command.add_option("--private-key", into.private_key_file, "PEM file");
}

} // namespace

int main(int argc, char** argv) {
  CLI::App cli{
      "Crypto market data, merged across exchanges, onto a Redis stream: nothing lost, nothing twice"};
  cli.set_version_flag("--version", "breakwater " BREAKWATER_VERSION);
  cli.require_subcommand(1);

  std::string config;
  auto takes_config = [&](CLI::App* command) {
    command->add_option("--config", config, "The config file; config/breakwater.toml shows every key")
        ->required();
  };

  auto* run = cli.add_subcommand("run", "The process: exchanges -> merged records -> Redis, until SIGTERM");
  takes_config(run);

  auto* check =
      cli.add_subcommand("check", "Validate a config file and print what it means; exit 2 if it is refused");
  takes_config(check);

  auto* replay =
      cli.add_subcommand("replay", "Recorded frames through the real pipeline into Redis, then exit");
  takes_config(replay);
  replay_command_options replayed;
  std::string speed = "max";
  replay
      ->add_option("--frames", replayed.frames,
                   R"(JSON lines {"recv_ms": ..., "exchange": "binance", "frame": {...}})")
      ->required();
  replay->add_option("--speed", speed, "Times as fast as recorded, or max")->capture_default_str();
  replay->add_flag("--json", replayed.json, "Close with one JSON line of what was done");

  auto* simulate =
      cli.add_subcommand("simulate", "The exchanges' WebSocket servers on this machine, invented prices");
  simulate_options simulated;
  add_simulate_options(*simulate, simulated);

  auto* demo = cli.add_subcommand(
      "demo", "Everything on this machine: private Redis, simulated exchanges, the process");
  demo_options shown;
  add_duration(*demo, "--for", shown.run_for, "How long, such as 30s or 2m; without it until Ctrl-C");
  demo->add_flag("--log", shown.log_to_stderr, "Show the log on standard error too");

  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return cli.exit(e) == 0 ? exit_ok : exit_unusable;
  }
  if (*run) return run_command(config);
  if (*check) return check_command(config, std::cout, std::cerr);
  if (*simulate) return simulate_command(simulated);
  if (*demo) return demo_command(shown);
  replayed.config = config;
  if (speed != "max") {
    char* end = nullptr;
    replayed.speed = std::strtod(speed.c_str(), &end);
    if (*end != '\0' || !(replayed.speed > 0)) {
      std::cerr << "breakwater: --speed is '" << speed << "'; give a number above 0, or max\n";
      return exit_unusable;
    }
  }
  return replay_command(replayed);
}
