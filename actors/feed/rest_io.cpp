#include "actors/feed/rest_io.hpp"

#include "actors/feed/tls_io.hpp"
#include "actors/feed/url.hpp"
#include "messages/time.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

#include <algorithm>
#include <charconv>
#include <deque>
#include <map>
#include <mutex>
#include <type_traits>
#include <utility>

namespace breakwater {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;

using executor = asio::strand<asio::io_context::executor_type>;
using plain_stream = beast::basic_stream<tcp, executor>;
using tls_stream = beast::ssl_stream<plain_stream>;

/// The seconds form of Retry-After, at most a day; the other, a date, counts as unsaid.
std::chrono::seconds seconds_of(beast::string_view text) {
  constexpr std::uint32_t a_day = 86400;
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (end != text.data() + text.size() || error == std::errc::invalid_argument)
    return std::chrono::seconds{0};
  return std::chrono::seconds{error == std::errc{} ? std::min(seconds, a_day) : a_day};
}

struct request_base {
  virtual ~request_base() = default;
  virtual void start() = 0;
  virtual void drop() = 0; ///< Ends it without a report.
};

/// One GET. Everything runs on its strand; whoever waits for it holds it by shared_ptr.
template <class Stream>
class request : public request_base, public std::enable_shared_from_this<request<Stream>> {
public:
  template <class... Layer>
  request(asio::io_context& io, url to, rest_limits limits, std::function<void(fetched)> report,
          Layer&... layer)
      : strand_(asio::make_strand(io)),
        resolver_(strand_),
        deadline_(strand_),
        stream_(strand_, layer...),
        to_(std::move(to)),
        limits_(limits),
        report_(std::move(report)) {
    answer_.header_limit(limits_.header_bytes);
    answer_.body_limit(limits_.body_bytes);
  }

  void start() override {
    asio::post(strand_, [self = this->shared_from_this()] {
      self->deadline_.expires_after(self->limits_.timeout);
      self->deadline_.async_wait([self](error_code error) {
        if (!error) self->fail("no answer within " + std::to_string(self->limits_.timeout.count()) + " ms");
      });
      self->resolve();
    });
  }

  void drop() override {
    asio::post(strand_, [self = this->shared_from_this()] {
      if (std::exchange(self->report_, nullptr)) self->close();
    });
  }

private:
  void resolve() {
    resolver_.async_resolve(to_.host, to_.port,
                            [self = this->shared_from_this()](error_code error, auto results) {
                              if (error)
                                return self->fail("resolve " + self->to_.host + ": " + error.message());
                              if (!self->report_) return;
                              beast::get_lowest_layer(self->stream_)
                                  .async_connect(results, [self](error_code why, const tcp::endpoint&) {
                                    if (why) return self->fail("connect: " + why.message());
                                    self->secure();
                                  });
                            });
  }

  void secure() {
    if constexpr (std::is_same_v<Stream, tls_stream>) {
      if (!expect_host(stream_, to_.host)) return fail("TLS: no server name");
      stream_.async_handshake(asio::ssl::stream_base::client,
                              [self = this->shared_from_this()](error_code error) {
                                if (error) return self->fail("TLS: " + error.message());
                                self->ask();
                              });
    } else {
      ask();
    }
  }

  void ask() {
    question_.method(http::verb::get);
    question_.target(to_.target);
    question_.version(11);
    question_.set(http::field::host, to_.authority());
    question_.set(http::field::user_agent, "breakwater");
    question_.set(http::field::accept, "application/json");
    question_.set(http::field::connection, "close");
    http::async_write(stream_, question_, [self = this->shared_from_this()](error_code error, std::size_t) {
      if (error) return self->fail("write: " + error.message());
      self->read();
    });
  }

  /// Head and body by themselves: read in one go, Beast (1.74) forgets that a body is too large.
  void read() {
    http::async_read_header(
        stream_, buffer_, answer_, [self = this->shared_from_this()](error_code error, std::size_t) {
          if (error) return self->fail("read: " + error.message());
          http::async_read(self->stream_, self->buffer_, self->answer_, [self](error_code why, std::size_t) {
            if (why) return self->fail("read: " + why.message());
            self->finish();
          });
        });
  }

  void finish() {
    auto& message = answer_.get();
    fetched out;
    out.status = message.result_int();
    out.retry_after = seconds_of(message[http::field::retry_after]);
    out.body = std::move(message.body());
    end(std::move(out));
  }

  void fail(std::string reason) {
    fetched out;
    out.why = {errc::foreign, std::move(reason)};
    end(std::move(out));
  }

  /// Reports once; whatever else is under way on the connection ends with it.
  void end(fetched out) {
    if (!report_) return;
    close();
    out.received_at = system_wall_time();
    std::exchange(report_, nullptr)(std::move(out));
  }

  void close() {
    deadline_.cancel();
    resolver_.cancel();
    beast::get_lowest_layer(stream_).close();
  }

  executor strand_;
  asio::ip::basic_resolver<tcp, executor> resolver_;
  asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                             executor>
      deadline_;
  Stream stream_;
  url to_;
  rest_limits limits_;
  std::function<void(fetched)> report_; ///< Empty once it was called.
  beast::flat_buffer buffer_;
  http::request<http::empty_body> question_;
  http::response_parser<http::string_body> answer_;
};

} // namespace

/// Who waits, and who is under way. Shared with the requests, so that one that ends late finds it shut.
class rest_io::desk : public std::enable_shared_from_this<rest_io::desk> {
public:
  desk(asio::io_context& io, rest_limits limits) : io_(io), limits_(limits) {}

  void take(std::string_view address, std::uint64_t number, std::function<void(fetched)> sink) {
    auto to = parse_url(address, "http", "https");
    std::lock_guard guard{mutex_};
    if (!to)
      return refuse(number, std::move(sink), errc::address_invalid, "not an http:// or https:// address");
    order made{*std::move(to), number, std::move(sink)};
    if (at_work_ < limits_.at_a_time) return start(std::move(made));
    if (waiting_.size() < limits_.waiting) return waiting_.push_back(std::move(made));
    refuse(number, std::move(made.sink), errc::foreign, "too many requests wait");
  }

  /// No sink is called after this returned, and none is left.
  void shut() {
    std::deque<order> waiting; // destroyed after the lock, whatever they hold
    std::map<std::uint64_t, open_request> open;
    {
      std::lock_guard guard{mutex_};
      shut_ = true;
      waiting.swap(waiting_);
      open.swap(open_);
    }
    for (const auto& [ticket, what] : open)
      if (const auto running = what.by.lock()) running->drop();
  }

private:
  struct order {
    url to;
    std::uint64_t number = 0;
    std::function<void(fetched)> sink;
  };
  struct open_request {
    std::uint64_t number = 0;
    std::function<void(fetched)> sink;
    std::weak_ptr<request_base> by; ///< Nobody: it was refused.
  };

  void start(order what) {
    const auto ticket = ++last_ticket_;
    auto report = [self = shared_from_this(), ticket](fetched out) {
      self->done(ticket, true, std::move(out));
    };
    std::shared_ptr<request_base> made;
    if (what.to.tls)
      made = std::make_shared<request<tls_stream>>(io_, std::move(what.to), limits_, std::move(report), tls_);
    else
      made = std::make_shared<request<plain_stream>>(io_, std::move(what.to), limits_, std::move(report));
    open_.emplace(ticket, open_request{what.number, std::move(what.sink), made});
    ++at_work_;
    made->start();
  }

  /// Has the sink told, but not from inside get().
  void refuse(std::uint64_t number, std::function<void(fetched)> sink, errc code, std::string why) {
    const auto ticket = ++last_ticket_;
    open_.emplace(ticket, open_request{number, std::move(sink), {}});
    fetched out;
    out.why = {code, std::move(why)};
    asio::post(io_, [self = shared_from_this(), ticket, told = std::move(out)]() mutable {
      told.received_at = system_wall_time();
      self->done(ticket, false, std::move(told));
    });
  }

  /// Tells the sink, and starts the next request if one made room.
  void done(std::uint64_t ticket, bool makes_room, fetched out) {
    std::function<void(fetched)> sink; // destroyed after the lock, whatever it holds
    std::lock_guard guard{mutex_};
    const auto found = open_.find(ticket);
    if (found == open_.end()) return; // shut meanwhile
    out.number = found->second.number;
    sink = std::move(found->second.sink);
    open_.erase(found);
    if (makes_room) --at_work_;
    sink(std::move(out));
    if (shut_ || waiting_.empty() || at_work_ >= limits_.at_a_time) return;
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    start(std::move(next));
  }

  asio::io_context& io_;
  rest_limits limits_;
  asio::ssl::context tls_ = make_client_tls();
  std::recursive_mutex mutex_; ///< Recursive, since a sink may ask for more.
  std::deque<order> waiting_;
  std::map<std::uint64_t, open_request> open_; ///< By ticket.
  std::size_t at_work_ = 0;                    ///< Of these, sent out.
  std::uint64_t last_ticket_ = 0;
  bool shut_ = false;
};

rest_io::rest_io(asio::io_context& io, rest_limits limits) : desk_(std::make_shared<desk>(io, limits)) {}
rest_io::~rest_io() { desk_->shut(); }

void rest_io::get(std::string url, std::uint64_t number, std::function<void(fetched)> sink) {
  desk_->take(url, number, std::move(sink));
}

} // namespace breakwater
