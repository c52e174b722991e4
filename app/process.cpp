#include "app/process.hpp"

#include "actors/alerts/webhook_io.hpp"
#include "actors/api/http_io.hpp"
#include "actors/audit/audit_file_io.hpp"
#include "actors/audit/sha256_io.hpp"
#include "actors/breaker/breaker_store_io.hpp"
#include "actors/bridge/contract_io.hpp"
#include "actors/feed/frame_source_port.hpp"
#include "actors/feed/rest_io.hpp"
#include "actors/feed/websocket_io.hpp"
#include "actors/health/service_io.hpp"
#include "actors/health/service_watch.hpp"
#include "actors/position_monitor/log_tail_io.hpp"
#include "actors/publisher/spool_io.hpp"
#include "actors/redis/redis_io.hpp"
#include "actors/support/ask.hpp"
#include "actors/support/emit.hpp"
#include "actors/support/emit_io.hpp"
#include "actors/support/metrics_io.hpp"
#include "app/folder_lock.hpp"
#include "config/secret_file.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <thread>
#include <unistd.h>

namespace breakwater {
namespace {

constexpr const char* name = "process";

/// Recorded frames that end when the process is to stop.
class stoppable_frames final : public frame_source_port {
public:
  explicit stoppable_frames(std::shared_ptr<frame_source_port> frames) : frames_(std::move(frames)) {}

  void next(std::size_t max, recorded_frames& out) override {
    if (!stopped_) return frames_->next(max, out);
    out = {};
    out.at_end = true;
  }
  void stop() noexcept { stopped_ = true; }

private:
  std::shared_ptr<frame_source_port> frames_;
  std::atomic<bool> stopped_{false};
};

std::size_t workers(const settings& what) {
  if (what.process.worker_threads > 0) return what.process.worker_threads;
  return std::max<std::size_t>(2, std::thread::hardware_concurrency());
}

/// An io_context and the thread that runs it.
class io_thread {
public:
  void start() {
    thread_ = std::thread{[this] { io.run(); }};
  }
  void end() {
    keep_.reset();
    io.stop();
    if (thread_.joinable()) thread_.join();
  }

  boost::asio::io_context io{1};

private:
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> keep_{io.get_executor()};
  std::thread thread_;
};

struct system_config : caf::actor_system_config {
  explicit system_config(std::size_t threads) {
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", threads);
    set("scheduler.max-throughput", std::size_t{100}); // the default, no limit, starves actors
  }
};

} // namespace

/// In the order of their making; they end the other way round.
struct process::parts {
  parts(const settings& s, folder_lock held) : what(s), lock(std::move(held)), config(workers(s)) {}
  /// The network first: what it has for the actors, it has for nobody then.
  ~parts() {
    let_hear({});
    network.end();
    api.end();
    logs->end();
    actors = {};
    system.reset();
  }
  parts(const parts&) = delete;
  parts& operator=(const parts&) = delete;

  settings what;
  folder_lock lock;
  io_thread network;
  io_thread api; ///< Of its own, so that clients of the API never hold up market data.
  std::shared_ptr<log_tail_io> logs = std::make_shared<log_tail_io>();
  std::shared_ptr<spool_io> spool;
  std::shared_ptr<service_port> service;      ///< nullptr: nobody wants to know.
  std::shared_ptr<stoppable_frames> recorded; ///< nullptr: live feeds.
  std::atomic<bool> gave_up{false};
  system_config config;
  std::unique_ptr<caf::actor_system> system;
  wired actors;
  bool stopped = false;
};

process::process(std::unique_ptr<parts> made) : parts_(std::move(made)) {}

result<std::unique_ptr<process>> process::start(const settings& what, recording recorded) {
  auto lock = folder_lock::take(what.process.data_dir);
  if (!lock) return lock.error();
  if (auto usable = can_append_audit(what.process.data_dir); !usable) return usable.error();

  auto contracts = load_contracts(what);
  if (!contracts) return contracts.error();
  auto spool = spool_io::open(what.process.data_dir + "/spool", what.spool);
  if (!spool) return spool.error();
  auto made = std::make_unique<parts>(what, std::move(*lock));
  auto& p = *made;
  p.spool = std::move(*spool);
  if (const auto& why = p.spool->unreserved(); !why.empty())
    emit(name, event::spool_unreserved,
         {{"data_dir", what.process.data_dir}, {"bytes", what.spool.max_bytes}, {"reason", why}});
  p.system = std::make_unique<caf::actor_system>(p.config);
  p.network.start();

  edges world;
  world.sockets = std::make_shared<websocket_io>(p.network.io);
  world.rest = std::make_shared<rest_io>(p.network.io);
  world.redis = std::make_shared<redis_io>(p.network.io);
  world.breakers = open_breaker_store(what.process.data_dir);
  if (const auto& file = what.redis.password_file; !file.empty())
    world.redis_password = [file]() -> std::optional<secret> {
      auto read = read_secret_file(file);
      if (read) return std::move(read->value);
      emit("redis", event::redis_password_unread, {{"reason", read.error().detail}});
      return std::nullopt;
    };
  if (!what.api.listen.empty() && !recorded.frames) {
    p.api.start();
    world.http = std::make_shared<http_io>(p.api.io);
    world.metrics = std::make_shared<metrics_io>();
  }
  world.logs = p.logs;
  if (!what.alerts.webhook_url.empty() && !recorded.frames)
    world.webhook = std::make_shared<webhook_io>(p.network.io, what.alerts.webhook_url);
  if (!recorded.frames) world.service = p.service = open_service();
  world.open_spool = [spool = p.spool](const std::string& stream) { return spool->stream(stream); };
  world.audit = audit_file(what.process.data_dir);
  world.hash = sha256;
  world.clock = system_wall_time;
  world.contracts = std::move(*contracts);
  if (recorded.frames)
    world.recorded = p.recorded = std::make_shared<stoppable_frames>(std::move(recorded.frames));
  world.replay_speed = recorded.speed;
  world.on_hang = [] {
    close_log();
    std::_Exit(EXIT_FAILURE); // the handler that hangs holds a thread that nothing can end
  };
  world.on_end = [&gave_up = p.gave_up](const failure& why) {
    if (why.code == errc::none) return;
    gave_up = true;
    ::kill(::getpid(), SIGTERM); // wakes main
  };
  p.actors = start_actors(*p.system, what, std::move(world));
  if (p.actors.api) let_hear([api = p.actors.api](happening told) { caf::anon_send(api, std::move(told)); });
  // Once it answers every child was started, so nothing said to one from here on is lost.
  const auto up = ask_and_wait<health_answer>(*p.system, p.actors.supervisor, std::chrono::seconds{30},
                                              health_question{});
  if (!up) return failure{errc::crashed, "the actors did not start; the log says why"};
  emit(name, event::process_started,
       {{"version", BREAKWATER_VERSION},
        {"instance", what.process.instance},
        {"pid", ::getpid()},
        {"data_dir", what.process.data_dir}});
  caf::anon_send(p.actors.audit,
                 audit_record{"process_started",
                              name,
                              {{"version", BREAKWATER_VERSION}, {"pid", std::to_string(::getpid())}}});
  return std::unique_ptr<process>{new process(std::move(made))};
}

caf::actor_system& process::system() noexcept { return *parts_->system; }
const wired& process::actors() const noexcept { return parts_->actors; }

int process::stop() {
  auto& p = *parts_;
  if (std::exchange(p.stopped, true)) return EXIT_FAILURE;
  const auto deadline = std::chrono::steady_clock::now() + p.what.process.shutdown_timeout;
  bool lost = false;
  const auto tell_service = [&p](std::string_view doing, std::chrono::milliseconds at_most) {
    if (p.service) p.service->tell(stopping_lines(doing, at_most));
  };
  if (!p.gave_up) {
    emit(name, event::process_stopping);
    tell_service("stopping: what was taken is drained", p.what.process.shutdown_timeout);
    const auto drain = [&](const auto& who) {
      const auto left = std::max<std::chrono::nanoseconds>(deadline - std::chrono::steady_clock::now(), 1ms);
      return bool{ask_and_wait<drained>(*p.system, who, left, drain_request{})};
    };
    if (p.recorded) {
      p.recorded->stop();
      lost |= !drain(p.actors.replay);
    }
    for (const auto& feed : p.actors.feeds) lost |= !drain(feed);
    if (p.actors.raw_reader) drain(p.actors.raw_reader); // what it does not pass on stays in Redis
    if (p.actors.raw_writer) lost |= !drain(p.actors.raw_writer);
    const bool merged = drain(p.actors.aggregator);
    lost |= !merged && !p.actors.raw_reader; // a raw stream still has what is not on disk
    // What Redis did not take in time is in the spool, and goes out after the next start.
    drain(p.actors.publisher);
    if (p.actors.raw_publisher) drain(p.actors.raw_publisher);
  }
  const auto waiting = [&] {
    return p.spool->waiting(p.what.aggregator.stream) + p.spool->waiting(p.what.aggregator.raw_stream);
  };
  caf::anon_send(p.actors.audit, audit_record{"process_stopped",
                                              name,
                                              {{"drained", lost || p.gave_up ? "no" : "yes"},
                                               {"waiting", std::to_string(waiting())}}});
  // Each child has its grace; one that hangs ends the process.
  const auto graces = p.what.supervisor.grace * 16;
  tell_service("stopping: the actors end", graces);
  const bool ended = bool{ask_and_wait<stopped>(*p.system, p.actors.supervisor, graces, stop_request{})};
  if (lost) emit(name, event::drain_gave_up);
  for (const auto& stream : {p.what.aggregator.stream, p.what.aggregator.raw_stream})
    if (const auto left = p.spool->waiting(stream); left > 0)
      emit(name, event::spool_keeps, {{"stream", stream}, {"count", left}});
  const bool fine = ended && !lost && !p.gave_up;
  tell_repeats();
  emit(name, event::process_stopped, {{"code", fine ? EXIT_SUCCESS : EXIT_FAILURE}});
  close_log();
  return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}

process::~process() {
  if (parts_ && !parts_->stopped) stop();
}

stop_signals::stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

bool stop_signals::wait_for(std::chrono::milliseconds time) const {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  const auto s = std::chrono::duration_cast<std::chrono::seconds>(time);
  const timespec wait{static_cast<time_t>(s.count()), static_cast<long>((time - s).count()) * 1000000L};
  return sigtimedwait(&set, nullptr, &wait) > 0;
}

} // namespace breakwater
