#include "app/commands/demo.hpp"

#include "actors/support/ask.hpp"
#include "actors/support/emit_io.hpp"
#include "app/commands/common.hpp"
#include "app/private_redis.hpp"
#include "app/process.hpp"
#include "app/simulator/simulator_io.hpp"

#include <hiredis.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>

namespace breakwater {
namespace {

using clock = std::chrono::steady_clock;

struct free_reply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using owned_reply = std::unique_ptr<redisReply, free_reply>;

/// Reads the output stream as a trading model would: the entries behind the last one seen.
class stream_reader {
public:
  stream_reader(const std::string& socket, std::string stream)
      : redis_(redisConnectUnix(socket.c_str()), redisFree), stream_(std::move(stream)) {}

  struct entry {
    std::string symbol, timestamp, price, divergence, exchanges;
  };
  /// The newest entry of each symbol among those that came since the last call; `count` grows by their
  /// number.
  std::map<std::string, entry> read_new(std::size_t& count) {
    std::map<std::string, entry> newest;
    while (true) {
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

  std::unique_ptr<redisContext, decltype(&redisFree)> redis_;
  std::string stream_;
  std::string last_ = "0-0";
};

settings demo_settings(const private_redis& redis, const simulator& exchanges, bool log_to_stderr) {
  settings s;
  s.process.instance = "demo";
  s.process.data_dir = redis.folder() + "/data";
  s.spool.max_bytes = std::size_t{64} << 20; // it is taken from the disk at once
  s.redis.url = redis.address();
  s.api.listen = "127.0.0.1:0";
  for (auto x : all_exchanges) {
    s.feeds.of[index_of(x)].url = exchanges.url(x, s.symbols.market);
    s.feeds.of[index_of(x)].rest_url = exchanges.rest_url();
  }
  if (!log_to_stderr) s.log.file = redis.folder() + "/breakwater.log";
  return s;
}

/// Where the API listens; port 0 was asked for.
std::string api_address(process& running) {
  const auto told = ask_and_wait<health_answer>(running.system(), running.actors().api,
                                                std::chrono::seconds{5}, health_question{});
  return told && !told->facts.empty() ? told->facts.front().second : "nowhere";
}

void print_line(std::chrono::seconds since_start, std::size_t total, std::size_t before,
                const std::map<std::string, stream_reader::entry>& newest) {
  std::printf("%4llds  %6zu records (+%zu/s)",
              static_cast<long long>(std::chrono::duration_cast<std::chrono::seconds>(since_start).count()),
              total, total - before);
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
  std::printf("redis-server     %s (private, gone with this demo)\n", redis->socket_path().c_str());
  std::printf(
      "exchanges        Binance, Bybit, Coinbase, OKX and Kraken with invented prices, 127.0.0.1:%d\n",
      exchanges.port());
  std::printf("merged records   %s\n", settings.aggregator.stream.c_str());
  std::printf("API              http://%s/health and /api/circuit-breaker/status\n\n",
              api_address(**running).c_str());

  stream_reader reader{redis->socket_path(), settings.aggregator.stream};
  const auto start = clock::now();
  std::size_t total = 0;
  for (auto second = 1s; options.run_for == 0ms || second <= std::max(options.run_for, milliseconds{1s});
       second += 1s) {
    const auto left = std::chrono::duration_cast<milliseconds>(start + second - clock::now());
    if (signals.wait_for(std::max(left, 1ms))) break;
    const auto before = total;
    const auto newest = reader.read_new(total);
    print_line(second, total, before, newest);
  }

  const int code = (*running)->stop();
  reader.read_new(total);
  std::printf("\n%zu merged records arrived in Redis; redis-server and files are removed\n", total);
  if (total > 0 && code == exit_ok) return exit_ok;
  std::cerr << "breakwater: the demo did not work; its log says why:\n";
  if (!options.log_to_stderr) std::cerr << std::ifstream{settings.log.file}.rdbuf();
  return exit_failed;
}

} // namespace breakwater
