#pragma once

#include "actors/publisher/spool_io.hpp"
#include "actors/publisher/spool_port.hpp"
#include "tests/actors/publisher/records.hpp"
#include "tests/support/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace breakwater::test {

/// What a spool tells, to be waited for.
class spool_listener {
public:
  spool_port::sink sink() {
    return [inside = inside_](spool_event what) {
      {
        const std::lock_guard held{inside->mutex};
        inside->events.push_back(std::move(what));
      }
      inside->came.notify_one();
    };
  }
  spool_event next() {
    using namespace std::chrono_literals;
    std::unique_lock held{inside_->mutex};
    BOOST_REQUIRE(inside_->came.wait_for(held, 20s, [&] { return !inside_->events.empty(); }));
    auto first = std::move(inside_->events.front());
    inside_->events.pop_front();
    return first;
  }
  [[nodiscard]] bool is_quiet() const {
    const std::lock_guard held{inside_->mutex};
    return inside_->events.empty();
  }

private:
  struct state {
    std::mutex mutex;
    std::condition_variable came;
    std::deque<spool_event> events;
  };
  std::shared_ptr<state> inside_ = std::make_shared<state>();
};

/// A spool asked and waited for, as if it answered at once.
struct patient_spool {
  explicit patient_spool(std::shared_ptr<spool_port> what) : port(std::move(what)) {
    port->attach(listener.sink());
    opened = listener.next();
  }

  spool_event append(const stamped_run& run, batch_mark from = {1, 1},
                     std::shared_ptr<const checkpoint> state = nullptr) {
    port->append(++ticket, run, from, std::move(state));
    auto told = listener.next();
    BOOST_TEST(told.ticket == ticket);
    return told;
  }
  bool keeps(const stamped_run& run, batch_mark from = {1, 1}) {
    return append(run, from).what == spool_outcome::kept;
  }
  void restamp(restamping how) {
    port->restamp(++ticket, std::move(how));
    BOOST_TEST((listener.next().what == spool_outcome::kept));
  }
  /// Of all records above `after`: "<id>=<number>".
  std::vector<std::string> texts(entry_id after = {}, std::size_t max = 99999) {
    std::vector<std::string> all;
    for (const auto& r : port->read(after, max))
      for (std::size_t i = 0; i < r.size(); ++i)
        all.push_back(to_string(r.first.plus(i)) + "=" + fields_of((*r.records)[r.begin + i]).front().second);
    return all;
  }

  std::shared_ptr<spool_port> port;
  spool_listener listener;
  spool_event opened;
  std::uint64_t ticket = 0;
};

/// Records numbered from `first` on, with ids from `ms`-0 on.
inline stamped_run numbered_run(std::uint64_t ms, std::size_t first, std::size_t count) {
  return {{ms, 0}, numbered(first, count), 0, count};
}

} // namespace breakwater::test
