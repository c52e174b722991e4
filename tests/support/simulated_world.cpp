#include "tests/support/simulated_world.hpp"

#include <utility>

namespace breakwater::test {
namespace {

using namespace std::chrono_literals;

constexpr auto on_the_way = 5ms;

} // namespace

struct simulated_world::handle final : websocket {
  handle(std::shared_ptr<simulated_world> w, std::shared_ptr<line> l)
      : world(std::move(w)), on(std::move(l)) {}
  ~handle() override { on->sink = nullptr; }
  void send(std::string text) override {
    world->time_.later(on_the_way, [w = world, o = on, said = std::move(text)] {
      if (o->sink && o->side) w->perform(*o, o->side->on_text(said, w->time_.wall()));
    });
  }
  void consumed(std::size_t) override {}

  std::shared_ptr<simulated_world> world;
  std::shared_ptr<line> on;
};

std::unique_ptr<websocket> simulated_world::open(std::string url, std::uint64_t number,
                                                 std::function<void(socket_event)> sink) {
  ++connects_;
  auto made = std::make_shared<line>();
  made->sink = std::move(sink);
  made->number = number;
  time_.later(on_the_way, [self = shared_from_this(), made, target = target_of(url)] {
    if (!made->sink) return;
    const auto now = self->time_.wall();
    auto admitted = self->exchanges_->connect(target, now);
    if (!admitted.connection)
      return made->sink(
          {made->number, socket_closed{"handshake: " + std::to_string(admitted.refusal.status)}});
    made->side = std::move(admitted.connection);
    made->ping_due = now + 20s;
    made->sink({made->number, socket_opened{}});
    self->perform(*made, made->side->on_open(now));
    self->lines_.push_back(made);
    if (!std::exchange(self->ticking_, true)) self->tick();
  });
  return std::make_unique<handle>(shared_from_this(), std::move(made));
}

void simulated_world::get(std::string url, std::uint64_t number, std::function<void(fetched)> sink) {
  ++requests_;
  time_.later(4 * on_the_way, [this, target = target_of(url), number, sink = std::move(sink)] {
    const auto now = time_.wall();
    fetched out;
    out.number = number;
    out.received_at = now;
    out.status = 404;
    if (auto answer = exchanges_->get(target, now)) {
      out.status = static_cast<int>(answer->status);
      out.retry_after = std::chrono::seconds{answer->retry_after_s};
      out.body = std::move(answer->body);
    }
    sink(std::move(out));
  });
}

void simulated_world::misbehaves(std::chrono::milliseconds every) {
  auto with = options_;
  with.all_faults_every = every;
  begin(with);
}

void simulated_world::behaves() { begin(options_); }

void simulated_world::begin(const simulator_options& how) {
  for (const auto& each : lines_) {
    if (each->sink) each->sink({each->number, socket_closed{"reset"}});
    each->sink = nullptr;
    each->side.reset();
  }
  lines_.clear();
  exchanges_ = std::make_unique<simulated_exchanges>(how, time_.wall());
}

invented_candle simulated_world::truth(exchange from, const std::string& symbol, std::int64_t start_s) {
  auto& market = exchanges_->market();
  return market.candle(from, market.find(symbol).value(), start_s * 1000,
                       wall_time_from_ms((start_s + 120) * 1000));
}

void simulated_world::perform(line& on, wire_actions what) {
  const auto now = time_.wall();
  for (auto& text : what.texts)
    if (on.sink) on.sink({on.number, socket_text{std::move(text), now}});
  if (what.end == wire_actions::ending::none) return;
  if (on.sink)
    on.sink({on.number, socket_closed{what.end == wire_actions::ending::close ? what.reason : "reset"}});
  on.sink = nullptr;
}

void simulated_world::tick() {
  const auto now = time_.wall();
  std::erase_if(lines_, [](const auto& each) { return !each->sink; });
  for (const auto& each : lines_) {
    if (each->side->side().ping_interval() > 0ms && each->ping_due <= now) {
      each->ping_due = now + each->side->side().ping_interval();
      each->sink({each->number, socket_alive{}}); // the edge answers by itself
      perform(*each, each->side->on_control(now));
    }
    if (each->sink) perform(*each, each->side->frames_due(now));
  }
  time_.later(options_.interval / 5, [self = weak_from_this()] {
    if (const auto still = self.lock()) still->tick();
  });
}

} // namespace breakwater::test
