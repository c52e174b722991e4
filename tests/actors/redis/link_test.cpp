#include "actors/redis/link.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

namespace breakwater {
std::ostream& boost_test_print_type(std::ostream& out, link_phase phase) { return out << to_string(phase); }
namespace {

using namespace std::chrono_literals;

constexpr mono_time start{1000h};

redis_reply status(const char* text) {
  return {.what = redis_reply::kind::status, .text = text, .items = {}};
}
redis_reply error(const char* text) { return {.what = redis_reply::kind::error, .text = text, .items = {}}; }
redis_reply bulk(const char* text) { return {.what = redis_reply::kind::text, .text = text, .items = {}}; }

const char* const loading = "LOADING Redis is loading the dataset in memory";

/// A link, its clock, and what it wanted since it was asked last, as words: "open 1", "send PING", "call 7
/// done fine", "call 7 failed", "count transport: eof", "ready 1", "say redis_lost".
struct rig {
  redis_settings settings;
  link sut;
  mono_time now = start;
  std::vector<std::string> wants;
  std::uint64_t last_tag = 0;
  std::size_t last_count = 0;
  std::string last_wire;
  link_news last_news;

  static redis_settings steady() {
    redis_settings made;
    made.backoff_jitter = 0;
    return made;
  }
  explicit rig(redis_address to = {}, redis_settings with = steady())
      : settings(with),
        sut({.settings = with, .address = std::move(to), .client_name = "breakwater:a b:publish"}) {}

  void perform(const link_actions& actions) {
    struct words {
      rig& r;
      std::string operator()(const open_connection& a) const {
        return "open " + std::to_string(a.connection);
      }
      std::string operator()(const drop_connection&) const { return "drop"; }
      std::string operator()(const send_commands& a) const {
        r.last_tag = a.tag;
        r.last_count = a.count;
        r.last_wire = *a.wire;
        std::string names;
        for (const char* name : {"AUTH", "SELECT", "SETNAME", "PING", "INFO"})
          if (a.wire->find(name) != std::string::npos) (names += ' ') += name;
        return "send" + names;
      }
      std::string operator()(const finish_call& a) const {
        return "call " + std::to_string(a.call) + " done " + to_string(a.judged.what);
      }
      std::string operator()(const fail_call& a) const {
        return "call " + std::to_string(a.call) + " failed";
      }
      std::string operator()(const count_failure& a) const { return "count " + a.reason; }
      std::string operator()(const link_restored& a) const { return "ready " + std::to_string(a.connection); }
      std::string operator()(const link_news& a) const {
        r.last_news = a;
        return std::string{"say "} + info_of(a.what).name;
      }
    };
    for (const auto& action : actions) wants.push_back(std::visit(words{*this}, action));
  }

  std::string wanted() {
    std::ostringstream all;
    for (const auto& want : std::exchange(wants, {})) all << (all.tellp() > 0 ? ", " : "") << want;
    return all.str();
  }
  wall_time wall() const {
    return wall_time_from_ms(1767571200000) + std::chrono::duration_cast<milliseconds>(now - start);
  }
  void begin() { perform(sut.start(now)); }
  void hear(decltype(link_event::what) what, connection_number of = 0) {
    perform(sut.on_event({of == 0 ? sut.connection() : of, std::move(what)}, now, wall()));
  }
  void connected() { hear(link_connected{}); }
  void closed(const char* why = "eof", const char* reply = "") { hear(link_closed{why, reply}); }
  void answered(std::vector<redis_reply> replies) {
    hear(link_answered{last_tag, std::make_shared<const std::vector<redis_reply>>(std::move(replies))});
  }
  void call(std::uint64_t number, milliseconds blocks_for = {}) {
    perform(sut.submit(number, std::make_shared<std::string>("*1\r\n$4\r\nPING\r\n"), 1, blocks_for, now));
  }
  /// Time passes, the link is woken whenever it wants to be.
  void wait(mono_time::duration time) {
    const auto until = now + time;
    for (auto due = sut.next_wake(); due && *due <= until; due = sut.next_wake()) {
      now = std::max(now, *due);
      perform(sut.on_wake(now, wall()));
      BOOST_REQUIRE((!sut.next_wake() || *sut.next_wake() > now)); // it would spin
    }
    now = until;
  }
  void given_a_ready_link() {
    begin();
    connected();
    answered({status("OK"), status("PONG")});
    BOOST_REQUIRE(sut.healthy());
    wants.clear();
  }
};

redis_address with_login() {
  redis_address to;
  to.username = "bridge";
  to.password = secret{"hush"};
  to.database = 3;
  return to;
}

} // namespace

BOOST_AUTO_TEST_CASE(introduces_itself_and_is_ready_only_after_pong) {
  rig r;
  r.begin();
  BOOST_TEST(r.wanted() == "say redis_connecting, open 1");
  BOOST_TEST(r.sut.phase() == link_phase::connecting);
  r.connected();
  BOOST_TEST(r.wanted() == "send SETNAME PING");
  BOOST_TEST(r.last_wire.find("breakwater:a_b:publish") != std::string::npos);
  BOOST_TEST(!r.sut.ready());
  r.answered({status("OK"), status("PONG")});
  BOOST_TEST(r.wanted() == "say redis_connected, ready 1");
  BOOST_TEST(r.sut.phase() == link_phase::ready);
}

BOOST_AUTO_TEST_CASE(logs_in_and_selects_first) {
  rig r{with_login()};
  r.begin();
  r.connected();
  BOOST_TEST(r.last_count == 4u);
  BOOST_TEST(r.last_wire.starts_with(
      "*3\r\n$4\r\nAUTH\r\n$6\r\nbridge\r\n$4\r\nhush\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n"));
  r.answered({status("OK"), status("OK"), status("OK"), status("PONG")});
  BOOST_TEST(r.sut.ready());
}

BOOST_AUTO_TEST_CASE(a_password_alone_is_for_the_default_user) {
  redis_address to;
  to.password = secret{"hush"};
  rig r{to};
  r.begin();
  r.connected();
  BOOST_TEST(r.last_wire.starts_with("*2\r\n$4\r\nAUTH\r\n$4\r\nhush\r\n"));
}

BOOST_AUTO_TEST_CASE(a_refused_login_is_counted_said_and_tried_again_slowly) {
  rig r{with_login()};
  r.begin();
  r.connected();
  r.wanted();
  r.answered({error("WRONGPASS invalid username-password pair or user is disabled."), error("NOAUTH x"),
              error("NOAUTH x"), error("NOAUTH x")});
  BOOST_TEST(r.wanted() ==
             "drop, say redis_connect_failed, say redis_denied, count configuration: WRONGPASS invalid "
             "username-password pair or user is disabled.");
  r.wait(30s - 1ms);
  BOOST_TEST(r.wanted() == "");
  r.wait(1ms);
  BOOST_TEST(r.wanted() == "open 2");
}

BOOST_AUTO_TEST_CASE(a_missing_database_is_a_matter_of_configuration) {
  rig r{with_login()};
  r.begin();
  r.connected();
  r.answered({status("OK"), error("ERR DB index is out of range"), status("OK"), status("PONG")});
  BOOST_TEST((*r.sut.next_wake() - r.now >= link::slow_retry));
}

BOOST_AUTO_TEST_CASE(a_user_without_the_right_to_name_itself_may_still_write) {
  rig r;
  r.begin();
  r.connected();
  r.answered(
      {error("NOPERM this user has no permissions to run the 'client|setname' command"), status("PONG")});
  BOOST_TEST(r.sut.ready());
}

BOOST_AUTO_TEST_CASE(waits_while_redis_loads_keeps_the_connection_and_counts_no_failure) {
  rig r;
  r.begin();
  r.connected();
  r.wanted();
  r.answered({status("OK"), error(loading)});
  BOOST_TEST(r.wanted() == "say redis_waits, send INFO");
  r.answered({bulk("# Persistence\r\nloading:1\r\nloading_eta_seconds:7\r\n")});
  r.wait(7s - 1ms);
  BOOST_TEST(r.wanted() == "");
  r.wait(1ms);
  BOOST_TEST(r.wanted() == "send PING");
  r.answered({error(loading)});
  BOOST_TEST(r.wanted() == "say redis_waits, send INFO");
  r.answered({error("NOPERM no INFO for you")});
  r.wait(2s); // the backoff's second step
  BOOST_TEST(r.wanted() == "send PING");
  r.answered({status("PONG")});
  BOOST_TEST(r.wanted() == "say redis_connected, ready 1");
  BOOST_TEST(r.sut.report(r.now).connection_attempts == 1u);
}

BOOST_AUTO_TEST_CASE(an_eta_of_hours_is_not_believed) {
  rig r;
  r.begin();
  r.connected();
  r.answered({status("OK"), error(loading)});
  r.answered({bulk("loading_eta_seconds:90000\r\n")});
  BOOST_TEST((*r.sut.next_wake() - r.now == 30s));
}

BOOST_AUTO_TEST_CASE(retries_for_ever_doubling_to_the_longest_backoff) {
  rig r;
  r.begin();
  for (const auto wait : {1s, 2s, 4s, 8s, 16s, 30s, 30s, 30s}) {
    r.wanted();
    r.closed("refused");
    BOOST_TEST(r.wanted() == "drop, say redis_connect_failed, count transport: refused");
    BOOST_TEST((r.last_news.wait == wait));
    r.wait(wait - 1ms);
    BOOST_TEST(r.wanted() == "");
    r.wait(1ms);
    BOOST_TEST(r.wanted().starts_with("open"));
  }
  BOOST_TEST(r.last_news.attempt == 8u);
}

BOOST_AUTO_TEST_CASE(jitter_stays_within_its_share) {
  auto with = rig::steady();
  with.backoff_jitter = 0.2;
  rig r{{}, with};
  r.begin();
  for (const double wait : {1e3, 2e3, 4e3, 8e3, 16e3, 30e3}) {
    r.closed("refused");
    const auto waits = static_cast<double>(r.last_news.wait.count());
    BOOST_TEST((waits >= wait * 0.8 - 1 && waits <= wait * 1.2));
    r.wait(r.last_news.wait);
  }
}

BOOST_AUTO_TEST_CASE(a_loss_is_one_failure_however_many_calls_were_out) {
  rig r;
  r.given_a_ready_link();
  r.call(1);
  r.call(2);
  r.wanted();
  r.closed("connection reset");
  BOOST_TEST(r.wanted() ==
             "drop, call 1 failed, call 2 failed, say redis_lost, count transport: connection reset");
  BOOST_TEST(r.sut.phase() == link_phase::backing_off);
  BOOST_TEST(r.sut.report(r.now).failed_operations == 2u);
}

BOOST_AUTO_TEST_CASE(says_that_it_reconnected_before_it_says_connected) {
  rig r;
  r.given_a_ready_link();
  r.wait(20s);
  r.closed();
  r.wait(1s);
  r.closed("refused");
  r.wait(2s);
  r.connected();
  r.wanted();
  r.answered({status("OK"), status("PONG")});
  BOOST_TEST(r.wanted() == "say redis_reconnected, say redis_connected, ready 3");
  const auto seen = r.sut.report(r.now);
  BOOST_TEST(seen.reconnects == 1u);
  BOOST_TEST(seen.reconnects_last_hour == 1u);
  r.wait(1h);
  BOOST_TEST(r.sut.report(r.now).reconnects_last_hour == 0u);
}

BOOST_AUTO_TEST_CASE(the_backoff_starts_anew_only_after_ten_stable_seconds) {
  rig r;
  r.given_a_ready_link();
  r.wait(10s);
  r.closed();
  BOOST_TEST((r.last_news.wait == 1s));
  r.wait(1s);
  r.connected();
  r.answered({status("OK"), status("PONG")});
  r.wait(9s);
  r.closed();
  BOOST_TEST((r.last_news.wait == 2s));
}

BOOST_AUTO_TEST_CASE(gives_up_a_connect_attempt_after_its_time) {
  rig r;
  r.begin();
  r.wanted();
  r.wait(5s);
  BOOST_TEST(r.wanted() ==
             "drop, say redis_connect_failed, count transport: no connection within connect_timeout");
  r.connected(); // too late: of no use
  BOOST_TEST(r.wanted() == "");
}

BOOST_AUTO_TEST_CASE(gives_up_a_connection_that_answers_nothing_for_the_commands_time) {
  rig r;
  r.given_a_ready_link();
  r.call(1);
  r.wait(4s);
  r.call(2);
  r.wanted();
  r.wait(1s);
  BOOST_TEST(r.wanted() == "drop, call 1 failed, call 2 failed, say redis_lost, count transport: no answer "
                           "within command_timeout");
}

BOOST_AUTO_TEST_CASE(a_blocking_read_has_its_own_time_and_then_the_commands) {
  rig r;
  r.given_a_ready_link();
  r.call(7, 5s);
  r.wait(10s - 1ms);
  BOOST_TEST(r.wanted() == "send PING");
  r.wait(1ms);
  BOOST_TEST(r.wanted() ==
             "drop, call 7 failed, say redis_lost, count transport: no answer within command_timeout");
}

BOOST_AUTO_TEST_CASE(a_health_ping_behind_a_blocking_read_waits_for_it) {
  rig r;
  r.given_a_ready_link();
  r.wait(27s);
  r.call(7, 5s);
  r.wanted();
  r.wait(4s); // the ping went out, and Redis holds the read back
  BOOST_TEST(r.wanted() == "send PING");
  r.wait(3s);
  BOOST_TEST(r.wanted() == "");
}

BOOST_AUTO_TEST_CASE(the_password_can_change_between_two_connections) {
  rig r{with_login()};
  r.begin();
  r.connected();
  r.answered({error("WRONGPASS invalid username-password pair"), error("NOAUTH Authentication required."),
              error("NOAUTH Authentication required."), error("NOAUTH Authentication required.")});
  BOOST_TEST(r.sut.report(r.now).last_error_class == "configuration");
  r.sut.use_password(secret{"mended"});
  r.wait(30s);
  r.connected();
  BOOST_TEST(r.last_wire.find("mended") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_class_of_the_last_error_is_reported_also_of_one_that_is_no_failure) {
  rig r;
  r.given_a_ready_link();
  r.call(1);
  r.answered({error(loading)});
  const auto told = r.sut.report(r.now);
  BOOST_TEST((told.last_error == loading && told.last_error_class == "waiting"));
  BOOST_TEST(told.consecutive_failures == 0u);
  r.closed();
  BOOST_TEST(r.sut.report(r.now).last_error_class == "transport");
}

BOOST_AUTO_TEST_CASE(a_queue_that_moves_is_no_dead_link) {
  rig r;
  r.given_a_ready_link();
  r.call(1);
  const auto first = r.last_tag;
  r.call(2);
  r.wait(4s);
  r.wanted();
  r.hear(link_answered{first, std::make_shared<const std::vector<redis_reply>>(1, status("OK"))});
  r.wait(4s);
  BOOST_TEST(r.wanted() == "call 1 done fine");
  r.wait(1s);
  BOOST_TEST(r.wanted().starts_with("drop, call 2 failed"));
}

BOOST_AUTO_TEST_CASE(pings_each_health_interval_and_only_pong_in_time_counts) {
  rig r;
  r.given_a_ready_link();
  r.wait(30s);
  BOOST_TEST(r.wanted() == "send PING");
  r.wait(1ms);
  r.answered({status("PONG")});
  BOOST_TEST((r.sut.report(r.now).last_round_trip == 1ms));
  BOOST_TEST((*r.sut.report(r.now).last_health_check == r.wall()));
  r.wait(30s - 1ms);
  BOOST_TEST(r.wanted() == "send PING");
  r.wait(5s);
  BOOST_TEST(r.wanted() == "drop, say redis_lost, count transport: no answer within command_timeout");
}

namespace {
struct ping_row {
  const char* answer;
  const char* wanted;
  link_phase phase;
};
std::ostream& operator<<(std::ostream& out, const ping_row& row) { return out << row.answer; }
const ping_row pings[] = {
    {loading, "say redis_waits", link_phase::degraded},
    {"BUSY Redis is busy running a script", "say redis_waits", link_phase::degraded},
    {"MISCONF no disk", "count refusing_writes: MISCONF no disk", link_phase::degraded},
    {"MASTERDOWN x", "count temporary: MASTERDOWN x", link_phase::degraded},
    {"NOAUTH x", "say redis_denied, count configuration: NOAUTH x", link_phase::degraded},
    {"READONLY x", "drop, say redis_lost, count failed_over: READONLY x", link_phase::backing_off},
};
} // namespace

BOOST_AUTO_TEST_CASE(an_error_to_a_ping_takes_its_class_and_is_no_dead_link) {
  for (const auto& row : pings) BOOST_TEST_CONTEXT(row) {
      rig r;
      r.given_a_ready_link();
      r.wait(30s);
      r.wanted();
      r.answered({error(row.answer)});
      BOOST_TEST(r.wanted() == row.wanted);
      BOOST_TEST(r.sut.phase() == row.phase);
    }
}

BOOST_AUTO_TEST_CASE(a_degraded_link_takes_commands_and_heals_with_the_next_pong) {
  rig r;
  r.given_a_ready_link();
  r.wait(30s);
  r.answered({error("MISCONF x")});
  BOOST_TEST(r.sut.ready());
  BOOST_TEST(!r.sut.healthy());
  r.wait(30s);
  r.answered({status("PONG")});
  BOOST_TEST(r.sut.healthy());
}

BOOST_AUTO_TEST_CASE(readonly_drops_the_connection_and_is_counted_with_its_call) {
  rig r;
  r.given_a_ready_link();
  r.call(1);
  r.wanted();
  r.answered({error("READONLY You can't write against a read only replica.")});
  BOOST_TEST(r.wanted() == "call 1 done failed_over, drop, say redis_lost");
  r.wait(1s);
  BOOST_TEST(r.wanted() == "open 2");
}

BOOST_AUTO_TEST_CASE(refused_writes_and_wrong_targets_keep_the_connection) {
  rig r;
  r.given_a_ready_link();
  r.call(1);
  r.answered({error("OOM x")});
  r.call(2);
  r.answered({error("WRONGTYPE x")});
  BOOST_TEST(r.sut.ready());
  const auto seen = r.sut.report(r.now);
  BOOST_TEST(seen.failed_operations == 1u);
  BOOST_TEST(seen.successful_operations == 1u);
  BOOST_TEST(seen.consecutive_failures == 0u);
  BOOST_TEST(seen.last_error == "OOM x");
}

BOOST_AUTO_TEST_CASE(a_server_without_room_for_us_is_named) {
  rig r;
  r.begin();
  r.connected();
  r.wanted();
  r.closed("closed by Redis", "ERR max number of clients reached");
  BOOST_TEST(r.wanted() ==
             "drop, say redis_connect_failed, count capacity: ERR max number of clients reached");
}

BOOST_AUTO_TEST_CASE(events_of_an_earlier_connection_are_ignored) {
  rig r;
  r.given_a_ready_link();
  r.closed();
  r.wait(1s);
  r.wanted();
  r.hear(link_closed{"late", {}}, 1);
  BOOST_TEST(r.wanted() == "");
  BOOST_TEST(r.sut.phase() == link_phase::connecting);
}

} // namespace breakwater
