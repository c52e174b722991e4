#include "app/wiring.hpp"

#include "actors/aggregator/aggregator_actor.hpp"
#include "actors/alerts/alerts_actor.hpp"
#include "actors/api/api_actor.hpp"
#include "actors/audit/audit_actor.hpp"
#include "actors/breaker/breaker_actor.hpp"
#include "actors/breaker/result_reader_actor.hpp"
#include "actors/bridge/bridge_actor.hpp"
#include "actors/feed/feed_actor.hpp"
#include "actors/feed/replay_actor.hpp"
#include "actors/health/health_actor.hpp"
#include "actors/notices/notices_actor.hpp"
#include "actors/position_monitor/position_monitor_actor.hpp"
#include "actors/publisher/publisher_actor.hpp"
#include "actors/raw_reader/raw_reader_actor.hpp"
#include "actors/redis/redis_actor.hpp"
#include "actors/redis/redis_url.hpp"
#include "actors/supervisor/supervisor_actor.hpp"
#include "actors/support/emit.hpp"
#include "actors/support/relay.hpp"
#include "actors/universe/universe_actor.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>

#include <string>
#include <utility>

namespace breakwater {
namespace {

using caf::actor_system;

feed_options options_of(exchange which, const settings& what, const wall_clock& clock) {
  const auto& feed = what.feeds.of[index_of(which)];
  feed_options options;
  options.which = which;
  options.market = what.symbols.market;
  options.url = feed.url;
  options.rest_url = feed.rest_url;
  options.symbols = what.symbols.list;
  options.overrides = feed.symbols;
  options.stale_after = what.feeds.stale_after;
  options.fill_within = what.feeds.fill_within;
  options.clock = clock;
  return options;
}

replay_options options_of_replay(const settings& what, double speed) {
  replay_options options;
  options.market = what.symbols.market;
  for (auto x : all_exchanges) options.overrides[index_of(x)] = what.feeds.of[index_of(x)].symbols;
  options.speed = speed;
  return options;
}

bridge_options options_of_bridge(std::size_t which, const settings& what, const edges& world) {
  bridge_options options;
  options.route = what.bridges[which];
  options.always_pass_actions = what.orders.always_pass_actions;
  options.consumer = what.process.instance;
  options.lane = lane_of_bridge(which);
  options.contract = world.contracts.at(options.route.contract);
  options.clock = world.clock;
  return options;
}

health_options options_of_health(const settings& what, const edges& world) {
  health_options options{what.health, what.process.instance, BREAKWATER_VERSION, world.clock};
  if (world.recorded) return options;
  options.look_every = std::chrono::seconds{1};
  // Catching up waits so long for a consumer group, which is no stall.
  options.stalled_after = what.spool.trim_patience + 2 * what.health.interval;
  options.service = world.service;
  return options;
}

alerts_options options_of_alerts(const settings& what, const wall_clock& clock) {
  alerts_options options;
  options.limits = {what.alerts, what.supervisor, what.symbols.list, redis_cli(*address_of(what.redis)),
                    what.api.listen};
  options.instance = what.process.instance;
  options.clock = clock;
  return options;
}

/// Those of `everyone` who can set something aside, or miss it.
std::vector<std::pair<std::string, watched_actor>> carriers_of(const std::vector<watched>& everyone) {
  std::vector<std::pair<std::string, watched_actor>> carriers;
  for (const auto& one : everyone)
    if (one.name.starts_with("publisher") || one.name.starts_with("bridge/") || one.name == "raw_reader")
      carriers.emplace_back(one.name, one.who);
  return carriers;
}

} // namespace

wired start_actors(actor_system& system, const settings& what, edges world) {
  wired all;
  std::vector<child_spec> children;
  std::vector<watched> everyone;
  const auto add = [&](std::string name, const auto& address, auto make) {
    everyone.push_back({name, address});
    children.push_back(child(std::move(name), address, std::move(make)));
  };
  auto supervisor = make_relay<supervisor_actor>(system);

  all.audit = make_relay<audit_actor>(system);
  add("audit", all.audit, [=](actor_system& sys) {
    return sys.spawn(audit_behavior, audit_options{what.process.instance, world.clock, world.hash},
                     world.audit);
  });

  // Recorded frames take the feeds' place: what they become does not come from Redis, nor does anything else.
  const auto routes = world.recorded ? std::vector<bridge_settings>{} : what.bridges;
  std::vector<bridge_actor> gated;
  for (const auto& route : routes) {
    all.bridges.push_back(make_relay<bridge_actor>(system));
    if (!route.breaker.empty()) gated.push_back(all.bridges.back());
  }

  const auto add_breaker = [&](const std::string& name, const breaker_settings& how,
                               const std::vector<bridge_actor>& told) {
    auto address = make_relay<breaker_actor>(system);
    add("breaker/" + name, address, [=, audit = all.audit](actor_system& sys) {
      return sys.spawn(breaker_behavior, breaker_options{name, how, world.clock}, audit, told,
                       world.breakers);
    });
    return address;
  };
  all.breaker = add_breaker("redis", what.breaker_redis, {});
  all.orders = add_breaker("orders", what.breaker_orders, gated);

  const bool reads_raw = what.aggregator.source == candle_source::raw_stream && !world.recorded;
  const bool writes_raw = what.feeds.publish_raw;

  all.redis = make_relay<redis_actor>(system);
  all.publisher = make_relay<publisher_actor>(system);
  std::vector publishers{all.publisher};
  if (writes_raw) publishers.push_back(all.raw_publisher = make_relay<publisher_actor>(system));
  add("redis", all.redis, [=, breaker = all.breaker](actor_system& sys) {
    const redis_options options{what.redis, what.process.instance, routes.size(), world.clock,
                                world.redis_password};
    return sys.spawn(redis_behavior, options, breaker, publishers, world.redis);
  });
  const auto add_publisher = [&](const std::string& name, const publisher_actor& address,
                                 const std::string& stream, std::size_t maxlen) {
    add(name, address, [=, redis = all.redis](actor_system& sys) {
      publisher_options options;
      options.name = name;
      options.how.stream = stream;
      options.how.instance = what.process.instance;
      options.how.maxlen = maxlen;
      options.how.trim_patience = what.spool.trim_patience;
      options.clock = world.clock;
      return sys.spawn(publisher_behavior, options, redis, world.open_spool(stream));
    });
  };
  add_publisher("publisher", all.publisher, what.aggregator.stream, what.aggregator.maxlen);
  if (writes_raw)
    add_publisher("publisher/raw", all.raw_publisher, what.aggregator.raw_stream, what.feeds.raw_maxlen);

  if (!what.orders.result_stream.empty() && !world.recorded)
    add("result_reader", make_relay<result_reader_actor>(system),
        [=, redis = all.redis, orders = all.orders](actor_system& sys) {
          return sys.spawn(result_reader_behavior, what.orders, redis, orders);
        });

  const auto add_aggregator = [&](const std::string& name, const aggregator_publishers& to) {
    auto address = make_relay<aggregator_actor>(system);
    add(name, address, [=](actor_system& sys) {
      aggregator_options options{what.aggregator, what.symbols.market, name, what.feeds.fill_within};
      if (!reads_raw) options.rules.source = candle_source::feeds;
      return sys.spawn(aggregator_behavior, options, to);
    });
    return address;
  };
  // Who reads the raw stream must not write what it read, so the feeds' candles take another way.
  all.aggregator = add_aggregator(
      "aggregator", {.merged = all.publisher, .raw = reads_raw ? publisher_actor{} : all.raw_publisher});
  if (reads_raw && writes_raw)
    all.raw_writer = add_aggregator("raw_writer", {.merged = {}, .raw = all.raw_publisher});
  if (reads_raw) {
    all.raw_reader = make_relay<raw_reader_actor>(system);
    add("raw_reader", all.raw_reader, [=, redis = all.redis, aggregator = all.aggregator](actor_system& sys) {
      raw_reader_options options;
      options.how.stream = what.aggregator.raw_stream;
      options.clock = world.clock;
      return sys.spawn(raw_reader_behavior, options, redis, aggregator);
    });
  }

  for (std::size_t i = 0; i < routes.size(); ++i) {
    const bridge_peers peers{all.redis, all.aggregator,
                             routes[i].breaker.empty() ? breaker_actor{} : all.orders};
    add("bridge/" + routes[i].name, all.bridges[i],
        [=, options = options_of_bridge(i, what, world)](actor_system& sys) {
          return sys.spawn(bridge_behavior, options, peers);
        });
  }

  const auto add_notices = [&](const std::string& name, const std::string& stream, std::size_t maxlen) {
    notices_actor address;
    if (stream.empty() || world.recorded) return address; // replays say nothing of the world as it is
    address = make_relay<notices_actor>(system);
    add(name, address, [=, redis = all.redis](actor_system& sys) {
      return sys.spawn(notices_behavior, notices_options{name, stream, maxlen}, redis);
    });
    return address;
  };

  std::vector<std::pair<exchange, feed_actor>> followed;
  const auto candles_go_to = reads_raw ? all.raw_writer : all.aggregator;
  if (world.recorded) {
    all.replay = make_relay<replay_actor>(system);
    add("replay", all.replay, [=](actor_system& sys) {
      return sys.spawn(replay_behavior, options_of_replay(what, world.replay_speed), candles_go_to,
                       world.recorded);
    });
  } else if (candles_go_to) {
    feed_peers peers{candles_go_to, {}, {}};
    all.quality = peers.quality =
        add_notices("quality", what.feeds.quality_stream, what.feeds.quality_maxlen);
    if (!what.symbols.universe_key.empty())
      all.universe = peers.universe = make_relay<universe_actor>(system);
    for (auto which : all_exchanges) {
      if (!what.feeds.of[index_of(which)].enabled) continue;
      auto feed = make_relay<feed_actor>(system);
      all.feeds.push_back(feed);
      followed.emplace_back(which, feed);
      add(std::string{"feed/"} + to_string(which), feed, [=](actor_system& sys) {
        return sys.spawn(feed_behavior, options_of(which, what, world.clock), peers, world.sockets,
                         world.rest);
      });
    }
    if (all.universe)
      add("universe", all.universe, [=, redis = all.redis, feeds = all.feeds](actor_system& sys) {
        return sys.spawn(universe_behavior, what.symbols, redis, feeds);
      });
  }

  if (!world.recorded) {
    // Kept over the actor's lives: a fresh one would not know that a monitor it never saw has gone silent.
    auto seen =
        std::make_shared<activity>(what.position_monitor, moment{system.clock().now(), world.clock()});
    all.position_monitor = make_relay<position_monitor_actor>(system);
    add("position_monitor", all.position_monitor, [=, redis = all.redis](actor_system& sys) {
      return sys.spawn(position_monitor_behavior,
                       position_monitor_options{what.position_monitor, world.clock},
                       position_monitor_peers{redis, world.logs, seen});
    });
  }

  all.health = make_relay<health_actor>(system);
  const health_peers told{supervisor, add_notices("notices/health", what.health.stream, what.health.maxlen)};
  if (!world.recorded) { // a replay's data is of another time
    all.alerts = make_relay<alerts_actor>(system);
    alerts_peers peers{.breakers = {{"redis", all.breaker}, {"orders", all.orders}},
                       .redis = all.redis,
                       .health = all.health,
                       .feeds = followed,
                       .aggregator = all.aggregator,
                       .position = all.position_monitor,
                       .supervisor = supervisor,
                       .carriers = carriers_of(everyone),
                       .audit = all.audit,
                       .notices = add_notices("notices/alerts", what.alerts.stream, what.alerts.maxlen)};
    add("alerts", all.alerts, [=, options = options_of_alerts(what, world.clock)](actor_system& sys) {
      return sys.spawn(alerts_behavior, options, peers, world.webhook);
    });
  }
  everyone.push_back({"supervisor", supervisor});
  children.push_back(
      child("health", all.health, [=, options = options_of_health(what, world)](actor_system& sys) {
        return sys.spawn(health_behavior, options, everyone, told);
      }));

  if (world.http) {
    api_options options{what.api.listen,    what.api.token,        what.chaos.enabled,
                        BREAKWATER_VERSION, what.process.instance, world.clock};
    options.spool_sync = what.spool.sync == spool_sync::os ? "os" : "batch";
    options.symbols = what.symbols.list;
    options.metrics = world.metrics;
    api_peers peers{.breakers = {{"redis", all.breaker}, {"orders", all.orders}},
                    .redis = all.redis,
                    .publisher = all.publisher,
                    .health = all.health,
                    .audit = all.audit,
                    .supervisor = supervisor,
                    .actors = {},
                    .feeds = followed,
                    .aggregator = all.aggregator,
                    .position_monitor = all.position_monitor,
                    .alerts = all.alerts,
                    .publishers = {{"publisher", all.publisher}}};
    if (all.raw_publisher) peers.publishers.emplace_back("publisher/raw", all.raw_publisher);
    for (const auto& spec : children) peers.actors.push_back(spec.name);
    peers.actors.emplace_back("api");
    all.api = make_relay<api_actor>(system);
    children.push_back(child("api", all.api, [=](actor_system& sys) {
      return sys.spawn(api_behavior, options, peers, world.http);
    }));
  }

  all.supervisor = system.spawn([=, audit = all.audit](self_ptr<supervisor_actor, supervisor_state> self) {
    self->attach_functor([=](const caf::error& reason) {
      bind_relay(caf::actor_cast<caf::strong_actor_ptr>(supervisor), nullptr);
      if (world.on_end) world.on_end(reason ? to_failure(reason) : failure{});
    });
    supervisor_options options;
    options.limits = what.supervisor;
    options.audit = audit;
    options.clock = world.clock;
    options.on_hang = world.on_hang;
    return supervisor_behavior(self, children, options);
  });
  bind_relay(caf::actor_cast<caf::strong_actor_ptr>(supervisor),
             caf::actor_cast<caf::strong_actor_ptr>(all.supervisor));
  return all;
}

} // namespace breakwater
