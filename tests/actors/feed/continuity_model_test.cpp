#include "actors/feed/candle_closer.hpp"
#include "actors/feed/continuity.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace breakwater {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr std::int64_t first_minute = 1767571200;

enum class kind { marking, unmarked, counted };

/// An exchange and a network that misbehave by chance, and what becomes of them behind continuity and
/// candle_closer. Time is virtual.
class story {
public:
  story(kind which, bool has_snapshots, std::uint64_t seed)
      : which_(which),
        has_snapshots_(has_snapshots),
        random_(seed),
        rules_(rules_of(which)),
        sut_(exchange::binance, rules_, settings(seed)) {
    for (int i = 0; i < 5; ++i) names_.push_back("S" + std::to_string(i));
  }

  void run(std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i)
      for (std::size_t s = 0; s < names_.size(); ++s) plan_minute(s, i);
    for (auto at = minutes_of(2); at < minutes_of(count - 10); at += between(30s, 20min)) plan_cut(at);
    for (const std::int64_t at : {150, 290, 420})
      plan(minutes_of(at) + between(0s, 3min), [this] { begin_anew(); });
    failing_until_ = minutes_of(count - 30); // REST works in the end.
    // Long enough for what is asked for in vain.
    const auto end = minutes_of(count + 30);
    while (true) {
      const auto due = sut_.next_wake();
      const auto close = closer_.next_close();
      auto next = events_.empty() ? end : events_.begin()->first.first;
      if (due) next = std::min(next, at_of(*due));
      if (close && which_ != kind::marking) next = std::min(next, since_start(*close));
      if (next >= end) break;
      now_ = std::max(now_, next);
      ++steps_;
      if (!events_.empty() && events_.begin()->first.first <= now_) {
        const auto what = std::move(events_.begin()->second);
        events_.erase(events_.begin());
        what();
      } else {
        if (due && at_of(*due) <= now_) sut_.on_wake(now(), actions_);
        close_by_time();
      }
      perform();
    }
  }

  void check() const {
    BOOST_TEST(sut_.missing_now() == 0u);
    BOOST_TEST(on_their_way_.empty());
    const auto& all = sut_.counted();
    BOOST_TEST(all.missing == all.filled + all.unfilled + all.quiet);
    for (std::size_t s = 0; s < names_.size(); ++s) check_symbol(names_[s]);
    for (const auto& [symbol, open] : open_gaps_) BOOST_TEST_CONTEXT(symbol) {
        BOOST_TEST(open.empty());
      }
  }

  std::size_t steps() const { return steps_; }
  const continuity::counts& counted() const { return sut_.counted(); }
  std::size_t resyncs() const { return resyncs_; }
  std::size_t failures() const { return failures_; }
  std::size_t staying() const { return staying_.size(); }

private:
  using time = milliseconds; ///< Since the first minute's begin, on both clocks.
  using key = std::pair<std::string, std::int64_t>;

  static exchange_rules rules_of(kind which) {
    exchange_rules rules;
    rules.marks_closed = rules.sends_every_minute = which == kind::marking;
    rules.counts_trades = which == kind::counted;
    rules.history_requests = {3, 1000ms};
    rules.minutes_per_history_request = 7;
    return rules;
  }
  static continuity_settings settings(std::uint64_t seed) {
    continuity_settings how;
    how.seed = seed;
    how.wait.max = 8s;
    return how;
  }

  template <class A, class B>
  time between(A least, B most) {
    return time{
        std::uniform_int_distribution<std::int64_t>{time{least}.count(), time{most}.count()}(random_)};
  }
  bool chance(double of) { return std::bernoulli_distribution{of}(random_); }
  static time minutes_of(std::int64_t count) { return time{minutes{count}}; }
  static time at_of(mono_time at) { return std::chrono::duration_cast<time>(at - mono_time{} - 1000s); }
  static time since_start(wall_time at) { return at - wall_time_from_ms(first_minute * 1000); }
  static wall_time wall(time at) { return wall_time_from_ms(first_minute * 1000) + at; }
  moment now() const { return {mono_time{} + 1000s + now_, wall(now_)}; }
  void plan(time at, std::function<void()> what) {
    events_.emplace(std::pair{at, ++planned_}, std::move(what));
  }

  // The exchange.

  void plan_minute(std::size_t s, std::int64_t i) {
    const auto& symbol = names_[s];
    const auto begin = minutes_of(i);
    std::vector<time> trades;
    // Some symbols trade rarely.
    if (which_ == kind::marking || chance(s % 2 == 0 ? 0.9 : 0.3))
      for (auto at = begin + between(0ms, 20s); at < begin + 1min; at += between(200ms, 40s))
        trades.push_back(at);
    double volume = 0;
    candle state;
    state.symbol = symbol;
    state.from = exchange::binance;
    state.start_s = first_minute + i * 60;
    state.open = state.high = state.low = state.close = 100;
    for (std::size_t n = 0; n < trades.size(); ++n) {
      const auto size = static_cast<double>(between(1ms, 100ms).count());
      state.close = 100 + static_cast<double>(n);
      state.high = state.close;
      state.volume = (volume += size);
      state.event_at = wall(trades[n]);
      plan(trades[n], [this, state, size] {
        there_[{state.symbol, state.start_s}] = state;
        send(state, size);
      });
    }
    if (which_ == kind::marking) {
      state.closed = true;
      state.event_at = wall(begin + 1min);
      plan(begin + 1min + between(0ms, 1500ms), [this, state] {
        there_[{state.symbol, state.start_s}] = state;
        send(state, 0);
      });
    }
  }

  // The network: states are lost, repeated, late, and cut off.

  void plan_cut(time at) {
    const auto back = at + between(100ms, chance(0.1) ? time{minutes{80}} : time{3min});
    plan(at, [this] {
      if (!connected_) return;
      connected_ = false;
      ++connection_;
      for (const auto& name : names_) sut_.on_lost(name, "cut", now());
    });
    plan(back, [this] { connect(); });
  }

  void connect() {
    if (connected_) return;
    connected_ = true;
    if (!has_snapshots_) return;
    for (const auto& [which, state] : there_) {
      auto row = state;
      row.event_at = wall(now_);
      if (which.second > first_minute + now_ / 1min * 60 - 120 * 60) read(row);
    }
  }

  /// The feed fails and is started again: what it knew is gone, but for what the aggregator has.
  void begin_anew() {
    ++life_;
    sut_ = continuity{exchange::binance, rules_, settings(static_cast<std::uint64_t>(life_))};
    closer_ = {};
    actions_.clear();
    on_their_way_.clear();
    open_gaps_.clear();
    trades_lost_.clear();
    heard_.clear();
    connected_ = false;
    ++connection_;
    for (const auto& name : names_) {
      const candle* newest = nullptr;
      for (const auto& [which, all] : passed_)
        if (which.first == name) newest = &all.back().state;
      if (!newest) continue;
      // What was being filled, or would have been, is forgotten.
      for (const auto& [which, state] : there_)
        if (which.first == name && !is_final(which, state) &&
            (which.second < newest->start_s || (which.second == newest->start_s && newest->closed)))
          staying_.insert(which);
      candle known;
      known.symbol = name;
      known.start_s = newest->start_s;
      known.closed = newest->closed;
      sut_.know(known);
    }
    plan(now_ + between(100ms, 3min), [this] { connect(); });
  }

  bool is_final(const key& which, const candle& state) const {
    const auto passed = passed_.find(which);
    if (passed == passed_.end()) return false;
    const auto& last = passed->second.back().state;
    return last.closed && last.volume == state.volume && last.close == state.close;
  }

  void send(const candle& state, double trade) {
    if (!connected_) return;
    if (which_ == kind::counted) {
      // Trades are counted here; a hole in their numbers is seen at the next one.
      if (chance(0.01)) {
        trades_lost_.insert(state.symbol);
        return;
      }
      auto mine = state;
      auto& sum = heard_[{state.symbol, state.start_s}];
      mine.volume = (sum += trade);
      read(mine, trades_lost_.erase(state.symbol) > 0);
      if (chance(0.05)) read(mine);
      return;
    }
    if (which_ == kind::marking && chance(0.02)) return;
    const auto later = [&] {
      const auto mine = connection_;
      plan(now_ + between(1ms, 2s), [this, state, mine] {
        if (connected_ && connection_ == mine) read(state);
      });
    };
    if (which_ == kind::marking && chance(0.05)) return later();
    if (chance(0.05)) later();
    read(state);
  }

  // What the feed does.

  void read(candle x, bool trades_missing = false) {
    x.received_at = wall(now_);
    if (trades_missing) sut_.on_trades_missing(x, now());
    if (!sut_.take(x, now(), actions_)) return perform();
    if (which_ == kind::marking) {
      pass(x, false);
    } else {
      std::vector<candle> out;
      closer_.take(x, out);
      for (const auto& y : out) pass_closed(y);
    }
    perform();
  }
  void close_by_time() {
    if (which_ == kind::marking) return;
    std::vector<candle> out;
    closer_.advance(wall(now_), out);
    for (const auto& x : out) pass_closed(x);
  }
  void pass_closed(const candle& x) {
    if (!x.closed || x.filled || !sut_.is_filled(x)) pass(x, false);
  }

  void perform() {
    for (const auto& action : std::exchange(actions_, {}))
      std::visit([&](const auto& x) { perform(x); }, action);
  }
  void perform(const tell&) {}
  void perform(const ask_candles& x) {
    BOOST_TEST(on_their_way_.size() < 4u);
    BOOST_TEST(!std::any_of(on_their_way_.begin(), on_their_way_.end(),
                            [&](const auto& y) { return y.second.symbol == x.symbol; }));
    BOOST_TEST((x.from_s <= x.to_s && x.to_s - x.from_s <= 6 * 60 && x.from_s % 60 == 0));
    BOOST_TEST((x.to_s + 60 <= first_minute + now_ / 1s)); // it is over
    asked_at_.push_back(now_);
    if (const auto n = asked_at_.size(); n > 3) BOOST_TEST((asked_at_[n - 4] + 1s <= now_));
    on_their_way_.emplace(x.number, x);
    auto& waits = on_their_way_.at(x.number);
    const auto answer_in = chance(0.05) ? between(30001ms, 60s) : between(20ms, 3s);
    if (answer_in > 30s) // continuity waits no longer
      plan(now_ + 30s, [this, number = x.number, life = life_] {
        if (life == life_) on_their_way_.erase(number);
      });
    const bool fails = now_ < failing_until_ && chance(rest_is_bad_ ? 0.6 : 0.05);
    if (chance(0.05)) rest_is_bad_ = !rest_is_bad_;
    plan(now_ + answer_in, [this, ask = waits, fails, life = life_] {
      if (life == life_) answer(ask, fails);
    });
  }

  void answer(const ask_candles& x, bool fails) {
    on_their_way_.erase(x.number);
    if (fails) {
      ++failures_;
      sut_.on_history_failed(x.number, "refused", chance(0.2) ? time{5s} : time{0}, now(), actions_);
      return;
    }
    std::vector<candle> rows, fills;
    for (const auto& [which, state] : there_) {
      if (which.first != x.symbol || which.second < x.from_s - 120 || which.second > x.to_s + 120) continue;
      if (wall(now_) < wall_time_from_ms((which.second + 60) * 1000)) continue;
      if (now_ < failing_until_ && chance(0.03) && which_ == kind::marking) continue; // not ready yet
      rows.push_back(state);
      rows.back().closed = rows.back().filled = true;
    }
    sut_.on_history(x.number, rows, now(), fills, actions_);
    for (const auto& fill : fills) {
      BOOST_TEST((fill.start_s >= x.from_s && fill.start_s <= x.to_s));
      pass(fill, true);
    }
  }

  void perform(const quality_marker& x) {
    auto& open = open_gaps_[x.symbol];
    const auto span = std::pair{x.from, x.to};
    // A minute that runs can be known to be incomplete where it is made of trades.
    BOOST_TEST((x.from <= x.to && x.to <= wall(now_) + (which_ == kind::counted ? 1min : 0min)));
    if (x.kind == quality_kind::resync) {
      ++resyncs_;
    } else if (x.kind == quality_kind::recovered) {
      BOOST_TEST(open.erase(span) == 1u);
    } else if (x.cause.find("missing: ") != x.cause.npos) {
      open.erase(span);
      for (auto start_s = epoch_ms(x.from) / 1000; start_s < epoch_ms(x.to) / 1000; start_s += 60)
        staying_.insert({x.symbol, start_s});
    } else {
      BOOST_TEST(open.insert(span).second);
    }
  }

  void pass(const candle& x, bool by_history) {
    BOOST_TEST_CONTEXT(x.symbol << " minute " << (x.start_s - first_minute) / 60 << " at " << now_.count()) {
      auto& all = passed_[{x.symbol, x.start_s}];
      if (!all.empty() && all.back().life == life_) {
        const auto& before = all.back().state;
        BOOST_TEST(x.volume >= before.volume);
        BOOST_TEST((x.closed || !before.closed));
        if (which_ == kind::marking) BOOST_TEST(!before.closed);
      }
      if (by_history) BOOST_TEST((x.closed && x.filled));
      all.push_back({x, life_});
    }
  }

  void check_symbol(const std::string& symbol) const {
    // What was before the first is nobody's loss, and what is the matter with the newest shows later.
    std::optional<std::int64_t> first, newest;
    for (const auto& [which, all] : passed_)
      if (which.first == symbol) {
        if (!first) first = which.second;
        newest = which.second;
      }
    BOOST_REQUIRE(first);
    std::size_t complete = 0;
    for (const auto& [which, state] : there_) {
      if (which.first != symbol || which.second < *first || which.second >= *newest) continue;
      if (staying_.contains(which)) continue;
      BOOST_TEST_CONTEXT(symbol << " minute " << (which.second - first_minute) / 60) {
        BOOST_TEST(is_final(which, state));
        ++complete;
      }
    }
    BOOST_TEST(complete > 50u);
  }

  kind which_;
  bool has_snapshots_;
  std::mt19937_64 random_;
  exchange_rules rules_;
  continuity sut_;
  candle_closer closer_;
  std::vector<std::string> names_;
  time now_{0};
  std::size_t steps_ = 0;
  std::uint64_t planned_ = 0;
  std::map<std::pair<time, std::uint64_t>, std::function<void()>> events_;
  continuity_actions actions_;

  std::map<key, candle> there_; ///< What the exchange has.
  bool connected_ = true;
  int connection_ = 0, life_ = 0;
  std::set<std::string> trades_lost_;
  std::map<key, double> heard_;
  bool rest_is_bad_ = false;
  time failing_until_{0};
  std::map<std::uint64_t, ask_candles> on_their_way_;
  std::vector<time> asked_at_;

  struct passed_state {
    candle state;
    int life = 0;
  };
  std::map<key, std::vector<passed_state>> passed_;
  std::map<std::string, std::set<std::pair<wall_time, wall_time>>> open_gaps_;
  std::set<key> staying_;
  std::size_t resyncs_ = 0, failures_ = 0;
};

BOOST_AUTO_TEST_SUITE(continuity_model_suite)

BOOST_AUTO_TEST_CASE(every_minute_the_exchange_had_is_passed_on_in_its_final_state) {
  const struct {
    const char* what;
    kind which;
    bool has_snapshots;
  } table[] = {{"marks closes", kind::marking, false},
               {"marks none, begins with a snapshot", kind::unmarked, true},
               {"marks none, begins with nothing", kind::unmarked, false},
               {"made of trades", kind::counted, false}};
  for (const auto& x : table)
    for (std::uint64_t seed = 1; seed <= 4; ++seed) BOOST_TEST_CONTEXT(x.what << ", seed " << seed) {
        story it{x.which, x.has_snapshots, seed};
        it.run(600);
        it.check();
        // It was a story worth telling.
        BOOST_TEST(it.steps() > 5000u);
        BOOST_TEST(it.counted().repeats > 0u);
        if (!x.has_snapshots) {
          BOOST_TEST(it.counted().filled > 50u);
          BOOST_TEST(it.failures() > 0u);
        }
        BOOST_TEST(it.staying() < 400u); // of 3000
        BOOST_TEST_MESSAGE(x.what << " " << seed << ": steps " << it.steps() << " repeats "
                                  << it.counted().repeats << " gaps " << it.counted().gaps << " missing "
                                  << it.counted().missing << " filled " << it.counted().filled << " quiet "
                                  << it.counted().quiet << " unfilled " << it.counted().unfilled
                                  << " resyncs " << it.resyncs() << " failures " << it.failures() << " stay "
                                  << it.staying());
      }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater
