#pragma once

#include "actors/feed/rest_port.hpp"
#include "tests/support/fake_time.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>

namespace breakwater::test {

/// The exchanges' past candles, behind the rest port. Whoever tells none gives no answers.
struct fake_rest final : rest_port {
  explicit fake_rest(fake_time when) : time(std::move(when)) {}

  void get(std::string url, std::uint64_t number, std::function<void(fetched)> sink) override {
    ++requests;
    time.later(std::chrono::milliseconds{20}, [this, url = std::move(url), number, sink = std::move(sink)] {
      fetched what;
      if (answer)
        what = answer(url);
      else
        what.why = {errc::foreign, "no answer"};
      what.number = number;
      what.received_at = time.wall();
      sink(std::move(what));
    });
  }

  fake_time time;
  std::function<fetched(const std::string& url)> answer; ///< Status and body.
  std::size_t requests = 0;
};

} // namespace breakwater::test
