#include "actors/feed/websocket_io.hpp"
#include "tests/support/certificate.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace breakwater {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace ws = boost::beast::websocket;
using tcp = asio::ip::tcp;
using test::certificate, test::trusted;
using namespace std::chrono_literals;

/// Accepts one connection on loopback and talks to it in a thread of its own.
class server {
public:
  using plain = ws::stream<tcp::socket>;
  using secure = ws::stream<beast::ssl_stream<tcp::socket>>;

  explicit server(std::function<void(plain&)> talk) {
    run([this, talk] {
      plain stream{take()};
      stream.accept();
      talk(stream);
    });
  }
  server(const certificate& own, std::function<void(secure&)> talk) {
    run([this, own, talk] {
      asio::ssl::context tls{asio::ssl::context::tls_server};
      tls.use_certificate_chain(asio::buffer(own.pem));
      tls.use_private_key(asio::buffer(own.key), asio::ssl::context::pem);
      secure stream{take(), tls};
      stream.next_layer().handshake(asio::ssl::stream_base::server);
      server_name = SSL_get_servername(stream.next_layer().native_handle(), TLSEXT_NAMETYPE_host_name);
      stream.accept();
      talk(stream);
    });
  }
  /// Accepts TCP, and says nothing.
  server() {
    run([this] {
      auto socket = take();
      boost::system::error_code ignored;
      char byte = 0;
      while (!ignored) socket.read_some(asio::buffer(&byte, 1), ignored);
    });
  }
  ~server() {
    boost::system::error_code ignored;
    { // wakes an accept nobody came for
      tcp::socket waker{io_};
      waker.connect(acceptor_.local_endpoint(), ignored);
    }
    thread_.join();
  }
  [[nodiscard]] std::string port() const { return std::to_string(acceptor_.local_endpoint().port()); }

  std::string server_name;
  std::string ended_by;

private:
  tcp::socket take() {
    tcp::socket socket{io_};
    acceptor_.accept(socket);
    return socket;
  }
  template <class Work>
  void run(Work work) {
    thread_ = std::thread{[this, work] {
      try {
        work();
      } catch (const std::exception& e) {
        ended_by = e.what();
      }
    }};
  }

  asio::io_context io_;
  tcp::acceptor acceptor_{io_, {asio::ip::make_address("127.0.0.1"), 0}};
  std::thread thread_;
};

struct socket_fixture {
  asio::io_context io{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work{io.get_executor()};
  std::thread thread{[this] { io.run(); }};

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<socket_event> events;
  std::size_t texts = 0;

  ~socket_fixture() {
    work.reset();
    thread.join(); // every connection must have ended by itself
  }

  std::function<void(socket_event)> sink() {
    return [this](socket_event what) {
      std::lock_guard guard{mutex};
      texts += std::holds_alternative<socket_text>(what.what);
      events.push_back(std::move(what));
      changed.notify_all();
    };
  }
  /// The next event in words: "opened", "text hello", "alive", "closed: why"; "nothing" if none comes.
  std::string next(std::chrono::milliseconds patience = 5s) {
    std::unique_lock lock{mutex};
    if (!changed.wait_for(lock, patience, [&] { return !events.empty(); })) return "nothing";
    const auto what = std::move(events.front());
    events.pop_front();
    if (const auto* text = std::get_if<socket_text>(&what.what)) return "text " + text->text;
    if (const auto* closed = std::get_if<socket_closed>(&what.what)) return "closed: " + closed->reason;
    return std::holds_alternative<socket_opened>(what.what) ? "opened" : "alive";
  }
  std::size_t texts_until_quiet() {
    std::size_t before = 0;
    for (;;) {
      std::this_thread::sleep_for(150ms);
      std::lock_guard guard{mutex};
      if (texts == before) return texts;
      before = texts;
    }
  }
};

std::string read_text(server::plain& stream) {
  beast::flat_buffer buffer;
  stream.read(buffer);
  return beast::buffers_to_string(buffer.data());
}

void read_to_the_end(auto& stream) {
  beast::flat_buffer buffer;
  for (;;) stream.read(buffer);
}

BOOST_FIXTURE_TEST_SUITE(websocket_io_suite, socket_fixture)

BOOST_AUTO_TEST_CASE(texts_go_both_ways_and_pings_are_signs_of_life) {
  server peer{[](server::plain& stream) {
    stream.write(asio::buffer("hello " + read_text(stream)));
    stream.ping("");
    stream.write(asio::buffer(read_text(stream)));
    stream.close({ws::close_code::going_away, "maintenance"});
  }};
  websocket_io sockets{io};
  const auto socket = sockets.open(std::string{"ws://127.0.0.1:"} + peer.port() + "/ws?a=b", 7, sink());
  BOOST_TEST(next() == "opened");
  socket->send("you");
  BOOST_TEST(next() == "text hello you");
  BOOST_TEST(next() == "alive");
  for (int i = 0; i < 3; ++i) socket->send("more");
  BOOST_TEST(next() == "text more");
  BOOST_TEST(next() == "closed: closed by the exchange (1001): maintenance");
}

BOOST_AUTO_TEST_CASE(events_carry_the_number_and_the_time) {
  server peer{[](server::plain& stream) { stream.write(asio::buffer(std::string{"x"})); }};
  websocket_io sockets{io};
  const auto before = system_wall_time();
  const auto socket = sockets.open(std::string{"ws://127.0.0.1:"} + peer.port(), 42, sink());
  while (texts_until_quiet() == 0) {
  }
  std::lock_guard guard{mutex};
  BOOST_TEST(events.at(0).socket == 42u);
  BOOST_TEST(events.at(1).socket == 42u);
  BOOST_TEST((std::get<socket_text>(events.at(1).what).received_at >= before));
}

BOOST_AUTO_TEST_CASE(a_broken_connection_is_told) {
  server peer{[](server::plain& stream) { stream.next_layer().close(); }};
  websocket_io sockets{io};
  const auto socket = sockets.open(std::string{"ws://127.0.0.1:"} + peer.port(), 1, sink());
  BOOST_TEST(next() == "opened");
  BOOST_TEST(next().starts_with("closed: "));
  BOOST_TEST(next(50ms) == "nothing");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_opened_is_told) {
  websocket_io sockets{io};
  struct row {
    const char *url, *event;
  };
  constexpr row rows[] = {
      {"http://x", "closed: not a ws:// or wss:// address: http://x"},
      {"ws://", "closed: not a ws:// or wss:// address: ws://"},
      {"ws://x:port/", "closed: not a ws:// or wss:// address: ws://x:port/"},
      {"ws://[::1", "closed: not a ws:// or wss:// address: ws://[::1"},
      {"ws://127.0.0.1:1/", "closed: connect: Connection refused"},
  };
  for (const auto& x : rows) {
    const auto socket = sockets.open(x.url, 1, sink());
    BOOST_TEST(next() == x.event);
  }
}

BOOST_AUTO_TEST_CASE(a_handshake_that_never_ends_is_given_up) {
  server silent;
  websocket_io sockets{io, {.connect_timeout = 200ms}};
  const auto socket = sockets.open(std::string{"ws://127.0.0.1:"} + silent.port(), 1, sink());
  BOOST_TEST(next() == "closed: no connection within 200 ms");
  BOOST_TEST(next(50ms) == "nothing");
}

BOOST_AUTO_TEST_CASE(reading_stops_while_texts_are_not_consumed) {
  std::atomic<std::size_t> written{0};
  server peer{[&](server::plain& stream) {
    const std::string text(1000, 'x');
    for (; written < 20; ++written) stream.write(asio::buffer(text));
    read_to_the_end(stream);
  }};
  websocket_io sockets{io, {.unconsumed_texts = 4}};
  const auto socket = sockets.open(std::string{"ws://127.0.0.1:"} + peer.port(), 1, sink());
  BOOST_TEST(texts_until_quiet() == 4u);
  socket->consumed(1);
  BOOST_TEST(texts_until_quiet() == 5u);
  socket->consumed(3);
  BOOST_TEST(texts_until_quiet() == 8u);
  socket->consumed(4);
  BOOST_TEST(texts_until_quiet() == 12u);
  while (texts_until_quiet() < 20) socket->consumed(4);
  BOOST_TEST(texts == 20u);
}

BOOST_AUTO_TEST_CASE(a_message_beyond_the_bound_ends_the_connection) {
  server peer{[](server::plain& stream) {
    stream.write(asio::buffer(std::string(2000, 'x')));
    read_to_the_end(stream);
  }};
  websocket_io sockets{io, {.message_bytes = 1000}};
  const auto socket = sockets.open(std::string{"ws://127.0.0.1:"} + peer.port(), 1, sink());
  BOOST_TEST(next() == "opened");
  BOOST_TEST(next().starts_with("closed: "));
}

BOOST_AUTO_TEST_CASE(a_destroyed_websocket_says_goodbye_and_nothing_follows) {
  std::atomic<bool> polite{false};
  server peer{[&](server::plain& stream) {
    try {
      read_to_the_end(stream);
    } catch (const beast::system_error& e) {
      polite = e.code() == ws::error::closed && stream.reason().code == ws::close_code::normal;
    }
  }};
  websocket_io sockets{io};
  auto socket = sockets.open(std::string{"ws://127.0.0.1:"} + peer.port(), 1, sink());
  BOOST_TEST(next() == "opened");
  socket.reset();
  for (int i = 0; i < 100 && !polite; ++i) std::this_thread::sleep_for(20ms);
  BOOST_TEST(polite.load());
  BOOST_TEST(next(100ms) == "nothing");
}

BOOST_AUTO_TEST_CASE(a_websocket_may_be_destroyed_at_any_time) {
  for (int i = 0; i < 60; ++i) {
    server peer{[](server::plain& stream) {
      for (int sent = 0; sent < 50; ++sent) stream.write(asio::buffer(std::string{"x"}));
      read_to_the_end(stream);
    }};
    websocket_io sockets{io};
    auto socket = sockets.open(std::string{"ws://127.0.0.1:"} + peer.port(), 1, sink());
    std::this_thread::sleep_for(std::chrono::microseconds{i * 40});
    socket->send("bye");
    socket.reset();
    std::size_t seen = 0;
    {
      std::lock_guard guard{mutex};
      seen = events.size();
    }
    std::this_thread::sleep_for(1ms);
    std::lock_guard guard{mutex};
    BOOST_TEST(events.size() == seen);
    events.clear();
  }
}

BOOST_AUTO_TEST_CASE(the_goodbye_does_not_wait_for_a_peer_that_is_deaf) {
  server peer{[](server::plain& stream) {
    std::this_thread::sleep_for(600ms); // reads nothing, answers nothing
    (void)stream;
  }};
  websocket_io sockets{io, {.close_timeout = 100ms}};
  auto socket = sockets.open(std::string{"ws://127.0.0.1:"} + peer.port(), 1, sink());
  BOOST_TEST(next() == "opened");
  const auto begin = std::chrono::steady_clock::now();
  socket.reset();
  work.reset();
  thread.join();
  thread = std::thread{[] {}};
  BOOST_TEST((std::chrono::steady_clock::now() - begin < 500ms));
}

BOOST_AUTO_TEST_CASE(a_certificate_that_is_trusted_and_named_right_is_accepted) {
  const certificate own{"localhost"};
  const trusted store{own};
  server peer{own, [](server::secure& stream) {
                stream.write(asio::buffer(std::string{"secret"}));
                read_to_the_end(stream);
              }};
  websocket_io sockets{io};
  const auto socket = sockets.open(std::string{"wss://localhost:"} + peer.port() + "/ws", 1, sink());
  BOOST_TEST(next() == "opened");
  BOOST_TEST(next() == "text secret");
  BOOST_TEST(peer.server_name == "localhost");
}

BOOST_AUTO_TEST_CASE(a_certificate_nobody_vouches_for_is_refused) {
  const certificate own{"localhost"}, another{"localhost"};
  const trusted store{another};
  server peer{own, [](server::secure&) {}};
  websocket_io sockets{io};
  const auto socket = sockets.open(std::string{"wss://localhost:"} + peer.port(), 1, sink());
  BOOST_TEST(next() == "closed: TLS: certificate verify failed");
}

BOOST_AUTO_TEST_CASE(a_certificate_of_another_host_is_refused) {
  const certificate own{"elsewhere.example"};
  const trusted store{own};
  server peer{own, [](server::secure&) {}};
  websocket_io sockets{io};
  const auto socket = sockets.open(std::string{"wss://localhost:"} + peer.port(), 1, sink());
  BOOST_TEST(next() == "closed: TLS: certificate verify failed");
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater
