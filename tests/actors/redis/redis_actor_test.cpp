#include "actors/redis/redis_actor.hpp"

#include "actors/breaker/breaker_actor.hpp"
#include "actors/support/emit_io.hpp"
#include "actors/support/relay.hpp"
#include "actors/support/resp.hpp"
#include "tests/support/actor_fixture.hpp"
#include "tests/support/fake_breaker_store.hpp"

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <unistd.h>

namespace breakwater::test {
namespace {

redis_reply status(const char* text) {
  return {.what = redis_reply::kind::status, .text = text, .items = {}};
}
redis_reply error(const char* text) { return {.what = redis_reply::kind::error, .text = text, .items = {}}; }

/// A Redis in memory: up or down, answering PING and what else it is told, or keeping silent.
struct fake_redis : redis_port {
  struct connection : redis_connection {
    connection(fake_redis& of, connection_number n) : owner(of), number(n) {}
    ~connection() override { owner.open.erase(number); }
    void submit(std::uint64_t tag, std::shared_ptr<const std::string> wire, std::size_t count) override {
      owner.take(number, tag, *wire, count);
    }
    fake_redis& owner;
    connection_number number;
  };

  bool up = true;
  bool silent = false;
  std::size_t attempts = 0;
  std::map<connection_number, sink> open;
  std::vector<std::string> received; ///< Calls, without handshakes and pings.
  std::vector<std::string> names;    ///< What connections called themselves.
  std::vector<redis_reply> next_answer;
  struct waiting {
    connection_number connection;
    std::uint64_t tag;
  };
  std::vector<waiting> unanswered;

  std::unique_ptr<redis_connection> connect(const redis_address&, std::chrono::milliseconds,
                                            connection_number number, sink events) override {
    ++attempts;
    open[number] = events;
    if (up)
      events({number, link_connected{}});
    else
      events({number, link_closed{"Connection refused", {}}});
    return std::make_unique<connection>(*this, number);
  }
  void take(connection_number number, std::uint64_t tag, const std::string& wire, std::size_t count) {
    if (const auto at = wire.find("SETNAME\r\n"); at != std::string::npos) {
      const auto name = wire.find("\r\n", at + 9) + 2;
      names.push_back(wire.substr(name, wire.find("\r\n", name) - name));
    }
    const bool ours = wire.find("SETNAME") != std::string::npos || wire == "*1\r\n$4\r\nPING\r\n";
    if (!ours) received.push_back(wire);
    if (silent) {
      unanswered.push_back({number, tag});
      return;
    }
    std::vector<redis_reply> replies(count, status("OK"));
    if (ours)
      replies.back() = status("PONG");
    else if (!next_answer.empty())
      replies = std::exchange(next_answer, {});
    answer(number, tag, std::move(replies));
  }
  void answer(connection_number number, std::uint64_t tag, std::vector<redis_reply> replies) {
    if (auto found = open.find(number); found != open.end())
      found->second(
          {number, link_answered{tag, std::make_shared<const std::vector<redis_reply>>(std::move(replies))}});
  }
  void goes_away() {
    up = false;
    for (auto& [number, events] : std::map{open})
      events({number, link_closed{"Connection reset by peer", {}}});
  }
  void comes_back() { up = true; }
};

struct redis_fixture : actor_fixture {
  std::filesystem::path log =
      std::filesystem::temp_directory_path() / ("breakwater-log-" + std::to_string(::getpid()));
  std::shared_ptr<fake_redis> server = std::make_shared<fake_redis>();
  std::vector<connection_number> told; ///< What the listener heard.
  breaker_actor breaker_address = make_relay<breaker_actor>(sys);
  breaker_actor breaker;
  redis_actor sut;
  wall_clock wall_now = wall();

  redis_fixture() {
    std::filesystem::remove(log);
    BOOST_REQUIRE(
        bool{open_log({.level = log_level::debug, .format = log_format::text, .file = log.string()})});
  }
  ~redis_fixture() {
    close_log();
    static_cast<void>(open_log({}));
    std::filesystem::remove(log);
  }

  void given_redis(breaker_settings guard = {}) {
    auto audit = spawn([](audit_actor::pointer) -> audit_actor::behavior_type {
      return {[](const audit_record&) {}, [](const audit_order&) { return audit_written{}; },
              [](const audit_tail_request&) { return audit_tail{}; },
              [](const health_question&) { return health_answer{}; }};
    });
    auto listener = spawn([this](publisher_actor::pointer) -> publisher_actor::behavior_type {
      return {[](const record_batch&) { return intake_answer{}; },
              [](checkpoint_request) { return checkpoint_answer{}; },
              [](const spool_event&) {},
              [this](const link_up& link) { told.push_back(link.connection); },
              [](const spool_question&) { return spool_report{}; },
              [](const wake&) {},
              [](const drain_request&) { return drained{}; },
              [](const health_question&) { return health_answer{}; }};
    });
    breaker =
        spawn(breaker_behavior, breaker_options{"redis", guard, wall_now}, audit, std::vector<bridge_actor>{},
              std::shared_ptr<breaker_store_port>{std::make_shared<fake_breaker_store>()});
    bind_relay(caf::actor_cast<caf::strong_actor_ptr>(breaker_address),
               caf::actor_cast<caf::strong_actor_ptr>(breaker));
    redis_options options{.settings = {}, .instance = "a", .clock = wall_now};
    options.settings.backoff_jitter = 0;
    sut = spawn(redis_behavior, options, breaker_address, std::vector{listener},
                std::shared_ptr<redis_port>{server});
    settle();
  }

  static redis_commands commands(const char* name, connection_number only_on = any_connection) {
    auto wire = std::make_shared<std::string>();
    append_command(*wire, {"ECHO", name});
    return {std::move(wire), 1, only_on};
  }
  caf::expected<redis_replies> call(const char* name = "x", connection_number only_on = any_connection) {
    return ask<redis_replies>(sut, commands(name, only_on));
  }
  errc refusal(connection_number only_on = any_connection) {
    auto answer = call("x", only_on);
    return answer ? errc::none : to_failure(answer.error()).code;
  }
  std::map<std::string, std::string> facts_of(const auto& whom) {
    const auto answer = ask<health_answer>(whom, health_question{});
    return {answer->facts.begin(), answer->facts.end()};
  }
  std::string circuit() { return facts_of(breaker)["state"]; }
  /// Where the first line with each of these words stands in the log; each must stand behind the one before
  /// it.
  void check_order(std::initializer_list<const char*> words, std::size_t from_line = 0) {
    std::ifstream file{log};
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    std::size_t last = from_line;
    for (const char* word : words) {
      const auto found =
          std::find_if(lines.begin() + static_cast<std::ptrdiff_t>(from_line), lines.end(),
                       [word](const auto& line) { return line.find(word) != std::string::npos; });
      BOOST_REQUIRE_MESSAGE(found != lines.end(), word << " is not in the log");
      const auto at = static_cast<std::size_t>(found - lines.begin());
      BOOST_TEST(at >= last, word << " stands too early, line " << at);
      BOOST_TEST(found->find("[REDIS-MGR]") != std::string::npos);
      last = at;
    }
  }
  std::size_t lines_in_log() {
    std::ifstream file{log};
    std::size_t count = 0;
    for (std::string line; std::getline(file, line);) ++count;
    return count;
  }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(tells_the_listeners_once_commands_get_through, redis_fixture) {
  given_redis();
  BOOST_REQUIRE(told.size() == 1u);
  const auto answer = call("hello", told[0]);
  BOOST_REQUIRE(bool{answer});
  BOOST_TEST(answer->replies->front().text == "OK");
  BOOST_TEST(answer->connection == told[0]);
}

BOOST_FIXTURE_TEST_CASE(refuses_at_once_while_there_is_no_connection, redis_fixture) {
  server->up = false;
  given_redis();
  BOOST_TEST((refusal() == errc::redis_unavailable));
  BOOST_TEST(told.empty());
}

BOOST_FIXTURE_TEST_CASE(refuses_what_was_meant_for_another_connection, redis_fixture) {
  given_redis();
  BOOST_TEST((refusal(told[0] + 1) == errc::redis_connection_changed));
  BOOST_TEST((refusal(told[0]) == errc::none));
}

BOOST_FIXTURE_TEST_CASE(keeps_the_order_of_calls_made_at_once, redis_fixture) {
  given_redis();
  caf::scoped_actor me{sys, true};
  std::vector<std::string> expected;
  for (const char* name : {"a", "b", "c", "d"}) {
    auto what = commands(name);
    expected.push_back(*what.wire);
    me->send(sut, std::move(what));
  }
  settle();
  BOOST_TEST(server->received == expected, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(an_outage_of_20_s_is_told_in_the_order_operators_look_for, redis_fixture) {
  given_redis();
  wait(1min);
  const auto before = lines_in_log();
  server->goes_away();
  wait(14s); // lost, then refused after 1, 3 and 7 s
  BOOST_TEST(circuit() == "CLOSED");
  wait(2s); // and after 15 s
  BOOST_TEST(circuit() == "OPEN");
  BOOST_TEST((refusal() == errc::redis_unavailable));
  wait(4s);
  server->comes_back();
  wait(15s);
  BOOST_TEST(circuit() == "CLOSED");
  BOOST_REQUIRE(told.size() == 2u);
  BOOST_TEST((refusal(told[1]) == errc::none));
  check_order({"Connection lost", "Connection attempt failed", "Circuit OPEN",
               "Reconnect goes on behind the open", "Reconnect succeeded", "Connected to Redis",
               "Circuit HALF-OPEN", "Circuit CLOSED"},
              before);
  check_order({"Circuit OPEN", "Reconnect", "Connected to Redis", "Circuit CLOSED"}, before);
}

BOOST_FIXTURE_TEST_CASE(reconnects_for_ever_and_says_so_behind_the_open_circuit, redis_fixture) {
  given_redis();
  server->goes_away();
  wait(24h);
  BOOST_TEST(server->attempts > 2000u);
  BOOST_TEST((refusal() == errc::redis_unavailable));
  server->comes_back();
  wait(31s);
  BOOST_TEST((refusal() == errc::none));
  BOOST_TEST(circuit() == "CLOSED");
}

BOOST_FIXTURE_TEST_CASE(a_short_loss_is_one_failure_and_opens_nothing, redis_fixture) {
  given_redis();
  wait(20s);
  server->goes_away();
  server->comes_back();
  settle();
  BOOST_TEST(facts_of(breaker)["failure_count"] == "1");
  wait(1s);
  BOOST_TEST(facts_of(breaker)["failure_count"] == "0"); // the probe cleared it
  BOOST_TEST(told.size() == 2u);
  BOOST_TEST(told[0] != told[1]);
}

BOOST_FIXTURE_TEST_CASE(calls_on_the_way_fail_when_the_connection_is_lost, redis_fixture) {
  given_redis();
  server->silent = true;
  caf::scoped_actor me{sys, true};
  auto first = me->request(sut, caf::infinite, commands("a"));
  auto second = me->request(sut, caf::infinite, commands("b"));
  settle();
  BOOST_TEST(facts_of(sut)["in_flight"] == "2");
  server->goes_away();
  settle();
  int failed = 0;
  const auto count = [&](caf::error& e) { failed += to_failure(e).code == errc::redis_unavailable; };
  first.receive([](redis_replies&) {}, count);
  second.receive([](redis_replies&) {}, count);
  BOOST_TEST(failed == 2);
  BOOST_TEST(facts_of(breaker)["failures"] == "1");
}

BOOST_FIXTURE_TEST_CASE(a_silent_server_is_given_up_after_the_commands_time, redis_fixture) {
  given_redis();
  server->silent = true;
  caf::scoped_actor me{sys, true};
  auto pending = me->request(sut, caf::infinite, commands("a"));
  wait(5s - 1ms);
  BOOST_TEST(!me->has_next_message());
  wait(1ms);
  BOOST_REQUIRE(me->has_next_message());
  pending.receive([](redis_replies&) { BOOST_ERROR("answered"); }, [](caf::error&) {});
  BOOST_TEST(facts_of(sut)["connected"] == "false");
}

BOOST_FIXTURE_TEST_CASE(refused_writes_are_failures_and_wrong_targets_are_not, redis_fixture) {
  given_redis();
  for (int i = 0; i < 6; ++i) {
    server->next_answer = {error("WRONGTYPE x")};
    BOOST_TEST(bool{call()});
  }
  BOOST_TEST(circuit() == "CLOSED");
  for (int i = 0; i < 5; ++i) {
    server->next_answer = {error("OOM x")};
    const auto answer = call();
    BOOST_REQUIRE(bool{answer});
    BOOST_TEST(answer->replies->front().text == "OOM x");
  }
  BOOST_TEST(circuit() == "OPEN");
  BOOST_TEST((refusal() == errc::redis_unavailable));
}

BOOST_FIXTURE_TEST_CASE(a_redis_that_says_wait_is_neither_failure_nor_success, redis_fixture) {
  given_redis();
  for (int i = 0; i < 4; ++i) {
    server->next_answer = {error("OOM x")};
    static_cast<void>(call());
  }
  for (int i = 0; i < 10; ++i) {
    server->next_answer = {error("BUSY x")};
    static_cast<void>(call());
  }
  BOOST_TEST(facts_of(breaker)["failure_count"] == "4");
}

BOOST_FIXTURE_TEST_CASE(listeners_are_told_again_when_calls_they_were_refused_would_pass, redis_fixture) {
  given_redis();
  for (int i = 0; i < 5; ++i) {
    server->next_answer = {error("OOM x")};
    static_cast<void>(call());
  }
  BOOST_TEST((refusal() == errc::redis_unavailable));
  BOOST_TEST(told.size() == 1u);
  wait(60s);
  BOOST_TEST(told.size() >= 2u);
  BOOST_TEST(told.back() == told.front());
  BOOST_TEST((refusal() == errc::none));
  BOOST_TEST(circuit() == "CLOSED");
}

BOOST_FIXTURE_TEST_CASE(readonly_drops_the_connection_and_counts_once, redis_fixture) {
  given_redis();
  server->next_answer = {error("READONLY x")};
  BOOST_TEST(bool{call()});
  BOOST_TEST(facts_of(breaker)["failures"] == "1");
  BOOST_TEST(server->open.empty());
  wait(1s);
  BOOST_TEST(told.size() == 2u);
}

BOOST_FIXTURE_TEST_CASE(without_a_breaker_calls_are_refused_until_it_is_back, redis_fixture) {
  given_redis();
  bind_relay(caf::actor_cast<caf::strong_actor_ptr>(breaker_address), nullptr);
  BOOST_TEST((refusal() == errc::redis_unavailable));
  bind_relay(caf::actor_cast<caf::strong_actor_ptr>(breaker_address),
             caf::actor_cast<caf::strong_actor_ptr>(breaker));
  wait(100ms);
  BOOST_TEST(told.size() == 2u);
  BOOST_TEST((refusal() == errc::none));
}

BOOST_FIXTURE_TEST_CASE(an_observing_breaker_holds_nothing_back, redis_fixture) {
  breaker_settings observing;
  observing.mode = breaker_mode::observe;
  given_redis(observing);
  server->goes_away();
  wait(1min);
  server->comes_back();
  wait(31s);
  BOOST_TEST(told.size() == 2u);
  BOOST_TEST((refusal() == errc::none));
}

BOOST_FIXTURE_TEST_CASE(several_probes_close_it_before_the_listeners_come, redis_fixture) {
  breaker_settings three;
  three.half_open_probes = 3;
  given_redis(three);
  server->goes_away();
  wait(20s);
  server->comes_back();
  wait(15s);
  BOOST_TEST(circuit() == "CLOSED");
  BOOST_TEST(told.size() == 2u);
}

BOOST_FIXTURE_TEST_CASE(an_ended_actor_closes_its_connection, redis_fixture) {
  given_redis();
  BOOST_TEST(server->open.size() == 1u);
  caf::anon_send_exit(sut, caf::exit_reason::user_shutdown);
  settle();
  BOOST_TEST(server->open.empty());
}

BOOST_FIXTURE_TEST_CASE(another_life_never_uses_a_connection_number_again, redis_fixture) {
  given_redis();
  caf::anon_send_exit(sut, caf::exit_reason::kill);
  settle();
  wait(100ms);
  given_redis();
  BOOST_REQUIRE(told.size() == 2u);
  BOOST_TEST(told[1] > told[0]);
}

BOOST_FIXTURE_TEST_CASE(health_is_critical_while_redis_is_away, redis_fixture) {
  given_redis();
  BOOST_TEST((ask<health_answer>(sut, health_question{})->level == health_level::ok));
  server->goes_away();
  settle();
  const auto answer = ask<health_answer>(sut, health_question{});
  BOOST_TEST((answer->level == health_level::critical));
  auto told_facts = facts_of(sut);
  BOOST_TEST(told_facts["connected"] == "false");
  BOOST_TEST(told_facts["phase"] == "backing_off");
  BOOST_TEST(told_facts["last_error"] == "Connection reset by peer");
}

/// A read that Redis may hold back for 5 s.
redis_commands blocking_read(redis_lane lane = redis_lane::reads) {
  auto wire = std::make_shared<std::string>();
  append_command(*wire, {"XREAD", "BLOCK", "5000", "STREAMS", "results", "0-0"});
  return {std::move(wire), 1, any_connection, lane, 5s};
}

BOOST_FIXTURE_TEST_CASE(blocking_reads_have_a_connection_of_their_own, redis_fixture) {
  given_redis();
  BOOST_TEST(server->open.size() == 1u);
  BOOST_TEST(!ask<redis_replies>(sut, blocking_read())); // it is opened by this, and not there yet
  BOOST_TEST(server->open.size() == 2u);
  const auto read = ask<redis_replies>(sut, blocking_read());
  BOOST_REQUIRE(read);
  const auto command = call();
  BOOST_REQUIRE(command);
  BOOST_TEST(read->connection != command->connection);
}

BOOST_FIXTURE_TEST_CASE(readers_do_not_hold_up_each_other, redis_fixture) {
  given_redis();
  for (const auto lane : {redis_lane::reads, redis_lane::raw})
    BOOST_TEST(!ask<redis_replies>(sut, blocking_read(lane)));
  BOOST_TEST(server->open.size() == 3u);
  BOOST_TEST((server->names ==
              std::vector<std::string>{"breakwater:a:publish", "breakwater:a:read", "breakwater:a:raw"}));
  std::set<connection_number> connections{call()->connection};
  for (const auto lane : {redis_lane::reads, redis_lane::raw})
    connections.insert(ask<redis_replies>(sut, blocking_read(lane))->connection);
  BOOST_TEST(connections.size() == 3u);
  for (const auto number : connections) // each is found by its events
    if (number == *connections.rbegin())
      server->open.at(number)({number, link_closed{"Connection reset by peer", {}}});
  settle();
  BOOST_TEST(bool{call()});
  BOOST_TEST(bool{ask<redis_replies>(sut, blocking_read(redis_lane::reads))});
  BOOST_TEST(!ask<redis_replies>(sut, blocking_read(redis_lane::raw)));
  wait(2s);
  BOOST_TEST(bool{ask<redis_replies>(sut, blocking_read(redis_lane::raw))});
}

BOOST_FIXTURE_TEST_CASE(a_read_that_redis_holds_back_holds_up_nobody, redis_fixture) {
  given_redis();
  BOOST_TEST(!ask<redis_replies>(sut, blocking_read()));
  server->silent = true;
  caf::scoped_actor me{sys, true};
  auto pending = me->request(sut, caf::infinite, blocking_read());
  settle();
  server->silent = false;
  wait(9s);
  BOOST_TEST(bool{call()});
  BOOST_TEST(!me->has_next_message());
  wait(1s); // 5 s that Redis may take, 5 s of command_timeout
  BOOST_REQUIRE(me->has_next_message());
  pending.receive([](redis_replies&) { BOOST_ERROR("it was answered"); },
                  [](caf::error& error) { BOOST_TEST((to_failure(error).code == errc::redis_unavailable)); });
  wait(1s); // opened again
  BOOST_TEST(bool{ask<redis_replies>(sut, blocking_read())});
  check_order({"redis_reads_connected", "redis_reads_lost"});
}

BOOST_FIXTURE_TEST_CASE(what_becomes_of_a_read_is_no_outcome_for_the_breaker, redis_fixture) {
  given_redis();
  BOOST_TEST(!ask<redis_replies>(sut, blocking_read()));
  const auto before = facts_of(breaker);
  server->next_answer = {{.what = redis_reply::kind::error, .text = "MASTERDOWN Link is down", .items = {}}};
  BOOST_TEST(bool{ask<redis_replies>(sut, blocking_read())});
  for (auto& [number, events] : std::map{server->open}) // both connections end at once: one failure
    events({number, link_closed{"Connection reset by peer", {}}});
  settle();
  const auto after = facts_of(breaker);
  BOOST_TEST(std::stoi(after.at("failures")) == std::stoi(before.at("failures")) + 1);
  BOOST_TEST(after.at("failure_count") == "1");
}

BOOST_FIXTURE_TEST_CASE(an_open_circuit_refuses_reads_too, redis_fixture) {
  given_redis();
  BOOST_TEST(!ask<redis_replies>(sut, blocking_read()));
  BOOST_TEST(bool{ask<redis_replies>(sut, blocking_read())});
  ask<breaker_order_answer>(breaker, breaker_force_open{"maintenance", "alice", "x"});
  const auto refused = ask<redis_replies>(sut, blocking_read());
  BOOST_REQUIRE(!refused);
  BOOST_TEST(to_failure(refused.error()).detail == "circuit FORCED_OPEN by an operator: maintenance");
  wait(10min); // and nobody wakes up for it over and over
}

BOOST_FIXTURE_TEST_CASE(the_report_is_of_the_connection_for_commands, redis_fixture) {
  given_redis();
  BOOST_TEST(bool{call()});
  const auto report = *ask<redis_report>(sut, redis_question{});
  BOOST_TEST((report.connected && report.healthy && report.phase == "ready"));
  BOOST_TEST(report.address == "redis://127.0.0.1:6379/0");
  BOOST_TEST(
      (report.connection_attempts == 1u && report.successful_operations >= 1u && report.reconnects == 0u));
}

} // namespace breakwater::test
