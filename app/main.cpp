#include "app/commands/audit.hpp"
#include "app/commands/breaker.hpp"
#include "app/commands/check.hpp"
#include "app/commands/common.hpp"
#include "app/commands/demo.hpp"
#include "app/commands/diagnose.hpp"
#include "app/commands/replay.hpp"
#include "app/commands/run.hpp"
#include "app/commands/simulate.hpp"
#include "app/commands/spool.hpp"
#include "app/commands/version.hpp"

#include "config/value_text.hpp"

#include <CLI/CLI.hpp>

#include <iostream>
#include <malloc.h>
#include <sys/stat.h>

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

void add_fault_options(CLI::App& command, simulate_options& into) {
  std::string kinds;
  for (std::size_t i = 0; i < fault_count; ++i)
    kinds += std::string{"\n"} + to_string(static_cast<fault>(i)) + ": " + help_of(static_cast<fault>(i));
  command.add_option_function<std::vector<std::string>>(
      "--fault",
      [&into](const std::vector<std::string>& texts) {
        for (const auto& text : texts) {
          const auto rule = parse_fault_rule(text);
          if (!rule) throw CLI::ValidationError("--fault", rule.error().detail);
          into.faults.push_back(*rule);
        }
      },
      "KIND[,exchange=NAME][,every=30s][,for=10s][,after=0s]: goes wrong on purpose, again and again; "
      "without "
      "exchange= at all of them in turn. Repeatable. Kinds:" +
          kinds);
  command.add_option_function<std::string>(
      "--faults",
      [&into](const std::string& text) {
        const auto every = parse_all_faults(text);
        if (!every) throw CLI::ValidationError("--faults", every.error().detail);
        into.all_faults_every = *every;
      },
      "all[,every=10m]: every kind once in that time, in an order drawn by the seed");
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
  command
      .add_option("--quiet-minutes", into.quiet_minutes,
                  "Of ten minutes, so many have no trade at Kraken and Coinbase, 0 to 9")
      ->capture_default_str();
  add_fault_options(command, into);
  command.add_option("--certificate", into.certificate_file,
                     "PEM file; with --private-key the servers speak wss");
  command.add_option("--private-key", into.private_key_file, "PEM file");
}

void add_breaker_commands(CLI::App& command, breaker_command_options& into) {
  command.require_subcommand(1);
  const auto add = [&](const char* name, breaker_verb verb, const char* help) {
    auto* made = command.add_subcommand(name, help);
    made->callback([&into, verb] { into.verb = verb; });
    made->add_option("--name", into.name, "redis or orders")->capture_default_str();
    made->add_option("--config", into.config, "The process's config file: its api.listen and api.token_file");
    made->add_option("--api", into.api, "host:port of the API instead [127.0.0.1:8000]");
    made->add_flag("--json", into.json, "Print the API's answer as it is");
    return made;
  };
  add("status", breaker_verb::status, "How it stands; exit 0 when CLOSED, 1 when not");
  add("history", breaker_verb::history, "Its moves, newest first")
      ->add_option("--limit", into.limit, "How many, 1 to 1000")
      ->capture_default_str();
  auto* reset = add("reset", breaker_verb::reset, "Close it; exit 1 and the reasons when that is not safe");
  reset->add_flag("--override", into.override, "Also when it is not safe; needs --reason");
  reset->add_option("--reason", into.reason, "Why; kept in the audit log");
  add("open", breaker_verb::open, "Open it until it is reset")
      ->add_option("--reason", into.reason, "Why; kept in the audit log")
      ->required();
}

void add_spool_commands(CLI::App& command, spool_command_options& into) {
  command.require_subcommand(1);
  const auto add = [&](const char* name, spool_verb verb, const char* help) {
    auto* made = command.add_subcommand(name, help);
    made->callback([&into, verb] { into.verb = verb; });
    made->add_option("--config", into.config, "The process's config file")->required();
    return made;
  };
  add("status", spool_verb::status, "What waits for Redis, what is retained, where the input is read on")
      ->add_flag("--json", into.json, "As one JSON line");
  add("verify", spool_verb::verify,
      "Read every batch and check it; exit 1 and each problem if there are any");
  auto* dead = add("dead", spool_verb::dead, "Records that were set aside");
  dead->add_flag("--json", into.json, "One JSON line each");
  dead->add_option("--stream", into.stream, "Only of this stream");
  auto* requeue =
      dead->add_option("--requeue", into.requeue,
                       "Publish the ones with this number, or all, under new ids; no process may run");
  dead->add_option("--drop", into.drop, "Forget the ones with this number, or all; no process may run")
      ->excludes(requeue);
  auto* take = add("take-over", spool_verb::take_over,
                   "Make the stream in Redis this spool's, whoever's it is; shows it and asks");
  take->add_option("--stream", into.stream, "Which stream [aggregator.stream]");
  take->add_flag("--yes", into.yes, "Do not ask");
}

} // namespace

int main(int argc, char** argv) {
  // Batches of records come and go by the megabyte on several threads: freed, they are the system's again.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
  // Spool, audit log, log and reports are nobody's business but our group's; a stricter mask stays.
  ::umask(::umask(0) | 0027);
  CLI::App cli{
      "Crypto market data, merged across exchanges, onto a Redis stream: nothing lost, nothing twice"};
  bool verbose = false;
  // Before --version, which looks at it.
  auto* details = cli.add_flag("--verbose", verbose, "With --version: the libraries and their versions, too");
  details->needs(cli.set_version_flag("--version", [&verbose] { return version_text(verbose); }));
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

  auto* breaker =
      cli.add_subcommand("breaker", "A running process's circuit breakers. The token comes from "
                                    "api.token_file or the environment variable BREAKWATER_TOKEN");
  breaker_command_options broken;
  add_breaker_commands(*breaker, broken);

  auto* audit = cli.add_subcommand("audit", "The audit log of what operators and actors did");
  audit->require_subcommand(1);
  takes_config(audit->add_subcommand(
      "verify",
      "Check its chain of hashes; exit 1 and every place when lines were changed, removed or moved"));

  auto* spool =
      cli.add_subcommand("spool", "The spool on disk: what waits, is it whole, whose is the stream");
  spool_command_options spooled;
  add_spool_commands(*spool, spooled);

  auto* diagnose = cli.add_subcommand("diagnose", "What is wrong and what to do: looks at the running "
                                                  "process, its disk and Redis; exit 0 healthy, 1 attention, "
                                                  "2 critical");
  diagnose_options looked;
  diagnose->add_option("--config", looked.config, "The process's config file [the defaults]");
  diagnose->add_option("--json", looked.json, "File for all that was seen, as JSON; - for standard output");

  auto* demo = cli.add_subcommand(
      "demo", "Everything on this machine: private Redis, simulated exchanges, the process; typing stop and "
              "start stops and starts that Redis");
  demo_options shown;
  add_duration(*demo, "--for", shown.run_for, "How long, such as 30s or 2m; without it until Ctrl-C");
  demo->add_flag("--log", shown.log_to_stderr, "Show the log on standard error too");

  cli.footer("New here? breakwater demo shows everything and leaves nothing behind. Each command has its "
             "own --help.\n"
             "Exit codes: 0 done, 1 failed or refused, 2 could not be tried; some say more in their help.");
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return cli.exit(e) == 0 ? exit_ok : exit_unusable;
  }
  if (*run) return run_command(config);
  if (*check) return check_command(config, std::cout, std::cerr);
  if (*breaker) return breaker_command(broken, std::cout, std::cerr);
  if (*audit) return audit_verify_command(config);
  if (*spool) return spool_command(spooled, std::cin, std::cout, std::cerr);
  if (*diagnose) return diagnose_command(looked, std::cout, std::cerr);
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
