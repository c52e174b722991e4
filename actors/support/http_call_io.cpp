#include "actors/support/http_call_io.hpp"

#include "actors/support/tls_io.hpp"

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

/// One call. Everything runs on its strand; whoever waits for it holds it by shared_ptr.
template <class Stream>
class call final : public http_call, public std::enable_shared_from_this<call<Stream>> {
public:
  template <class... Layer>
  call(asio::io_context& io, http_question what, http_call_limits limits,
       std::function<void(http_outcome)> report, Layer&... layer)
      : strand_(asio::make_strand(io)),
        resolver_(strand_),
        deadline_(strand_),
        stream_(strand_, layer...),
        to_(std::move(what.to)),
        limits_(limits),
        report_(std::move(report)) {
    answer_.header_limit(limits_.header_bytes);
    answer_.body_limit(limits_.body_bytes);
    question_.method(what.body ? http::verb::post : http::verb::get);
    if (!what.body) return;
    question_.set(http::field::content_type, "application/json");
    question_.body() = *std::move(what.body);
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
    question_.target(to_.target);
    question_.version(11);
    question_.set(http::field::host, to_.authority());
    question_.set(http::field::user_agent, "breakwater");
    question_.set(http::field::accept, "application/json");
    question_.set(http::field::connection, "close");
    question_.prepare_payload();
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
    http_outcome out;
    out.status = message.result_int();
    out.retry_after = seconds_of(message[http::field::retry_after]);
    out.body = std::move(message.body());
    end(std::move(out));
  }

  void fail(std::string reason) {
    http_outcome out;
    out.why = std::move(reason);
    end(std::move(out));
  }

  /// Reports once; whatever else is under way on the connection ends with it.
  void end(http_outcome out) {
    if (!report_) return;
    close();
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
  http_call_limits limits_;
  std::function<void(http_outcome)> report_; ///< Empty once it was called.
  beast::flat_buffer buffer_;
  http::request<http::string_body> question_;
  http::response_parser<http::string_body> answer_;
};

} // namespace

std::shared_ptr<http_call> make_http_call(asio::io_context& io, asio::ssl::context& tls, http_question what,
                                          http_call_limits limits, std::function<void(http_outcome)> report) {
  if (what.to.tls)
    return std::make_shared<call<tls_stream>>(io, std::move(what), limits, std::move(report), tls);
  return std::make_shared<call<plain_stream>>(io, std::move(what), limits, std::move(report));
}

} // namespace breakwater
