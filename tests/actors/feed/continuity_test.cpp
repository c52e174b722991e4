#include "actors/feed/continuity.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <deque>
#include <ostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace breakwater {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t minute = 1767571200;

/// Binance, Bybit and OKX: each minute has a candle and a closed one. `limit` minutes a request.
exchange_rules marking(std::size_t limit = 100) {
  exchange_rules rules;
  rules.history_requests = {10, 1000ms};
  rules.minutes_per_history_request = limit;
  return rules;
}
/// Kraken: no closed candles, and none of a minute without trades.
exchange_rules unmarked() {
  auto rules = marking();
  rules.marks_closed = rules.sends_every_minute = false;
  return rules;
}
/// Coinbase: and they are made of trades here.
exchange_rules counted() {
  auto rules = unmarked();
  rules.counts_trades = true;
  return rules;
}

/// What is done, in words, `at` so many seconds behind the first minute's begin, and what is then heard:
/// "take BTC 1 5 closed"  a candle of minute 1 with volume 5; "@70": by an exchange's clock of 70 s
/// "missed BTC 1 5"       the same, and trades before it were missed
/// "know BTC 1 closed"    "lost BTC"    "forget BTC"
/// "answer 1 0:5 1:7"     request 1 is answered with minutes 0 and 1, of volume 5 and 7
/// "fail 1 9"             it failed; not to be asked before 9 s
/// "wait"                 until then
/// Heard are "news" or "old" of a candle, "news filled", "fill 0:5", "ask 1 BTC 0-1", and the markers.
struct step {
  double at;
  const char* does;
  const char* heard;
};
std::ostream& operator<<(std::ostream& out, const step& x) { return out << x.at << " s: " << x.does; }
using story = std::vector<step>;

candle make(const std::string& symbol, std::int64_t minutes, double volume, bool closed) {
  candle x;
  x.symbol = symbol;
  x.start_s = minute + minutes * 60;
  x.volume = volume;
  x.open = x.high = x.low = x.close = 100 + volume;
  x.closed = closed;
  return x;
}

struct player {
  continuity sut;
  seconds clock_is_ahead{0};
  moment now;
  std::string heard;
  continuity_actions actions;
  std::vector<tell> tells;
  std::vector<quality_marker> markers;

  explicit player(exchange_rules rules, continuity_settings how = settings())
      : sut(exchange::binance, std::move(rules), how) {}

  static continuity_settings settings() {
    continuity_settings how;
    how.tries = 5;
    how.wait.jitter = 0;
    how.seed = 1;
    return how;
  }

  mono_time mono(double at) const {
    return mono_time{} + 1000s + milliseconds{static_cast<std::int64_t>(at * 1000)};
  }
  wall_time wall(mono_time at) const {
    return wall_time_from_ms(minute * 1000) +
           std::chrono::duration_cast<milliseconds>(at - mono(0) + clock_is_ahead);
  }

  void hear(const std::string& what) { heard += (heard.empty() ? "" : "; ") + what; }
  static std::string minute_of(wall_time at) { return std::to_string((epoch_ms(at) / 1000 - minute) / 60); }
  void operator()(const ask_candles& x) {
    hear("ask " + std::to_string(x.number) + " " + x.symbol + " " + std::to_string((x.from_s - minute) / 60) +
         "-" + std::to_string((x.to_s - minute) / 60));
  }
  void operator()(const quality_marker& x) {
    markers.push_back(x);
    if (x.kind == quality_kind::resync)
      hear("resync " + x.symbol + ": " + x.cause);
    else
      hear(std::string{to_string(x.kind)} + " " + x.symbol + " " + minute_of(x.from) + "-" + minute_of(x.to) +
           ": " + x.cause);
  }
  void operator()(const tell& x) { tells.push_back(x); }
  void listen() {
    for (const auto& x : actions) std::visit(*this, x);
    actions.clear();
  }

  void go_to(double at) {
    while (const auto due = sut.next_wake()) {
      if (*due > mono(at)) break;
      if (*due > now.mono) now = {*due, wall(*due)};
      sut.on_wake(now, actions);
      BOOST_REQUIRE((!sut.next_wake() || *sut.next_wake() > now.mono));
      listen();
    }
    now = {mono(at), wall(mono(at))};
  }

  std::string play(const step& x) {
    heard.clear();
    go_to(x.at);
    std::istringstream words{x.does};
    std::string verb, symbol;
    words >> verb;
    if (verb == "take" || verb == "missed") {
      std::int64_t minutes = 0;
      double volume = 0;
      words >> symbol >> minutes >> volume;
      auto state = make(symbol, minutes, volume, false);
      state.event_at = wall_time_from_ms(minute * 1000 + static_cast<std::int64_t>(x.at * 1000));
      state.received_at = now.wall;
      for (std::string more; words >> more;)
        if (more == "closed")
          state.closed = true;
        else
          state.event_at = wall_time_from_ms((minute + std::stoll(more.substr(1))) * 1000);
      if (verb == "missed") sut.on_trades_missing(state, now);
      const bool news = sut.take(state, now, actions);
      hear(!news ? "old" : state.filled ? "news filled" : "news");
    } else if (verb == "know") {
      std::int64_t minutes = 0;
      words >> symbol >> minutes;
      std::string closed;
      words >> closed;
      candle known;
      known.symbol = symbol;
      known.start_s = minute + minutes * 60;
      known.closed = closed == "closed";
      sut.know(known);
    } else if (verb == "lost") {
      words >> symbol;
      sut.on_lost(symbol, "cut", now);
    } else if (verb == "forget") {
      words >> symbol;
      sut.forget(symbol);
    } else if (verb == "answer") {
      std::uint64_t number = 0;
      words >> number;
      std::vector<candle> rows, fills;
      for (std::string row; words >> row;) {
        const auto colon = row.find(':');
        rows.push_back(make("BTC", std::stoll(row.substr(0, colon)), std::stod(row.substr(colon + 1)), true));
        rows.back().filled = true;
      }
      sut.on_history(number, rows, now, fills, actions);
      for (const auto& fill : fills) {
        BOOST_TEST((fill.closed && fill.filled));
        std::ostringstream text;
        text << "fill " << (fill.start_s - minute) / 60 << ":" << fill.volume;
        hear(text.str());
      }
    } else if (verb == "fail") {
      std::uint64_t number = 0;
      int wait = 0;
      words >> number >> wait;
      sut.on_history_failed(number, "refused", seconds{wait}, now, actions);
    } else {
      BOOST_REQUIRE(verb == "wait");
    }
    listen();
    go_to(x.at); // What was put off to at once.
    return heard;
  }

  void play(const story& all) {
    for (const auto& x : all) BOOST_TEST_CONTEXT(x) {
        BOOST_TEST(play(x) == x.heard);
      }
  }
};

/// A story that is told from its beginning, on an exchange with these rules.
struct tale {
  const char* what;
  exchange_rules rules;
  story steps;
};

void tell_all(const std::vector<tale>& tales) {
  for (const auto& x : tales) BOOST_TEST_CONTEXT(x.what) {
      player{x.rules}.play(x.steps);
    }
}

BOOST_AUTO_TEST_SUITE(continuity_suite)

BOOST_AUTO_TEST_CASE(what_is_news) {
  tell_all({
      {"a repeat and an older state are not",
       marking(),
       {{0, "take BTC 0 1", "news"},
        {1, "take BTC 0 1", "old"},
        {2, "take BTC 0 3", "news"},
        {3, "take BTC 0 2", "old"},
        {4, "take ETH 0 2", "news"}}},
      {"a closed minute stays closed; the exchange may correct it",
       marking(),
       {{0, "take BTC 0 5 closed", "news"},
        {1, "take BTC 0 5 closed", "old"},
        {2, "take BTC 0 5", "old"},
        {3, "take BTC 0 6", "old"},
        {4, "take BTC 0 4 closed", "news"},
        {5, "take BTC 0 4 closed", "old"}}},
      {"the close of what is known otherwise is",
       marking(),
       {{0, "take BTC 0 5", "news"}, {1, "take BTC 0 5 closed", "news"}}},
      {"late states of the minute before are, while it is open",
       marking(),
       {{50, "take BTC 0 5", "news"},
        {60.0, "take BTC 1 1", "news"},
        {60.1, "take BTC 0 4", "old"},
        {60.2, "take BTC 0 6", "news"},
        {60.3, "take BTC 0 6 closed", "news"},
        {60.4, "take BTC 0 6 closed", "old"}}},
      {"what is older than three minutes is not",
       marking(),
       {{0, "take BTC 0 5 closed", "news"},
        {60, "take BTC 1 5 closed", "news"},
        {120, "take BTC 2 5 closed", "news"},
        {180, "take BTC 3 5 closed", "news"},
        {181, "take BTC 0 6 closed", "old"},
        {182, "take BTC 1 6 closed", "news"}}},
      {"nor what is older than the first",
       marking(),
       {{60, "take BTC 1 5", "news"}, {61, "take BTC 0 5 closed", "old"}}},
      {"an earlier life's minute: its next state is, unless it goes back",
       marking(),
       {{0, "know BTC 0", ""}, {1, "take BTC 0 5", "news"}, {2, "take BTC 0 4", "old"}}},
      {"... or lies ahead of all that comes",
       marking(),
       {{0, "know BTC 60 closed", ""},
        {1, "take BTC 0 5", "news"},
        {2, "take BTC 0 5 closed", "news"},
        {60, "take BTC 1 5", "news"}}},
      {"... or closed",
       marking(),
       {{0, "know BTC 0 closed", ""}, {1, "take BTC 0 5", "old"}, {2, "take BTC 0 5 closed", "news"}}},
      {"volume never falls where no close is marked, and more of it reopens a minute",
       unmarked(),
       {{0, "take BTC 0 5", "news"},
        {1, "take BTC 0 4", "old"},
        {61, "take BTC 1 1", "news"},
        {62, "take BTC 0 6 @62", "news"},
        {70, "take BTC 0 7 @70", "news filled"},
        {71, "take BTC 0 7 @62", "old"},
        {72, "take BTC 0 6 @62", "old"},
        {73, "take BTC 0 8 @62", "news filled"}}},
      {"a snapshot's past of a symbol that nothing is known of is not, but for the minute before",
       unmarked(),
       {{130, "take BTC 0 5", "old"}, {130, "take BTC 1 6", "news filled"}, {130, "take BTC 2 1", "news"}}},
      {"nor what a later snapshot repeats",
       unmarked(),
       {{10, "take BTC 0 5", "news"},
        {60, "take BTC 1 2", "news"},
        {130, "take BTC -1 5", "old"},
        {130, "take BTC 0 5", "news filled"}, // ... but that they are final
        {130, "take BTC 1 3", "news filled"},
        {131, "take BTC 0 5", "old"},
        {131, "take BTC 1 3", "old"},
        {130, "take BTC 2 1", "news"}}},
  });
}

BOOST_AUTO_TEST_CASE(a_state_of_the_same_volume_is_older_by_the_exchanges_clock) {
  player x{marking()};
  continuity_actions out;
  auto state = make("BTC", 0, 5, false);
  state.event_at = wall_time_from_ms(minute * 1000 + 500);
  BOOST_TEST(x.sut.take(state, x.now, out));
  state.close = 99;
  state.event_at -= 100ms;
  BOOST_TEST(!x.sut.take(state, x.now, out));
  state.event_at += 200ms;
  BOOST_TEST(x.sut.take(state, x.now, out));
}

BOOST_AUTO_TEST_CASE(missing_minutes_of_exchanges_that_mark_closes) {
  tell_all({
      {"skipped ones are asked for after the patience",
       marking(),
       {{0, "take BTC 0 5 closed", "news"},
        {180, "take BTC 3 1", "news"},
        {182.9, "wait", ""},
        {183, "wait", "gap BTC 1-2: 2 minutes missing, asked for: the candles skip over them; ask 1 BTC 1-2"},
        {184, "answer 1 0:5 1:6 2:7 3:9", "fill 1:6; fill 2:7; recovered BTC 1-2: filled 2 of 2 minutes"},
        {185, "take BTC 2 7 closed", "old"},
        {186, "take BTC 3 2", "news"},
        {187, "take BTC 1 6 closed", "old"}}},
      {"so is one whose close never came",
       marking(),
       {{50, "take BTC 0 5", "news"},
        {60, "take BTC 1 1", "news"},
        {63, "wait", "gap BTC 0-0: 1 minute missing, asked for: its close never came; ask 1 BTC 0-0"},
        {64, "answer 1 0:5", "fill 0:5; recovered BTC 0-0: filled 1 of 1 minute"},
        {65, "take BTC 0 5 closed", "old"},
        {66, "take BTC 0 6", "old"}}},
      {"a close in time ends it",
       marking(),
       {{50, "take BTC 0 5", "news"},
        {60, "take BTC 1 1", "news"},
        {62, "take BTC 0 6 closed", "news"},
        {100, "wait", ""}}},
      {"so does a skipped minute that comes late, once it is closed",
       marking(),
       {{50, "take BTC 0 5 closed", "news"},
        {120, "take BTC 2 1", "news"},
        {121, "take BTC 1 2", "news"},
        {122, "take BTC 1 3 closed", "news"},
        {150, "wait", ""}}},
      {"one that comes while it is asked for is struck",
       marking(),
       {{50, "take BTC 0 5 closed", "news"},
        {240, "take BTC 4 1", "news"},
        {243, "wait", "gap BTC 1-3: 3 minutes missing, asked for: the candles skip over them; ask 1 BTC 1-3"},
        {244, "take BTC 2 7 closed", "news"},
        {245, "take BTC 2 7 closed", "old"},
        {246, "answer 1 1:6 2:7 3:8", "fill 1:6; fill 3:8; recovered BTC 1-3: filled 3 of 3 minutes"}}},
      {"all of them come: nothing is left of the request",
       marking(),
       {{50, "take BTC 0 5 closed", "news"},
        {120, "take BTC 2 1", "news"},
        {123, "wait", "gap BTC 1-1: 1 minute missing, asked for: the candles skip over them; ask 1 BTC 1-1"},
        {124, "take BTC 1 7 closed", "news; recovered BTC 1-1: filled 1 of 1 minute"},
        {125, "answer 1 1:6", ""},
        {200, "wait", ""}}},
      {"the first candle ever makes no hole", marking(), {{630, "take BTC 10 5", "news"}, {690, "wait", ""}}},
      {"what an earlier life passed on does",
       marking(),
       {{0, "know BTC 0", ""},
        {120, "take BTC 2 5", "news"},
        {123, "wait",
         "gap BTC 0-1: 2 minutes missing, asked for: the candles skip over them; ask 1 BTC 0-1"}}},
      {"... but not its closed minute",
       marking(),
       {{0, "know BTC 0 closed", ""}, {60, "take BTC 1 5", "news"}, {70, "wait", ""}}},
      {"more than a request may have are asked for one after the other",
       marking(2),
       {{0, "take BTC 0 5 closed", "news"},
        {360, "take BTC 6 1", "news"},
        {363, "wait", "gap BTC 1-5: 5 minutes missing, asked for: the candles skip over them; ask 1 BTC 1-2"},
        {364, "answer 1 1:6 2:7", "fill 1:6; fill 2:7; ask 2 BTC 3-4"},
        {365, "answer 2 4:6", "fill 4:6; ask 3 BTC 5-5"},
        {365.5, "answer 3 5:6", "fill 5:6"},
        {366, "wait", "ask 4 BTC 3-3"},
        {367, "answer 4 3:6", "fill 3:6; recovered BTC 1-5: filled 5 of 5 minutes"}}},
      {"another hole of the symbol waits for its turn",
       marking(),
       {{0, "take BTC 0 5 closed", "news"},
        {120, "take BTC 2 1", "news"},
        {123, "wait", "gap BTC 1-1: 1 minute missing, asked for: the candles skip over them; ask 1 BTC 1-1"},
        {124, "take BTC 4 1", "news"},
        {127, "wait", "gap BTC 2-3: 2 minutes missing, asked for: the candles skip over them"},
        {128, "answer 1 1:6 2:9", "fill 1:6; recovered BTC 1-1: filled 1 of 1 minute; ask 2 BTC 2-3"},
        {129, "answer 2 2:6 3:9", "fill 2:6; fill 3:9; recovered BTC 2-3: filled 2 of 2 minutes"}}},
  });
}

BOOST_AUTO_TEST_CASE(a_lost_connection) {
  tell_all({
      {"without a missing minute is a resync",
       marking(),
       {{10, "take BTC 0 5", "news"}, {20, "lost BTC", ""}, {50, "take BTC 0 6", "news; resync BTC: cut"}}},
      {"... once that is certain",
       marking(),
       {{10, "take BTC 0 5", "news"},
        {58, "lost BTC", ""},
        {60, "take BTC 1 1", "news"},
        {62, "take BTC 0 6 closed", "news; resync BTC: cut"}}},
      {"the cause of a hole otherwise",
       marking(),
       {{10, "take BTC 0 5", "news"},
        {20, "lost BTC", ""},
        {30, "lost BTC", ""},
        {130, "take BTC 2 1", "news"},
        {133, "wait", "gap BTC 0-1: 2 minutes missing, asked for: cut; ask 1 BTC 0-1"},
        {134, "answer 1 0:5 1:1", "fill 0:5; fill 1:1; recovered BTC 0-1: filled 2 of 2 minutes"},
        {180, "take BTC 2 8 closed", "news"}}},
      {"of a symbol that nothing is known of is nothing",
       marking(),
       {{10, "lost BTC", ""}, {50, "take BTC 0 6", "news"}}},
      {"without marked closes: from its minute to the one before the first data",
       unmarked(),
       {{10, "take BTC 0 5", "news"},
        {100, "lost BTC", ""},
        {190, "take BTC 3 1", "news"},
        {193, "wait", "gap BTC 1-2: 2 minutes missing, asked for: cut; ask 1 BTC 1-2"},
        {194, "answer 1 0:5 2:1", "fill 2:1; recovered BTC 1-2: filled 1 of 2 minutes; nobody traded in 1"}}},
      {"... its own minute's trades are not forgotten",
       unmarked(),
       {{10, "take BTC 0 5", "news"},
        {20, "lost BTC", ""},
        {70, "take BTC 1 1", "news"},
        {73, "wait", "gap BTC 0-0: 1 minute missing, asked for: cut; ask 1 BTC 0-0"},
        {74, "answer 1 1:1", ""},
        {75, "wait", "ask 2 BTC 0-0"},
        {76, "answer 2 0:4", ""},
        {78, "wait", "ask 3 BTC 0-0"},
        {79, "answer 3 0:6", "fill 0:6; recovered BTC 0-0: filled 1 of 1 minute"},
        {80, "take BTC 0 5", "old"}}},
      {"... within its minute it is a resync",
       unmarked(),
       {{10, "take BTC 0 5", "news"}, {20, "lost BTC", ""}, {30, "take BTC 0 6", "news; resync BTC: cut"}}},
      {"... the minute before the first data is asked for when it is over for good",
       unmarked(),
       {{10, "take BTC 0 5", "news"},
        {20, "lost BTC", ""},
        {61, "take BTC 1 1", "news"},
        {64, "wait", "gap BTC 0-0: 1 minute missing, asked for: cut"},
        {68, "wait", "ask 1 BTC 0-0"}}},
      {"... a snapshot that reaches back fills it itself",
       unmarked(),
       {{10, "take BTC 0 5", "news"},
        {100, "lost BTC", ""},
        {250, "take BTC -9 5", "old; resync BTC: cut"},
        {250, "take BTC 0 6", "news filled"},
        {250, "take BTC 2 7", "news filled"},
        {250, "take BTC 4 1", "news"},
        {300, "wait", ""}}},
      {"... and one that comes newest first, within patience",
       unmarked(),
       {{10, "take BTC 0 5", "news"},
        {100, "lost BTC", ""},
        {250, "take BTC 4 1", "news"},
        {250, "take BTC 3 1", "news filled"},
        {250, "take BTC 2 7", "news filled"},
        {250, "take BTC 1 6", "news filled; resync BTC: cut"},
        {250, "take BTC 0 5", "old"},
        {300, "wait", ""}}},
      {"... what an earlier life did not know is asked for as well",
       unmarked(),
       {{0, "know BTC 0", ""},
        {130, "take BTC 2 1", "news"},
        {133, "wait", "gap BTC 0-1: 2 minutes missing, asked for: the feed began anew; ask 1 BTC 0-1"}}},
      {"and what is made of trades here, the minute of the first data, too",
       counted(),
       {{10, "take BTC 0 5", "news"},
        {71, "wait",
         "gap BTC 0-0: 1 minute missing, asked for: listening began within the minute; "
         "ask 1 BTC 0-0"},
        {72, "answer 1 0:9", "fill 0:9; recovered BTC 0-0: filled 1 of 1 minute"},
        {73, "take BTC 1 1", "news"},
        {80, "lost BTC", ""},
        {190, "take BTC 3 1", "news"},
        {193, "wait", "gap BTC 1-3: 3 minutes missing, asked for: cut; ask 2 BTC 1-2"},
        {194, "answer 2 1:5", "fill 1:5"},
        {239, "take BTC 3 4", "news"},
        {241, "take BTC 4 4", "news"},
        {248, "wait", "ask 3 BTC 3-3"},
        {249, "answer 3 3:9", "fill 3:9; recovered BTC 1-3: filled 2 of 3 minutes; nobody traded in 1"},
        {250, "take BTC 3 4", "old"},
        {360, "wait", ""}}},
  });
}

BOOST_AUTO_TEST_CASE(missed_trades) {
  tell_all({
      {"make the minutes around them incomplete",
       counted(),
       {{0, "know BTC -1 closed", ""},
        {10, "take BTC 0 5", "news"},
        {68, "wait", "gap BTC 0-0: 1 minute missing, asked for: the feed began anew; ask 1 BTC 0-0"},
        {69, "answer 1 0:5", "fill 0:5; recovered BTC 0-0: filled 1 of 1 minute"},
        {70, "take BTC 1 1", "news"},
        {130, "missed BTC 2 1", "news"},
        {131, "missed BTC 2 2", "news"},
        {133, "wait", "gap BTC 1-2: 2 minutes missing, asked for: trades were missed; ask 2 BTC 1-1"},
        {135, "answer 2 1:2", "fill 1:2"},
        {188, "wait", "ask 3 BTC 2-2"},
        {189, "answer 3 2:7", "fill 2:7; recovered BTC 1-2: filled 2 of 2 minutes"}}},
      {"of a symbol that nothing is known of: its first minute is anyway",
       counted(),
       {{10, "missed BTC 0 5", "news"},
        {68, "wait",
         "gap BTC 0-0: 1 minute missing, asked for: listening began within the minute; "
         "ask 1 BTC 0-0"}}},
  });
}

BOOST_AUTO_TEST_CASE(requests_that_fail) {
  tell_all({
      {"are made again after longer and longer waits, and given up",
       marking(),
       {{0, "take BTC 0 5 closed", "news"},
        {120, "take BTC 2 1", "news"},
        {123, "wait", "gap BTC 1-1: 1 minute missing, asked for: the candles skip over them; ask 1 BTC 1-1"},
        {124, "fail 1", ""},
        {125, "wait", "ask 2 BTC 1-1"},
        {126, "fail 2", ""},
        {127.9, "wait", ""},
        {128, "wait", "ask 3 BTC 1-1"},
        {129, "fail 3", ""},
        {133, "wait", "ask 4 BTC 1-1"},
        {134, "fail 4", ""},
        {142, "wait", "ask 5 BTC 1-1"},
        {143, "fail 5", "gap BTC 1-1: 1 of 1 minute stays missing: refused"},
        {180, "take BTC 2 8 closed", "news"},
        {181, "take BTC 3 8", "news"},
        {240, "wait", ""}}},
      {"are not made before the exchange allows it",
       marking(),
       {{0, "take BTC 0 5 closed", "news"},
        {0, "take ETH 0 5 closed", "news"},
        {120, "take BTC 2 1", "news"},
        {123, "wait", "gap BTC 1-1: 1 minute missing, asked for: the candles skip over them; ask 1 BTC 1-1"},
        {123, "take ETH 2 1", "news"},
        {124, "fail 1 30", ""},
        {153.9, "wait", "gap ETH 1-1: 1 minute missing, asked for: the candles skip over them"},
        {154, "wait", "ask 2 ETH 1-1"}, // one alone tries, whoever was asked for least
        {155, "fail 2", ""},
        {157, "wait", "ask 3 BTC 1-1"},
        {158, "answer 3 1:7", "fill 1:7; recovered BTC 1-1: filled 1 of 1 minute; ask 4 ETH 1-1"}}},
      {"together fail for one reason: the wait grows once",
       marking(),
       {{0, "take BTC 0 5 closed", "news"},
        {0, "take ETH 0 5 closed", "news"},
        {120, "take BTC 2 1", "news"},
        {121, "take ETH 2 1", "news"},
        {123, "wait", "gap BTC 1-1: 1 minute missing, asked for: the candles skip over them; ask 1 BTC 1-1"},
        {124, "wait", "gap ETH 1-1: 1 minute missing, asked for: the candles skip over them; ask 2 ETH 1-1"},
        {125, "fail 1", ""},
        {125.5, "fail 2", ""},
        {125.9, "wait", ""},
        {126, "wait", "ask 3 BTC 1-1"},
        {127, "fail 3", ""},
        {129, "wait", "ask 4 ETH 1-1"}}},
      {"... and begins small again after an answer",
       marking(),
       {{0, "take BTC 0 5 closed", "news"},
        {120, "take BTC 2 1", "news"},
        {123, "wait", "gap BTC 1-1: 1 minute missing, asked for: the candles skip over them; ask 1 BTC 1-1"},
        {124, "fail 1", ""},
        {125, "wait", "ask 2 BTC 1-1"},
        {126, "fail 2", ""},
        {128, "wait", "ask 3 BTC 1-1"},
        {129, "answer 3", ""},
        {133, "wait", "ask 4 BTC 1-1"},
        {134, "fail 4", ""},
        {135, "wait", "ask 5 BTC 1-1"}}},
      {"an answer that never comes is one, and later it is not heard",
       marking(),
       {{0, "take BTC 0 5 closed", "news"},
        {120, "take BTC 2 1", "news"},
        {123, "wait", "gap BTC 1-1: 1 minute missing, asked for: the candles skip over them; ask 1 BTC 1-1"},
        {152.9, "wait", ""},
        {154, "wait", "ask 2 BTC 1-1"},
        {155, "answer 1 1:7", ""},
        {156, "fail 1", ""},
        {157, "answer 2 1:7", "fill 1:7; recovered BTC 1-1: filled 1 of 1 minute"}}},
      {"so is one without the minute, where every minute has a candle",
       marking(),
       {{0, "take BTC 0 5 closed", "news"},
        {180, "take BTC 3 1", "news"},
        {183, "wait", "gap BTC 1-2: 2 minutes missing, asked for: the candles skip over them; ask 1 BTC 1-2"},
        {184, "answer 1 1:7", "fill 1:7"},
        {185, "wait", "ask 2 BTC 2-2"},
        {186, "answer 2", ""},
        {188, "wait", "ask 3 BTC 2-2"},
        {189, "answer 3", ""},
        {193, "wait", "ask 4 BTC 2-2"},
        {194, "answer 4", ""},
        {202, "wait", "ask 5 BTC 2-2"},
        {203, "answer 5", "gap BTC 1-2: 1 of 2 minutes stays missing: the exchange has no candle of it"},
        {203, "answer 5 2:9", ""}}},
      {"the next hole is asked for nevertheless",
       marking(),
       {{0, "take BTC 0 5 closed", "news"},
        {120, "take BTC 2 1", "news"},
        {123, "wait", "gap BTC 1-1: 1 minute missing, asked for: the candles skip over them; ask 1 BTC 1-1"},
        {124, "fail 1 3000", ""},
        {180, "take BTC 3 1 closed", "news"},
        {3000, "wait", "gap BTC 2-2: 1 minute missing, asked for: its close never came"},
        {3124, "wait", "ask 2 BTC 1-1"},
        {3125, "answer 2 1:7 2:8", "fill 1:7; recovered BTC 1-1: filled 1 of 1 minute; ask 3 BTC 2-2"}}},
  });
}

BOOST_AUTO_TEST_CASE(waits_for_a_candle_have_an_end) {
  auto how = player::settings();
  how.wait.max = 3s;
  player{marking(), how}.play({
      {0, "take BTC 0 5 closed", "news"},
      {120, "take BTC 2 1", "news"},
      {123, "wait", "gap BTC 1-1: 1 minute missing, asked for: the candles skip over them; ask 1 BTC 1-1"},
      {124, "answer 1", ""},
      {125, "wait", "ask 2 BTC 1-1"},
      {126, "answer 2", ""},
      {128, "wait", "ask 3 BTC 1-1"},
      {129, "answer 3", ""},
      {132, "wait", "ask 4 BTC 1-1"},
  });
}

BOOST_AUTO_TEST_CASE(minutes_that_are_too_old) {
  auto how = player::settings();
  how.fill_within = 3min;
  player{marking(), how}.play({
      {0, "take BTC 0 5 closed", "news"},
      {600, "take BTC 10 1", "news"},
      {603, "wait",
       "gap BTC 1-6: 6 of 6 minutes stay missing: the candles skip over them; too old to be asked for; "
       "gap BTC 7-9: 3 minutes missing, asked for: the candles skip over them; ask 1 BTC 7-9"},
      {604, "fail 1 200", ""}, // three minutes pass while it waits
      {660, "take BTC 10 1 closed", "news"},
      {661, "take BTC 11 1 closed", "news"},
      {720, "take BTC 12 1", "news"},
      {804, "wait", "ask 2 BTC 9-9"},
      {805, "answer 2 7:1 8:1 9:1",
       "fill 9:1; gap BTC 7-9: 2 of 3 minutes stay missing: too old by now to be asked for"},
  });
  player nothing_is_asked_for{marking(), [] {
                                auto none = player::settings();
                                none.fill_within = 0ms;
                                return none;
                              }()};
  nothing_is_asked_for.play({
      {0, "take BTC 0 5", "news"},
      {120, "take BTC 2 1", "news"},
      {123, "wait",
       "gap BTC 0-1: 2 of 2 minutes stay missing: the candles skip over them; too old to be asked for"},
      {200, "wait", ""},
  });
  BOOST_TEST(nothing_is_asked_for.sut.missing_now() == 0u);
  // A snapshot's, too.
  player{unmarked(), how}.play({
      {10, "take BTC 0 5", "news"},
      {600, "take BTC 4 1", "old"},
      {600, "take BTC 7 1", "news filled"},
      {600, "take BTC 10 1", "news"},
  });
}

BOOST_AUTO_TEST_CASE(a_symbol_that_is_forgotten) {
  auto slow = marking();
  slow.history_requests = {1, 10s};
  tell_all({
      {"while it waits for its turn, is not asked for",
       slow,
       {{0, "take BTC 0 5 closed", "news"},
        {0, "take ETH 0 5 closed", "news"},
        {120, "take BTC 2 1", "news"},
        {121, "take ETH 2 1", "news"},
        {123, "wait", "gap BTC 1-1: 1 minute missing, asked for: the candles skip over them; ask 1 BTC 1-1"},
        {124, "wait", "gap ETH 1-1: 1 minute missing, asked for: the candles skip over them"},
        {125, "forget ETH", ""},
        {126, "answer 1 1:7", "fill 1:7; recovered BTC 1-1: filled 1 of 1 minute"},
        {150, "wait", ""}}},
      {"is asked for no more, and begins anew",
       marking(),
       {{0, "take BTC 0 5 closed", "news"},
        {120, "take BTC 2 1", "news"},
        {121, "forget BTC", ""},
        {200, "take BTC 3 1", "news"},
        {260, "wait", ""}}},
      {"with a request on its way, its answer is nobody's",
       marking(),
       {{0, "take BTC 0 5 closed", "news"},
        {120, "take BTC 2 1", "news"},
        {123, "wait", "gap BTC 1-1: 1 minute missing, asked for: the candles skip over them; ask 1 BTC 1-1"},
        {124, "forget BTC", ""},
        {125, "take BTC 5 5 closed", "news"},
        {126, "answer 1 1:7 5:9", ""},
        {420, "take BTC 7 1", "news"},
        {423, "wait", "gap BTC 6-6: 1 minute missing, asked for: the candles skip over them; ask 2 BTC 6-6"},
        {424, "forget BTC", ""},
        {500, "wait", ""}}},
  });
}

BOOST_AUTO_TEST_CASE(what_is_said_and_counted) {
  player x{marking()};
  x.play({{0, "take BTC 0 5 closed", "news"},
          {240, "take BTC 4 1", "news"},
          {243, "wait",
           "gap BTC 1-3: 3 minutes missing, asked for: the candles skip over them; ask 1 BTC 1-3"}});
  BOOST_TEST(x.sut.missing_now() == 3u);
  BOOST_TEST(x.sut.newest_minute("BTC").value() == minute + 240);
  BOOST_TEST(!x.sut.newest_minute("ETH"));
  BOOST_TEST((x.sut.knows("BTC") && !x.sut.knows("ETH")));
  x.play({{244, "answer 1 1:7 3:7", "fill 1:7; fill 3:7"}});
  BOOST_TEST(x.sut.missing_now() == 1u);
  const auto marker = [&](auto&& from_ms, auto&& to_ms) {
    return std::any_of(x.markers.begin(), x.markers.end(), [&](const quality_marker& y) {
      return epoch_ms(y.from) == minute * 1000 + from_ms && epoch_ms(y.to) == minute * 1000 + to_ms;
    });
  };
  BOOST_TEST(marker(60000, 239999));
  x.play({{245, "wait", "ask 2 BTC 2-2"},
          {245, "fail 2", ""},
          {246, "wait", "ask 3 BTC 2-2"},
          {247, "take BTC 2 9 closed", "news; recovered BTC 1-3: filled 3 of 3 minutes"}});
  const auto& all = x.sut.counted();
  BOOST_TEST((all.gaps == 1 && all.missing == 3 && all.filled == 3 && all.unfilled == 0 && all.quiet == 0));
  const event told[] = {event::feed_gap, event::feed_fetch_failed, event::feed_recovered};
  BOOST_REQUIRE(x.tells.size() == std::size(told));
  for (std::size_t i = 0; i < std::size(told); ++i) BOOST_TEST((x.tells[i].what == told[i]));
  BOOST_TEST(x.tells[0].count == 3u);
  BOOST_TEST((x.tells[1].wait == 1s && x.tells[1].reason == "refused"));
}

BOOST_AUTO_TEST_CASE(closers_candles_come_too_late_after_a_fill) {
  player x{counted()};
  x.play({{10, "take BTC 0 5", "news"},
          {68, "wait",
           "gap BTC 0-0: 1 minute missing, asked for: listening began within the minute; ask 1 BTC 0-0"}});
  auto closed = make("BTC", 0, 5, true);
  BOOST_TEST(!x.sut.is_filled(closed));
  x.play({{69, "answer 1 0:9", "fill 0:9; recovered BTC 0-0: filled 1 of 1 minute"}});
  BOOST_TEST(x.sut.is_filled(closed));
  closed.volume = 11; // the fill had less
  BOOST_TEST(!x.sut.is_filled(closed));
  BOOST_TEST(!x.sut.is_filled(make("BTC", 1, 5, true)));
  BOOST_TEST(!x.sut.is_filled(make("ETH", 0, 5, true)));

  player snapshot{unmarked()};
  snapshot.play({{10, "take BTC 0 5", "news"}, {20, "lost BTC", ""}});
  for (const auto* row : {"take BTC -1 1", "take BTC 0 6", "take BTC 1 6", "take BTC 2 6", "take BTC 3 6"})
    (void)snapshot.play({250, row, ""});
  BOOST_TEST(snapshot.sut.is_filled(make("BTC", 0, 5, true))); // not kept any more
  BOOST_TEST(snapshot.sut.is_filled(make("BTC", 1, 5, true)));
}

/// Our clock is set, or wrong, by hours while symbols are lost and found again.
BOOST_AUTO_TEST_CASE(clocks_that_jump_make_no_storm) {
  const struct {
    const char* what;
    seconds ahead_before, ahead_after;
  } table[] = {{"right", 0s, 0s},
               {"set forward", 0s, 3h},
               {"set back", 0s, -3h},
               {"ahead, set right", 3h, 0s},
               {"behind, set right", -3h, 0s},
               {"ahead all the time", 3h, 3h},
               {"behind all the time", -3h, -3h}};
  for (const auto& x : table)
    for (const auto& rules : {marking(), unmarked()})
      BOOST_TEST_CONTEXT(x.what << ", marks " << rules.marks_closed) {
        player it{rules};
        it.clock_is_ahead = x.ahead_before;
        it.play({{10, "take BTC 0 5", "news"}, {20, "lost BTC", ""}});
        it.clock_is_ahead = x.ahead_after;
        it.play({{130, "take BTC 2 1", "news"},
                 {133, "wait", "gap BTC 0-1: 2 minutes missing, asked for: cut; ask 1 BTC 0-1"},
                 {134, "answer 1 0:6 1:8", "fill 0:6; fill 1:8; recovered BTC 0-1: filled 2 of 2 minutes"},
                 {140, "lost BTC", ""},
                 {150, "take BTC 2 2", "news; resync BTC: cut"}});
      }
}

BOOST_AUTO_TEST_CASE(eight_hundred_symbols_are_lost_at_once) {
  auto rules = marking();
  rules.history_requests = {10, 1000ms};
  player x{rules};
  continuity_actions out;
  std::vector<std::string> names;
  for (int i = 0; i < 800; ++i) names.push_back("S" + std::to_string(i));
  const auto take_all = [&](double at, std::int64_t minutes, bool closed) {
    x.go_to(at);
    for (const auto& name : names) {
      auto state = make(name, minutes, 1, closed);
      BOOST_TEST(x.sut.take(state, x.now, out));
    }
  };
  take_all(1, 0, true);
  x.go_to(2);
  for (const auto& name : names) x.sut.on_lost(name, "cut", x.now);
  take_all(130, 2, false);
  BOOST_TEST(out.empty());
  // Each request is answered after 300 ms; no more than ten a second, and four at a time.
  std::vector<std::pair<double, ask_candles>> asked;
  std::size_t on_their_way = 0, most = 0;
  std::deque<std::pair<double, ask_candles>> to_answer;
  std::vector<candle> fills;
  for (double at = 130; at < 230; at += 0.05) {
    x.now = {x.mono(at), x.wall(x.mono(at))};
    if (const auto due = x.sut.next_wake(); due && *due <= x.now.mono) x.sut.on_wake(x.now, out);
    while (!to_answer.empty() && to_answer.front().first + 0.3 <= at) {
      const auto which = to_answer.front().second;
      to_answer.pop_front();
      --on_their_way;
      x.sut.on_history(which.number, {make(which.symbol, 1, 3, true)}, x.now, fills, out);
    }
    for (auto& action : out)
      if (auto* ask = std::get_if<ask_candles>(&action)) {
        asked.emplace_back(at, *ask);
        to_answer.emplace_back(at, *ask);
        most = std::max(most, ++on_their_way);
      }
    out.clear();
  }
  BOOST_TEST(asked.size() == 800u);
  BOOST_TEST(fills.size() == 800u);
  BOOST_TEST(most == 4u);
  for (std::size_t i = 10; i < asked.size(); ++i) BOOST_TEST(asked[i].first - asked[i - 10].first > 0.99);
  BOOST_TEST(asked.back().first < 215); // as fast as the pace allows
  BOOST_TEST(!x.sut.next_wake());
}

BOOST_AUTO_TEST_CASE(older_minutes_are_asked_for_first_and_symbols_take_turns) {
  auto rules = marking(1);
  rules.history_requests = {1, 1000ms};
  player{rules}.play({
      {0, "take ETH 1 1 closed", "news"},
      {0, "take BTC 0 1 closed", "news"},
      {240, "take ETH 4 1", "news"},
      {240, "take BTC 3 1", "news"},
      {243, "wait",
       "gap ETH 2-3: 2 minutes missing, asked for: the candles skip over them; "
       "gap BTC 1-2: 2 minutes missing, asked for: the candles skip over them; ask 1 BTC 1-1"},
      {243.5, "answer 1 1:1", "fill 1:1"},
      {244, "wait", "ask 2 ETH 2-2"},
      {245, "wait", "ask 3 BTC 2-2"}, // of ETH one is on its way
      {246, "wait", ""},
  });
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater
