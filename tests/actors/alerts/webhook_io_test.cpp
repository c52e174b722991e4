#include "actors/alerts/webhook_io.hpp"

#include "tests/support/loopback_server.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/test/unit_test.hpp>

#include <condition_variable>
#include <deque>
#include <future>
#include <optional>

namespace breakwater {
namespace {

using namespace std::chrono_literals;
using namespace test;

struct webhook_fixture {
  asio::io_context io{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work{io.get_executor()};
  std::thread thread{[this] { io.run(); }};
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<webhook_answered> answers;

  ~webhook_fixture() {
    work.reset();
    thread.join(); // nothing is under way any more
  }
  std::function<void(webhook_answered)> sink() {
    return [this](webhook_answered what) {
      std::lock_guard guard{mutex};
      answers.push_back(std::move(what));
      changed.notify_all();
    };
  }
  /// Posts and waits: "7 204", "7 0 why".
  std::string posted(webhook_port& hook, std::string body = "{}") {
    hook.post(7, std::move(body), sink());
    std::unique_lock lock{mutex};
    if (!changed.wait_for(lock, 10s, [&] { return !answers.empty(); })) return "nothing";
    const auto what = answers.front();
    answers.pop_front();
    return std::to_string(what.number) + " " + std::to_string(what.status) +
           (what.problem.empty() ? "" : " " + what.problem);
  }
};

const std::string no_content = "HTTP/1.1 204 No Content\r\n\r\n";

BOOST_FIXTURE_TEST_SUITE(webhook_io_suite, webhook_fixture)

BOOST_AUTO_TEST_CASE(an_alert_is_posted_as_json) {
  loopback_server peer{no_content};
  webhook_io hook{io, peer.at() + "/hook?token=x"};
  BOOST_TEST(posted(hook, R"({"rule":"redis_away"})") == "7 204");
  BOOST_TEST_REQUIRE(peer.questions().size() == 1u);
  const auto question = peer.questions()[0];
  BOOST_TEST(question.starts_with("POST /hook?token=x HTTP/1.1\r\n"));
  for (const auto* part : {"Content-Type: application/json\r\n", "Content-Length: 21\r\n",
                           "User-Agent: breakwater\r\n", "\r\n\r\n{\"rule\":\"redis_away\"}"})
    BOOST_TEST(question.find(part) != question.npos, part << " is missing in " << question);
}

BOOST_AUTO_TEST_CASE(the_status_is_told_whatever_it_is) {
  for (const auto* status : {"200", "301", "404", "500"}) BOOST_TEST_CONTEXT(status) {
      loopback_server peer{"HTTP/1.1 " + std::string{status} + " X\r\nContent-Length: 2\r\n\r\nhi"};
      webhook_io hook{io, peer.at()};
      BOOST_TEST(posted(hook) == std::string{"7 "} + status);
    }
}

BOOST_AUTO_TEST_CASE(a_receiver_that_never_answers_is_given_up) {
  loopback_server peer{stay_silent};
  webhook_io hook{io, peer.at(), 50ms};
  BOOST_TEST(posted(hook) == "7 0 no answer within 50 ms");
}

BOOST_AUTO_TEST_CASE(a_slow_one_has_its_time) {
  std::promise<void> may_answer;
  auto told = may_answer.get_future().share();
  loopback_server* self = nullptr;
  loopback_server peer{[&](tcp::socket& socket) {
    told.wait();
    self->question(socket);
    asio::write(socket, asio::buffer(no_content));
  }};
  self = &peer;
  webhook_io hook{io, peer.at()};
  hook.post(1, "{}", sink());
  hook.post(2, "{}", sink()); // the first holds up nobody
  may_answer.set_value();
  BOOST_TEST(posted(hook).ends_with(" 204"));
  std::unique_lock lock{mutex};
  BOOST_TEST(changed.wait_for(lock, 5s, [&] { return answers.size() == 2; }));
}

BOOST_AUTO_TEST_CASE(who_is_not_there_or_breaks_off_is_told_as_such) {
  std::string nowhere;
  {
    loopback_server peer{no_content};
    nowhere = peer.at();
  }
  webhook_io refused{io, nowhere};
  BOOST_TEST(posted(refused) == "7 0 connect: Connection refused");
  loopback_server rude{[](tcp::socket&) {}};
  webhook_io broken{io, rude.at()};
  BOOST_TEST(posted(broken).starts_with("7 0 "));
}

BOOST_AUTO_TEST_CASE(an_alert_goes_over_tls_to_a_receiver_that_is_who_it_should_be) {
  const certificate own{"localhost"};
  const trusted store{own};
  loopback_server peer{own, no_content};
  webhook_io hook{io, peer.at("https://localhost") + "/hook/k3y"};
  BOOST_TEST(posted(hook) == "7 204");
  BOOST_TEST_REQUIRE(peer.questions().size() == 1u);
  BOOST_TEST(peer.questions()[0].starts_with("POST /hook/k3y HTTP/1.1\r\n"));
}

BOOST_AUTO_TEST_CASE(nothing_is_said_to_a_receiver_nobody_vouches_for_or_of_another_name) {
  const certificate known{"localhost"}, unknown{"localhost"}, elsewhere{"elsewhere.example"};
  {
    const trusted store{known};
    loopback_server peer{unknown, no_content};
    webhook_io hook{io, peer.at("https://localhost") + "/hook/k3y"};
    BOOST_TEST(posted(hook) == "7 0 TLS: certificate verify failed");
    BOOST_TEST(peer.questions().empty()); // neither the alert nor the address's secret part
  }
  const trusted store{elsewhere};
  loopback_server peer{elsewhere, no_content};
  webhook_io hook{io, peer.at("https://localhost") + "/hook/k3y"};
  BOOST_TEST(posted(hook) == "7 0 TLS: certificate verify failed");
  BOOST_TEST(peer.questions().empty());
}

BOOST_AUTO_TEST_CASE(a_redirection_is_not_followed) {
  loopback_server elsewhere{no_content};
  loopback_server peer{"HTTP/1.1 307 X\r\nLocation: " + elsewhere.at() + "\r\nContent-Length: 0\r\n\r\n"};
  webhook_io hook{io, peer.at()};
  BOOST_TEST(posted(hook) == "7 307");
  BOOST_TEST(elsewhere.connections() == 0u);
}

BOOST_AUTO_TEST_CASE(an_address_that_is_none_is_said_and_not_shown) {
  webhook_io hook{io, "slack.com/secret"};
  BOOST_TEST(posted(hook) == "7 0 alerts.webhook_url is no http:// or https:// address");
}

BOOST_AUTO_TEST_CASE(nothing_is_told_any_more_once_the_port_is_gone) {
  loopback_server peer{stay_silent};
  {
    webhook_io hook{io, peer.at()};
    hook.post(1, "{}", sink());
  }
  work.reset();
  thread.join(); // ends although the peer stays silent
  thread = std::thread{[] {}};
  BOOST_TEST(answers.empty());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater
