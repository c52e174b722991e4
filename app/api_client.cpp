#include "app/api_client.hpp"

#include "config/consistency.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include <array>
#include <cstdlib>
#include <unistd.h>

namespace breakwater {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::chrono::seconds whole_time{5};
constexpr std::size_t largest_answer = std::size_t{16} << 20;

/// "alice@desk", for the audit log.
std::string who_asks() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  const char* user = std::getenv("USER");
  return (user ? std::string{user} : "uid " + std::to_string(::getuid())) + "@" + host.data();
}

/// One exchange; each step's handler starts the next, and the clock of the stream covers them all.
class exchange_of_one {
public:
  exchange_of_one(const api_access& where, http::request<http::string_body> request)
      : where_(where), request_(std::move(request)), stream_(io_), resolver_(io_) {
    parser_.body_limit(largest_answer);
  }

  error_code run() {
    stream_.expires_after(whole_time);
    resolver_.async_resolve(where_.host, where_.port, [this](error_code error, const auto& found) {
      if (failed(error)) return;
      stream_.async_connect(found, [this](error_code refused, const auto&) {
        if (failed(refused)) return;
        http::async_write(stream_, request_, [this](error_code unsent, std::size_t) {
          if (failed(unsent)) return;
          http::async_read(stream_, buffer_, parser_, [this](error_code cut, std::size_t) { failed(cut); });
        });
      });
    });
    io_.run();
    return error_;
  }
  [[nodiscard]] http::response<http::string_body> answer() { return parser_.release(); }

private:
  bool failed(error_code error) {
    error_ = error;
    return static_cast<bool>(error);
  }

  const api_access& where_;
  http::request<http::string_body> request_;
  asio::io_context io_;
  boost::beast::tcp_stream stream_;
  asio::ip::tcp::resolver resolver_;
  boost::beast::flat_buffer buffer_;
  http::response_parser<http::string_body> parser_;
  error_code error_;
};

} // namespace

result<api_access> parse_api_access(const std::string& address) {
  auto [host, port] = config::split_listen(address);
  if (host.empty() || port.empty())
    return failure{errc::address_invalid,
                   "'" + address + "' is no address of an API; write it as 127.0.0.1:8000"};
  if (host == "0.0.0.0") host = "127.0.0.1";
  if (host == "::") host = "::1";
  return api_access{std::move(host), std::move(port), {}};
}

result<http_response> ask_api(const api_access& where, const std::string& method, const std::string& target,
                              const std::string& json_body) {
  const auto place =
      (where.host.find(':') == std::string::npos ? where.host : "[" + where.host + "]") + ":" + where.port;
  http::request<http::string_body> request{http::string_to_verb(method), target, 11};
  request.set(http::field::host, place);
  request.set(http::field::connection, "close");
  request.set("X-Operator", who_asks());
  if (!where.token.empty()) request.set(http::field::authorization, "Bearer " + where.token.reveal());
  if (!json_body.empty()) request.set(http::field::content_type, "application/json");
  request.body() = json_body;
  request.prepare_payload();

  exchange_of_one asked{where, std::move(request)};
  if (const auto error = asked.run()) {
    if (error == asio::error::connection_refused)
      return failure{errc::foreign,
                     "no breakwater answers on " + place +
                         "; is it running? --config FILE or --api HOST:PORT name another address"};
    if (error == boost::beast::error::timeout)
      return failure{errc::foreign,
                     place + " did not answer within 5 s; whether an order took effect, status tells"};
    return failure{errc::foreign, place + ": " + error.message()};
  }
  const auto heard = asked.answer();
  return http_response{0, heard.result_int(), {}, heard.body()};
}

} // namespace breakwater
