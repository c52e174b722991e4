#include "actors/api/http_io.hpp"

#include "actors/api/json_answer.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <ctime>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <sstream>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace breakwater {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;

/// A client that was told to go may still be sending: for so long, and so much, it is listened to, or it
/// would lose the answer that says why.
constexpr milliseconds linger_for{1000};
constexpr std::size_t linger_bytes = std::size_t{1} << 20;
/// Connections that are told 503 at once; beyond, they are closed without a word.
constexpr std::size_t max_turned_away = 64;
/// Until accepting is tried again when the process has no descriptors left.
constexpr milliseconds accept_again_after{100};
constexpr std::size_t read_bytes = 4096;
/// Room behind a header of full size, for what comes with it.
constexpr std::size_t spare_bytes = 4096;

/// On every answer; one that knows better sets its own.
constexpr std::pair<std::string_view, std::string_view> safe_headers[] = {
    {"Cache-Control", "no-store"},
    // What is no page loads nothing, and stands in nobody's frame.
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
    {"X-Frame-Options", "DENY"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
};

std::string http_date() {
  const auto now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 64> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc)};
}

std::string lower_case(boost::string_view text) {
  std::string out{text};
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string address_text(const tcp::endpoint& of) {
  const auto host = of.address().to_string();
  return (of.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(of.port());
}

class server;

/// One client. It lives until its last handler has run; all of it runs on the io thread.
class connection : public std::enable_shared_from_this<connection> {
public:
  connection(server& of, tcp::socket socket, std::string remote);

  void start() { next_request(); }
  /// Too many are connected already: says so and goes.
  void turn_away();
  void answer(http_response&& what);
  void push(std::shared_ptr<const std::string> piece);
  void close();

private:
  enum class phase : std::uint8_t {
    idle,      ///< Waits for the first byte of a request.
    reading,   ///< A request has begun.
    waiting,   ///< For its answer.
    writing,   ///< It.
    streaming, ///< The answer has no end.
    lingering, ///< The last answer is out.
    closed
  };

  void next_request();
  void read_request();
  void on_header(error_code error, std::size_t size);
  bool take_header();
  void read_body();
  void read_more();
  void on_request();
  void refuse(unsigned status, const std::string& error, const std::string& hint);
  void reading_failed(error_code error);
  void write(http_response&& what, bool keep);
  template <class Body>
  void write_as(http_response& what, bool keep, typename Body::value_type body);
  void on_written(bool keep);
  void stream(http_response&& what);
  void write_pieces();
  void linger();
  void set_deadline(milliseconds after);
  void end_deadline();
  void on_deadline();
  void become(phase next);

  server& server_;
  tcp::socket socket_;
  asio::steady_timer deadline_;
  std::uint64_t deadline_number_ = 0;
  std::string remote_;
  boost::beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http_request asks_;              ///< What is being read.
  std::shared_ptr<void> response_; ///< While it is written.
  phase phase_ = phase::reading;
  bool head_only_ = false, keep_ = false;
  std::uint64_t request_ = 0; ///< Its number while it waits for an answer, or for more of it.
  std::deque<std::shared_ptr<const std::string>> pieces_; ///< Of a stream, not yet written.
  std::size_t pieces_bytes_ = 0;
  std::size_t lingered_bytes_ = 0;
  std::array<char, 4096> discarded_{};
  bool turned_away_ = false;
  std::list<connection*>::iterator place_; ///< Among those that may be closed for another.

  friend class server;
};

/// A port and its connections.
class server : public std::enable_shared_from_this<server> {
public:
  server(asio::io_context& io, const http_limits& limits, http_port::sink into)
      : io_(io), acceptor_(io), accept_later_(io), limits_(limits), into_(std::move(into)) {}

  /// Before any other thread knows of it.
  result<done> bind(const std::string& listen);
  [[nodiscard]] const std::string& address() const noexcept { return address_; }

  void start() {
    asio::post(io_, [self = shared_from_this()] { self->accept(); });
  }
  void answer(http_response what) {
    asio::post(io_, [self = shared_from_this(), what = std::move(what)]() mutable {
      self->deliver(std::move(what));
    });
  }
  void push(std::uint64_t number, std::shared_ptr<const std::string> piece) {
    asio::post(io_, [self = shared_from_this(), number, piece = std::move(piece)]() mutable {
      if (const auto found = self->streams_.find(number); found != self->streams_.end())
        found->second->push(std::move(piece));
    });
  }
  /// The port is free when this returns: whoever restarts binds it at once.
  void end() {
    {
      const std::lock_guard guard{gate_};
      ended_ = true;
      error_code ignored;
      acceptor_.close(ignored);
    }
    asio::post(io_, [self = shared_from_this()] { self->close(); });
  }

private:
  void accept();
  void welcome(tcp::socket socket);
  void deliver(http_response&& what);
  void close();
  std::uint64_t ask(http_request request, connection* from);
  void stream_ended(std::uint64_t number) {
    if (!ended_ && into_.ended) into_.ended({number});
  }

  asio::io_context& io_;
  std::mutex gate_; ///< Guards the acceptor, which end() closes from any thread.
  tcp::acceptor acceptor_;
  asio::steady_timer accept_later_;
  http_limits limits_;
  http_port::sink into_;
  std::string address_;
  std::atomic<bool> ended_ = false;
  std::unordered_set<std::shared_ptr<connection>> connections_, turned_away_;
  std::list<connection*> idle_; ///< Those that may be closed for another, longest first.
  std::unordered_map<std::uint64_t, connection*> asked_, streams_;
  std::uint64_t last_request_ = 0;

  friend class connection;
};

connection::connection(server& of, tcp::socket socket, std::string remote)
    : server_(of),
      socket_(std::move(socket)),
      deadline_(of.io_),
      remote_(std::move(remote)),
      buffer_(of.limits_.header_bytes + spare_bytes) {}

void connection::become(phase next) {
  const auto may_be_closed = [this](phase x) {
    return !turned_away_ && (x == phase::idle || x == phase::lingering);
  };
  if (may_be_closed(phase_)) server_.idle_.erase(place_);
  if (may_be_closed(next)) place_ = server_.idle_.insert(server_.idle_.end(), this);
  phase_ = next;
}

void connection::next_request() {
  parser_.emplace();
  head_only_ = keep_ = false;
  parser_->header_limit(static_cast<std::uint32_t>(server_.limits_.header_bytes));
  parser_->body_limit(server_.limits_.body_bytes);
  if (buffer_.size() > 0) return read_request(); // the client did not wait for the last answer
  become(phase::idle);
  set_deadline(server_.limits_.idle_for);
  socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](error_code error) {
    if (error || self->phase_ != phase::idle) return;
    self->read_request();
  });
}

void connection::read_request() {
  become(phase::reading);
  set_deadline(server_.limits_.request_within);
  http::async_read_header(socket_, buffer_, *parser_,
                          [self = shared_from_this()](error_code error, std::size_t size) {
                            if (self->phase_ == phase::reading) self->on_header(error, size);
                          });
}

void connection::on_header(error_code error, std::size_t size) {
  // Beast holds the request line and the headers each against the limit.
  if (!error && size > server_.limits_.header_bytes) error = http::error::header_limit;
  if (error) return reading_failed(error);
  if (!take_header()) return;
  const bool waits = parser_->get().version() == 11 && !parser_->is_done() && buffer_.size() == 0 &&
                     parser_->get().count(http::field::expect) > 0;
  if (!waits) return read_body();
  static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
  asio::async_write(socket_, asio::buffer(go_on),
                    [self = shared_from_this()](error_code failed, std::size_t) {
                      if (self->phase_ != phase::reading) return;
                      failed ? self->close() : self->read_body();
                    });
}

/// False: it was refused. Before the body, because what stands in a trailer is no header.
bool connection::take_header() {
  const auto& message = parser_->get();
  const auto codings = message.count(http::field::transfer_encoding);
  const bool chunked = boost::beast::iequals(message[http::field::transfer_encoding], "chunked");
  if (message.version() == 11 && message.count(http::field::host) != 1)
    return refuse(400, "an HTTP/1.1 request has one Host header", "send Host"), false;
  // Who reads a body by another coding than the sender would take the rest of it for the next request.
  if (codings > 1 || (codings == 1 && !chunked))
    return refuse(501, "a transfer coding other than chunked", "send the body with Content-Length"), false;
  if (message.count(http::field::expect) > 0 &&
      !boost::beast::iequals(message[http::field::expect], "100-continue"))
    return refuse(417, "an expectation other than 100-continue", "leave Expect out"), false;
  asks_ = {};
  asks_.method = std::string{message.method_string()};
  asks_.target = std::string{message.target()};
  for (const auto& field : message)
    asks_.headers.emplace_back(lower_case(field.name_string()), std::string{field.value()});
  asks_.remote = remote_;
  head_only_ = message.method() == http::verb::head;
  keep_ = parser_->keep_alive();
  return true;
}

void connection::read_body() {
  while (!parser_->is_done()) {
    // The last chunk has 5 bytes at least, and Beast 1.74 asserts that it is shown so many of it.
    if (buffer_.size() < (parser_->chunked() ? 5u : 1u)) return read_more();
    error_code error;
    buffer_.consume(parser_->put(buffer_.data(), error));
    if (error == http::error::need_more) return read_more();
    if (error) return reading_failed(error);
  }
  on_request();
}

void connection::read_more() {
  const auto room = buffer_.max_size() - buffer_.size();
  if (room == 0) return refuse(400, "a chunk's header or the trailer is too long", "send shorter ones");
  socket_.async_read_some(buffer_.prepare(std::min(room, read_bytes)),
                          [self = shared_from_this()](error_code error, std::size_t size) {
                            if (self->phase_ != phase::reading) return;
                            if (error) return self->close(); // the client went
                            self->buffer_.commit(size);
                            self->read_body();
                          });
}

void connection::on_request() {
  asks_.body = std::move(parser_->get().body());
  become(phase::waiting);
  set_deadline(server_.limits_.answer_within);
  request_ = server_.ask(std::move(asks_), this);
}

void connection::answer(http_response&& what) {
  if (what.streams && !head_only_) return stream(std::move(what));
  if (what.streams) server_.stream_ended(request_); // HEAD: there is nothing to go on with
  request_ = 0;
  write(std::move(what), keep_);
}

void connection::reading_failed(error_code error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    return refuse(431, "the request's headers are too large",
                  "at most " + std::to_string(server_.limits_.header_bytes) + " bytes");
  if (error == http::error::body_limit)
    return refuse(413, "the request's body is too large",
                  "at most " + std::to_string(server_.limits_.body_bytes) + " bytes");
  if (error == http::error::bad_version) return refuse(505, "this is not HTTP/1.0 or HTTP/1.1", {});
  // The client went, between two requests or within one.
  const bool gone = error == http::error::end_of_stream || error == http::error::partial_message ||
                    error.category() != make_error_code(http::error::bad_method).category();
  if (gone) return close();
  refuse(400, "the request is no HTTP: " + error.message(), {});
}

void connection::refuse(unsigned status, const std::string& error, const std::string& hint) {
  head_only_ = false;
  write(json_error(status, error, hint), false);
}

void connection::turn_away() {
  turned_away_ = true;
  refuse(503, "too many connections", "close those you do not use, then try again");
}

void connection::write(http_response&& what, bool keep) {
  become(phase::writing);
  set_deadline(server_.limits_.write_within);
  if (head_only_)
    write_as<http::empty_body>(what, keep, {});
  else
    write_as<http::string_body>(what, keep, std::move(what.body));
}

/// Status and headers of an answer.
template <class Body>
std::shared_ptr<http::response<Body>> head_of(const http_response& what) {
  auto message = std::make_shared<http::response<Body>>();
  message->result(what.status);
  message->set(http::field::server, "breakwater");
  message->set(http::field::date, http_date());
  for (const auto& [name, value] : safe_headers) message->set(std::string{name}, std::string{value});
  for (const auto& [name, value] : what.headers) message->set(name, value);
  return message;
}

template <class Body>
void connection::write_as(http_response& what, bool keep, typename Body::value_type body) {
  const auto size = head_only_ ? what.body.size() : std::size_t{0};
  auto message = head_of<Body>(what);
  message->keep_alive(keep);
  message->body() = std::move(body);
  if (head_only_)
    message->content_length(size);
  else
    message->prepare_payload();
  response_ = message;
  http::async_write(socket_, *message, [self = shared_from_this(), keep](error_code error, std::size_t) {
    if (self->phase_ != phase::writing) return;
    error ? self->close() : self->on_written(keep);
  });
}

void connection::on_written(bool keep) {
  response_.reset();
  if (keep) return next_request();
  become(phase::lingering);
  error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  set_deadline(linger_for);
  linger();
}

/// Without a length: the stream ends with the connection.
void connection::stream(http_response&& what) {
  become(phase::streaming);
  server_.streams_.emplace(request_, this);
  auto head = head_of<http::empty_body>(what);
  head->keep_alive(false);
  std::ostringstream text;
  text << head->base();
  pieces_.push_back(std::make_shared<const std::string>(std::move(text).str() + what.body));
  pieces_bytes_ = pieces_.front()->size();
  write_pieces();
  linger(); // or the client's end would not be seen
}

void connection::push(std::shared_ptr<const std::string> piece) {
  pieces_bytes_ += piece->size();
  if (pieces_bytes_ > server_.limits_.stream_bytes) return close();
  pieces_.push_back(std::move(piece));
  if (pieces_.size() == 1) write_pieces();
}

void connection::write_pieces() {
  set_deadline(server_.limits_.write_within);
  asio::async_write(socket_, asio::buffer(*pieces_.front()),
                    [self = shared_from_this()](error_code error, std::size_t) {
                      if (self->phase_ != phase::streaming) return;
                      if (error) return self->close();
                      self->pieces_bytes_ -= self->pieces_.front()->size();
                      self->pieces_.pop_front();
                      self->end_deadline();
                      if (!self->pieces_.empty()) self->write_pieces();
                    });
}

void connection::linger() {
  socket_.async_read_some(asio::buffer(discarded_),
                          [self = shared_from_this()](error_code error, std::size_t size) {
                            if (self->phase_ != phase::lingering && self->phase_ != phase::streaming) return;
                            self->lingered_bytes_ += size;
                            if (error || self->lingered_bytes_ > linger_bytes) return self->close();
                            self->linger();
                          });
}

void connection::set_deadline(milliseconds after) {
  deadline_.expires_after(after);
  deadline_.async_wait([self = shared_from_this(), number = ++deadline_number_](error_code error) {
    // A newer deadline may have been set while this one was on its way here.
    if (!error && number == self->deadline_number_) self->on_deadline();
  });
}

void connection::end_deadline() {
  ++deadline_number_;
  deadline_.cancel();
}

void connection::on_deadline() {
  if (phase_ == phase::reading) {
    error_code ignored;
    socket_.cancel(ignored); // the read ends in a phase that is not its own
    return refuse(408, "the request did not arrive in time",
                  "it must be whole within " + std::to_string(server_.limits_.request_within.count()) +
                      " ms");
  }
  if (phase_ != phase::waiting) return close();
  server_.asked_.erase(std::exchange(request_, 0));
  write(json_error(503, "nobody answered in time", "the log says why; try again"), keep_);
}

void connection::close() {
  if (phase_ == phase::closed) return;
  become(phase::closed);
  if (const auto number = std::exchange(request_, 0); number != 0) {
    server_.asked_.erase(number);
    if (server_.streams_.erase(number) > 0) server_.stream_ended(number);
  }
  error_code ignored;
  socket_.close(ignored);
  deadline_.cancel();
  server_.connections_.erase(shared_from_this());
  server_.turned_away_.erase(shared_from_this());
}

result<done> server::bind(const std::string& listen) {
  const auto colon = listen.rfind(':');
  auto host = listen.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  error_code error;
  const auto address = asio::ip::make_address(host, error);
  std::uint16_t port = 0;
  const auto* end = listen.data() + listen.size();
  bool readable = !error && colon != std::string::npos && colon + 1 < listen.size();
  if (readable) {
    const auto [stop, wrong] = std::from_chars(listen.data() + colon + 1, end, port);
    readable = stop == end && wrong == std::errc{};
  }
  if (!readable)
    return failure{errc::address_invalid, "api.listen " + listen +
                                              " is no numeric address with a port, such as "
                                              "127.0.0.1:8000"};
  const auto failed = [&] {
    return failure{errc::address_invalid, "api.listen " + listen + ": " + error.message() +
                                              "; choose another address or end who has it"};
  };
  const tcp::endpoint place{address, port};
  if (acceptor_.open(place.protocol(), error)) return failed();
  acceptor_.set_option(tcp::acceptor::reuse_address{true}, error);
  if (acceptor_.bind(place, error)) return failed();
  if (acceptor_.listen(asio::socket_base::max_listen_connections, error)) return failed();
  address_ = address_text(acceptor_.local_endpoint(error));
  return done{};
}

void server::accept() {
  const std::lock_guard guard{gate_};
  if (ended_) return;
  acceptor_.async_accept([self = shared_from_this()](error_code error, tcp::socket socket) {
    if (self->ended_) return;
    if (error) { // no descriptors or no memory: it would fail again at once, for ever
      self->accept_later_.expires_after(accept_again_after);
      return self->accept_later_.async_wait([self](error_code) { self->accept(); });
    }
    self->welcome(std::move(socket));
    self->accept();
  });
}

void server::welcome(tcp::socket socket) {
  error_code error;
  const auto remote = socket.remote_endpoint(error);
  if (error) return; // it went already
  socket.set_option(tcp::no_delay{true}, error);
  auto made = std::make_shared<connection>(*this, std::move(socket), address_text(remote));
  if (connections_.size() >= limits_.connections && !idle_.empty()) idle_.front()->close();
  if (connections_.size() < limits_.connections) {
    connections_.insert(made);
    return made->start();
  }
  if (turned_away_.size() >= max_turned_away) return;
  turned_away_.insert(made);
  made->turn_away();
}

std::uint64_t server::ask(http_request request, connection* from) {
  request.number = ++last_request_;
  asked_.emplace(request.number, from);
  if (!ended_) into_.asked(std::move(request));
  return last_request_;
}

void server::deliver(http_response&& what) {
  const auto found = asked_.find(what.number);
  if (found == asked_.end()) { // nobody waits for it any more
    if (what.streams) stream_ended(what.number);
    return;
  }
  auto* of = found->second;
  asked_.erase(found);
  of->answer(std::move(what));
}

void server::close() {
  accept_later_.cancel();
  for (const auto& open : std::exchange(connections_, {})) open->close();
  for (const auto& open : std::exchange(turned_away_, {})) open->close();
}

/// What the owner holds: letting go of it closes the server.
class bound_server final : public http_listener {
public:
  explicit bound_server(std::shared_ptr<server> bound) : server_(std::move(bound)) {}
  ~bound_server() override { server_->end(); }
  void answer(http_response response) override { server_->answer(std::move(response)); }
  void push(std::uint64_t number, std::shared_ptr<const std::string> piece) override {
    server_->push(number, std::move(piece));
  }
  [[nodiscard]] std::string address() const override { return server_->address(); }

private:
  std::shared_ptr<server> server_;
};

} // namespace

result<std::unique_ptr<http_listener>> http_io::serve(const std::string& listen, const http_limits& limits,
                                                      sink into) {
  auto made = std::make_shared<server>(io_, limits, std::move(into));
  if (auto bound = made->bind(listen); !bound) return bound.error();
  made->start();
  return std::unique_ptr<http_listener>{std::make_unique<bound_server>(std::move(made))};
}

} // namespace breakwater
