#include "app/commands/replay.hpp"

#include "actors/feed/frame_file_io.hpp"
#include "actors/support/ask.hpp"
#include "app/commands/common.hpp"
#include "app/process.hpp"

#include <caf/actor_system.hpp>
#include <nlohmann/json.hpp>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <future>
#include <iostream>
#include <optional>

namespace breakwater {
namespace {

using clock = std::chrono::steady_clock;

/// The answer to a drain_request, or nothing if a signal asked us to stop meanwhile.
template <class Handle>
std::optional<drained> drain_unless_stopped(process& running, const stop_signals& signals,
                                            const Handle& whom) {
  while (true) { // an actor that is restarted meanwhile is asked again
    auto promise = std::make_shared<std::promise<std::optional<drained>>>();
    auto answer = promise->get_future();
    ask<drained>(running.system(), whom, std::chrono::hours{24}, drain_request{},
                 [promise](caf::expected<drained> got) {
                   promise->set_value(got ? std::optional{*got} : std::nullopt);
                 });
    while (answer.wait_for(std::chrono::milliseconds{0}) != std::future_status::ready)
      if (signals.wait_for(std::chrono::milliseconds{5})) return std::nullopt;
    if (auto got = answer.get()) return got;
    if (signals.wait_for(std::chrono::milliseconds{100})) return std::nullopt;
  }
}

std::uint64_t fact(const health_answer& of, std::string_view name) {
  for (const auto& [key, value] : of.facts)
    if (key == name) return std::strtoull(value.c_str(), nullptr, 10);
  return 0;
}

double rounded(double x) { return std::round(x * 1000) / 1000; }

} // namespace

int replay_command(const replay_command_options& options) {
  const stop_signals signals;
  const auto settings = load_for_command(options.config);
  if (!settings) return exit_unusable;
  auto frames = frame_file_io::open(options.frames);
  if (!frames) return refuse(frames.error());
  auto started = process::start(*settings, {std::move(*frames), options.speed});
  if (!started) return refuse(started.error());
  auto& running = **started;

  const auto began = clock::now();
  const auto& actors = running.actors();
  std::optional<drained> published;
  if (drain_unless_stopped(running, signals, actors.replay) &&
      drain_unless_stopped(running, signals, actors.aggregator))
    published = drain_unless_stopped(running, signals, actors.publisher);
  const std::chrono::duration<double> took = clock::now() - began;
  const auto read = ask_and_wait<health_answer>(running.system(), actors.replay, std::chrono::seconds{5},
                                                health_question{});
  const auto supervised = ask_and_wait<health_answer>(running.system(), actors.supervisor,
                                                      std::chrono::seconds{5}, health_question{});
  const int code = running.stop();
  if (supervised && fact(*supervised, "restarts.replay") > 0) {
    std::cerr << "breakwater: the replay failed on the way and skipped frames; the log says why\n";
    return exit_failed;
  }
  if (read && read->level == health_level::critical) {
    std::cerr << "breakwater: " << options.frames << " could not be read to its end: " << read->why << '\n';
    return exit_failed;
  }
  if (!published || !read) {
    std::cerr << "breakwater: the replay was stopped before Redis had everything\n";
    return exit_failed;
  }

  const double seconds = std::max(took.count(), 1e-6);
  const auto count = fact(*read, "frames"), skipped = fact(*read, "skipped"),
             unreadable = fact(*read, "unreadable");
  if (options.json) {
    const nlohmann::ordered_json line{
        {"frames", count},
        {"records", published->records},
        {"seconds", rounded(seconds)},
        {"frames_per_s", rounded(static_cast<double>(count) / seconds)},
        {"records_per_s", rounded(static_cast<double>(published->records) / seconds)},
        {"candles", fact(*read, "candles")},
        {"unreadable", unreadable},
        {"skipped", skipped},
        {"stream", settings->aggregator.stream}};
    std::cout << line.dump() << std::endl;
  } else {
    std::printf("%llu frames -> %zu records in %s, acknowledged by Redis, in %.3f s\n",
                static_cast<unsigned long long>(count), published->records,
                settings->aggregator.stream.c_str(), seconds);
    if (skipped + unreadable > 0)
      std::printf("%llu lines skipped, %llu frames unreadable; the log says which\n",
                  static_cast<unsigned long long>(skipped), static_cast<unsigned long long>(unreadable));
  }
  return code;
}

} // namespace breakwater
