#include "app/simulator/simulator_io.hpp"

#include "app/simulator/frame_script.hpp"
#include "app/simulator/simulated_connection.hpp"
#include "app/simulator/simulated_exchanges.hpp"
#include "app/simulator/venue.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include <algorithm>
#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace breakwater {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;
using namespace std::chrono_literals;

constexpr auto handshake_timeout = 10s;
constexpr auto pong_within = 60s;
constexpr std::size_t most_connections = 1000;
constexpr std::size_t most_message_bytes = std::size_t{1} << 20;
/// A frames file waits so long after the first subscription, so that the others are there when it starts.
constexpr auto script_delay = 2s;

struct listen_address {
  std::string host, port;
};

std::optional<listen_address> parse_listen(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon + 1 == text.size()) return std::nullopt;
  listen_address out{text.substr(0, colon), text.substr(colon + 1)};
  if (out.host.size() > 2 && out.host.front() == '[' && out.host.back() == ']')
    out.host = out.host.substr(1, out.host.size() - 2);
  const bool digits = out.port.size() <= 5 && out.port.find_first_not_of("0123456789") == std::string::npos;
  if (out.host.empty() || !digits || std::stoi(out.port) > 65535) return std::nullopt;
  return out;
}

/// What the server knows of a connection, plain or with TLS.
struct client {
  virtual ~client() = default;
  /// Sends what is to be sent and ends the connection if that is to be.
  virtual void perform(wire_actions what) = 0;
  /// The regular look at the clock.
  virtual void tick(wall_time now) = 0;
  [[nodiscard]] virtual simulated_connection* side() noexcept = 0; ///< nullptr: the handshake is under way.
};

} // namespace

class simulator::server {
public:
  server(const simulator_options& options, frame_script script)
      : options_(options),
        script_(std::move(script)),
        invents_(options.frames_file.empty()),
        exchanges_(options_with_symbols(), options.wall()) {}

  ~server() {
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }

  /// Throws boost::system::system_error.
  void start(const listen_address& at, std::optional<asio::ssl::context> tls) {
    tls_ = std::move(tls);
    const auto found = tcp::resolver{io_}.resolve(at.host, at.port, tcp::resolver::passive);
    const auto endpoint = found.begin()->endpoint();
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(asio::socket_base::reuse_address{true});
    acceptor_.bind(endpoint);
    acceptor_.listen();
    port_ = acceptor_.local_endpoint().port();
    accept();
    tick();
    thread_ = std::thread{[this] { io_.run(); }};
  }

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] simulator_statistics statistics() const {
    const std::lock_guard lock{mutex_};
    return statistics_;
  }

  // What follows is for the clients, on the server's thread.

  void join(const std::shared_ptr<client>& who) { clients_.insert(who); }
  void leave(const std::shared_ptr<client>& who) {
    if (clients_.erase(who) > 0 && who->side()) count([](auto& s) { --s.connections_open; });
  }
  template <class F>
  void count(F change) {
    const std::lock_guard lock{mutex_};
    change(statistics_);
    statistics_.faults = exchanges_.faults_done();
  }
  [[nodiscard]] const simulator_options& options() const noexcept { return options_; }
  [[nodiscard]] wall_time now() const { return options_.wall(); }

  /// Judges a handshake.
  simulated_exchanges::admission admit(const http::request<http::empty_body>& request) {
    if (!websocket::is_upgrade(request)) return {nullptr, {.status = 426, .body = {}}};
    if (clients_.size() > most_connections) return {nullptr, {.status = 429, .body = {}}};
    return exchanges_.connect(target_of(request), now());
  }

  /// Answers a request for past candles; nullopt: it is none.
  std::optional<rest_answer> answer(const http::request<http::empty_body>& request) {
    if (request.method() != http::verb::get || websocket::is_upgrade(request)) return std::nullopt;
    return exchanges_.get(target_of(request), now());
  }

private:
  static std::string_view target_of(const http::request<http::empty_body>& request) {
    return {request.target().data(), request.target().size()};
  }

  simulator_options options_with_symbols() const {
    auto options = options_;
    if (invents_) return options;
    options.symbols.clear();
    for (const auto& frame : script_.frames) options.symbols.push_back(frame.symbol);
    return options;
  }

  void accept();

  void tick() {
    const auto every = std::clamp<std::chrono::milliseconds>(options_.interval / 5, 2ms, 50ms);
    timer_.expires_after(every);
    timer_.async_wait([this](boost::system::error_code error) {
      if (error) return;
      const auto at = now();
      // A client may leave while it is looked at, so the set is walked in a copy.
      const std::vector<std::shared_ptr<client>> present{clients_.begin(), clients_.end()};
      for (const auto& each : present) each->tick(at);
      if (!invents_) play(present, at);
      count([](auto&) {}); // faults that say nothing
      tick();
    });
  }

  /// Sends the frames of the file that are due.
  void play(const std::vector<std::shared_ptr<client>>& present, wall_time at) {
    if (!script_started_at_) {
      const bool awaited = std::any_of(present.begin(), present.end(), [](const auto& each) {
        return each->side() && each->side()->side().has_subscriptions();
      });
      if (!awaited) return;
      script_started_at_ = at + script_delay;
    }
    const auto played = static_cast<double>((at - *script_started_at_).count()) * options_.speed;
    while (next_frame_ < script_.frames.size()) {
      const auto& frame = script_.frames[next_frame_];
      if (static_cast<double>(frame.recv_ms - script_.frames.front().recv_ms) > played) return;
      for (const auto& each : present)
        if (each->side()) each->perform(each->side()->on_scripted(frame, at));
      ++next_frame_;
    }
    if (played >= 0) count([](auto& s) { s.script_finished = true; });
  }

  const simulator_options options_;
  const frame_script script_;
  const bool invents_;
  asio::io_context io_{1};
  std::optional<asio::ssl::context> tls_;
  tcp::acceptor acceptor_{io_};
  asio::steady_timer timer_{io_}; ///< Of tick().
  asio::steady_timer retry_{io_}; ///< Of accept().
  std::uint16_t port_ = 0;
  simulated_exchanges exchanges_; ///< On the server's thread only.
  std::set<std::shared_ptr<client>> clients_;
  std::optional<wall_time> script_started_at_;
  std::size_t next_frame_ = 0;
  mutable std::mutex mutex_; ///< Guards statistics_.
  simulator_statistics statistics_;
  std::thread thread_;

  template <class Stream>
  class connection;
};

/// One client: handshakes, then a reading and a writing loop around its venue.
template <class Stream>
class simulator::server::connection final : public client,
                                            public std::enable_shared_from_this<connection<Stream>> {
public:
  template <class... Ts>
  explicit connection(server& owner, Ts&&... stream) : owner_(owner), socket_(std::forward<Ts>(stream)...) {}

  void start() {
    owner_.join(self());
    beast::get_lowest_layer(socket_).expires_after(handshake_timeout);
    if constexpr (std::is_same_v<Stream, beast::tcp_stream>) {
      read_request();
    } else {
      socket_.next_layer().async_handshake(asio::ssl::stream_base::server,
                                           [me = self()](boost::system::error_code error) {
                                             if (error) return me->end();
                                             me->read_request();
                                           });
    }
  }

  void perform(wire_actions what) override {
    if (closing_) return;
    const bool ends = what.end != wire_actions::ending::none;
    if (!what.texts.empty() || ends)
      owner_.count([&](auto& s) {
        s.frames[index_of(side_->side().from())] += what.frames;
        s.acknowledgements += what.granted;
        s.refusals += what.refused;
        if (what.broke_limit) ++s.limit_cuts;
      });
    for (auto& text : what.texts) {
      queued_bytes_ += text.size();
      queue_.push_back(std::move(text));
    }
    if (queued_bytes_ > owner_.options().queue_bytes) {
      owner_.count([](auto& s) { ++s.slow_cuts; });
      return end();
    }
    write();
    switch (what.end) {
    case wire_actions::ending::none: return;
    case wire_actions::ending::close: return close(what.code, what.reason);
    case wire_actions::ending::reset: {
      boost::system::error_code ignored;
      beast::get_lowest_layer(socket_).socket().set_option(asio::socket_base::linger{true, 0}, ignored);
      return end();
    }
    case wire_actions::ending::cut: return end();
    }
  }

  void tick(wall_time now) override {
    if (!side_ || closing_) return;
    if (side_->side().ping_interval() > 0ms) {
      if (unanswered_since_ && now - *unanswered_since_ > pong_within) {
        owner_.count([](auto& s) { ++s.limit_cuts; });
        return close(websocket::close_code::policy_error, "no pong");
      }
      if (ping_due_ <= now && !pinging_) ping(now);
    }
    perform(side_->frames_due(now));
  }

  simulated_connection* side() noexcept override { return side_.get(); }

private:
  std::shared_ptr<connection> self() { return this->shared_from_this(); }

  void read_request() {
    http::async_read(socket_.next_layer(), buffer_, request_,
                     [me = self()](boost::system::error_code error, std::size_t) {
                       if (error) return me->end();
                       me->answer_request();
                     });
  }

  void answer_request() {
    if (auto past = owner_.answer(request_)) {
      owner_.count([](auto& s) { ++s.rest_answers; });
      return answer(static_cast<http::status>(past->status), std::move(past->body), "application/json",
                    past->retry_after_s);
    }
    auto [side, refusal] = owner_.admit(request_);
    if (!side) {
      owner_.count([](auto& s) { ++s.refused_connects; });
      const auto status = static_cast<http::status>(refusal.status);
      return answer(status, std::string{http::obsolete_reason(status)} + "\n", "text/plain",
                    refusal.retry_after_s);
    }
    beast::get_lowest_layer(socket_).expires_never(); // the WebSocket has timeouts of its own
    websocket::stream_base::timeout timeouts{};
    timeouts.handshake_timeout = handshake_timeout;
    timeouts.idle_timeout = websocket::stream_base::none();
    timeouts.keep_alive_pings = false;
    socket_.set_option(timeouts);
    socket_.read_message_max(most_message_bytes);
    socket_.control_callback([this](websocket::frame_type kind, beast::string_view) { on_control(kind); });
    socket_.async_accept(request_,
                         [me = self(), made = std::move(side)](boost::system::error_code error) mutable {
                           if (error) return me->end();
                           me->opened(std::move(made));
                         });
  }

  /// Answers without a WebSocket, and hangs up.
  void answer(http::status status, std::string body, const char* type, int retry_after_s) {
    answer_ = {status, request_.version()};
    answer_.keep_alive(false);
    answer_.set(http::field::content_type, type);
    if (retry_after_s > 0) answer_.set(http::field::retry_after, std::to_string(retry_after_s));
    answer_.body() = std::move(body);
    answer_.prepare_payload();
    http::async_write(socket_.next_layer(), answer_,
                      [me = self()](boost::system::error_code, std::size_t) { me->end(); });
  }

  void opened(std::unique_ptr<simulated_connection> side) {
    side_ = std::move(side);
    owner_.count([](auto& s) { ++s.connections, ++s.connections_open; });
    buffer_.consume(buffer_.size());
    const auto now = owner_.now();
    ping_due_ = now + side_->side().ping_interval();
    perform(side_->on_open(now));
    read();
  }

  void read() {
    socket_.async_read(buffer_, [me = self()](boost::system::error_code error, std::size_t) {
      if (error) return me->end();
      const auto text = beast::buffers_to_string(me->buffer_.data());
      me->buffer_.consume(me->buffer_.size());
      me->perform(me->side_->on_text(text, me->owner_.now()));
      me->read();
    });
  }

  void on_control(websocket::frame_type kind) {
    if (!side_ || kind == websocket::frame_type::close) return;
    if (kind == websocket::frame_type::pong) unanswered_since_.reset();
    perform(side_->on_control(owner_.now()));
  }

  void write() {
    if (writing_ || closing_ || queue_.empty()) return;
    writing_ = true;
    socket_.async_write(asio::buffer(queue_.front()),
                        [me = self()](boost::system::error_code error, std::size_t) {
                          me->writing_ = false;
                          if (error) return me->end();
                          me->queued_bytes_ -= me->queue_.front().size();
                          me->queue_.pop_front();
                          me->write();
                        });
  }

  void ping(wall_time now) {
    pinging_ = true;
    ping_due_ = now + side_->side().ping_interval();
    if (!unanswered_since_) unanswered_since_ = now;
    socket_.async_ping({}, [me = self()](boost::system::error_code error) {
      me->pinging_ = false;
      if (error) me->end();
    });
  }

  /// The exchange hangs up in good order; a client that does not answer the close is cut after the handshake
  /// timeout.
  void close(std::uint16_t code, const std::string& why) {
    if (closing_) return;
    closing_ = true;
    socket_.async_close({static_cast<websocket::close_code>(code), why.substr(0, 120)},
                        [me = self()](boost::system::error_code) { me->end(); });
  }

  void end() {
    closing_ = true;
    beast::get_lowest_layer(socket_).close();
    owner_.leave(self());
  }

  server& owner_;
  websocket::stream<Stream> socket_;
  beast::flat_buffer buffer_{most_message_bytes};
  http::request<http::empty_body> request_;
  http::response<http::string_body> answer_;
  std::unique_ptr<simulated_connection> side_;
  std::deque<std::string> queue_; ///< Bounded by simulator_options::queue_bytes.
  std::size_t queued_bytes_ = 0;
  bool writing_ = false;
  bool pinging_ = false;
  bool closing_ = false;
  wall_time ping_due_{};
  std::optional<wall_time> unanswered_since_; ///< The oldest ping of ours without a pong.
};

void simulator::server::accept() {
  acceptor_.async_accept([this](boost::system::error_code error, tcp::socket socket) {
    if (!error) {
      boost::system::error_code ignored;
      socket.set_option(tcp::no_delay{true}, ignored);
      if (tls_)
        std::make_shared<connection<beast::ssl_stream<beast::tcp_stream>>>(*this, std::move(socket), *tls_)
            ->start();
      else
        std::make_shared<connection<beast::tcp_stream>>(*this, std::move(socket))->start();
    }
    if (error == asio::error::operation_aborted) return;
    if (!error) return accept();
    // Out of file descriptors and the like: the pending ones wait in the kernel meanwhile.
    retry_.expires_after(100ms);
    retry_.async_wait([this](boost::system::error_code stopped) {
      if (!stopped) accept();
    });
  });
}

simulator::simulator(simulator_options options) : options_(std::move(options)) {}
simulator::~simulator() { stop(); }

result<done> simulator::start() {
  const auto address = parse_listen(options_.listen);
  if (!address)
    return failure{errc::address_invalid,
                   "'" + options_.listen + "' is not an address such as 127.0.0.1:9001"};
  if (options_.interval < 10ms || options_.interval > 1min)
    return failure{errc::config_invalid, "the interval is outside 10 ms..1 min"};
  if (options_.quiet_minutes < 0 || options_.quiet_minutes > 9)
    return failure{errc::config_invalid, "the quiet minutes are outside 0..9"};
  if (!(options_.speed > 0)) return failure{errc::config_invalid, "the speed is not above 0"};
  if (options_.certificate_file.empty() != options_.private_key_file.empty())
    return failure{errc::config_invalid, "a certificate and a private key come together or not at all"};

  std::optional<asio::ssl::context> tls;
  if (!options_.certificate_file.empty()) {
    tls.emplace(asio::ssl::context::tls_server);
    boost::system::error_code error;
    tls->use_certificate_chain_file(options_.certificate_file, error);
    if (error) return failure{errc::file_unreadable, options_.certificate_file + ": " + error.message()};
    tls->use_private_key_file(options_.private_key_file, asio::ssl::context::pem, error);
    if (error) return failure{errc::file_unreadable, options_.private_key_file + ": " + error.message()};
  }
  frame_script script;
  if (!options_.frames_file.empty()) {
    auto read = read_frame_script(options_.frames_file);
    if (!read) return read.error();
    script = std::move(*read);
  }

  auto made = std::make_unique<server>(options_, std::move(script));
  try {
    made->start(*address, std::move(tls));
  } catch (const boost::system::system_error& error) {
    return failure{errc::address_invalid,
                   "cannot listen on " + options_.listen + ": " + error.code().message()};
  }
  server_ = std::move(made);
  return done{};
}

void simulator::stop() { server_.reset(); }

std::uint16_t simulator::port() const noexcept { return server_ ? server_->port() : std::uint16_t{0}; }

std::string simulator::url(exchange from, market kind) const {
  const auto path = venue_path(from, kind);
  if (path.empty()) return {};
  return address("ws") + std::string{path};
}

std::string simulator::rest_url() const { return address("http"); }

/// With "s" behind the scheme where the server speaks TLS.
std::string simulator::address(const char* scheme) const {
  auto host = options_.listen.substr(0, options_.listen.rfind(':'));
  if (host == "0.0.0.0") host = "127.0.0.1";
  if (host == "[::]") host = "[::1]";
  return std::string{scheme} + (options_.certificate_file.empty() ? "" : "s") + "://" + host + ":" +
         std::to_string(port());
}

simulator_statistics simulator::statistics() const {
  return server_ ? server_->statistics() : simulator_statistics{};
}

} // namespace breakwater
