#include "actors/redis/redis_io.hpp"

#include "actors/support/resp.hpp"
#include "tests/support/private_redis.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

namespace breakwater::test {
namespace {

using namespace std::chrono_literals;

/// A real I/O thread and what came out of it.
struct io_fixture {
  boost::asio::io_context io{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{io.get_executor()};
  std::mutex mutex;
  std::condition_variable heard;
  std::vector<link_event> events;
  redis_io sut{io};
  std::thread thread{[this] { io.run(); }};

  ~io_fixture() {
    work.reset();
    io.stop();
    thread.join();
  }

  std::unique_ptr<redis_connection> connect(const std::string& url, connection_number number = 1,
                                            std::chrono::milliseconds timeout = 5s) {
    const auto to = parse_redis_url(url);
    BOOST_REQUIRE(bool{to});
    return sut.connect(*to, timeout, number, [this](link_event what) {
      std::lock_guard guard{mutex};
      events.push_back(std::move(what));
      heard.notify_all();
    });
  }
  template <class What>
  std::vector<What> all() { // with the mutex held
    std::vector<What> found;
    for (const auto& e : events)
      if (const auto* what = std::get_if<What>(&e.what)) found.push_back(*what);
    return found;
  }
  /// The events of this kind once there are `count`; fails after 10 s.
  template <class What>
  std::vector<What> await(std::size_t count = 1) {
    std::unique_lock lock{mutex};
    BOOST_REQUIRE_MESSAGE(heard.wait_for(lock, 10s, [&] { return all<What>().size() >= count; }),
                          "only " << all<What>().size() << " of " << count << " events came");
    return all<What>();
  }
  std::size_t heard_so_far() {
    std::lock_guard guard{mutex};
    return events.size();
  }
  /// Runs what was posted to the I/O thread until now.
  void let_io_run() {
    for (int i = 0; i < 3; ++i) {
      std::promise<void> ran;
      boost::asio::post(io, [&ran] { ran.set_value(); });
      ran.get_future().wait();
    }
  }
};

std::shared_ptr<const std::string>
wire_of(std::initializer_list<std::initializer_list<std::string_view>> commands) {
  auto wire = std::make_shared<std::string>();
  for (const auto& command : commands) append_command(*wire, command);
  return wire;
}

/// WATCH, MULTI, `count` XADDs of about 600 bytes with ids of `first`.., EXEC.
struct transaction {
  std::shared_ptr<std::string> wire = std::make_shared<std::string>();
  std::size_t commands = 0;

  transaction(std::size_t count, std::uint64_t first) {
    append_command(*wire, {"MULTI"});
    for (std::size_t i = 0; i < count; ++i)
      append_command(*wire, {"XADD", "stream", "MAXLEN", "~", "50000", std::to_string(first + i) + "-0",
                             "symbol", "BTCUSDT", "padding", std::string(500, 'x')});
    append_command(*wire, {"EXEC"});
    append_command(*wire, {"WATCH", "owner"});
    commands = count + 3;
  }
};

} // namespace

BOOST_FIXTURE_TEST_CASE(connects_and_answers_over_both_transports, io_fixture) {
  private_redis redis{{.tcp = true, .arguments = {}}};
  for (const auto& url : {redis.url(), redis.tcp_url()}) {
    BOOST_TEST_CONTEXT(url) {
      events.clear();
      auto connection = connect(url);
      await<link_connected>();
      connection->submit(
          7, wire_of({{"PING"}, {"SET", "a", "1"}, {"INCR", "a"}, {"GET", "none"}, {"LRANGE", "a"}}), 5);
      const auto answer = await<link_answered>().front();
      BOOST_TEST(answer.tag == 7u);
      BOOST_REQUIRE(answer.replies->size() == 5u);
      const auto& replies = *answer.replies;
      BOOST_TEST((replies[0].what == redis_reply::kind::status && replies[0].text == "PONG"));
      BOOST_TEST((replies[2].what == redis_reply::kind::integer && replies[2].integer == 2));
      BOOST_TEST((replies[3].what == redis_reply::kind::nil));
      BOOST_TEST((replies[4].what == redis_reply::kind::error));
      BOOST_TEST(replies[4].text.starts_with("ERR wrong number of arguments"));
    }
  }
}

BOOST_FIXTURE_TEST_CASE(resolves_a_name, io_fixture) {
  private_redis redis{{.tcp = true, .arguments = {}}};
  auto connection = connect("redis://localhost:" + std::to_string(redis.port()));
  await<link_connected>();
}

BOOST_FIXTURE_TEST_CASE(answers_pipelines_in_the_order_they_were_submitted, io_fixture) {
  private_redis redis;
  auto connection = connect(redis.url());
  for (std::uint64_t tag = 1; tag <= 2000; ++tag) // the first ones before it is connected
    connection->submit(tag, wire_of({{"ECHO", std::to_string(tag)}, {"PING"}}), 2);
  const auto answers = await<link_answered>(2000);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    BOOST_REQUIRE(answers[i].tag == i + 1);
    BOOST_REQUIRE((*answers[i].replies)[0].text == std::to_string(i + 1));
  }
}

BOOST_FIXTURE_TEST_CASE(carries_a_transaction_of_1024_entries, io_fixture) {
  private_redis redis;
  auto connection = connect(redis.url());
  await<link_connected>();
  for (std::uint64_t round = 0; round < 10; ++round) {
    const transaction t{1024, 1 + round * 1024};
    connection->submit(round, t.wire, t.commands);
  }
  const auto answers = await<link_answered>(10);
  for (const auto& answer : answers) {
    BOOST_REQUIRE(answer.replies->size() == 1027u);
    const auto& executed = (*answer.replies)[1025];
    BOOST_REQUIRE((executed.what == redis_reply::kind::array));
    BOOST_REQUIRE(executed.items.size() == 1024u);
    BOOST_TEST(executed.items.back().text == std::to_string((answer.tag + 1) * 1024) + "-0");
  }
  BOOST_TEST(redis({"XLEN", "stream"}).integer == 10240);
}

BOOST_FIXTURE_TEST_CASE(nested_and_large_replies_are_read_whole, io_fixture) {
  private_redis redis;
  auto connection = connect(redis.url());
  const std::string large(3000000, 'y');
  connection->submit(
      1,
      wire_of({{"XADD", "s", "1-1", "f", large}, {"XADD", "s", "1-2", "f", ""}, {"XRANGE", "s", "-", "+"}}),
      3);
  const auto answer = await<link_answered>().front();
  const auto& entries = (*answer.replies)[2].items;
  BOOST_REQUIRE(entries.size() == 2u);
  BOOST_TEST(entries[0].items[0].text == "1-1");
  BOOST_TEST((entries[0].items[1].items[1].text == large));
  BOOST_TEST(entries[1].items[1].items[1].text == "");
}

BOOST_FIXTURE_TEST_CASE(a_server_killed_in_the_middle_closes_the_connection_once, io_fixture) {
  private_redis redis;
  auto connection = connect(redis.url());
  await<link_connected>();
  for (std::uint64_t round = 0; round < 50; ++round) {
    const transaction t{1024, 1 + round * 1024};
    connection->submit(round, t.wire, t.commands);
  }
  await<link_answered>();
  redis.kill();
  const auto closed = await<link_closed>();
  BOOST_TEST(!closed.front().reason.empty());
  connection->submit(99, wire_of({{"PING"}}), 1);
  let_io_run();
  std::lock_guard guard{mutex};
  BOOST_TEST(std::holds_alternative<link_closed>(events.back().what));
  BOOST_TEST(all<link_closed>().size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(a_restarted_server_is_reached_by_a_new_connection, io_fixture) {
  private_redis redis;
  auto first = connect(redis.url(), 1);
  await<link_connected>();
  redis.kill();
  await<link_closed>();
  redis.start();
  auto second = connect(redis.url(), 2);
  second->submit(1, wire_of({{"PING"}}), 1);
  await<link_answered>();
  std::lock_guard guard{mutex};
  BOOST_TEST(events.back().connection == 2u);
}

BOOST_FIXTURE_TEST_CASE(a_refused_connection_says_where_and_why, io_fixture) {
  std::string address;
  {
    private_redis gone{{.tcp = true, .arguments = {}}};
    address = gone.tcp_url();
  }
  auto tcp = connect(address);
  BOOST_TEST(await<link_closed>().front().reason.find("127.0.0.1") != std::string::npos);
  auto socket = connect("unix:///nowhere/redis.sock");
  BOOST_TEST(await<link_closed>(2).back().reason == "/nowhere/redis.sock: No such file or directory");
  auto name = connect("redis://no-such-host.invalid");
  BOOST_TEST(await<link_closed>(3).back().reason.starts_with("cannot resolve no-such-host.invalid"));
}

BOOST_FIXTURE_TEST_CASE(a_server_without_room_says_so, io_fixture) {
  private_redis redis{{.tcp = false, .arguments = {"--maxclients", "1"}}};
  redis_client only{redis.socket_path()};
  for (int tries = 0; tries < 100; ++tries) { // the start's own connection may not be gone yet
    try {
      if (only({"PING"}).text == "PONG") break;
    } catch (const std::runtime_error&) {
    }
    std::this_thread::sleep_for(10ms);
  }
  auto connection = connect(redis.url());
  connection->submit(1, wire_of({{"PING"}, {"PING"}}), 2);
  const auto closed = await<link_closed>().front();
  BOOST_TEST(closed.error_reply == "ERR max number of clients reached");
}

BOOST_FIXTURE_TEST_CASE(a_connection_can_be_destroyed_at_any_time, io_fixture) {
  private_redis redis{{.tcp = true, .arguments = {}}};
  for (int i = 0; i < 200; ++i) {
    auto connection = connect(i % 2 == 0 ? redis.url() : "redis://localhost:" + std::to_string(redis.port()));
    const transaction t{64, 1 + static_cast<std::uint64_t>(i) * 64};
    connection->submit(1, t.wire, t.commands);
    if (i % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds{i * 10});
  }
  let_io_run();
  const auto count = heard_so_far();
  std::this_thread::sleep_for(50ms);
  BOOST_TEST(heard_so_far() == count); // nothing is said about what was let go of
}

BOOST_FIXTURE_TEST_CASE(what_is_no_redis_closes_the_connection, io_fixture) {
  boost::asio::ip::tcp::acceptor acceptor{io, {boost::asio::ip::address_v4::loopback(), 0}};
  auto connection = connect("redis://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()));
  auto peer = acceptor.accept();
  connection->submit(1, wire_of({{"PING"}}), 1);
  boost::asio::write(peer, boost::asio::buffer(std::string{"HTTP/1.1 400 Bad Request\r\n\r\n"}));
  BOOST_TEST(await<link_closed>().front().reason.starts_with("unreadable reply"));
}

BOOST_FIXTURE_TEST_CASE(an_array_beyond_all_bounds_closes_the_connection, io_fixture) {
  boost::asio::ip::tcp::acceptor acceptor{io, {boost::asio::ip::address_v4::loopback(), 0}};
  auto connection = connect("redis://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()));
  auto peer = acceptor.accept();
  connection->submit(1, wire_of({{"PING"}}), 1);
  boost::asio::write(peer, boost::asio::buffer(std::string{"*2000000000\r\n"}));
  BOOST_TEST(await<link_closed>().front().reason.starts_with("unreadable reply"));
}

BOOST_FIXTURE_TEST_CASE(a_connect_attempt_that_hangs_is_given_up, io_fixture) {
  // A listener whose queue is full drops further SYNs, so the attempt hangs.
  boost::asio::ip::tcp::acceptor acceptor{io};
  acceptor.open(boost::asio::ip::tcp::v4());
  acceptor.bind({boost::asio::ip::address_v4::loopback(), 0});
  acceptor.listen(0);
  const auto port = std::to_string(acceptor.local_endpoint().port());
  std::vector<std::unique_ptr<redis_connection>> attempts;
  for (int i = 0; i < 8; ++i) attempts.push_back(connect("redis://127.0.0.1:" + port, 1, 300ms));
  BOOST_TEST(await<link_closed>().front().reason == "connect timed out");
}

BOOST_FIXTURE_TEST_CASE(throughput_of_transactions, io_fixture) {
  private_redis redis;
  auto connection = connect(redis.url());
  await<link_connected>();
  constexpr std::uint64_t rounds = 40;
  std::vector<transaction> all_of;
  for (std::uint64_t round = 0; round < rounds; ++round) all_of.emplace_back(1024, 1 + round * 1024);
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t round = 0; round < rounds; ++round)
    connection->submit(round, all_of[round].wire, all_of[round].commands);
  await<link_answered>(rounds);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  BOOST_TEST_MESSAGE("entries per second: " << static_cast<double>(rounds * 1024) / took.count());
}

} // namespace breakwater::test
