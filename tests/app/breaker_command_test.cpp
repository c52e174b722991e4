#include "app/commands/breaker.hpp"

#include "actors/api/http_io.hpp"
#include "actors/api/json_answer.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/test/unit_test.hpp>

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <sstream>
#include <thread>

namespace breakwater::test {
namespace {

/// An API that answers whatever it is told, and keeps the last request.
struct command_fixture {
  std::function<http_response()> answers = [] { return json_answer(200, {{"status", "success"}}); };
  http_request asked;
  boost::asio::io_context io{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> keep{io.get_executor()};
  std::thread thread{[this] { io.run(); }};
  std::unique_ptr<http_listener> listener;
  breaker_command_options options;
  std::ostringstream out, err;

  command_fixture() {
    auto bound = http_io{io}.serve("127.0.0.1:0", {}, {.asked = [this](http_request request) {
                                     asked = request;
                                     auto answer = answers();
                                     answer.number = request.number;
                                     listener->answer(std::move(answer));
                                   }});
    BOOST_REQUIRE(bound);
    listener = std::move(*bound);
    options.api = listener->address();
    ::unsetenv("BREAKWATER_TOKEN");
  }
  ~command_fixture() {
    listener.reset();
    keep.reset();
    io.stop();
    thread.join();
  }
  int run() {
    out.str({});
    err.str({});
    return breaker_command(options, out, err);
  }
  std::string header(const std::string& name) const {
    for (const auto& [key, value] : asked.headers)
      if (key == name) return value;
    return {};
  }
  bool says(const std::ostringstream& stream, const std::string& text) const {
    return stream.str().find(text) != std::string::npos;
  }
};

nlohmann::ordered_json breaker(bool active) {
  return {{"name", "redis"},
          {"active", active},
          {"state", active ? "OPEN" : "CLOSED"},
          {"mode", "enforce"},
          {"failure_count", 5},
          {"threshold", 5},
          {"last_failure", "2026-01-05T00:00:00.000Z"},
          {"last_failure_reason", "transport: \x1b[31mred"},
          {"trigger_reason", nullptr},
          {"opened_at", nullptr},
          {"retry_at", nullptr},
          {"can_reset", false},
          {"reset_blocked_reason", "too soon"},
          {"statistics",
           {{"allowed_orders", 7},
            {"blocked_orders", 2},
            {"failures", 5},
            {"times_opened", 1},
            {"time_open_ms", 9}}}};
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(breaker_command_, command_fixture)

BOOST_AUTO_TEST_CASE(status_tells_all_and_its_code_whether_the_circuit_is_closed) {
  answers = [] { return json_answer(200, {{"status", "ok"}, {"circuit_breaker", breaker(false)}}); };
  BOOST_TEST(run() == 0);
  BOOST_TEST(asked.target == "/api/circuit-breaker/status?breaker=redis");
  for (const auto* text : {"CLOSED", "5 in a row; it opens at 5", "7 let through, 2 refused"})
    BOOST_TEST(says(out, text), text);
  BOOST_TEST(!says(out, "reset")); // there is nothing to reset
  BOOST_TEST(says(out,
                  "\\x1b[31mred")); // no text of the network reaches the terminal as it is
  BOOST_TEST(!says(out, "\x1b"));
  answers = [] { return json_answer(200, {{"status", "ok"}, {"circuit_breaker", breaker(true)}}); };
  BOOST_TEST(run() == 1);
  BOOST_TEST(says(out, "is not safe: too soon"));
  options.json = true;
  BOOST_TEST(run() == 1);
  BOOST_TEST(nlohmann::json::parse(out.str())["circuit_breaker"]["state"] == "OPEN");
}

BOOST_AUTO_TEST_CASE(orders_are_sent_with_name_reason_operator_and_token) {
  answers = [] {
    return json_answer(200, {{"status", "success"}, {"breaker", "orders"}, {"override_used", true}});
  };
  ::setenv("BREAKWATER_TOKEN", "s3cret", 1);
  options.verb = breaker_verb::reset;
  options.name = "orders";
  options.override = true;
  options.reason = "news \"x\"";
  BOOST_TEST(run() == 0);
  BOOST_TEST(out.str() == "breaker orders is reset (override used)\n");
  BOOST_TEST((asked.method == "POST" && asked.target == "/api/circuit-breaker/reset"));
  BOOST_TEST(nlohmann::json::parse(asked.body) ==
             (nlohmann::json{{"breaker", "orders"}, {"override", true}, {"reason", "news \"x\""}}));
  BOOST_TEST(header("authorization") == "Bearer s3cret");
  BOOST_TEST(header("x-operator").find('@') != std::string::npos);
  options.verb = breaker_verb::open;
  BOOST_TEST(run() == 0);
  BOOST_TEST(asked.target == "/api/circuit-breaker/open");
}

BOOST_AUTO_TEST_CASE(history_is_one_line_a_move) {
  answers = [] {
    return json_answer(200, {{"status", "ok"},
                             {"history",
                              {{{"number", 12},
                                {"time", "2026-01-05T00:00:00.000Z"},
                                {"from", "CLOSED"},
                                {"to", "OPEN"},
                                {"by", "breaker"},
                                {"failures", 5},
                                {"reason", "transport: refused"}}}}});
  };
  options.verb = breaker_verb::history;
  options.limit = 3;
  BOOST_TEST(run() == 0);
  BOOST_TEST(asked.target == "/api/circuit-breaker/history?breaker=redis&limit=3");
  BOOST_TEST(out.str() == "2026-01-05T00:00:00.000Z  #12  CLOSED -> OPEN  by "
                          "breaker  after 5 failures: "
                          "transport: refused\n");
}

BOOST_AUTO_TEST_CASE(what_comes_from_the_network_does_not_steer_the_terminal) {
  auto seen = breaker(false);
  seen["last_failure_reason"] = "\x1b[2J \xc2\x9b"
                                "31m \xc3\xa9";
  answers = [seen] { return json_answer(200, {{"circuit_breaker", seen}}); };
  BOOST_TEST(run() == 0);
  BOOST_TEST(says(out, "\\x1b[2J \\xc2\\x9b31m \xc3\xa9"));
  options.json = true;
  answers = [] { return http_response{0, 200, {}, "\x1b[2J no JSON"}; };
  BOOST_TEST(run() == 2);
  BOOST_TEST(out.str() == "");
}

BOOST_AUTO_TEST_CASE(a_refusal_is_1_with_every_reason_and_the_hint) {
  answers = [] {
    return json_answer(
        409,
        {{"error", "the reset was refused"}, {"reasons", {"too soon", "too many"}}, {"hint", "override"}});
  };
  options.verb = breaker_verb::reset;
  BOOST_TEST(run() == 1);
  BOOST_TEST(err.str() == "breakwater: the reset was refused\n  - too soon\n  "
                          "- too many\n  override\n");
}

BOOST_AUTO_TEST_CASE(who_cannot_be_asked_is_2_with_what_to_do) {
  answers = [] { return json_error(401, "this request needs a token", "send it"); };
  BOOST_TEST(run() == 2);
  BOOST_TEST(says(err, "this request needs a token"));
  answers = [] { return http_response{0, 200, {}, "<html>"}; };
  BOOST_TEST(run() == 2);
  BOOST_TEST(says(err, "is no breakwater"));
  answers = [] { return json_answer(200, {{"status", "ok"}}); };
  BOOST_TEST(run() == 2);
  options.api = "127.0.0.1:1";
  BOOST_TEST(run() == 2);
  BOOST_TEST(says(err, "no breakwater answers on 127.0.0.1:1; is it running?"));
  options.api = "nonsense";
  BOOST_TEST(run() == 2);
  BOOST_TEST(says(err, "write it as 127.0.0.1:8000"));
  options.api.clear();
  options.config = "/nonexistent.toml";
  BOOST_TEST(run() == 2);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace breakwater::test
