#include "actors/feed/websocket_io.hpp"

#include "actors/support/tls_io.hpp"
#include "actors/support/url.hpp"
#include "messages/time.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <type_traits>
#include <utility>

namespace breakwater {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace ws = boost::beast::websocket;
using tcp = asio::ip::tcp;
using boost::system::error_code;

using executor = asio::strand<asio::io_context::executor_type>;
using tcp_layer = beast::basic_stream<tcp, executor>;
using plain_stream = ws::stream<tcp_layer>;
using tls_stream = ws::stream<beast::ssl_stream<tcp_layer>>;

/// Where events go, until the websocket is destroyed.
class outlet {
public:
  outlet(std::uint64_t number, std::function<void(socket_event)> sink)
      : number_(number), sink_(std::move(sink)) {}

  template <class What>
  void say(What what) {
    std::lock_guard guard{mutex_};
    if (sink_) sink_(socket_event{number_, std::move(what)});
  }
  /// No event comes after this returned.
  void shut() {
    std::function<void(socket_event)> last; // destroyed after the lock, whatever it holds
    std::lock_guard guard{mutex_};
    last.swap(sink_);
  }

private:
  std::mutex mutex_;
  std::uint64_t number_;
  std::function<void(socket_event)> sink_;
};

struct connection_base {
  virtual ~connection_base() = default;
  virtual void start() = 0;
  virtual void send(std::string text) = 0;
  virtual void consumed(std::size_t texts) = 0;
  virtual void leave() = 0;
};

/// One connection. Everything runs on its strand; whoever waits for it holds it by shared_ptr.
template <class Stream>
class connection : public connection_base, public std::enable_shared_from_this<connection<Stream>> {
public:
  template <class... Layer>
  connection(asio::io_context& io, url to, websocket_limits limits, std::shared_ptr<outlet> events,
             Layer&... layer)
      : strand_(asio::make_strand(io)),
        resolver_(strand_),
        deadline_(strand_),
        stream_(strand_, layer...),
        to_(std::move(to)),
        limits_(limits),
        events_(std::move(events)) {}

  void start() override {
    asio::post(strand_, [self = this->shared_from_this()] { self->resolve(); });
  }

  void send(std::string text) override {
    asio::post(strand_, [self = this->shared_from_this(), text = std::move(text)]() mutable {
      if (self->phase_ != phase::open) return;
      if (self->unsent_.size() >= self->limits_.queued_sends)
        return self->fail("the other side does not read");
      self->unsent_.push_back(std::move(text));
      if (self->unsent_.size() == 1) self->write();
    });
  }

  void consumed(std::size_t texts) override {
    const auto before = unconsumed_.fetch_sub(texts);
    if (before >= limits_.unconsumed_texts && before - texts < limits_.unconsumed_texts)
      asio::post(strand_, [self = this->shared_from_this()] { self->read(); });
  }

  /// Says goodbye if the handshake is done, and drops the connection.
  void leave() override {
    asio::post(strand_, [self = this->shared_from_this()] {
      if (self->phase_ != phase::open) return self->drop();
      self->phase_ = phase::leaving;
      self->set_deadline(self->limits_.close_timeout);
      self->stream_.async_close(ws::close_code::normal, [self](error_code) { self->drop(); });
    });
  }

private:
  enum class phase : std::uint8_t { connecting, open, leaving, over };

  static constexpr bool is_tls = std::is_same_v<Stream, tls_stream>;

  auto& socket_layer() { return beast::get_lowest_layer(stream_); }

  void resolve() {
    if (phase_ != phase::connecting) return;
    set_deadline(limits_.connect_timeout);
    resolver_.async_resolve(
        to_.host, to_.port, [self = this->shared_from_this()](error_code error, auto results) {
          if (self->phase_ != phase::connecting) return;
          if (error) return self->fail("resolve " + self->to_.host + ": " + error.message());
          self->socket_layer().async_connect(results, [self](error_code why, const tcp::endpoint&) {
            if (self->phase_ != phase::connecting) return;
            if (why) return self->fail("connect: " + why.message());
            error_code ignored;
            self->socket_layer().socket().set_option(tcp::no_delay{true}, ignored);
            self->secure();
          });
        });
  }

  void secure() {
    if constexpr (is_tls) {
      auto& tls = stream_.next_layer();
      if (!expect_host(tls, to_.host)) return fail("TLS: no server name");
      tls.async_handshake(asio::ssl::stream_base::client,
                          [self = this->shared_from_this()](error_code error) {
                            if (self->phase_ != phase::connecting) return;
                            if (error) return self->fail("TLS: " + error.message());
                            self->shake_hands();
                          });
    } else {
      shake_hands();
    }
  }

  void shake_hands() {
    // Silence is judged by the session, which knows the exchange; a pause in our reading must not count as
    // one.
    stream_.set_option(ws::stream_base::timeout{limits_.connect_timeout, ws::stream_base::none(), false});
    stream_.set_option(ws::stream_base::decorator(
        [](ws::request_type& request) { request.set(beast::http::field::user_agent, "breakwater"); }));
    stream_.read_message_max(limits_.message_bytes);
    stream_.control_callback([this](ws::frame_type kind, beast::string_view) {
      if (kind != ws::frame_type::close) events_->say(socket_alive{});
    });
    stream_.async_handshake(to_.authority(), to_.target, [self = this->shared_from_this()](error_code error) {
      if (self->phase_ != phase::connecting) return;
      if (error) return self->fail("handshake: " + error.message());
      self->phase_ = phase::open;
      self->deadline_.cancel();
      self->events_->say(socket_opened{});
      self->read();
    });
  }

  /// Reads on, unless it reads already or too much is not consumed.
  void read() {
    if (phase_ != phase::open || reading_ || unconsumed_.load() >= limits_.unconsumed_texts) return;
    reading_ = true;
    stream_.async_read(buffer_, [self = this->shared_from_this()](error_code error, std::size_t) {
      self->reading_ = false;
      if (self->phase_ != phase::open) return;
      if (error) return self->fail(self->reason_of(error));
      // Counted first: the consumer may be done with it before we go on.
      self->unconsumed_.fetch_add(1);
      self->events_->say(socket_text{beast::buffers_to_string(self->buffer_.data()), system_wall_time()});
      self->buffer_.consume(self->buffer_.size());
      self->read();
    });
  }

  void write() {
    stream_.text(true);
    stream_.async_write(asio::buffer(unsent_.front()),
                        [self = this->shared_from_this()](error_code error, std::size_t) {
                          if (self->phase_ != phase::open) return;
                          if (error) return self->fail("write: " + error.message());
                          self->unsent_.pop_front();
                          if (!self->unsent_.empty()) self->write();
                        });
  }

  std::string reason_of(error_code error) {
    if (error != ws::error::closed) return error.message();
    const auto& reason = stream_.reason();
    std::string text = "closed by the exchange";
    if (reason.code != ws::close_code::none) text += " (" + std::to_string(reason.code) + ")";
    if (!reason.reason.empty()) text += ": " + std::string{reason.reason.data(), reason.reason.size()};
    return text;
  }

  void set_deadline(std::chrono::milliseconds after) {
    deadline_.expires_after(after);
    deadline_.async_wait([self = this->shared_from_this()](error_code error) {
      if (error || self->phase_ == phase::open) return;
      if (self->phase_ == phase::connecting)
        self->fail("no connection within " + std::to_string(self->limits_.connect_timeout.count()) + " ms");
      else
        self->drop();
    });
  }

  /// The connection could not be opened, or ended.
  void fail(std::string reason) {
    if (phase_ == phase::over) return;
    drop();
    events_->say(socket_closed{std::move(reason)});
  }

  void drop() {
    if (phase_ == phase::over) return;
    phase_ = phase::over;
    deadline_.cancel();
    resolver_.cancel();
    socket_layer().close();
  }

  executor strand_;
  asio::ip::basic_resolver<tcp, executor> resolver_;
  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                             executor>
      deadline_;
  Stream stream_;
  url to_;
  websocket_limits limits_;
  std::shared_ptr<outlet> events_;
  phase phase_ = phase::connecting;
  beast::flat_buffer buffer_;
  bool reading_ = false;
  std::deque<std::string> unsent_; ///< The first is being written.
  std::atomic<std::size_t> unconsumed_{0};
};

/// What the feed holds: its end is the connection's.
class handle : public websocket {
public:
  handle(std::shared_ptr<connection_base> what, std::shared_ptr<outlet> events)
      : connection_(std::move(what)), events_(std::move(events)) {}
  ~handle() override {
    events_->shut();
    if (connection_) connection_->leave();
  }
  void send(std::string text) override {
    if (connection_) connection_->send(std::move(text));
  }
  void consumed(std::size_t texts) override {
    if (connection_) connection_->consumed(texts);
  }

private:
  std::shared_ptr<connection_base> connection_; ///< nullptr: the address was none.
  std::shared_ptr<outlet> events_;
};

} // namespace

struct websocket_io::shared {
  shared(asio::io_context& context, websocket_limits bounds) : io(context), limits(bounds) {}

  asio::io_context& io;
  websocket_limits limits;
  asio::ssl::context tls = make_client_tls();
};

websocket_io::websocket_io(asio::io_context& io, websocket_limits limits)
    : shared_(std::make_unique<shared>(io, limits)) {}
websocket_io::~websocket_io() = default;

std::unique_ptr<websocket> websocket_io::open(std::string address, std::uint64_t number,
                                              std::function<void(socket_event)> sink) {
  auto events = std::make_shared<outlet>(number, std::move(sink));
  auto to = parse_url(address, "ws", "wss");
  if (!to) {
    asio::post(shared_->io, [events, address] {
      events->say(socket_closed{"not a ws:// or wss:// address: " + address});
    });
    return std::make_unique<handle>(nullptr, std::move(events));
  }
  std::shared_ptr<connection_base> made;
  if (to->tls)
    made = std::make_shared<connection<tls_stream>>(shared_->io, std::move(*to), shared_->limits, events,
                                                    shared_->tls);
  else
    made = std::make_shared<connection<plain_stream>>(shared_->io, std::move(*to), shared_->limits, events);
  made->start();
  return std::make_unique<handle>(std::move(made), std::move(events));
}

} // namespace breakwater
