#include "actors/redis/redis_io.hpp"

#include <hiredis/read.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <string_view>
#include <utility>
#include <vector>

namespace breakwater {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using stream = asio::generic::stream_protocol;

constexpr std::size_t read_bytes = std::size_t{256} << 10;
/// hiredis moves what it has not parsed yet down each time it parsed 1 kB, so it is fed by slices.
constexpr std::size_t slice_bytes = std::size_t{16} << 10;
/// One writev; more buffers than this wait for the next.
constexpr std::size_t buffers_a_write = 64;
/// Larger replies are no answers to anything we ask: something else speaks there.
constexpr int max_elements = 1 << 20;
constexpr std::size_t max_unparsed_bytes = std::size_t{64} << 20;

/// Builds redis_reply in its final place while hiredis parses: no reply object in between. A reply's place is
/// its parent's item, or the slot that `root` points at.
struct reply_builder {
  redis_reply* root = nullptr;

  static redis_reply* place_of(const redisReadTask* task) {
    if (task->parent == nullptr) return static_cast<reply_builder*>(task->privdata)->root;
    return &static_cast<redis_reply*>(task->parent->obj)->items[static_cast<std::size_t>(task->idx)];
  }
  static void* make_text(const redisReadTask* task, char* text, std::size_t size) noexcept {
    try {
      auto* reply = place_of(task);
      reply->what = task->type == REDIS_REPLY_ERROR    ? redis_reply::kind::error
                    : task->type == REDIS_REPLY_STATUS ? redis_reply::kind::status
                                                       : redis_reply::kind::text;
      reply->text.assign(text, size);
      return reply;
    } catch (...) { // hiredis is C: nothing may pass through it
      return nullptr;
    }
  }
  static void* make_array(const redisReadTask* task, int elements) noexcept {
    try {
      if (elements < 0 || elements > max_elements) return nullptr;
      auto* reply = place_of(task);
      reply->what = redis_reply::kind::array;
      reply->items.resize(static_cast<std::size_t>(elements));
      return reply;
    } catch (...) {
      return nullptr;
    }
  }
  static void* make_integer(const redisReadTask* task, long long value) noexcept {
    auto* reply = place_of(task);
    reply->what = redis_reply::kind::integer;
    reply->integer = value;
    return reply;
  }
  static void* make_nil(const redisReadTask* task) noexcept {
    auto* reply = place_of(task);
    reply->what = redis_reply::kind::nil;
    return reply;
  }
  static void forget(void*) noexcept {} // the slots own everything
};

redisReplyObjectFunctions builder_functions{reply_builder::make_text, reply_builder::make_array,
                                            reply_builder::make_integer, reply_builder::make_nil,
                                            reply_builder::forget};

void set_option(int socket, int level, int name, int value) {
  // An option that cannot be set costs the notice of a dead peer some time, not the connection.
  static_cast<void>(::setsockopt(socket, level, name, &value, sizeof value));
}

void tune(int socket) {
  set_option(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(socket, IPPROTO_TCP, TCP_KEEPIDLE, 10);
  set_option(socket, IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set_option(socket, IPPROTO_TCP, TCP_KEEPCNT, 3);
  set_option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, 10000);
}

/// One connection. It lives until its last handler has run; all of it runs on its strand.
class session : public std::enable_shared_from_this<session> {
public:
  session(asio::io_context& io, connection_number number, redis_port::sink events)
      : strand_(asio::make_strand(io)),
        socket_(strand_),
        resolver_(strand_),
        connect_limit_(strand_),
        number_(number),
        events_(std::move(events)),
        reader_(redisReaderCreateWithFunctions(&builder_functions)) {
    if (reader_ != nullptr) {
      reader_->privdata = &builder_;
      reader_->maxbuf = read_bytes; // keep the buffer between replies
    }
  }
  ~session() { redisReaderFree(reader_); }
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  void open(redis_address to, std::chrono::milliseconds timeout) {
    asio::post(strand_,
               [self = shared_from_this(), to = std::move(to), timeout] { self->begin(to, timeout); });
  }

  void submit(std::uint64_t tag, std::shared_ptr<const std::string> wire, std::size_t count) {
    if (abandoned_) return;
    asio::post(strand_, [self = shared_from_this(), tag, wire = std::move(wire), count]() mutable {
      self->enqueue(tag, std::move(wire), count);
    });
  }

  void abandon() {
    abandoned_ = true;
    asio::post(strand_, [self = shared_from_this()] { self->close(); });
  }

private:
  struct expected {
    std::uint64_t tag;
    std::size_t count;
    std::vector<redis_reply> replies;
    std::size_t filled = 0;
  };

  void begin(const redis_address& to, std::chrono::milliseconds timeout) {
    if (closed_) return;
    if (reader_ == nullptr) return fail("out of memory");
    connect_limit_.expires_after(timeout);
    connect_limit_.async_wait([self = shared_from_this()](error_code error) {
      if (!error && !self->open_) self->fail("connect timed out");
    });
    if (!to.socket_path.empty()) {
      where_ = to.socket_path;
      places_.emplace_back(asio::local::stream_protocol::endpoint{to.socket_path});
      return try_next({});
    }
    tcp_ = true;
    where_ = to.host + ":" + std::to_string(to.port);
    error_code no_number;
    const auto address = asio::ip::make_address(to.host, no_number);
    if (!no_number) {
      places_.emplace_back(asio::ip::tcp::endpoint{address, to.port});
      return try_next({});
    }
    resolver_.async_resolve(
        to.host, std::to_string(to.port), asio::ip::tcp::resolver::numeric_service,
        [self = shared_from_this()](error_code error, const asio::ip::tcp::resolver::results_type& found) {
          if (self->closed_) return;
          if (error) return self->fail("cannot resolve " + self->where_ + ": " + error.message());
          for (const auto& place : found) self->places_.emplace_back(place.endpoint());
          self->try_next({});
        });
  }

  /// The addresses of a name are tried one after the other.
  void try_next(error_code last) {
    if (closed_) return;
    if (next_place_ == places_.size())
      return fail(where_ + ": " + (last ? last.message() : std::string{"no address"}));
    const auto place = places_[next_place_++];
    error_code error;
    socket_.close(error);
    socket_.open(place.protocol(), error);
    if (error) return try_next(error);
    if (tcp_) tune(socket_.native_handle());
    socket_.async_connect(place, [self = shared_from_this()](error_code refused) {
      if (self->closed_) return;
      if (refused) return self->try_next(refused);
      self->opened();
    });
  }

  void opened() {
    open_ = true;
    connect_limit_.cancel();
    buffer_.resize(read_bytes);
    tell(link_connected{});
    read();
    write();
  }

  void enqueue(std::uint64_t tag, std::shared_ptr<const std::string> wire, std::size_t count) {
    if (closed_) return;
    expected_.push_back({tag, count, std::vector<redis_reply>(count)});
    outgoing_.push_back(std::move(wire));
    write();
  }

  void write() {
    if (!open_ || closed_ || !writing_.empty() || outgoing_.empty()) return;
    std::array<asio::const_buffer, buffers_a_write> pieces;
    const auto count = std::min(outgoing_.size(), buffers_a_write);
    for (std::size_t i = 0; i < count; ++i) {
      pieces[i] = asio::buffer(*outgoing_.front());
      writing_.push_back(std::move(outgoing_.front()));
      outgoing_.pop_front();
    }
    const std::vector<asio::const_buffer> gathered(pieces.begin(),
                                                   pieces.begin() + static_cast<std::ptrdiff_t>(count));
    asio::async_write(socket_, gathered, [self = shared_from_this()](error_code error, std::size_t) {
      self->writing_.clear();
      if (self->closed_) return;
      // What Redis said before it hung up is still to be read: the read ends with the reason.
      if (!error) self->write();
    });
  }

  void read() {
    socket_.async_read_some(
        asio::buffer(buffer_), [self = shared_from_this()](error_code error, std::size_t size) {
          if (self->closed_) return;
          if (error) return self->fail(error == asio::error::eof ? "closed by Redis" : error.message());
          if (self->parse({self->buffer_.data(), size})) self->read();
        });
  }

  /// False: the connection was closed.
  bool parse(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto slice = bytes.substr(0, slice_bytes);
      bytes.remove_prefix(slice.size());
      if (redisReaderFeed(reader_, slice.data(), slice.size()) != REDIS_OK) return broken();
      while (true) {
        // hiredis keeps the place of a reply it has not finished, so this stays where it points until then.
        builder_.root = expected_.empty() ? &unasked_ : &expected_.front().replies[expected_.front().filled];
        void* reply = nullptr;
        if (redisReaderGetReply(reader_, &reply) != REDIS_OK) return broken();
        if (reply == nullptr) break;
        if (!take_reply()) return false;
        if (closed_) return false;
      }
      if (reader_->len - reader_->pos > max_unparsed_bytes) {
        fail("a reply is larger than anything asked for");
        return false;
      }
    }
    return true;
  }

  bool take_reply() {
    if (expected_.empty()) {
      if (unasked_.what == redis_reply::kind::error) {
        error_reply_ = unasked_.text; // Redis says why it hangs up; the end follows
        return true;
      }
      fail("a reply to nothing that was asked");
      return false;
    }
    auto& front = expected_.front();
    const auto& newest = front.replies[front.filled];
    // Remembered until an answer is complete: a refused connection gets one error and then the end.
    if (newest.what == redis_reply::kind::error && error_reply_.empty()) error_reply_ = newest.text;
    if (++front.filled < front.count) return true;
    auto replies = std::make_shared<const std::vector<redis_reply>>(std::move(front.replies));
    const auto tag = front.tag;
    expected_.pop_front();
    error_reply_.clear();
    tell(link_answered{tag, std::move(replies)});
    return true;
  }

  bool broken() {
    fail(std::string{"unreadable reply: "} + reader_->errstr);
    return false;
  }

  template <class What>
  void tell(What what) {
    if (!abandoned_ && events_) events_(link_event{number_, std::move(what)});
  }

  void fail(std::string reason) {
    if (closed_) return;
    tell(link_closed{std::move(reason), std::move(error_reply_)});
    close();
  }

  void close() {
    if (std::exchange(closed_, true)) return;
    error_code ignored;
    resolver_.cancel();
    connect_limit_.cancel();
    socket_.close(ignored);
    expected_.clear();
    outgoing_.clear();
    events_ = nullptr;
  }

  asio::strand<asio::io_context::executor_type> strand_;
  stream::socket socket_;
  asio::ip::tcp::resolver resolver_;
  asio::steady_timer connect_limit_;
  connection_number number_;
  redis_port::sink events_;
  std::string where_;
  bool tcp_ = false;
  std::vector<stream::endpoint> places_;
  std::size_t next_place_ = 0;

  bool open_ = false;
  bool closed_ = false;
  std::atomic<bool> abandoned_ = false; ///< The owner let go; the only member that other threads touch.

  std::deque<std::shared_ptr<const std::string>> outgoing_;
  std::vector<std::shared_ptr<const std::string>> writing_;
  std::deque<expected> expected_;
  std::vector<char> buffer_;
  reply_builder builder_;
  redis_reply unasked_;
  std::string error_reply_;
  redisReader* reader_;
};

/// What the owner holds: letting go of it closes the session.
class asio_connection : public redis_connection {
public:
  explicit asio_connection(std::shared_ptr<session> opened) : session_(std::move(opened)) {}
  ~asio_connection() override { session_->abandon(); }
  void submit(std::uint64_t tag, std::shared_ptr<const std::string> wire, std::size_t count) override {
    session_->submit(tag, std::move(wire), count);
  }

private:
  std::shared_ptr<session> session_;
};

} // namespace

std::unique_ptr<redis_connection> redis_io::connect(const redis_address& to,
                                                    std::chrono::milliseconds timeout,
                                                    connection_number number, sink events) {
  auto opened = std::make_shared<session>(io_, number, std::move(events));
  opened->open(to, timeout);
  return std::make_unique<asio_connection>(std::move(opened));
}

} // namespace breakwater
