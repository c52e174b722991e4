#include "app/simulator/simulator_io.hpp"

#include "tests/app/simulator/self_signed.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/test/unit_test.hpp>

#include <fstream>
#include <optional>
#include <string_view>
#include <thread>

using namespace breakwater;
using namespace std::chrono_literals;

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;

/// A blocking WebSocket client with a deadline for every step.
class caller {
public:
  caller(std::uint16_t port, const std::string& target, bool tls = false) {
    if (tls)
      secure_.emplace(io_, tls_);
    else
      plain_.emplace(io_);
    with([&](auto& socket) {
      auto& transport = beast::get_lowest_layer(socket);
      transport.expires_after(5s);
      run([&](auto done) {
        transport.async_connect(tcp::endpoint{asio::ip::address_v4::loopback(), port}, done);
      });
    });
    if (secure_ && !error_)
      run([&](auto done) { secure_->next_layer().async_handshake(asio::ssl::stream_base::client, done); });
    if (error_) return;
    with([&](auto& socket) {
      run([&](auto done) { socket.async_handshake(response_, "localhost", target, done); });
    });
  }

  [[nodiscard]] bool open() const { return !error_; }
  [[nodiscard]] int close_code() const { return plain_ ? plain_->reason().code : secure_->reason().code; }
  [[nodiscard]] int status() const { return static_cast<int>(response_.result_int()); }

  void say(std::string_view text) {
    with([&](auto& socket) {
      run([&](auto done) {
        socket.async_write(asio::buffer(text), [done](auto error, std::size_t) mutable { done(error); });
      });
    });
  }
  /// The next text; empty: the connection ended, or nothing came within five seconds.
  std::string hear() {
    beast::flat_buffer buffer;
    with([&](auto& socket) {
      run([&](auto done) {
        socket.async_read(buffer, [done](auto error, std::size_t) mutable { done(error); });
      });
    });
    return error_ ? "" : beast::buffers_to_string(buffer.data());
  }
  /// Hears until a text has `part`; empty as above.
  std::string hear_with(std::string_view part) {
    for (auto text = hear();; text = hear())
      if (text.empty() || text.find(part) != std::string::npos) return text;
  }

private:
  template <class F>
  void with(F use) {
    if (secure_)
      use(*secure_);
    else
      use(*plain_);
  }
  template <class F>
  void run(F start) {
    with([](auto& socket) { beast::get_lowest_layer(socket).expires_after(5s); });
    start([this](boost::system::error_code error, auto&&...) { error_ = error; });
    io_.restart();
    io_.run();
  }

  asio::io_context io_;
  asio::ssl::context tls_{asio::ssl::context::tls_client};
  std::optional<websocket::stream<beast::tcp_stream>> plain_;
  std::optional<websocket::stream<beast::ssl_stream<beast::tcp_stream>>> secure_;
  websocket::response_type response_;
  boost::system::error_code error_;
};

/// One GET, blocking.
http::response<http::string_body> get(std::uint16_t port, const std::string& target,
                                      http::verb verb = http::verb::get) {
  asio::io_context io;
  beast::tcp_stream socket{io};
  socket.connect(tcp::endpoint{asio::ip::address_v4::loopback(), port});
  http::request<http::empty_body> request{verb, target, 11};
  request.set(http::field::host, "localhost");
  http::write(socket, request);
  beast::flat_buffer buffer;
  http::response<http::string_body> response;
  http::read(socket, buffer, response);
  return response;
}

simulator_options on_any_port() {
  simulator_options options;
  options.listen = "127.0.0.1:0";
  options.interval = 20ms;
  return options;
}

template <class F>
bool within(std::chrono::milliseconds time, F condition) {
  for (const auto until = std::chrono::steady_clock::now() + time; std::chrono::steady_clock::now() < until;
       std::this_thread::sleep_for(5ms))
    if (condition()) return true;
  return condition();
}

constexpr std::string_view binance_subscribe =
    R"({"method":"SUBSCRIBE","params":["btcusdt@kline_1m"],"id":1})";

} // namespace

BOOST_AUTO_TEST_SUITE(simulator_io_test)

BOOST_AUTO_TEST_CASE(serves_every_exchange_on_one_port) {
  simulator sut{on_any_port()};
  BOOST_REQUIRE(sut.start());
  struct row {
    const char *target, *request, *answer, *candle;
  };
  for (const auto& each : {
           row{"/stream", binance_subscribe.data(), R"("result":null)", R"("stream":"btcusdt@kline_1m")"},
           row{"/ws/btcusdt@kline_1m", R"({"method":"LIST_SUBSCRIPTIONS","id":1})", R"("btcusdt@kline_1m"])",
               R"({"e":"kline")"},
           row{"/v5/public/linear", R"({"op":"subscribe","args":["kline.1.BTCUSDT"]})", R"("success":true)",
               R"("topic":"kline.1.BTCUSDT")"},
           row{"/ws/v5/business", R"({"op":"subscribe","args":[{"channel":"candle1m","instId":"BTC-USDT"}]})",
               R"("event":"subscribe")", R"("data":[[")"},
           row{"/coinbase",
               R"({"type":"subscribe","product_ids":["BTC-USD"],"channels":["matches","heartbeat"]})",
               R"("type":"subscriptions")", R"("type":"match")"},
           row{"/v2", R"({"method":"subscribe","params":{"channel":"ohlc","symbol":["BTC/USDT"]}})",
               R"("success":true)", R"("type":"update")"},
       })
    BOOST_TEST_CONTEXT(each.target) {
      caller client{sut.port(), each.target};
      BOOST_REQUIRE(client.open());
      client.say(each.request);
      BOOST_TEST(client.hear_with(each.answer) != "");
      BOOST_TEST(client.hear_with(each.candle) != "");
    }
  BOOST_TEST(within(5s, [&] { return sut.statistics().connections_open == 0; }));
  const auto seen = sut.statistics();
  BOOST_TEST(seen.connections == 6u);
  BOOST_TEST(seen.acknowledgements == 5u);
  for (auto x : all_exchanges) BOOST_TEST(seen.frames[index_of(x)] > 0u);
}

BOOST_AUTO_TEST_CASE(answers_for_past_candles_on_the_same_port) {
  simulator sut{on_any_port()};
  BOOST_REQUIRE(sut.start());
  BOOST_TEST(sut.rest_url() == "http://127.0.0.1:" + std::to_string(sut.port()));
  constexpr std::pair<const char*, std::string_view> rows[] = {
      {"/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=2", "[["},
      {"/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=2", "[["},
      {"/v5/market/kline?category=spot&symbol=BTCUSDT&interval=1&limit=2", R"({"retCode":0,)"},
      {"/api/v5/market/candles?instId=BTC-USDT&bar=1m&limit=2", R"({"code":"0",)"},
      {"/api/v5/market/history-candles?instId=BTC-USDT&bar=1m&limit=2", R"({"code":"0",)"},
      {"/0/public/OHLC?pair=XBTUSD&since=4000000000", R"({"error":[],"result":{"XXBTZUSD":[[)"},
      {"/products/BTC-USD/candles?granularity=60", "[["},
  };
  for (const auto& [target, begin] : rows) BOOST_TEST_CONTEXT(target) {
      const auto response = get(sut.port(), target);
      BOOST_TEST(response.result_int() == 200u);
      BOOST_TEST(response[http::field::content_type] == "application/json");
      BOOST_TEST(response.body().substr(0, begin.size()) == begin);
    }
  const auto unknown = get(sut.port(), "/products/NOPE-USD/candles");
  BOOST_TEST(unknown.result_int() == 404u);
  BOOST_TEST(unknown.body() == R"({"message":"NotFound"})");
  BOOST_TEST(get(sut.port(), "/api/v3/depth").result_int() == 426u);
  BOOST_TEST(get(sut.port(), "/api/v3/klines", http::verb::post).result_int() == 426u);
  BOOST_TEST(sut.statistics().rest_answers == 8u);
}

BOOST_AUTO_TEST_CASE(misbehaves_as_told_and_counts_it) {
  auto options = on_any_port();
  options.faults = {*parse_fault_rule("rate_limit,exchange=binance,every=1h,for=1h"),
                    *parse_fault_rule("malformed,exchange=bybit,every=1h,for=1h"),
                    *parse_fault_rule("cut,exchange=bybit,every=1h,after=2s"),
                    *parse_fault_rule("snapshot,exchange=kraken,every=1h,after=1s"),
                    *parse_fault_rule("day_end,exchange=coinbase,every=1h,after=1s")};
  simulator sut{options};
  BOOST_REQUIRE(sut.start());
  const auto refused = get(sut.port(), "/api/v3/klines?symbol=BTCUSDT&interval=1m");
  BOOST_TEST(refused.result_int() == 429u);
  BOOST_TEST(refused[http::field::retry_after] == "5");
  caller binance{sut.port(), "/stream"};
  BOOST_TEST(binance.status() == 429);

  caller kraken{sut.port(), "/v2"};
  kraken.say(R"({"method":"subscribe","params":{"channel":"ohlc","symbol":["BTC/USDT"]}})");
  caller coinbase{sut.port(), "/coinbase"};
  coinbase.say(R"({"type":"subscribe","product_ids":["BTC-USD"],"channels":["heartbeat"]})");
  caller bybit{sut.port(), "/v5/public/linear"};
  bybit.say(R"({"op":"subscribe","args":["kline.1.BTCUSDT"]})");
  BOOST_TEST(bybit.hear_with("success") != "");
  BOOST_TEST(bybit.hear_with("never sent") == ""); // it is cut
  BOOST_TEST(!bybit.open());
  BOOST_TEST(coinbase.hear_with("never sent") == "");
  BOOST_TEST(coinbase.close_code() == websocket::close_code::going_away);
  BOOST_TEST(kraken.hear_with(R"("channel":"book","type":"snapshot")").size() > 500'000u);
  const auto done = [&](fault what) { return sut.statistics().faults[static_cast<std::size_t>(what)]; };
  BOOST_TEST(within(1s, [&] { return done(fault::snapshot) == 1; }));
  BOOST_TEST(done(fault::rate_limit) == 2u);
  BOOST_TEST(done(fault::cut) == 1u);
  BOOST_TEST(done(fault::day_end) == 1u);
  BOOST_TEST(done(fault::malformed) > 0u);
  BOOST_TEST(done(fault::slow) == 0u);
}

BOOST_AUTO_TEST_CASE(speaks_tls_with_a_certificate) {
  const test::self_signed files;
  auto options = on_any_port();
  options.certificate_file = files.certificate_file;
  options.private_key_file = files.private_key_file;
  simulator sut{options};
  BOOST_REQUIRE(sut.start());
  BOOST_TEST(sut.url(exchange::okx) == "wss://127.0.0.1:" + std::to_string(sut.port()) + "/ws/v5/business");
  BOOST_TEST(sut.rest_url() == "https://127.0.0.1:" + std::to_string(sut.port()));
  caller client{sut.port(), "/stream", true};
  BOOST_REQUIRE(client.open());
  client.say(binance_subscribe);
  BOOST_TEST(client.hear_with("kline") != "");
  caller plain{sut.port(), "/stream"};
  BOOST_TEST(!plain.open());
}

BOOST_AUTO_TEST_CASE(refuses_unknown_paths_and_too_many_connections) {
  simulator sut{on_any_port()};
  BOOST_REQUIRE(sut.start());
  caller lost{sut.port(), "/elsewhere"};
  BOOST_TEST(!lost.open());
  BOOST_TEST(lost.status() == 404);
  std::vector<std::unique_ptr<caller>> okx;
  for (int i = 0; i < 3; ++i) {
    okx.push_back(std::make_unique<caller>(sut.port(), "/ws/v5/business"));
    BOOST_TEST(okx.back()->open());
  }
  caller fourth{sut.port(), "/ws/v5/business"};
  BOOST_TEST(!fourth.open());
  BOOST_TEST(fourth.status() == 429);
  BOOST_TEST(sut.statistics().refused_connects == 2u);
}

BOOST_AUTO_TEST_CASE(hangs_up_on_a_client_that_does_not_pace_itself) {
  simulator sut{on_any_port()};
  BOOST_REQUIRE(sut.start());
  caller client{sut.port(), "/stream"};
  for (int i = 0; i < 6; ++i) client.say(R"({"method":"LIST_SUBSCRIPTIONS","id":1})");
  int answers = 0;
  while (!client.hear().empty()) ++answers;
  BOOST_TEST(answers <= 5);
  BOOST_TEST(within(2s, [&] { return sut.statistics().limit_cuts == 1; }));
}

BOOST_AUTO_TEST_CASE(cuts_a_client_that_does_not_read) {
  auto options = on_any_port();
  options.queue_bytes = 100'000;
  options.interval = 10ms;
  options.symbols.clear();
  std::string args;
  for (int i = 0; i < 900; ++i) {
    options.symbols.push_back(std::string{"S"} + std::to_string(i) + "USDT");
    args.append(i ? "," : "").append("\"kline.1.S").append(std::to_string(i)).append("USDT\"");
  }
  // A minute a second, so that there is always something new to say.
  options.wall = [start = system_wall_time()] { return start + (system_wall_time() - start) * 60; };
  simulator sut{options};
  BOOST_REQUIRE(sut.start());
  caller deaf{sut.port(), "/v5/public/linear"};
  deaf.say(std::string{R"({"op":"subscribe","args":[)"} + args + "]}");
  BOOST_TEST(within(20s, [&] { return sut.statistics().slow_cuts == 1; }));
  BOOST_TEST(within(2s, [&] { return sut.statistics().connections_open == 0; }));
}

BOOST_AUTO_TEST_CASE(plays_a_frames_file_to_subscribers) {
  const std::string file = "/tmp/simulator_io_test." + std::to_string(::getpid()) + ".jsonl";
  std::ofstream{file}
      << R"({"recv_ms":1000,"exchange":"bybit","frame":{"topic":"kline.1.BTCUSDT","data":[{"close":"1.50"}]}})"
      << '\n'
      << R"({"recv_ms":1100,"exchange":"bybit","frame":{"topic":"kline.1.ETHUSDT","data":[{"close":"2.50"}]}})"
      << '\n'
      << R"({"recv_ms":9000,"exchange":"bybit","frame":{"topic":"kline.1.BTCUSDT","data":[{"close":"3.50"}]}})"
      << '\n';
  auto options = on_any_port();
  options.frames_file = file;
  options.speed = 100;
  simulator sut{options};
  BOOST_REQUIRE(sut.start());
  caller client{sut.port(), "/v5/public/spot"};
  client.say(R"({"op":"subscribe","args":["kline.1.BTCUSDT"]})");
  BOOST_TEST(client.hear_with("success") != "");
  BOOST_TEST(client.hear() == R"({"topic":"kline.1.BTCUSDT","data":[{"close":"1.50"}]})");
  BOOST_TEST(client.hear() == R"({"topic":"kline.1.BTCUSDT","data":[{"close":"3.50"}]})");
  BOOST_TEST(within(1s, [&] { return sut.statistics().script_finished; }));
  std::remove(file.c_str());
}

BOOST_AUTO_TEST_CASE(says_why_it_cannot_start) {
  simulator first{on_any_port()};
  BOOST_REQUIRE(first.start());
  const auto why = [](auto change) {
    auto options = on_any_port();
    change(options);
    const auto started = simulator{options}.start();
    return started ? std::string{"started"} : started.error().detail;
  };
  const auto taken = "127.0.0.1:" + std::to_string(first.port());
  BOOST_TEST(why([&](auto& x) { x.listen = taken; }) ==
             "cannot listen on " + taken + ": Address already in use");
  for (auto bad : {"nonsense", "127.0.0.1:", ":9001", "127.0.0.1:70000", "127.0.0.1:x"})
    BOOST_TEST(why([&](auto& x) { x.listen = bad; }) ==
               std::string{"'"} + bad + "' is not an address such as 127.0.0.1:9001");
  BOOST_TEST(why([](auto& x) { x.frames_file = "/nowhere"; }) == "/nowhere: No such file or directory");
  BOOST_TEST(
      why([](auto& x) { x.certificate_file = x.private_key_file = "/nowhere"; }).starts_with("/nowhere: "));
  BOOST_TEST(why([](auto& x) { x.certificate_file = "/nowhere"; }) ==
             "a certificate and a private key come together or not at all");
  BOOST_TEST(why([](auto& x) { x.quiet_minutes = 10; }) == "the quiet minutes are outside 0..9");
  BOOST_TEST(why([](auto& x) { x.interval = 1ms; }) == "the interval is outside 10 ms..1 min");
}

BOOST_AUTO_TEST_CASE(stops_with_clients_connected_and_starts_again_on_the_same_port) {
  auto options = on_any_port();
  simulator sut{options};
  BOOST_REQUIRE(sut.start());
  options.listen = "127.0.0.1:" + std::to_string(sut.port());
  caller client{sut.port(), "/stream"};
  client.say(binance_subscribe);
  BOOST_TEST(client.hear() != "");
  sut.stop();
  BOOST_TEST(client.hear_with("never sent") == "");
  simulator again{options};
  BOOST_REQUIRE(again.start());
  BOOST_TEST(caller(again.port(), "/stream").open());
}

BOOST_AUTO_TEST_SUITE_END()
