#include "app/commands/demo.hpp"

#include "actors/support/ask.hpp"
#include "actors/support/emit_io.hpp"
#include "app/commands/common.hpp"
#include "app/private_redis.hpp"
#include "app/process.hpp"
#include "app/simulator/simulator_io.hpp"
#include "config/print.hpp"

#include <hiredis.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <optional>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace breakwater {
namespace {

using clock = std::chrono::steady_clock;

struct free_reply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using owned_reply = std::unique_ptr<redisReply, free_reply>;

/// Reads the output stream as a trading model would: the entries behind the last one seen, over as many
/// connections as it takes.
class stream_reader {
public:
  stream_reader(std::string socket, std::string stream)
      : socket_(std::move(socket)), stream_(std::move(stream)) {}

  struct entry {
    std::string symbol, timestamp, price, divergence, exchanges;
  };
  /// The newest entry of each symbol among those that came since the last call; `count` grows by their
  /// number.
  std::map<std::string, entry> read_new(std::size_t& count) {
    std::map<std::string, entry> newest;
    if (!redis_ || redis_->err) redis_.reset(redisConnectUnix(socket_.c_str()));
    while (redis_ && !redis_->err) {
      const owned_reply reply{static_cast<redisReply*>(
          redisCommand(redis_.get(), "XRANGE %s (%s + COUNT 1000", stream_.c_str(), last_.c_str()))};
      if (!reply || reply->type != REDIS_REPLY_ARRAY) return newest;
      for (std::size_t i = 0; i < reply->elements; ++i) {
        const auto* id = reply->element[i]->element[0];
        last_.assign(id->str, id->len);
        auto read = fields_of(*reply->element[i]->element[1]);
        newest[read.symbol] = std::move(read);
      }
      count += reply->elements;
      if (reply->elements < 1000) return newest;
    }
    return newest;
  }

private:
  static entry fields_of(const redisReply& flat) {
    entry e;
    const std::map<std::string_view, std::string*> wanted{{"symbol", &e.symbol},
                                                          {"timestamp", &e.timestamp},
                                                          {"avg_price", &e.price},
                                                          {"price_divergence", &e.divergence},
                                                          {"num_exchanges", &e.exchanges}};
    for (std::size_t i = 0; i + 1 < flat.elements; i += 2) {
      const auto place = wanted.find({flat.element[i]->str, flat.element[i]->len});
      if (place != wanted.end()) place->second->assign(flat.element[i + 1]->str, flat.element[i + 1]->len);
    }
    return e;
  }

  std::string socket_, stream_;
  std::unique_ptr<redisContext, decltype(&redisFree)> redis_{nullptr, redisFree};
  std::string last_ = "0-0";
};

/// Lines typed at the demo, without waiting for one. In the background nobody types at us, and reading the
/// terminal there would stop the process.
class typed_lines {
public:
  std::optional<std::string> next() {
    while (true) {
      if (const auto end = typed_.find('\n'); end != std::string::npos) {
        auto line = typed_.substr(0, end);
        typed_.erase(0, end + 1);
        return line;
      }
      if (!readable()) return std::nullopt;
      char more[256];
      const auto length = ::read(STDIN_FILENO, more, sizeof more);
      if (length <= 0) open_ = false;
      if (length > 0) typed_.append(more, static_cast<std::size_t>(length));
      if (typed_.size() > 4096) typed_.clear(); // no word of ours
    }
  }

private:
  [[nodiscard]] bool readable() const noexcept {
    if (!open_ || (::isatty(STDIN_FILENO) && ::tcgetpgrp(STDIN_FILENO) != ::getpgrp())) return false;
    pollfd input{STDIN_FILENO, POLLIN, 0};
    return ::poll(&input, 1, 0) > 0;
  }

  bool open_ = true;
  std::string typed_;
};

bool is_free(in_port_t port) noexcept {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool free = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return free;
}

settings demo_settings(const private_redis& redis, const simulator& exchanges, bool log_to_stderr) {
  settings s;
  s.process.instance = "demo";
  s.process.data_dir = redis.folder() + "/data";
  s.spool.max_bytes = std::size_t{64} << 20; // it is taken from the disk at once
  s.redis.url = redis.address();
  s.health.interval = 5s;
  s.redis.backoff_max = 2s; // whoever stops Redis for a look does not want to wait for half a minute
  // Where every command looks by itself, if nobody is there yet.
  if (!is_free(8000)) s.api.listen = "127.0.0.1:0";
  for (auto x : all_exchanges) {
    s.feeds.of[index_of(x)].url = exchanges.url(x, s.symbols.market);
    s.feeds.of[index_of(x)].rest_url = exchanges.rest_url();
  }
  if (!log_to_stderr) s.log.file = redis.folder() + "/breakwater.log";
  return s;
}

/// Where the API listens; port 0 may have been asked for.
std::string api_address(process& running) {
  const auto told = ask_and_wait<health_answer>(running.system(), running.actors().api,
                                                std::chrono::seconds{5}, health_question{});
  return told && !told->facts.empty() ? told->facts.front().second : "nowhere";
}

/// For the commands that look at this process: breakwater diagnose --config FILE and others.
std::string write_config(settings what, const std::string& folder, const std::string& api) {
  what.api.listen = api;
  auto file = folder + "/breakwater.toml";
  std::ofstream{file} << effective_config(what);
  return file;
}

/// Why no prices are to be shown now; empty when all is well.
std::string trouble(process& running, const private_redis& redis) {
  const auto& actors = running.actors();
  const auto circuit = ask_and_wait<breaker_report>(running.system(), actors.breaker, 1s, breaker_question{});
  const auto spool = ask_and_wait<spool_report>(running.system(), actors.publisher, 1s, spool_question{});
  const bool closed = circuit && circuit->phase == breaker_phase::closed;
  if (redis.runs() && closed) return {};
  std::string text = redis.runs() ? "Redis is back" : "Redis is stopped";
  if (circuit) ((text += "; circuit ") += to_string(circuit->phase));
  if (spool) ((text += "; ") += std::to_string(spool->waiting)) += " records wait in the spool";
  return text;
}

/// What `line`, typed by somebody, asks for.
void obey(const std::string& line, private_redis& redis) {
  const auto say = [](const result<done>& how, const char* fine) {
    std::printf("      %s\n", how ? fine : how.error().detail.c_str());
  };
  if (line == "stop")
    say(redis.stop(), "redis-server is stopped; \"start\" starts it again");
  else if (line == "start")
    say(redis.start_again(), "redis-server runs");
  else
    std::printf("      type stop, start or, to end the demo, Ctrl-C\n");
}

struct balance {
  std::uint64_t accepted = 0; ///< Records on disk,
  std::size_t read = 0;       ///< and those that came through Redis, counted at the same moment.
};

/// Both, once nothing comes any more and Redis has had some time to take the rest.
balance settled(process& running, stream_reader& reader, std::size_t& total) {
  balance last;
  int unchanged = 0;
  for (const auto until = clock::now() + 5s; clock::now() < until && unchanged < 5;) {
    std::this_thread::sleep_for(50ms);
    const auto spool =
        ask_and_wait<spool_report>(running.system(), running.actors().publisher, 1s, spool_question{});
    reader.read_new(total);
    if (!spool) continue;
    unchanged = last.accepted == spool->accepted && total == spool->accepted ? unchanged + 1 : 0;
    last = {spool->accepted, total};
  }
  return last;
}

void print_line(std::chrono::seconds since_start, std::size_t total, std::size_t before,
                const std::string& wrong, const std::map<std::string, stream_reader::entry>& newest) {
  std::printf("%4llds  %6zu records (+%zu/s)",
              static_cast<long long>(std::chrono::duration_cast<std::chrono::seconds>(since_start).count()),
              total, total - before);
  if (!wrong.empty())
    std::printf("  %s", wrong.c_str());
  else
    for (const auto& [symbol, e] : newest)
      std::printf("  %s %.2f +-%.2f from %s", symbol.c_str(), std::strtod(e.price.c_str(), nullptr),
                  std::strtod(e.divergence.c_str(), nullptr), e.exchanges.c_str());
  std::printf("\n");
  std::fflush(stdout);
}

} // namespace

int demo_command(const demo_options& options) {
  const stop_signals signals;
  auto redis = private_redis::start();
  if (!redis) return refuse(redis.error());
  simulator_options simulated;
  simulated.listen = "127.0.0.1:0";
  simulator exchanges{simulated};
  if (auto up = exchanges.start(); !up) return refuse(up.error());

  const auto settings = demo_settings(*redis, exchanges, options.log_to_stderr);
  if (auto opened = open_log(settings.log); !opened) return refuse(opened.error());
  auto running = process::start(settings);
  if (!running) return refuse(running.error());
  const auto api = api_address(**running);
  std::printf("redis-server     %s (private, gone with this demo)\n", redis->socket_path().c_str());
  std::printf(
      "exchanges        Binance, Bybit, Coinbase, OKX and Kraken with invented prices, 127.0.0.1:%d\n",
      exchanges.port());
  std::printf("merged records   %s\n", settings.aggregator.stream.c_str());
  std::printf("status page      http://%s/\n", api.c_str());
  std::printf("config           %s\n", write_config(settings, redis->folder(), api).c_str());
  std::printf("Type stop and Enter to stop redis-server, start to start it again.\n\n");

  stream_reader reader{redis->socket_path(), settings.aggregator.stream};
  const auto start = clock::now();
  typed_lines typed;
  std::size_t total = 0;
  for (auto second = 1s; options.run_for == 0ms || second <= std::max(options.run_for, milliseconds{1s});
       second += 1s) {
    const auto left = std::chrono::duration_cast<milliseconds>(start + second - clock::now());
    if (signals.wait_for(std::max(left, 1ms))) break;
    for (auto line = typed.next(); line; line = typed.next()) obey(*line, *redis);
    const auto before = total;
    const auto newest = reader.read_new(total);
    print_line(second, total, before, trouble(**running, *redis), newest);
  }

  exchanges.stop();
  const auto [accepted, read] = settled(**running, reader, total);
  const int code = (*running)->stop();
  reader.read_new(total);
  const bool all_there = accepted == read;
  std::printf("\n%llu records were accepted on disk, %zu came through Redis",
              static_cast<unsigned long long>(accepted), read);
  if (all_there)
    std::printf(": none is missing, none came twice");
  else if (!redis->runs())
    std::printf("; Redis is stopped, so the rest waits in the spool");
  std::printf("\n%zu merged records arrived in Redis; redis-server and files are removed\n", total);
  if (total > 0 && code == exit_ok && (all_there || !redis->runs())) return exit_ok;
  std::cerr << "breakwater: the demo did not work; its log says why:\n";
  if (!options.log_to_stderr) std::cerr << std::ifstream{settings.log.file}.rdbuf();
  return exit_failed;
}

} // namespace breakwater
