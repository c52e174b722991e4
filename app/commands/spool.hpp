#pragma once

#include <iosfwd>
#include <string>

namespace breakwater {

enum class spool_verb : std::uint8_t { status, verify, dead, take_over };

struct spool_command_options {
  spool_verb verb = spool_verb::status;
  std::string config;
  bool json = false;   ///< Of status and dead.
  std::string requeue; ///< Of dead: a number or "all".
  std::string drop;    ///< Likewise.
  std::string stream;  ///< Of dead and take-over; empty: of all, or aggregator.stream.
  bool yes = false;    ///< Of take-over: do not ask.
};

/// `breakwater spool ...`: what is in process.data_dir/spool, and whose the stream is. Returns 0 when it is
/// done and fine, 1 when verify found problems or something was refused, 2 when it cannot be done at all.
int spool_command(const spool_command_options& options, std::istream& in, std::ostream& out,
                  std::ostream& err);

} // namespace breakwater
