#include "actors/feed/rest_io.hpp"
#include "tests/support/certificate.hpp"
#include "tests/support/loopback_server.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>

#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace breakwater {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using namespace test;
using namespace std::chrono_literals;

struct rest_fixture {
  asio::io_context io{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work{io.get_executor()};
  std::thread thread{[this] { io.run(); }};

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<fetched> answers;
  bool from_elsewhere = false; ///< A sink was called on another thread than the I/O one.

  ~rest_fixture() {
    finish();
    BOOST_TEST(!from_elsewhere);
  }
  /// Waits until nothing is under way any more.
  void finish() {
    work.reset();
    if (thread.joinable()) thread.join();
  }

  std::function<void(fetched)> sink() {
    return [this](fetched what) {
      std::lock_guard guard{mutex};
      from_elsewhere |= std::this_thread::get_id() != thread.get_id();
      answers.push_back(std::move(what));
      changed.notify_all();
    };
  }
  std::optional<fetched> next(std::chrono::milliseconds patience = 5s) {
    std::unique_lock lock{mutex};
    if (!changed.wait_for(lock, patience, [&] { return !answers.empty(); })) return std::nullopt;
    auto what = std::move(answers.front());
    answers.pop_front();
    return what;
  }
  /// Asks and waits: "200 body", "429 body, again after 7 s", "foreign: why".
  std::string asked(rest_port& rest, const std::string& url) {
    rest.get(url, 1, sink());
    return in_words(next());
  }
  static std::string in_words(const std::optional<fetched>& what) {
    if (!what) return "nothing";
    if (what->status == 0) return std::string{to_string(what->why.code)} + ": " + what->why.detail;
    BOOST_TEST((what->why.code == errc::none));
    auto text = std::to_string(what->status) + " " + what->body;
    if (what->retry_after != 0s) text += ", again after " + std::to_string(what->retry_after.count()) + " s";
    return text;
  }
};

BOOST_FIXTURE_TEST_SUITE(rest_io_suite, rest_fixture)

BOOST_AUTO_TEST_CASE(a_question_is_asked_in_full_and_the_answer_carries_number_and_time) {
  loopback_server peer{plain_answer("[1]")};
  rest_io rest{io};
  const auto before = system_wall_time();
  rest.get(peer.at() + "/v1/candles?limit=3&a=b", 42, sink());
  const auto got = next();
  BOOST_TEST_REQUIRE(got.has_value());
  BOOST_TEST(got->number == 42u);
  BOOST_TEST(got->status == 200);
  BOOST_TEST(got->body == "[1]");
  BOOST_TEST((got->why.code == errc::none));
  BOOST_TEST((got->received_at >= before));
  BOOST_TEST((got->received_at <= system_wall_time()));
  BOOST_TEST(peer.questions().at(0) ==
             "GET /v1/candles?limit=3&a=b HTTP/1.1\r\nHost: " + peer.at().substr(7) +
                 "\r\nUser-Agent: breakwater\r\nAccept: application/json\r\n"
                 "Connection: close\r\n\r\n");
}

BOOST_AUTO_TEST_CASE(answers_are_handed_on_as_they_are) {
  struct row {
    const char *answer, *got;
  };
  constexpr row rows[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200 "},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "200 abcde"},
      {"HTTP/1.1 200 OK\r\n\r\nuntil the end", "200 until the end"},
      {"HTTP/1.0 200 OK\r\n\r\nold", "200 old"},
      {"HTTP/1.1 204 No Content\r\n\r\n", "204 "},
      {"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone", "404 none"},
      {"HTTP/1.1 301 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", "301 "},
      {"HTTP/1.1 418 I'm a teapot\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n",
       "418 , again after 120 s"},
      {"HTTP/1.1 429 Too Many\r\nretry-after:  7 \r\nContent-Length: 2\r\n\r\n{}", "429 {}, again after 7 s"},
      {"HTTP/1.1 429 Too Many\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n", "429 "},
      {"HTTP/1.1 429 Too Many\r\nRetry-After: -7\r\nContent-Length: 0\r\n\r\n", "429 "},
      {"HTTP/1.1 429 Too Many\r\nRetry-After: 1.5\r\nContent-Length: 0\r\n\r\n", "429 "},
      {"HTTP/1.1 429 Too Many\r\nRetry-After: \r\nContent-Length: 0\r\n\r\n", "429 "},
      {"HTTP/1.1 429 Too Many\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\nContent-Length: 0\r\n\r\n",
       "429 "},
      {"HTTP/1.1 503 Later\r\nRetry-After: 99999999999999999999\r\nContent-Length: 0\r\n\r\n",
       "503 , again after 86400 s"},
  };
  rest_io rest{io};
  for (const auto& x : rows) BOOST_TEST_CONTEXT(x.answer) {
      loopback_server peer{x.answer};
      BOOST_TEST(asked(rest, peer.at()) == x.got);
      BOOST_TEST(peer.connections() == 1u); // nowhere else, and not again
    }
}

BOOST_AUTO_TEST_CASE(what_is_no_answer_is_a_failure) {
  struct row {
    std::string answer;
    const char* got;
  };
  const std::string large = "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n";
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const row rows[] = {
      {"", "foreign: read: end of stream"},
      {"HTTP/1.1 200 OK\r\nConte", "foreign: read: partial message"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nabc", "foreign: read: partial message"},
      {chunked + "3\r\nabc\r\n", "foreign: read: partial message"},
      {chunked + "zzz\r\nabc\r\n", "foreign: read: bad chunk"},
      {"<html>hello</html>\r\n\r\n", "foreign: read: bad version"},
      {"\x16\x03\x01\x02\x7f\x01\x02 and so on \r\n\r\n", "foreign: read: bad version"},
      {"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "foreign: read: bad Content-Length"},
      {large + std::string(2000, 'x'), "foreign: read: body limit exceeded"},
      {large, "foreign: read: body limit exceeded"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nx",
       "foreign: read: body limit exceeded"},
      {chunked + "7d0\r\n" + std::string(2000, 'x') + "\r\n0\r\n\r\n", "foreign: read: body limit exceeded"},
      {"HTTP/1.1 200 OK\r\n\r\n" + std::string(2000, 'x'), "foreign: read: body limit exceeded"},
      {"HTTP/1.1 200 OK\r\nX: " + std::string(3000, 'x') + "\r\n\r\n",
       "foreign: read: header limit exceeded"},
  };
  rest_io rest{io, {.header_bytes = 2048, .body_bytes = 1000}};
  for (const auto& x : rows) BOOST_TEST_CONTEXT(x.answer.substr(0, 60)) {
      loopback_server peer{x.answer};
      BOOST_TEST(asked(rest, peer.at()) == x.got);
    }
}

BOOST_AUTO_TEST_CASE(a_large_answer_within_the_bounds_is_read_whole) {
  const std::string head = "HTTP/1.1 200 OK\r\nX-Policy: " + std::string(20000, 'p') + "\r\n";
  const std::string body(4 << 20, 'x');
  loopback_server peer{head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body};
  rest_io rest{io};
  rest.get(peer.at(), 1, sink());
  const auto got = next();
  BOOST_TEST_REQUIRE(got.has_value());
  BOOST_TEST(got->status == 200);
  BOOST_TEST((got->body == body));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_asked_is_a_failure) {
  struct row {
    std::string url;
    const char* got;
  };
  // A label this long is no name, so nobody is asked for it.
  const row rows[] = {
      {"http://127.0.0.1:1/", "foreign: connect: Connection refused"},
      {"http://" + std::string(64, 'x') + ".invalid/",
       "foreign: resolve xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.invalid: Host not "
       "found (authoritative)"},
      {"ws://127.0.0.1:1/", "address_invalid: not an http:// or https:// address"},
      {"http://127.0.0.1:1/a\r\nX: y", "address_invalid: not an http:// or https:// address"},
      {"", "address_invalid: not an http:// or https:// address"},
  };
  rest_io rest{io};
  for (const auto& x : rows) BOOST_TEST_CONTEXT(x.url) {
      BOOST_TEST(asked(rest, x.url) == x.got);
    }
}

BOOST_AUTO_TEST_CASE(the_deadline_is_one_of_the_whole_request) {
  const auto trickle = [](tcp::socket& socket) {
    for (;;) {
      asio::write(socket, asio::buffer(std::string{"H"}));
      std::this_thread::sleep_for(20ms);
    }
  };
  const auto drip_body = [&](tcp::socket& socket) {
    asio::write(socket, asio::buffer(std::string{"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"}));
    trickle(socket);
  };
  rest_io rest{io, {.timeout = 200ms}};
  for (const auto& talk : {std::function<void(tcp::socket&)>{stay_silent}, {drip_body}}) {
    loopback_server peer{talk};
    const auto begin = std::chrono::steady_clock::now();
    BOOST_TEST(asked(rest, peer.at()) == "foreign: no answer within 200 ms");
    const auto took = std::chrono::steady_clock::now() - begin;
    BOOST_TEST((took >= 200ms && took < 2s));
    BOOST_TEST(!next(50ms).has_value());
  }
}

BOOST_AUTO_TEST_CASE(an_answer_in_pieces_is_put_together) {
  loopback_server peer{[](tcp::socket& socket) {
    for (const char c : plain_answer("slowly")) {
      asio::write(socket, asio::buffer(&c, 1));
      std::this_thread::sleep_for(1ms);
    }
  }};
  rest_io rest{io};
  BOOST_TEST(asked(rest, peer.at()) == "200 slowly");
}

BOOST_AUTO_TEST_CASE(so_many_at_a_time_so_many_wait_and_beyond_it_fails) {
  std::mutex gate;
  std::unique_lock closed{gate};
  loopback_server* self = nullptr;
  loopback_server peer{[&](tcp::socket& socket) {
    self->question(socket);
    std::lock_guard opened{gate};
    asio::write(socket, asio::buffer(plain_answer("x")));
  }};
  self = &peer;
  rest_io rest{io, {.at_a_time = 2, .waiting = 1}};
  for (std::uint64_t number = 1; number <= 5; ++number) rest.get(peer.at(), number, sink());
  for (std::uint64_t number = 4; number <= 5; ++number) {
    const auto refused = next();
    BOOST_TEST_REQUIRE(refused.has_value());
    BOOST_TEST(refused->number == number);
    BOOST_TEST(in_words(refused) == "foreign: too many requests wait");
  }
  for (int i = 0; i < 100 && peer.questions().size() < 2; ++i) std::this_thread::sleep_for(20ms);
  BOOST_TEST(peer.connections() == 2u);
  BOOST_TEST(!next(50ms).has_value());
  closed.unlock();
  std::uint64_t numbers = 0;
  for (int i = 0; i < 3; ++i) {
    const auto got = next();
    BOOST_TEST_REQUIRE(got.has_value());
    BOOST_TEST(got->status == 200);
    numbers += got->number;
  }
  BOOST_TEST(numbers == 6u); // 1, 2 and 3
  BOOST_TEST(asked(rest, peer.at()) == "200 x");
}

BOOST_AUTO_TEST_CASE(failures_make_room_too) {
  rest_io rest{io, {.at_a_time = 1, .waiting = 10}};
  for (std::uint64_t number = 1; number <= 4; ++number) rest.get("http://127.0.0.1:1", number, sink());
  for (std::uint64_t number = 1; number <= 4; ++number) BOOST_TEST(next()->number == number);
}

BOOST_AUTO_TEST_CASE(a_sink_may_ask_for_more) {
  loopback_server peer{plain_answer("x")};
  rest_io rest{io, {.at_a_time = 1, .waiting = 1}};
  rest.get(peer.at(), 1, [&](fetched what) {
    rest.get("nonsense", 2, sink());
    rest.get(peer.at(), 3, sink());
    sink()(std::move(what));
  });
  BOOST_TEST(next()->number == 1u);
  BOOST_TEST(next()->number == 2u);
  BOOST_TEST(next()->number == 3u);
}

BOOST_AUTO_TEST_CASE(when_it_is_destroyed_no_sink_is_called_any_more_and_nothing_goes_on) {
  loopback_server peer{stay_silent};
  auto rest = std::make_unique<rest_io>(io, rest_limits{.at_a_time = 2});
  const auto held = std::make_shared<int>(0); // by the sinks
  const auto asks = [&](const std::string& url) {
    rest->get(url, 1, [held, to = sink()](fetched what) { to(std::move(what)); });
  };
  for (int i = 0; i < 4; ++i) asks(peer.at());
  for (int i = 0; i < 100 && peer.connections() < 2; ++i) std::this_thread::sleep_for(20ms);
  BOOST_TEST(held.use_count() == 5);
  asks("nonsense");
  rest.reset();
  BOOST_TEST(held.use_count() == 1);
  const auto begin = std::chrono::steady_clock::now();
  finish();
  BOOST_TEST((std::chrono::steady_clock::now() - begin < 2s)); // far below the deadline
  while (next(0ms)) {
    // "nonsense" may have been told before the end.
  }
}

BOOST_AUTO_TEST_CASE(it_may_be_destroyed_at_any_time) {
  loopback_server peer{plain_answer(std::string(100000, 'x'))};
  for (int i = 0; i < 60; ++i) {
    auto rest = std::make_unique<rest_io>(io, rest_limits{.at_a_time = 3});
    for (int n = 0; n < 6; ++n) rest->get(peer.at(), 1, sink());
    std::this_thread::sleep_for(std::chrono::microseconds{i * 40});
    rest.reset();
    std::size_t seen = 0;
    {
      std::lock_guard guard{mutex};
      seen = answers.size();
    }
    std::this_thread::sleep_for(1ms);
    std::lock_guard guard{mutex};
    BOOST_TEST(answers.size() == seen);
    answers.clear();
  }
}

BOOST_AUTO_TEST_CASE(a_certificate_that_is_trusted_and_named_right_is_accepted) {
  const certificate own{"localhost"};
  const trusted store{own};
  loopback_server peer{own, plain_answer("secret")};
  rest_io rest{io};
  BOOST_TEST(asked(rest, peer.at("https://localhost") + "/x") == "200 secret");
  BOOST_TEST(peer.questions().at(0).starts_with("GET /x HTTP/1.1\r\nHost: localhost:"));
}

BOOST_AUTO_TEST_CASE(a_certificate_of_nobody_or_of_another_host_is_refused) {
  const certificate own{"localhost"}, another{"localhost"}, elsewhere{"elsewhere.example"};
  {
    const trusted store{another};
    loopback_server peer{own, plain_answer("secret")};
    rest_io rest{io};
    BOOST_TEST(asked(rest, peer.at("https://localhost")) == "foreign: TLS: certificate verify failed");
    BOOST_TEST(peer.questions().empty());
  }
  const trusted store{elsewhere};
  loopback_server peer{elsewhere, plain_answer("secret")};
  rest_io rest{io};
  BOOST_TEST(asked(rest, peer.at("https://localhost")) == "foreign: TLS: certificate verify failed");
  BOOST_TEST(peer.questions().empty());
}

BOOST_AUTO_TEST_CASE(a_server_without_tls_is_no_https_server) {
  loopback_server peer{"HTTP/1.1 200 OK\r\n\r\n"};
  rest_io rest{io, {.timeout = 1s}};
  BOOST_TEST(asked(rest, peer.at("https://localhost")).starts_with("foreign: "));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater
