#include "app/commands/simulate.hpp"

#include "app/simulator/simulator_io.hpp"

#include <csignal>
#include <iostream>

namespace breakwater {
namespace {

/// What makes breakwater talk to `server` instead of the exchanges, ready to paste.
void print_config(const simulator& server, std::ostream& out) {
  for (auto kind : {market::spot, market::linear}) {
    // Spot is the default of symbols.market; the URLs of the other market stand behind it as comments.
    const char* comment = kind == market::spot ? "" : "# ";
    if (kind == market::linear) out << "\n# for symbols.market = \"linear\":\n";
    for (auto x : all_exchanges) {
      const auto url = server.url(x, kind);
      out << comment << "[feeds." << to_string(x) << "]\n" << comment;
      if (url.empty())
        out << "enabled = false  # the exchange has no such market\n";
      else
        out << "url = \"" << url << "\"\n" << comment << "rest_url = \"" << server.rest_url() << "\"\n";
    }
  }
}

} // namespace

int simulate_command(const simulate_options& options) {
  sigset_t ends;
  ::sigemptyset(&ends);
  ::sigaddset(&ends, SIGINT);
  ::sigaddset(&ends, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &ends, nullptr); // inherited by the server's thread

  simulator server{options};
  if (const auto started = server.start(); !started) {
    std::cerr << "breakwater simulate: " << started.error().detail << '\n';
    return 2;
  }
  std::cout << "# Simulated exchanges listen on port " << server.port() << "; SIGTERM or Ctrl-C ends them.\n"
            << "# Put this into the config of breakwater:\n";
  print_config(server, std::cout);
  std::cout.flush();

  int signal = 0;
  while (::sigwait(&ends, &signal) != 0) {
  }
  const auto sent = server.statistics();
  server.stop();
  std::cout << "Sent " << sent.frames_sent() << " frames";
  const char* comma = " (";
  for (auto x : all_exchanges)
    if (sent.frames[index_of(x)] > 0) {
      std::cout << comma << to_string(x) << ' ' << sent.frames[index_of(x)];
      comma = ", ";
    }
  std::cout << (sent.frames_sent() > 0 ? ")" : "") << " on " << sent.connections << " connections; "
            << sent.acknowledgements << " subscriptions acknowledged, " << sent.refusals << " refused; "
            << sent.limit_cuts << " connections cut for breaking a limit, " << sent.slow_cuts
            << " for not reading; " << sent.rest_answers << " requests for past candles"
            << (sent.script_finished ? "; the frames file was sent to its end" : "") << ".\n";
  const char* start = "Went wrong on purpose: ";
  for (std::size_t i = 0; i < fault_count; ++i)
    if (sent.faults[i] > 0) {
      std::cout << start << to_string(static_cast<fault>(i)) << ' ' << sent.faults[i];
      start = ", ";
    }
  if (start[0] == ',') std::cout << ".\n";
  std::cout.flush();
  return 0;
}

} // namespace breakwater
