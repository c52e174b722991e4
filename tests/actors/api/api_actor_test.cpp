#include "actors/api/api_actor.hpp"

#include "tests/support/actor_fixture.hpp"

#include <nlohmann/json.hpp>

#include <functional>
#include <iterator>
#include <map>
#include <vector>

namespace breakwater::test {
namespace {

using json = nlohmann::json;

/// Clients in memory: what they ask goes to the sink, what they are answered is kept.
struct fake_http final : http_port {
  struct bound final : http_listener {
    explicit bound(fake_http& in) : of(in) { ++of.listening; }
    ~bound() override { --of.listening; }
    void answer(http_response response) override { of.answers[response.number] = std::move(response); }
    void push(std::uint64_t number, std::shared_ptr<const std::string> piece) override {
      of.streams[number] += *piece;
    }
    [[nodiscard]] std::string address() const override { return "127.0.0.1:8000"; }
    fake_http& of;
  };

  result<std::unique_ptr<http_listener>> serve(const std::string& listen, const http_limits&,
                                               sink into) override {
    if (port_is_taken)
      return failure{errc::address_invalid, "api.listen " + listen + ": Address already in use"};
    ask = std::move(into.asked);
    ended = std::move(into.ended);
    return std::unique_ptr<http_listener>{std::make_unique<bound>(*this)};
  }

  bool port_is_taken = false;
  int listening = 0;
  std::function<void(http_request)> ask;
  std::function<void(http_stream_ended)> ended;
  std::map<std::uint64_t, http_response> answers;
  std::map<std::uint64_t, std::string> streams; ///< What was pushed behind the answer.
};

struct api_fixture : actor_fixture {
  api_options options{"127.0.0.1:8000", {}, true, "1.2.3", "a", wall()};
  std::shared_ptr<fake_http> http = std::make_shared<fake_http>();
  std::map<std::string, breaker_report> breakers; ///< Those that are there answer.
  std::optional<redis_report> redis;
  std::optional<health_report> tick;
  std::map<exchange, feed_report> feeds; ///< Those that are there answer.
  std::optional<merge_report> merging;
  std::optional<price_answer> prices = price_answer{};
  std::optional<spool_report> spool = spool_report{};
  std::optional<position_report> monitor;
  std::vector<position_heartbeat> heartbeats;
  std::optional<alerts_report> alerts = alerts_report{};
  bool audit_works = true, silent = false; ///< Silent: nobody answers anything.
  std::vector<chaos_kill> killed;
  std::vector<call_outcome> reported;
  std::vector<std::function<void()>> withheld; ///< Keeps the promises nobody fulfils.
  api_actor sut;

  api_fixture() {
    for (const std::string name : {"redis", "orders"}) {
      breakers[name].name = name;
      breakers[name].mode = "enforce";
      breakers[name].failure_threshold = 5;
    }
    merging.emplace();
    monitor.emplace();
    redis.emplace();
    redis->connected = redis->healthy = true;
    redis->phase = "ready";
    tick.emplace();
    tick->as_of = wall()();
    tick->parts = {{"redis", {health_level::critical, "old news", {}}},
                   {"feed/okx", {health_level::ok, "", {{"symbols", "3/3"}}}}};
  }
  ~api_fixture() { end_actors(); }

  /// The answer of a fake: there, or never.
  template <class Answer, class Self>
  caf::result<Answer> reply(Self self, std::optional<Answer> answer) {
    auto promise = self->template make_response_promise<Answer>();
    if (answer && !silent)
      promise.deliver(std::move(*answer));
    else
      withheld.emplace_back([promise] {});
    return promise;
  }

  breaker_actor fake_breaker(const std::string& name) {
    return spawn([this, name](breaker_actor::pointer self) -> breaker_actor::behavior_type {
      const auto report = [this, name]() -> std::optional<breaker_report> {
        if (const auto found = breakers.find(name); found != breakers.end()) return found->second;
        return std::nullopt;
      };
      const auto order = [=, this](bool override) -> caf::result<breaker_order_answer> {
        if (!audit_works) return make_error(failure{errc::audit_unwritable, "disk full"});
        if (override) return reply<breaker_order_answer>(self, breaker_order_answer{true, {}, *report()});
        return reply<breaker_order_answer>(self,
                                           breaker_order_answer{false, {"too soon", "too many"}, *report()});
      };
      return {[](const permit_request&) { return permit{}; },
              [](const gate_request&) { return permit{}; },
              [](const gate_outcome&) {},
              [this](const call_outcome& outcome) {
                reported.push_back(outcome);
                return breaker_standing{breaker_phase::open};
              },
              [](const dependency_restored&) {},
              [=, this](const breaker_question&) { return reply<breaker_report>(self, report()); },
              [=, this](const breaker_history_request& request) {
                breaker_history told;
                for (std::size_t i = 0; i < request.limit; ++i) told.moves.emplace_back().number = 9 - i;
                return reply<breaker_history>(self, std::move(told));
              },
              [=](const breaker_reset& what) { return order(what.override); },
              [=](const breaker_force_open&) { return order(true); },
              [](const wake&) {},
              [](const health_question&) { return health_answer{}; }};
    });
  }

  feed_actor fake_feed(exchange of) {
    return spawn([this, of](feed_actor::pointer self) -> feed_actor::behavior_type {
      return {[](const socket_event&) {},
              [](const fetched&) {},
              [](const followed_symbols&) {},
              [this, of, self](const feed_question&) {
                const auto found = feeds.find(of);
                return reply<feed_report>(self, found == feeds.end() ? std::optional<feed_report>{}
                                                                     : found->second);
              },
              [](const wake&) {},
              [](const drain_request&) { return drained{}; },
              [](const health_question&) { return health_answer{}; }};
    });
  }

  void starts() {
    api_peers peers;
    for (const auto of : {exchange::binance, exchange::kraken}) peers.feeds.emplace_back(of, fake_feed(of));
    peers.aggregator = spawn([this](aggregator_actor::pointer self) -> aggregator_actor::behavior_type {
      return {[](const candle_batch&) { return intake_answer{}; },
              [](const coverage_request&) { return coverage_answer{}; },
              [this, self](const merge_question&) { return reply<merge_report>(self, merging); },
              [this, self](const price_question&) { return reply<price_answer>(self, prices); },
              [](const position_request&) { return position_answer{}; },
              [](const wake&) {},
              [](const drain_request&) { return drained{}; },
              [](const health_question&) { return health_answer{}; }};
    });
    peers.breakers = {{"redis", fake_breaker("redis")}, {"orders", fake_breaker("orders")}};
    peers.redis = spawn([this](redis_actor::pointer self) -> redis_actor::behavior_type {
      return {[](const redis_commands&) { return redis_replies{}; }, [](const link_event&) {},
              [](const wake&) {},
              [this, self](const redis_question&) { return reply<redis_report>(self, redis); },
              [](const health_question&) { return health_answer{}; }};
    });
    peers.publisher = spawn([this](publisher_actor::pointer self) -> publisher_actor::behavior_type {
      return {[](const record_batch&) { return intake_answer{}; },
              [](checkpoint_request) { return checkpoint_answer{}; },
              [](const spool_event&) {},
              [](const link_up&) {},
              [this, self](const spool_question&) { return reply<spool_report>(self, spool); },
              [](const wake&) {},
              [](const drain_request&) { return drained{}; },
              [this, self](const health_question&) {
                return reply<health_answer>(self, health_answer{health_level::ok, "", {{"waiting", "17"}}});
              }};
    });
    peers.health = spawn([this](health_actor::pointer self) -> health_actor::behavior_type {
      return {[](const wake&) {},
              [this, self](const health_report_request&) { return reply<health_report>(self, tick); },
              [](const health_question&) { return health_answer{}; }};
    });
    peers.audit = spawn([this](audit_actor::pointer self) -> audit_actor::behavior_type {
      return {[](const audit_record&) {}, [](const audit_order&) { return audit_written{}; },
              [this, self](const audit_tail_request& request) {
                audit_tail told{{R"({"number":2})", "torn"}};
                told.lines.resize(std::min(request.limit, told.lines.size()));
                return reply<audit_tail>(self, std::move(told));
              },
              [](const health_question&) { return health_answer{}; }};
    });
    peers.supervisor = spawn([this](supervisor_actor::pointer self) -> supervisor_actor::behavior_type {
      return {[](stop_request) { return stopped{}; },
              [](const restart_due&) {},
              [](const stop_overdue&) {},
              [](const child_unresponsive&) {},
              [this, self](const supervision_question&) {
                supervision_report told;
                told.children = {
                    {"feed/okx", false, 3s, 4, "crashed: it fell", wall_time_from_ms(1767571200000)},
                    {"api", true, 7s, 0}};
                told.recent = 4, told.most = 10, told.within = 60s;
                return reply<supervision_report>(self, told);
              },
              [this](const chaos_kill& whom) { killed.push_back(whom); },
              [](const health_question&) { return health_answer{}; }};
    });
    peers.position_monitor =
        spawn([this](position_monitor_actor::pointer self) -> position_monitor_actor::behavior_type {
          return {[this, self](const position_heartbeat& told) {
                    heartbeats.push_back(told);
                    return reply<position_report>(self, monitor);
                  },
                  [](const log_sightings&) {},
                  [this, self](const position_question&) { return reply<position_report>(self, monitor); },
                  [](const wake&) {}, [](const health_question&) { return health_answer{}; }};
        });
    peers.alerts = spawn([this](alerts_actor::pointer self) -> alerts_actor::behavior_type {
      return {[](const wake&) {}, [](const webhook_answered&) {},
              [this, self](const alerts_question&) { return reply<alerts_report>(self, alerts); },
              [](const health_question&) { return health_answer{}; }};
    });
    peers.publishers = {{"publisher", peers.publisher}};
    peers.actors = {"redis", "feed/okx"};
    sut = spawn(api_behavior, options, peers, http);
    settle();
  }

  http_response asks(const std::string& method, const std::string& target, milliseconds patience = 0ms) {
    if (!sut) starts();
    const auto number = ++asked_;
    http->ask({number, method, target, {{"host", "127.0.0.1:8000"}}, {}, "127.0.0.1:5"});
    settle();
    if (patience > 0ms) wait(patience);
    BOOST_REQUIRE_MESSAGE(http->answers.contains(number), target << " was not answered");
    return http->answers[number];
  }
  json body(const std::string& target, unsigned status = 200) {
    const auto answer = asks("GET", target);
    BOOST_TEST(answer.status == status, target << " " << answer.body);
    return json::parse(answer.body);
  }

  std::uint64_t asked_ = 0;
};

} // namespace

BOOST_FIXTURE_TEST_CASE(status_tells_the_chosen_breaker_and_all, api_fixture) {
  auto& orders = breakers["orders"];
  orders.phase = breaker_phase::open;
  orders.failures = 5;
  orders.trigger = orders.last_failure = "rejected";
  orders.last_failure_at = orders.opened_at = wall_time_from_ms(1767571200000);
  orders.retry_at = wall_time_from_ms(1767571260000);
  orders.reset_blocked = {"too soon", "too many"};
  orders.statistics.blocked = 3;
  const auto told = body("/api/circuit-breaker/status?breaker=orders");
  BOOST_TEST(told["status"] == "ok");
  const auto expected = json::parse(R"({"name":"orders","active":true,"state":"OPEN","mode":"enforce",
      "failure_count":5,"threshold":5,"last_failure":"2026-01-05T00:00:00.000Z","last_failure_reason":"rejected",
      "trigger_reason":"rejected","opened_at":"2026-01-05T00:00:00.000Z","retry_at":"2026-01-05T00:01:00.000Z",
      "can_reset":false,"reset_blocked_reason":"too soon; too many",
      "statistics":{"allowed_orders":0,"blocked_orders":3,"would_block_orders":0,"successes":0,"failures":0,
                    "times_opened":0,"time_open_ms":0,"longest_open_ms":0}})");
  BOOST_TEST(told["circuit_breaker"] == expected);
  BOOST_TEST(told["breakers"]["orders"] == expected);
  BOOST_TEST(told["breakers"]["redis"]["active"] == false);
  BOOST_TEST(told["breakers"]["redis"]["last_failure"].is_null());
}

BOOST_FIXTURE_TEST_CASE(a_breaker_that_does_not_answer_is_503_and_the_others_are_told, api_fixture) {
  breakers.erase("orders");
  BOOST_TEST(asks("GET", "/api/circuit-breaker/status?breaker=orders", 1s).status == 503u);
  const auto told = json::parse(asks("GET", "/api/circuit-breaker/status", 1s).body);
  BOOST_TEST(told["circuit_breaker"]["name"] == "redis");
  BOOST_TEST(!told["breakers"].contains("orders"));
}

BOOST_FIXTURE_TEST_CASE(a_refused_reset_is_409_with_every_reason, api_fixture) {
  const auto answer = asks("POST", "/api/circuit-breaker/reset");
  BOOST_TEST(answer.status == 409u);
  const auto told = json::parse(answer.body);
  BOOST_TEST(told["reasons"] == (json{"too soon", "too many"}));
  BOOST_TEST((told.contains("error") && told.contains("hint") && told["threshold"] == 5));
}

BOOST_FIXTURE_TEST_CASE(orders_that_were_carried_out_say_so, api_fixture) {
  BOOST_TEST(json::parse(asks("POST", "/api/circuit-breaker/reset?override=true&reason=Testing").body) ==
             json::parse(R"({"status":"success","action":"reset","breaker":"redis","reason":"Testing",
                             "override_used":true,"timestamp":"2026-01-05T00:00:00.000Z"})"));
  const auto opened = json::parse(asks("POST", "/api/circuit-breaker/open?breaker=orders&reason=news").body);
  BOOST_TEST((opened["action"] == "open" && opened["breaker"] == "orders" && opened["reason"] == "news"));
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_audited_is_503, api_fixture) {
  audit_works = false;
  const auto answer = asks("POST", "/api/circuit-breaker/reset?override=true&reason=Testing");
  BOOST_TEST(answer.status == 503u);
  BOOST_TEST(answer.body.find("nothing was changed: disk full") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(a_reported_result_reaches_the_breaker, api_fixture) {
  const auto told =
      json::parse(asks("POST", "/api/circuit-breaker/report?breaker=orders&ok=false&reason=no").body);
  BOOST_TEST(told["state"] == "OPEN");
  BOOST_REQUIRE(reported.size() == 1u);
  BOOST_TEST((!reported[0].succeeded && reported[0].permit == 0 && reported[0].reason == "no"));
}

BOOST_FIXTURE_TEST_CASE(history_and_audit_are_lists_with_their_count, api_fixture) {
  const auto history = body("/api/circuit-breaker/history?limit=3");
  BOOST_TEST(
      (history["count"] == 3 && history["history"].size() == 3u && history["history"][0]["number"] == 9));
  const auto audit = body("/api/audit?limit=2");
  BOOST_TEST((audit["count"] == 2 && audit["audit"][0]["number"] == 2));
  BOOST_TEST(audit["audit"][1]["unreadable"] == "torn");
}

BOOST_FIXTURE_TEST_CASE(health_is_the_last_tick_and_redis_as_it_is_now, api_fixture) {
  const auto told = body("/health");
  BOOST_TEST(told["status"] == "ok"); // the tick's "old news" of redis gave way to its own answer
  BOOST_TEST((told["version"] == "1.2.3" && told["instance"] == "a"));
  BOOST_TEST(told["redis_manager"]["connected"] == true);
  BOOST_TEST(told["redis_manager"]["spool_depth"] == 17);
  BOOST_TEST(told["redis_manager"]["circuit_open"] == false);
  BOOST_TEST(told["feeds"]["okx"]["symbols"] == "3/3");
  BOOST_TEST(told["breakers"].size() == 2u);
}

BOOST_FIXTURE_TEST_CASE(health_is_503_when_redis_is_away_and_says_why, api_fixture) {
  redis->connected = redis->healthy = false;
  redis->phase = "backing_off";
  redis->last_error = "Connection refused";
  breakers["redis"].phase = breaker_phase::open;
  breakers["redis"].trigger = "transport";
  const auto told = body("/health", 503);
  BOOST_TEST(told["status"] == "critical");
  BOOST_TEST(told["attention"] == (json{"redis: Redis is away (backing_off): Connection refused",
                                        "breaker/redis: circuit OPEN: transport"}));
  BOOST_TEST(told["redis_manager"]["circuit_open"] == true);
  const auto ready = body("/health/ready", 503);
  BOOST_TEST(ready["reasons"].size() == 2u);
  BOOST_TEST(body("/health/live")["status"] == "alive");
}

BOOST_FIXTURE_TEST_CASE(health_tells_the_position_monitor_as_it_is_now, api_fixture) {
  tick->parts.push_back({"position_monitor", {health_level::degraded, "old news", {}}});
  monitor->status = position_status::silent;
  monitor->why = "not seen active for 6 min";
  monitor->last_seen = monitor->last_error_at = wall_time_from_ms(1767571200000);
  monitor->seen_by = "log";
  monitor->activities = 7;
  monitor->errors = 2;
  monitor->last_error = "APIError";
  monitor->sources = {{"log", "/var/log/x", monitor->last_seen, "gone"}, {"heartbeat", "", {}, ""}};
  auto told = body("/health");
  BOOST_TEST(told["status"] == "degraded");
  BOOST_TEST(told["attention"] == json{"position_monitor: SILENT: not seen active for 6 min"});
  BOOST_TEST(told["position_monitor"] == json::parse(R"({"status":"SILENT","why":"not seen active for 6 min",
      "last_seen":"2026-01-05T00:00:00.000Z","seen_by":"log","activities":7,"errors":2,"last_error":"APIError",
      "last_error_at":"2026-01-05T00:00:00.000Z",
      "sources":[{"name":"log","of":"/var/log/x","last_seen":"2026-01-05T00:00:00.000Z","problem":"gone"},
                 {"name":"heartbeat","of":null,"last_seen":null,"problem":null}]})"));
  monitor->status = position_status::check_needed;
  BOOST_TEST(body("/health")["status"] == "degraded");
  for (const auto fine : {position_status::healthy, position_status::unknown}) {
    monitor->status = fine;
    BOOST_TEST(body("/health")["status"] == "ok");
  }
  monitor.reset();
  told = json::parse(asks("GET", "/health", 1s).body);
  BOOST_TEST(told["position_monitor"]["why"] == "its actor did not answer in time");
  BOOST_TEST(told["attention"] == json{"position_monitor: old news"});
}

BOOST_FIXTURE_TEST_CASE(a_heartbeat_reaches_the_position_monitor_and_is_answered, api_fixture) {
  monitor->status = position_status::healthy;
  monitor->seen_by = "heartbeat";
  const auto answer = asks("POST", "/api/position-monitor/heartbeat");
  BOOST_TEST(answer.status == 200u);
  const auto told = json::parse(answer.body);
  BOOST_TEST((told["status"] == "ok" && told["position_monitor"]["status"] == "HEALTHY"));
  BOOST_TEST((heartbeats.size() == 1u && heartbeats[0].from == "127.0.0.1:5"));
  monitor.reset();
  BOOST_TEST(asks("POST", "/api/position-monitor/heartbeat", 1s).status == 503u);
}

BOOST_FIXTURE_TEST_CASE(before_the_first_tick_health_is_degraded, api_fixture) {
  tick->as_of.reset();
  const auto told = body("/health");
  BOOST_TEST(told["status"] == "degraded");
  BOOST_TEST(told["attention"] == json{"health: the first tick is yet to come"});
  BOOST_TEST(told["as_of"].is_null());
  BOOST_TEST(body("/api/actors")["actors"][0]["level"].is_null()); // nobody was asked yet
}

BOOST_FIXTURE_TEST_CASE(when_nobody_answers_every_question_is_answered_in_time_all_the_same, api_fixture) {
  silent = true;
  struct row {
    const char *method, *target;
    unsigned status;
    milliseconds within;
  };
  const row rows[] = {{"GET", "/health", 503, 1s},
                      {"GET", "/health/ready", 503, 1s},
                      {"GET", "/health/live", 200, 0ms},
                      {"GET", "/api/actors", 503, 1s},
                      {"GET", "/api/feeds", 503, 1s},
                      {"GET", "/api/feeds?exchange=kraken", 503, 1s},
                      {"GET", "/api/spool", 503, 1s},
                      {"GET", "/api/prices", 503, 1s},
                      {"GET", "/api/audit", 503, 1s},
                      {"GET", "/api/alerts", 503, 1s},
                      {"GET", "/api/circuit-breaker/status", 503, 1s},
                      {"GET", "/api/circuit-breaker/history", 503, 1s},
                      {"POST", "/api/circuit-breaker/reset", 503, 4s},
                      {"POST", "/api/circuit-breaker/open?reason=news", 503, 4s}};
  for (const auto& row : rows) BOOST_TEST_CONTEXT(row.method << " " << row.target) {
      const auto answer = asks(row.method, row.target, row.within);
      BOOST_TEST(answer.status == row.status);
      BOOST_TEST(json::parse(answer.body).is_object());
    }
}

BOOST_FIXTURE_TEST_CASE(alerts_are_told_as_they_stand, api_fixture) {
  alert one;
  one.number = 3;
  one.rule = "redis_away";
  one.level = alert_level::critical;
  one.text = "it is away";
  one.what_to_do = "start it";
  one.raised_at = wall_time_from_ms(1767571200000);
  auto over = one;
  over.number = 2;
  over.subject = "x";
  over.cleared_at = one.raised_at;
  alerts = alerts_report{{one}, {over}, {"clock_skew: no answer"}, "off"};
  BOOST_TEST(body("/api/alerts") == json::parse(R"({"status":"ok","count":1,
      "alerts":[{"rule":"redis_away","subject":"","state":"raised","level":"critical","text":"it is away",
                 "what_to_do":"start it","raised_at":"2026-01-05T00:00:00.000Z","number":3}],
      "recent":[{"rule":"redis_away","subject":"x","state":"cleared","level":"critical","text":"it is away",
                 "what_to_do":"start it","raised_at":"2026-01-05T00:00:00.000Z",
                 "cleared_at":"2026-01-05T00:00:00.000Z","number":2}],
      "unjudged":["clock_skew: no answer"],"webhook":"off"})"));
}

BOOST_FIXTURE_TEST_CASE(actors_are_told_with_their_restarts_and_what_ended_them, api_fixture) {
  const auto told = body("/api/actors");
  BOOST_TEST((told["restarts_recently"] == 4 && told["max_restarts"] == 10 && told["within_s"] == 60));
  BOOST_REQUIRE(told["actors"].size() == 3u);
  BOOST_TEST((told["actors"][0]["level"] == "critical" && told["actors"][0]["why"] == "old news"));
  BOOST_TEST((told["actors"][0]["restarts"] == 0 && told["actors"][0]["running"].is_null())); // no child
  BOOST_TEST(told["actors"][1] == json::parse(R"({"name":"feed/okx","level":"ok","why":null,"running":false,
      "age_s":3,"restarts":4,"last_cause":"crashed: it fell","last_failed_at":"2026-01-05T00:00:00.000Z",
      "facts":{"symbols":"3/3"}})"));
  BOOST_TEST((told["actors"][2]["name"] == "api" && told["actors"][2]["level"].is_null())); // nobody asks it
}

BOOST_FIXTURE_TEST_CASE(the_spool_is_told_stream_by_stream, api_fixture) {
  options.spool_sync = "batch";
  spool->stream = "quantum:stream:x";
  spool->waiting = 7;
  spool->acknowledged_per_s = 2.5;
  spool->oldest_waiting = wall_time_from_ms(1767571200000);
  const auto told = body("/api/spool");
  BOOST_TEST((told["status"] == "ok" && told["sync"] == "batch"));
  const auto& stream = told["streams"][0];
  BOOST_TEST((stream["name"] == "publisher" && stream["stream"] == "quantum:stream:x"));
  BOOST_TEST((stream["waiting"] == 7 && stream["acknowledged_per_s"] == 2.5));
  BOOST_TEST((stream["oldest_waiting"] == "2026-01-05T00:00:00.000Z" && stream["last_kept"].is_null()));
}

namespace {

live_price price_of(const std::string& symbol, double price) {
  live_price told;
  told.symbol = symbol;
  told.price = price;
  told.contributing = 2;
  told.prices[index_of(exchange::okx)] = price + 1;
  told.excluded.set(index_of(exchange::okx));
  return told;
}

} // namespace

BOOST_FIXTURE_TEST_CASE(prices_are_told_by_symbol_with_how_they_diverge, api_fixture) {
  prices->prices = {price_of("ETHUSDT", 10), price_of("BTCUSDT", 100)};
  const auto told = body("/api/prices");
  BOOST_TEST((told["count"] == 2 && told["prices"][1]["symbol"] == "ETHUSDT"));
  BOOST_TEST(told["prices"][0] == json::parse(R"({"symbol":"BTCUSDT","price":100.0,"deviation":0.0,
      "spread_bps":0.0,"exchanges":2,"suspect":false,"at":"1970-01-01T00:00:00.000Z",
      "minute":"1970-01-01T00:00:00.000Z","by_exchange":{"okx":101.0},"excluded":["okx"]})"));
  prices->prices.clear();
  BOOST_TEST(body("/api/prices")["count"] == 0);
  BOOST_TEST(body("/api/prices?symbol=SOLUSDT", 404).contains("hint"));
}

BOOST_FIXTURE_TEST_CASE(the_page_is_let_through_by_a_number_used_once, api_fixture) {
  const auto policy = [](const http_response& page) {
    for (const auto& [name, value] : page.headers)
      if (name == "Content-Security-Policy") return value;
    return std::string{};
  };
  const auto first = asks("GET", "/"), second = asks("GET", "/");
  BOOST_TEST(first.status == 200u);
  BOOST_TEST(policy(first).starts_with("default-src 'none'; script-src 'nonce-"));
  BOOST_TEST(policy(first) != policy(second));
  const auto nonce = policy(first).substr(std::string{"default-src 'none'; script-src 'nonce-"}.size(), 32);
  BOOST_TEST(first.body.find("<script nonce=\"" + nonce + "\"") != std::string::npos);
  BOOST_TEST(first.body.find("@NONCE@") == std::string::npos);
}

namespace {

/// The data of the newest event `part` of a stream; "": there was none.
std::string newest(const std::string& stream, const std::string& part) {
  const auto mark = "event: " + part + "\ndata: ";
  const auto at = stream.rfind(mark);
  if (at == std::string::npos) return {};
  return stream.substr(at + mark.size(), stream.find('\n', at + mark.size()) - at - mark.size());
}

std::size_t count_of(const std::string& stream, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = stream.find("event: " + part + "\n", at)) != std::string::npos; ++at)
    ++count;
  return count;
}

happening something(const std::string& what) {
  return {{}, "WARN", "REDIS-MGR", what, "It happened", {{"a", "1"}}};
}

} // namespace

BOOST_FIXTURE_TEST_CASE(who_watches_is_told_at_once_how_everything_stands_as_its_own_request_tells,
                        api_fixture) {
  prices->prices = {price_of("BTCUSDT", 100)};
  feeds[exchange::binance].connected = feeds[exchange::kraken].connected = true;
  const auto answer = asks("GET", "/api/events");
  BOOST_TEST((answer.status == 200u && answer.streams));
  BOOST_TEST(answer.body.starts_with("retry: 2000\n\n"));
  auto& stream = http->streams[1];
  const std::pair<const char*, const char*> parts[] = {
      {"health", "/health"},     {"breakers", "/api/circuit-breaker/status"},
      {"actors", "/api/actors"}, {"spool", "/api/spool"},
      {"alerts", "/api/alerts"}, {"feeds", "/api/feeds"},
      {"prices", "/api/prices"}};
  for (const auto& [part, target] : parts) {
    const auto told = newest(stream, part);
    BOOST_TEST(!told.empty(), part);
    BOOST_TEST(json::parse(told) == body(target), part);
  }
}

BOOST_FIXTURE_TEST_CASE(what_changes_is_told_within_a_second_and_nothing_else_is, api_fixture) {
  feeds[exchange::binance].connected = feeds[exchange::kraken].connected = true;
  asks("GET", "/api/events");
  auto& stream = http->streams[1];
  wait(1s);
  BOOST_TEST(count_of(stream, "breakers") == 1u);
  BOOST_TEST(count_of(stream, "spool") == 1u);
  BOOST_TEST(count_of(stream, "health") == 2u); // the uptime grew
  breakers["redis"].phase = breaker_phase::open;
  wait(1s);
  BOOST_TEST(count_of(stream, "breakers") == 2u);
  BOOST_TEST(json::parse(newest(stream, "breakers"))["breakers"]["redis"]["state"] == "OPEN");
  BOOST_TEST(count_of(stream, "feeds") == 1u);
  prices->prices = {price_of("BTCUSDT", 100)};
  wait(2s);
  BOOST_TEST(count_of(stream, "prices") == 2u);
}

BOOST_FIXTURE_TEST_CASE(a_part_that_does_not_answer_is_told_as_an_error_and_the_others_are_told,
                        api_fixture) {
  spool.reset();
  asks("GET", "/api/events", 2s);
  BOOST_TEST(json::parse(newest(http->streams[1], "spool")).contains("error"));
  BOOST_TEST(!newest(http->streams[1], "health").empty());
}

BOOST_FIXTURE_TEST_CASE(happenings_are_told_as_they_come_and_to_who_comes_back, api_fixture) {
  starts();
  const auto happens = [this](const std::string& what) {
    caf::anon_send(sut, something(what));
    settle();
  };
  happens("before");
  BOOST_TEST(newest(asks("GET", "/api/events").body, "happening").find("before") != std::string::npos);
  happens("now");
  const auto told = json::parse(newest(http->streams[1], "happening"));
  BOOST_TEST(told == json::parse(R"({"at":"1970-01-01T00:00:00.000Z","level":"WARN","actor":"REDIS-MGR",
                                     "event":"now","text":"It happened","details":{"a":"1"}})"));
  auto& stream = http->streams[1];
  const auto at = stream.rfind("id: ");
  const auto id = stream.substr(at + 4, stream.find('\n', at) - at - 4);
  happens("missed");
  const auto comes_back = [&](const std::string& last_seen) {
    const auto number = ++asked_;
    http->ask({number, "GET", "/api/events", {{"last-event-id", last_seen}}, {}, "127.0.0.1:5"});
    settle();
    return http->answers[number].body;
  };
  const auto missed = comes_back(id);
  BOOST_TEST(count_of(missed, "happening") == 1u);
  BOOST_TEST(newest(missed, "happening").find("missed") != std::string::npos);
  BOOST_TEST(count_of(comes_back("1-7"), "happening") == 3u); // of another life: the newest
  BOOST_TEST(count_of(comes_back("nonsense"), "happening") == 3u);
}

BOOST_FIXTURE_TEST_CASE(who_went_is_told_no_more_and_looking_ends, api_fixture) {
  asks("GET", "/api/events");
  http->ended({1});
  settle();
  const auto before = http->streams[1].size();
  wait(10s);
  BOOST_TEST(http->streams[1].size() == before);
  BOOST_TEST(ask<health_answer>(sut, health_question{})->facts.back().second == "0");
}

BOOST_FIXTURE_TEST_CASE(only_so_many_are_told_live_at_a_time, api_fixture) {
  for (int i = 0; i < 64; ++i) BOOST_TEST(asks("GET", "/api/events").status == 200u);
  BOOST_TEST(asks("GET", "/api/events").status == 503u);
  http->ended({7});
  settle();
  BOOST_TEST(asks("GET", "/api/events").status == 200u);
}

namespace {

feed_report report_of(exchange of) {
  feed_report told;
  told.of = of;
  told.url = "wss://stream.example:9443/ws";
  told.connected = true;
  told.connections = {{3, "open", 2, 90s, false}, {4, "connecting", 0, 1s, true}};
  told.symbols = {{"BTCUSDT", "btcusdt", "subscribed", "", 3, wall_time_from_ms(1767571200123),
                   wall_time_from_ms(1767571200000)},
                  {"ETHUSDT", "ethusdt", "refused", "no such symbol", 0, {}, {}},
                  {"OLDUSDT", "", "wanted", "", 0, {}, {}}};
  told.counts = {{"frames", 12}, {"candles", 7}};
  told.clock_offset = 41ms;
  told.clock_spread = 3ms;
  return told;
}

} // namespace

BOOST_FIXTURE_TEST_CASE(feeds_are_told_with_what_becomes_of_their_prices, api_fixture) {
  feeds[exchange::binance] = report_of(exchange::binance);
  feeds[exchange::kraken] = {};
  merging->records = 100;
  merging->suspect = 2;
  merging->filled = 9;
  merging->lead_lag = -0.00025;
  merging->exchanges[index_of(exchange::binance)] = {95, 5};
  const auto told = body("/api/feeds");
  BOOST_TEST(told["status"] == "ok");
  BOOST_TEST(told["merged"] == json::parse(R"({"records":100,"filled":9,"suspect":2,"lead_lag":-0.00025})"));
  BOOST_TEST(told["feeds"].size() == 2u);
  BOOST_TEST(told["feeds"]["binance"] == json::parse(R"({
      "url":"wss://stream.example:9443/ws","connected":true,
      "connections":[{"number":3,"state":"open","symbols":2,"age_ms":90000,"replacement":false},
                     {"number":4,"state":"connecting","symbols":0,"age_ms":1000,"replacement":true}],
      "symbols":{"BTCUSDT":{"theirs":"btcusdt","state":"subscribed","reason":null,"connection":3,
                            "last_data":"2026-01-05T00:00:00.123Z","newest_minute":"2026-01-05T00:00:00.000Z"},
                 "ETHUSDT":{"theirs":"ethusdt","state":"refused","reason":"no such symbol","connection":null,
                            "last_data":null,"newest_minute":null},
                 "OLDUSDT":{"theirs":null,"state":"wanted","reason":null,"connection":null,"last_data":null,
                            "newest_minute":null}},
      "counts":{"frames":12,"candles":7},"clock_offset_ms":41,"clock_spread_ms":3,
      "quality":{"contributed":95,"excluded":5}})"));
  const auto& empty = told["feeds"]["kraken"];
  BOOST_TEST((empty["connected"] == false && empty["connections"] == json::array()));
  BOOST_TEST((empty["symbols"] == json::object() && empty["counts"] == json::object()));
  BOOST_TEST((empty["clock_offset_ms"].is_null() && empty["clock_spread_ms"].is_null()));
}

BOOST_FIXTURE_TEST_CASE(feeds_are_chosen_by_exchange_and_symbol, api_fixture) {
  feeds[exchange::binance] = report_of(exchange::binance);
  feeds[exchange::kraken] = report_of(exchange::kraken);
  const auto one = body("/api/feeds?exchange=kraken")["feeds"];
  BOOST_TEST((one.size() == 1u && one["kraken"]["symbols"].size() == 3u));
  const auto symbol = body("/api/feeds?symbol=ETHUSDT")["feeds"];
  for (const auto* of : {"binance", "kraken"})
    BOOST_TEST((symbol[of]["symbols"].size() == 1u && symbol[of]["symbols"].contains("ETHUSDT")), of);
  BOOST_TEST(body("/api/feeds?symbol=NONE&exchange=kraken")["feeds"]["kraken"]["symbols"] == json::object());
  BOOST_TEST(body("/api/feeds?exchange=okx", 404)["hint"] == "there are: binance, kraken");
}

BOOST_FIXTURE_TEST_CASE(who_does_not_answer_of_the_feeds_is_told_and_the_others_are_shown, api_fixture) {
  feeds[exchange::kraken] = report_of(exchange::kraken);
  auto told = json::parse(asks("GET", "/api/feeds", 1s).body);
  BOOST_TEST(told["status"] == "incomplete");
  BOOST_TEST(told["feeds"]["binance"] == json::parse(R"({"error":"the feed did not answer in time",
                                                         "quality":{"contributed":0,"excluded":0}})"));
  BOOST_TEST(told["feeds"]["kraken"]["connected"] == true);
  merging.reset();
  feeds[exchange::binance] = report_of(exchange::binance);
  told = json::parse(asks("GET", "/api/feeds", 1s).body);
  BOOST_TEST(told["status"] == "incomplete");
  BOOST_TEST(told["merged"].is_null());
  BOOST_TEST(
      (told["feeds"]["binance"]["connected"] == true && told["feeds"]["binance"]["quality"].is_null()));
}

BOOST_FIXTURE_TEST_CASE(nobodys_password_is_in_the_address_of_a_feed, api_fixture) {
  struct row {
    const char *url, *shown;
  };
  constexpr row rows[] = {
      {"wss://user:secret@host:9443/ws?a=b@c", "wss://host:9443/ws?***"},
      {"wss://user:sec@ret@host/", "wss://host/"},
      {"wss://token@host", "wss://host"},
      {"wss://host/ws@v2", "wss://host/ws@v2"},
      {"wss://host?key=y@z", "wss://host?***"},
      {"user:secret@host", "host"},
      {"", ""},
  };
  for (const auto& r : rows) BOOST_TEST_CONTEXT(r.url) {
      feeds[exchange::kraken] = report_of(exchange::kraken);
      feeds[exchange::kraken].url = r.url;
      BOOST_TEST(body("/api/feeds?exchange=kraken")["feeds"]["kraken"]["url"] == r.shown);
    }
}

BOOST_FIXTURE_TEST_CASE(thousands_of_symbols_are_told_in_order, api_fixture) {
  auto& told = feeds[exchange::kraken];
  for (int i = 0; i < 5000; ++i)
    told.symbols.push_back({"S" + std::to_string(i), "s", "subscribed", "", 1, {}, {}});
  const auto answer = asks("GET", "/api/feeds?exchange=kraken");
  const auto symbols = nlohmann::ordered_json::parse(answer.body)["feeds"]["kraken"]["symbols"];
  BOOST_TEST_REQUIRE(symbols.size() == 5000u);
  BOOST_TEST(symbols.begin().key() == "S0");
  BOOST_TEST(std::prev(symbols.end()).key() == "S4999");
}

BOOST_FIXTURE_TEST_CASE(chaos_reaches_the_supervisor, api_fixture) {
  BOOST_TEST(asks("POST", "/api/actors/feed/okx/kill").status == 202u);
  BOOST_REQUIRE(killed.size() == 1u);
  BOOST_TEST((killed[0].name == "feed/okx" && !killed[0].hang));
}

BOOST_FIXTURE_TEST_CASE(metrics_are_told_of_whoever_answers_in_time, api_fixture) {
  BOOST_TEST(asks("GET", "/metrics").status == 404u); // nobody writes them down
  struct names final : metrics_port {
    std::string text(const metric_families& told) override {
      std::string all;
      for (const auto& family : told)
        if (family.samples.size() == 1)
          all += family.name + " " + std::to_string(static_cast<int>(family.samples.front().value)) + "\n";
      return all;
    }
  };
  caf::anon_send_exit(sut, caf::exit_reason::kill);
  sut = api_actor{};
  options.metrics = std::make_shared<names>();
  feeds[exchange::kraken].of = exchange::kraken; // that of Binance never answers
  const auto answer = asks("GET", "/metrics", 1s);
  BOOST_TEST(answer.status == 200u);
  BOOST_TEST((answer.headers == http_headers{{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}}));
  const auto tells = [&](const std::string& line) {
    return answer.body.find(line + "\n") != std::string::npos;
  };
  BOOST_TEST(tells("breakwater_scrape_incomplete 1"), answer.body);
  BOOST_TEST(tells("breakwater_redis_connected 1"), answer.body);
  BOOST_TEST(tells("breakwater_feed_connected 0"), answer.body);
  BOOST_TEST(tells("breakwater_api_requests_total 1"), answer.body);
  BOOST_TEST(asks("POST", "/metrics").status == 405u);
}

BOOST_FIXTURE_TEST_CASE(a_taken_port_is_tried_again_and_told_in_health, api_fixture) {
  http->port_is_taken = true;
  starts();
  auto told = *ask<health_answer>(sut, health_question{});
  BOOST_TEST((told.level == health_level::degraded));
  BOOST_TEST(told.why == "api.listen 127.0.0.1:8000: Address already in use");
  http->port_is_taken = false;
  wait(5s);
  BOOST_TEST(http->listening == 1);
  told = *ask<health_answer>(sut, health_question{});
  BOOST_TEST((told.level == health_level::ok));
}

BOOST_FIXTURE_TEST_CASE(the_port_is_given_back_when_the_actor_ends, api_fixture) {
  starts();
  BOOST_TEST(http->listening == 1);
  caf::anon_send_exit(sut, caf::exit_reason::kill);
  settle();
  BOOST_TEST(http->listening == 0);
  http->ask({1, "GET", "/health", {}, {}, "127.0.0.1:5"}); // nobody is there, and nothing happens
  settle();
  BOOST_TEST(http->answers.empty());
}

} // namespace breakwater::test
