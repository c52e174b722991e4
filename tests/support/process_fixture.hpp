#pragma once

#include "app/wiring.hpp"
#include "config/settings.hpp"
#include "tests/support/actor_fixture.hpp"
#include "tests/support/fake_audit.hpp"
#include "tests/support/fake_breaker_store.hpp"
#include "tests/support/fake_exchanges.hpp"
#include "tests/support/fake_log_tail.hpp"
#include "tests/support/fake_redis.hpp"
#include "tests/support/fake_rest.hpp"
#include "tests/support/memory_spool.hpp"

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace breakwater::test {

/// The spool in memory, and a list of all it ever took: what was accepted.
class remembering_spool final : public memory_spool {
public:
  using memory_spool::memory_spool;

  std::vector<entry_fields> accepted;
  std::vector<entry_id> stamped; ///< The ids it was given first; a later stamping does not show here.
  std::size_t refused = 0;       ///< Batches there was no room for.

private:
  void on_append(const stamped_run& run, bool kept) override;
};

/// The whole process in virtual time, with fakes at its edges: exchanges, Redis, the audit log.
///
/// The fixture writes down what the exchanges send and knows what has to come of it, as long as every candle
/// is passed on by itself (`sends` sees to that) and no aggregator or feed forgets what it knew.
struct process_fixture : actor_fixture {
  process_fixture();
  ~process_fixture() { end_actors(); } // they tell this fixture of their end

  settings what; ///< To be changed before starts().

  void starts();
  /// The process ends without a word, and another begins with what is on disk.
  void crashes_and_starts();

  // Verbs.
  /// Asked for past candles, the exchanges tell some: candles_flow() closes none.
  void exchanges_remember();
  /// One exchange's candle of the minute that is now, at a price never heard before.
  void sends(exchange from, const std::string& symbol = "BTCUSDT");
  /// Candles of all exchanges and symbols in turn, one each `every`, for `time`.
  void candles_flow(milliseconds time, milliseconds every = 100ms);
  /// Ends an actor by an exception; `name` as in the log.
  void kill(const std::string& name);
  /// Runs so many of the things that can run at this instant.
  void run_steps(std::size_t count);
  /// Asks to drain and waits for the answer; nullopt: none came in time.
  template <class Handle>
  std::optional<drained> drains(const Handle& whom, milliseconds within = 10s) {
    return asks<drained>(whom, within, drain_request{});
  }
  std::optional<stopped> stops(milliseconds within = 10s) {
    return asks<stopped>(all.supervisor, within, stop_request{});
  }
  template <class Answer, class Handle, class Question>
  std::optional<Answer> asks(const Handle& whom, milliseconds within, Question question) {
    caf::scoped_actor me{sys, true};
    std::optional<Answer> answer;
    auto pending = me->request(whom, caf::infinite, std::move(question));
    for (auto waited = 0ms; !me->has_next_message() && waited < within; waited += 10ms) wait(10ms);
    if (me->has_next_message())
      pending.receive([&](Answer& got) { answer = std::move(got); }, [](const caf::error&) {});
    return answer;
  }
  /// A fact of an actor's health answer; "" if it has none of that name.
  template <class Handle>
  std::string fact(const Handle& whom, const std::string& name) {
    const auto answer = ask<health_answer>(whom, health_question{});
    if (!answer) return "no answer";
    for (const auto& [key, value] : answer->facts)
      if (key == name) return value;
    return {};
  }
  template <class Handle>
  std::size_t number(const Handle& whom, const std::string& name) {
    return std::stoull(fact(whom, name));
  }
  template <class Handle>
  health_level level(const Handle& whom) {
    const auto answer = ask<health_answer>(whom, health_question{});
    return answer ? answer->level : health_level::critical;
  }
  std::string circuit() { return fact(all.breaker, "state"); }
  /// The wall clock is put forward or back.
  void wall_clock_jumps(milliseconds by) { *wall_jump_ += by; }
  wall_time wall_now() const { return time.wall(); }

  // Judgements.
  /// Records in the stream by now.
  [[nodiscard]] std::vector<entry_fields> published() const { return redis->records(stream()); }
  /// Redis has every accepted record exactly once, in order.
  void check_accepted_is_published();
  /// And they are what the candles sent so far make.
  void check_all_is_published();
  /// The newest record of each symbol and minute tells the newest prices of all exchanges.
  void check_newest_is_published();
  [[nodiscard]] const std::string& stream() const { return what.aggregator.stream; }

  std::shared_ptr<milliseconds> wall_jump_ = std::make_shared<milliseconds>(0);
  fake_time time;
  std::shared_ptr<fake_exchanges> exchanges;
  std::shared_ptr<fake_rest> rest; ///< Gives no answers, unless a test lets it.
  /// What the feeds are given: the two above, unless a test puts others in their place.
  std::shared_ptr<websocket_port> sockets;
  std::shared_ptr<rest_port> past;
  std::shared_ptr<webhook_port> webhook; ///< None, unless a test puts one here.
  std::shared_ptr<fake_redis> redis;
  std::shared_ptr<fake_audit> audit = std::make_shared<fake_audit>();
  std::shared_ptr<fake_log_tail> logs = std::make_shared<fake_log_tail>();
  std::shared_ptr<fake_breaker_store> breakers = std::make_shared<fake_breaker_store>();
  std::map<std::string, std::shared_ptr<remembering_spool>> spools; ///< By stream.
  std::shared_ptr<remembering_spool> spool;                         ///< Of the merged records.
  wired all;
  std::optional<failure> ended;      ///< What on_end said.
  std::size_t hangs = 0;             ///< How often on_hang was called.
  std::vector<std::string> expected; ///< Summaries, see summary_of.

private:
  void starts_actors();
  using price_texts = std::array<std::string, exchange_count>;
  std::map<std::pair<std::string, std::int64_t>, price_texts> known_;
  std::size_t sent_ = 0, turn_ = 0;
};

/// "BTCUSDT 1767571200 100.1 100.2 null null 100.3": symbol, minute, prices in the order of the exchanges.
std::string summary_of(const entry_fields& record);

} // namespace breakwater::test
