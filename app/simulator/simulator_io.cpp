#include "app/simulator/simulator_io.hpp"

#include "app/simulator/frame_script.hpp"
#include "app/simulator/market.hpp"
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
  /// Sends what `reaction` holds and ends the connection if it says so.
  virtual void perform(venue_reaction reaction) = 0;
  /// The regular look at the clock.
  virtual void tick(wall_time now) = 0;
  [[nodiscard]] virtual venue* side() noexcept = 0; ///< nullptr: the handshake is under way.
};

} // namespace

class simulator::server {
public:
  server(const simulator_options& options, frame_script script)
      : options_(options),
        script_(std::move(script)),
        invents_(options.frames_file.empty()),
        market_(options.seed, listed_symbols()) {
    for (auto x : all_exchanges) connects_.push_back(connect_limit(x));
  }

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
  }
  [[nodiscard]] const simulator_options& options() const noexcept { return options_; }
  [[nodiscard]] wall_time now() const { return options_.wall(); }

  /// Judges a handshake: the venue it reaches, or the HTTP status that refuses it.
  std::unique_ptr<venue> admit(const http::request<http::empty_body>& request, http::status& refusal) {
    refusal = http::status::upgrade_required;
    if (!websocket::is_upgrade(request)) return nullptr;
    refusal = http::status::not_found;
    auto address = parse_venue_address({request.target().data(), request.target().size()});
    if (!address) return nullptr;
    refusal = http::status::too_many_requests;
    if (clients_.size() > most_connections || !connects_[index_of(address->from)].allow(now()))
      return nullptr;
    return venue::make(std::move(*address), market_, ++connections_, options_.interval, invents_);
  }

private:
  std::vector<std::string> listed_symbols() const {
    if (invents_) return options_.symbols;
    std::vector<std::string> symbols;
    for (const auto& frame : script_.frames) symbols.push_back(frame.symbol);
    return symbols;
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
      tick();
    });
  }

  /// Sends the frames of the file that are due.
  void play(const std::vector<std::shared_ptr<client>>& present, wall_time at) {
    if (!script_started_at_) {
      const bool awaited = std::any_of(present.begin(), present.end(), [](const auto& each) {
        return each->side() && each->side()->has_subscriptions();
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
  invented_market market_;
  std::vector<rate_limit> connects_; ///< By index_of(exchange).
  std::uint64_t connections_ = 0;
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

  void perform(venue_reaction reaction) override {
    if (closing_) return;
    const bool cut = !reaction.cut.empty();
    if (!reaction.texts.empty() || cut)
      owner_.count([&](auto& s) {
        s.frames[index_of(side_->from())] += reaction.frames;
        s.acknowledgements += reaction.granted;
        s.refusals += reaction.refused;
        if (cut) ++s.limit_cuts;
      });
    for (auto& text : reaction.texts) {
      queued_bytes_ += text.size();
      queue_.push_back(std::move(text));
    }
    if (queued_bytes_ > owner_.options().queue_bytes) {
      owner_.count([](auto& s) { ++s.slow_cuts; });
      return end();
    }
    write();
    if (cut) close(reaction.cut);
  }

  void tick(wall_time now) override {
    if (!side_ || closing_) return;
    if (side_->ping_interval() > 0ms) {
      if (unanswered_since_ && now - *unanswered_since_ > pong_within) {
        owner_.count([](auto& s) { ++s.limit_cuts; });
        return close("no pong");
      }
      if (ping_due_ <= now && !pinging_) ping(now);
    }
    perform(side_->frames_due(now));
  }

  venue* side() noexcept override { return side_.get(); }

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
    http::status refusal{};
    auto side = owner_.admit(request_, refusal);
    if (!side) return refuse(refusal);
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

  void refuse(http::status status) {
    owner_.count([](auto& s) { ++s.refused_connects; });
    refusal_ = {status, request_.version()};
    refusal_.keep_alive(false);
    refusal_.body() = std::string{http::obsolete_reason(status)} + "\n";
    refusal_.prepare_payload();
    http::async_write(socket_.next_layer(), refusal_,
                      [me = self()](boost::system::error_code, std::size_t) { me->end(); });
  }

  void opened(std::unique_ptr<venue> side) {
    side_ = std::move(side);
    owner_.count([](auto& s) { ++s.connections, ++s.connections_open; });
    buffer_.consume(buffer_.size());
    const auto now = owner_.now();
    ping_due_ = now + side_->ping_interval();
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
    ping_due_ = now + side_->ping_interval();
    if (!unanswered_since_) unanswered_since_ = now;
    socket_.async_ping({}, [me = self()](boost::system::error_code error) {
      me->pinging_ = false;
      if (error) me->end();
    });
  }

  /// The exchange hangs up in good order; a client that does not answer the close is cut after the handshake
  /// timeout.
  void close(const std::string& why) {
    if (closing_) return;
    closing_ = true;
    socket_.async_close({websocket::close_code::policy_error, why.substr(0, 120)},
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
  http::response<http::string_body> refusal_;
  std::unique_ptr<venue> side_;
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
  auto host = options_.listen.substr(0, options_.listen.rfind(':'));
  if (host == "0.0.0.0") host = "127.0.0.1";
  if (host == "[::]") host = "[::1]";
  return (options_.certificate_file.empty() ? "ws://" : "wss://") + host + ":" + std::to_string(port()) +
         std::string{path};
}

simulator_statistics simulator::statistics() const {
  return server_ ? server_->statistics() : simulator_statistics{};
}

} // namespace breakwater
