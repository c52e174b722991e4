#include "actors/feed/rest_io.hpp"

#include "actors/support/http_call_io.hpp"
#include "actors/support/tls_io.hpp"
#include "actors/support/url.hpp"
#include "messages/time.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <deque>
#include <map>
#include <mutex>
#include <utility>

namespace breakwater {

namespace asio = boost::asio;

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
    std::weak_ptr<http_call> by; ///< Nobody: it was refused.
  };

  void start(order what) {
    const auto ticket = ++last_ticket_;
    auto report = [self = shared_from_this(), ticket](http_outcome got) {
      fetched out;
      out.status = static_cast<int>(got.status);
      out.body = std::move(got.body);
      out.retry_after = got.retry_after;
      if (got.status == 0) out.why = {errc::foreign, std::move(got.why)};
      out.received_at = system_wall_time();
      self->done(ticket, true, std::move(out));
    };
    auto made =
        make_http_call(io_, tls_, {std::move(what.to)},
                       {limits_.timeout, limits_.header_bytes, limits_.body_bytes}, std::move(report));
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
