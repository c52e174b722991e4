#include "actors/alerts/webhook_io.hpp"

#include "actors/support/http_call_io.hpp"
#include "actors/support/tls_io.hpp"
#include "actors/support/url.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <map>
#include <mutex>
#include <utility>

namespace breakwater {

namespace asio = boost::asio;

/// What is under way. Shared with the calls, so that one that ends late finds it shut.
class webhook_io::desk : public std::enable_shared_from_this<webhook_io::desk> {
public:
  desk(asio::io_context& io, const std::string& address, std::chrono::milliseconds timeout)
      : io_(io), to_(parse_url(address, "http", "https")), timeout_(timeout) {}

  void post(std::uint64_t number, std::string body, std::function<void(webhook_answered)> sink) {
    if (!to_)
      return asio::post(io_, [number, sink = std::move(sink)] {
        sink({number, 0, "alerts.webhook_url is no http:// or https:// address"});
      });
    std::lock_guard guard{mutex_};
    const auto ticket = ++last_ticket_;
    auto report = [self = shared_from_this(), ticket](const http_outcome& got) { self->done(ticket, got); };
    auto call = make_http_call(io_, tls_, {*to_, std::move(body)}, limits(), std::move(report));
    open_.emplace(ticket, open_call{number, std::move(sink), call});
    call->start();
  }

  /// No sink is called after this returned, and none is left.
  void shut() {
    std::map<std::uint64_t, open_call> open; // destroyed after the lock, whatever it holds
    {
      std::lock_guard guard{mutex_};
      open.swap(open_);
    }
    for (const auto& [ticket, what] : open)
      if (const auto running = what.by.lock()) running->drop();
  }

private:
  struct open_call {
    std::uint64_t number = 0;
    std::function<void(webhook_answered)> sink;
    std::weak_ptr<http_call> by;
  };

  /// What a receiver of alerts says beside its status is of no use, and not much of it is taken.
  [[nodiscard]] http_call_limits limits() const { return {timeout_, 32768, 65536}; }

  void done(std::uint64_t ticket, const http_outcome& got) {
    std::function<void(webhook_answered)> sink; // destroyed after the lock, whatever it holds
    std::lock_guard guard{mutex_};
    const auto found = open_.find(ticket);
    if (found == open_.end()) return; // shut meanwhile
    const auto number = found->second.number;
    sink = std::move(found->second.sink);
    open_.erase(found);
    sink({number, got.status, got.why});
  }

  asio::io_context& io_;
  asio::ssl::context tls_ = make_client_tls();
  std::optional<url> to_;
  std::chrono::milliseconds timeout_;
  std::recursive_mutex mutex_;              ///< Recursive, since a sink may post more.
  std::map<std::uint64_t, open_call> open_; ///< By ticket; as many as the caller has under way.
  std::uint64_t last_ticket_ = 0;
};

webhook_io::webhook_io(asio::io_context& io, std::string address, std::chrono::milliseconds timeout)
    : desk_(std::make_shared<desk>(io, address, timeout)) {}
webhook_io::~webhook_io() { desk_->shut(); }

void webhook_io::post(std::uint64_t number, std::string body, std::function<void(webhook_answered)> sink) {
  desk_->post(number, std::move(body), std::move(sink));
}

} // namespace breakwater
