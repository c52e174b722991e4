#pragma once

#include "tests/support/certificate.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace breakwater::test {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

/// Accepts connections on loopback and serves each in a thread of its own, until it is destroyed.
class loopback_server {
public:
  using secure = asio::ssl::stream<tcp::socket&>;

  /// Serves by `talk`; what it throws ends the connection.
  explicit loopback_server(std::function<void(tcp::socket&)> talk) : talk_(std::move(talk)) {
    thread_ = std::thread{[this] { accept(); }};
  }
  /// Reads the question and answers it by `text`, whatever that is.
  explicit loopback_server(std::string text)
      : loopback_server([this, text](tcp::socket& socket) {
          question(socket);
          asio::write(socket, asio::buffer(text));
        }) {}
  loopback_server(const certificate& own, std::string text)
      : loopback_server([this, own, text](tcp::socket& socket) {
          asio::ssl::context tls{asio::ssl::context::tls_server};
          tls.use_certificate_chain(asio::buffer(own.pem));
          tls.use_private_key(asio::buffer(own.key), asio::ssl::context::pem);
          secure stream{socket, tls};
          stream.handshake(asio::ssl::stream_base::server);
          question(stream);
          asio::write(stream, asio::buffer(text));
        }) {}
  ~loopback_server() {
    boost::system::error_code ignored;
    {
      std::lock_guard guard{mutex_};
      over_ = true;
      for (auto& x : served_) x.socket.shutdown(tcp::socket::shutdown_both, ignored);
    }
    { // wakes the accept
      tcp::socket waker{io_};
      waker.connect(acceptor_.local_endpoint(), ignored);
    }
    thread_.join();
    for (auto& x : served_) x.thread.join();
  }

  [[nodiscard]] std::string at(const std::string& scheme_and_host = "http://127.0.0.1") const {
    return scheme_and_host + ":" + std::to_string(acceptor_.local_endpoint().port());
  }
  std::vector<std::string> questions() {
    std::lock_guard guard{mutex_};
    return questions_;
  }
  std::size_t connections() {
    std::lock_guard guard{mutex_};
    return served_.size();
  }
  /// Reads a question, head and body, and remembers it.
  void question(auto& stream) {
    std::string text;
    const auto head = asio::read_until(stream, asio::dynamic_buffer(text), "\r\n\r\n");
    constexpr std::string_view length = "Content-Length: ";
    if (const auto at = text.find(length); at < head) {
      const auto whole = head + std::stoul(text.substr(at + length.size()));
      if (whole > text.size())
        asio::read(stream, asio::dynamic_buffer(text), asio::transfer_exactly(whole - text.size()));
    }
    std::lock_guard guard{mutex_};
    questions_.push_back(std::move(text));
  }

private:
  struct served {
    tcp::socket socket;
    std::thread thread;
  };

  void accept() {
    for (;;) {
      tcp::socket socket{io_};
      acceptor_.accept(socket);
      std::lock_guard guard{mutex_};
      if (over_) return;
      auto& mine = served_.emplace_back(served{std::move(socket), {}});
      mine.thread = std::thread{[this, &mine] {
        try {
          talk_(mine.socket);
        } catch (const std::exception&) { // the other side went away
        }
        boost::system::error_code ignored;
        std::lock_guard end_guard{mutex_};
        mine.socket.shutdown(tcp::socket::shutdown_send, ignored);
      }};
    }
  }

  asio::io_context io_;
  tcp::acceptor acceptor_{io_, {asio::ip::make_address("127.0.0.1"), 0}};
  std::function<void(tcp::socket&)> talk_;
  std::mutex mutex_;
  std::list<served> served_;
  std::vector<std::string> questions_;
  bool over_ = false;
  std::thread thread_;
};

/// Says nothing until the other side goes away.
inline void stay_silent(tcp::socket& socket) {
  char byte = 0;
  for (;;) socket.read_some(asio::buffer(&byte, 1));
}

/// What an HTTP server answers.
inline std::string plain_answer(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

} // namespace breakwater::test
