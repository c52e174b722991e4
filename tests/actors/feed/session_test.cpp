#include "actors/feed/session.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace breakwater {
namespace {

using namespace std::chrono_literals;

/// One step of a story: after `wait`, what happens, and what the session has done about it.
struct step {
  std::chrono::milliseconds wait;
  std::string happens;
  std::string done;
};

/// A language of one word a request: "ask 1 A B", "drop 2 A".
class plain_dialect : public dialect {
public:
  explicit plain_dialect(exchange_rules rules)
      : dialect(std::move(rules), symbol_names{exchange::binance, market::spot, {}, {}}) {}
  frame_content read_frame(std::string_view, wall_time, std::vector<candle>&) override {
    return other_read{};
  }
  std::string subscribe_text(std::uint64_t id, std::span<const std::string_view> theirs) const override {
    return text("ask ", id, theirs);
  }
  std::string unsubscribe_text(std::uint64_t id, std::span<const std::string_view> theirs) const override {
    return text("drop ", id, theirs);
  }
  std::string history_target(std::string_view, std::int64_t, std::int64_t) const override { return {}; }
  result<done> read_rows(std::string_view, const std::string&, wall_time, std::vector<candle>&) override {
    return done{};
  }

private:
  static std::string text(std::string what, std::uint64_t id, std::span<const std::string_view> theirs) {
    what += std::to_string(id);
    for (auto name : theirs) (what += ' ') += name;
    return what;
  }
};

struct session_fixture {
  mono_time now{1h};
  std::vector<std::string> symbols;
  std::unique_ptr<plain_dialect> speaks;
  std::unique_ptr<session> sut;
  session_settings how;

  static exchange_rules rules() {
    return {.url = "ws://x",
            .messages = {2, 1s},
            .symbols_per_request = 2,
            .symbols_per_connection = 6,
            .dead_after = 60s};
  }
  void begin(exchange_rules with, std::vector<std::string> followed) {
    how.wait = {1s, 60s, 0.0};
    symbols = std::move(followed);
    speaks = std::make_unique<plain_dialect>(std::move(with));
    sut = std::make_unique<session>(*speaks, how);
  }

  /// Plays "start", "follow A B", "opened 1", "closed 1", "heard", "ack 1 2" (socket, request), "ack 1 0 A",
  /// "refused 1 2", "refused 1 0 A", "stands 1 2", "data 1 A", "announced 1", "stop" or "" (only time passes,
  /// in steps the session asks for).
  session_actions play(const std::string& what) {
    std::istringstream words{what};
    std::string verb, symbol;
    std::uint64_t socket = 0, request = 0;
    words >> verb;
    if (verb == "start") return sut->follow(symbols, now);
    if (verb == "follow") {
      symbols.clear();
      while (words >> symbol) symbols.push_back(symbol);
      return sut->follow(symbols, now);
    }
    if (verb == "stop") return sut->stop();
    if (verb == "heard")
      for (std::uint64_t each = 1; each < 20; ++each) sut->on_heard(each, now);
    words >> socket;
    if (verb == "opened") return sut->on_opened(socket, now);
    if (verb == "closed") return sut->on_closed(socket, "reset", now);
    if (verb == "announced") return sut->on_closing_announced(socket, "soon", now);
    if (verb == "data") {
      words >> symbol;
      sut->on_heard(socket, now);
      session_actions out;
      if (!sut->on_data(socket, symbol, now, out)) out.push_back(tell{.what = event::unhandled_error});
      return out;
    }
    words >> request >> symbol;
    if (verb == "ack") return sut->on_acknowledged(socket, {request, symbol}, now);
    if (verb == "refused") return sut->on_refused(socket, {request, symbol, "no", false}, now);
    if (verb == "stands") return sut->on_refused(socket, {request, symbol, "no", true}, now);
    return {};
  }

  static std::string in_words(const session_actions& actions) {
    std::string text;
    for (const auto& action : actions) {
      if (!text.empty()) text += "; ";
      if (const auto* open = std::get_if<open_socket>(&action))
        (text += "open ") += std::to_string(open->number);
      else if (const auto* sent = std::get_if<send_text>(&action))
        text += std::to_string(sent->socket) + "> " + sent->text;
      else if (const auto* told = std::get_if<tell>(&action)) {
        text += told->what == event::unhandled_error
                    ? "not ours"
                    : std::string_view{info_of(told->what).name}.substr(std::string_view{"feed_"}.size());
        if (!told->symbol.empty()) (text += " ") += told->symbol;
        if (told->count > 0) (text += " ") += std::to_string(told->count);
        if (told->wait >= 0ms) (text += " wait ") += std::to_string(told->wait.count());
      } else if (const auto* lost = std::get_if<lost_symbol>(&action))
        (text += "lost ") += lost->ours;
      else if (const auto* gone = std::get_if<let_go_symbol>(&action))
        (text += "gone ") += gone->ours;
      else
        (text += "close ") += std::to_string(std::get<close_socket>(action).number);
    }
    return text;
  }

  void wait(std::chrono::milliseconds time, session_actions& out) {
    const auto until = now + time;
    for (int wakes = 0; sut->next_wake() && *sut->next_wake() <= until; ++wakes) {
      BOOST_TEST_REQUIRE(wakes < 10000, "the session wakes without end");
      now = std::max(now, *sut->next_wake());
      for (auto& action : sut->on_wake(now)) out.push_back(std::move(action));
    }
    now = until;
  }

  void tell_story(const std::vector<step>& story) {
    for (const auto& s : story) BOOST_TEST_CONTEXT("after " << s.wait.count() << " ms: " << s.happens) {
        session_actions out;
        wait(s.wait, out);
        for (auto& action : play(s.happens)) out.push_back(std::move(action));
        BOOST_TEST(in_words(out) == s.done);
      }
  }
};

BOOST_FIXTURE_TEST_SUITE(session_suite, session_fixture)

BOOST_AUTO_TEST_CASE(it_connects_subscribes_at_the_exchanges_pace_and_says_when_all_is_answered) {
  begin(rules(), {"A", "B", "C", "D", "E"});
  tell_story({
      {0ms, "start", "connecting 1; open 1"},
      {50ms, "opened 1", "connected 5; 1> ask 1 A B; 1> ask 2 C D"},
      {10ms, "ack 1 1", ""},
      {989ms, "ack 1 2", ""},
      {1ms, "", "1> ask 3 E"},
      {10ms, "ack 1 3", "subscribed 5"},
  });
  BOOST_TEST(sut->count().subscribed == 5u);
  BOOST_TEST(sut->connected());
}

BOOST_AUTO_TEST_CASE(a_candle_acknowledges_its_symbol) {
  begin(rules(), {"A", "B", "C"});
  tell_story({
      {0ms, "start", "connecting 1; open 1"},
      {0ms, "opened 1", "connected 3; 1> ask 1 A B; 1> ask 2 C"},
      {0ms, "data 1 B", ""},
      {0ms, "ack 1 0 C", ""},
      {0ms, "data 1 A", "subscribed 3"},
  });
}

BOOST_AUTO_TEST_CASE(what_is_never_acknowledged_is_tried_on_another_connection_while_the_rest_goes_on) {
  begin(rules(), {"A", "B", "C"});
  tell_story({
      {0ms, "start", "connecting 1; open 1"},
      {0ms, "opened 1", "connected 3; 1> ask 1 A B; 1> ask 2 C"},
      {1s, "ack 1 1", ""},
      {8999ms, "heard", ""},
      {1ms, "data 1 A", "subscription_silent C 1; 1> ask 3 C"},
      {10s, "data 1 A", "subscription_silent C 1; 1> ask 4 C"},
      {9999ms, "data 1 A", ""},
      {1ms, "", "subscription_refused C; replacing; connecting 1; open 2"},
      {0ms, "opened 2", "connected 3; 2> ask 1 A B; 2> ask 2 C"},
      {0ms, "data 1 A", ""},
      {0ms, "data 2 A", ""},
      {1s, "ack 2 1", ""},
      {0ms, "data 2 B", ""},
      {0ms, "data 2 C", "subscribed 3; close 1; replaced 3"},
  });
  BOOST_TEST(sut->count().reconnects == 0u);
  BOOST_TEST(sut->count().replacements == 1u);
}

BOOST_AUTO_TEST_CASE(a_connection_that_acknowledges_nothing_is_given_up) {
  begin(rules(), {"A"});
  tell_story({
      {0ms, "start", "connecting 1; open 1"},
      {0ms, "opened 1", "connected 1; 1> ask 1 A"},
      {10s, "heard", "subscription_silent A 1; 1> ask 2 A"},
      {10s, "heard", "subscription_silent A 1; 1> ask 3 A"},
      {10s, "", "subscription_refused A; close 1; disconnected 1 wait 1000"},
      {1s, "", "connecting 2; open 2"},
      {0ms, "opened 1", ""}, // the old socket means nothing any more
      {0ms, "opened 2", "connected 1; 2> ask 1 A"},
  });
  BOOST_TEST(sut->count().reconnects == 1u);
}

BOOST_AUTO_TEST_CASE(a_refused_symbol_is_asked_for_again_less_and_less_often_and_on_the_next_connection) {
  how.stale_after = 2h;
  begin(rules(), {"A", "B"});
  tell_story({
      {0ms, "start", "connecting 1; open 1"},
      {0ms, "opened 1", "connected 2; 1> ask 1 A B"},
      {0ms, "refused 1 1 B", "subscription_refused B"},
      {0ms, "ack 1 0 A", ""},
      {9999ms, "heard", ""},
      {1ms, "heard", "1> ask 2 B"},
      {0ms, "refused 1 2 B", ""}, // told before
      {19s, "heard", ""},
      {1s, "heard", "1> ask 3 B"},
      {0ms, "refused 1 3 B", ""},
      {39s, "heard", ""},
      {0ms, "closed 1", "close 1; disconnected 1 wait 1000; lost A"},
      {1s, "opened 2", "connecting 2; open 2; connected 2; 2> ask 1 A B"},
      {0ms, "ack 2 0 A", ""},
      {0ms, "refused 2 1 B", "subscription_refused B"},
  });
  BOOST_TEST(sut->count().refused == 1u);
  tell_story({
      {10s, "heard", "2> ask 2 B"}, {0ms, "data 2 B", "subscribed 2"}, // listed by now
  });
  BOOST_TEST(sut->count().refused == 0u);
}

BOOST_AUTO_TEST_CASE(a_refusal_of_several_symbols_is_split_and_each_asked_for_by_itself) {
  begin(rules(), {"A", "B"});
  tell_story({
      {0ms, "start", "connecting 1; open 1"},
      {0ms, "opened 1", "connected 2; 1> ask 1 A B"},
      {0ms, "refused 1 1", "1> ask 2 A"},
      {1s, "", "1> ask 3 B"},
      {0ms, "stands 1 2", ""},
      {0ms, "refused 1 3", "subscription_refused B"},
  });
  BOOST_TEST(sut->count().subscribed == 1u);
  BOOST_TEST(sut->count().refused == 1u);
}

BOOST_AUTO_TEST_CASE(a_refusal_of_nobody_knows_what_is_told) {
  begin(rules(), {"A"});
  tell_story({
      {0ms, "start", "connecting 1; open 1"},
      {0ms, "opened 1", "connected 1; 1> ask 1 A"},
      {0ms, "refused 1 99", "subscription_refused"},
      {10s, "", "subscription_silent A 1; 1> ask 2 A"},
  });
}

BOOST_AUTO_TEST_CASE(it_connects_for_ever_waiting_longer_each_time_up_to_a_minute) {
  how.stale_after = 1h;
  begin(rules(), {"A"});
  tell_story({
      {0ms, "start", "connecting 1; open 1"},
      {0ms, "closed 1", "close 1; disconnected 1 wait 1000"},
      {1s, "closed 2", "connecting 2; open 2; close 2; disconnected 2 wait 2000"},
      {2s, "closed 3", "connecting 3; open 3; close 3; disconnected 3 wait 4000"},
      {4s, "closed 4", "connecting 4; open 4; close 4; disconnected 4 wait 8000"},
      {8s, "closed 5", "connecting 5; open 5; close 5; disconnected 5 wait 16000"},
      {16s, "closed 6", "connecting 6; open 6; close 6; disconnected 6 wait 32000"},
      {32s, "closed 7", "connecting 7; open 7; close 7; disconnected 7 wait 60000"},
      {60s, "closed 8", "connecting 8; open 8; close 8; disconnected 8 wait 60000"},
      {60s, "opened 9", "connecting 9; open 9; connected 1; 9> ask 1 A"},
      {9s, "closed 9", "close 9; disconnected 9 wait 60000"}, // not stable yet
      {60s, "opened 10", "connecting 10; open 10; connected 1; 10> ask 1 A"},
      {1s, "ack 10 1", "subscribed 1"},
      {9s, "closed 10", "close 10; disconnected 1 wait 1000; lost A"}, // stable: from the beginning
  });
}

BOOST_AUTO_TEST_CASE(a_connection_that_never_opens_is_given_up) {
  begin(rules(), {"A"});
  tell_story({
      {0ms, "start", "connecting 1; open 1"},
      {15s, "", "close 1; disconnected 1 wait 1000"},
  });
}

BOOST_AUTO_TEST_CASE(only_silence_replaces_a_connection_and_any_sign_of_life_ends_silence) {
  begin(rules(), {"A"});
  how.stale_after = 1h;
  begin(rules(), {"A"});
  tell_story({
      {0ms, "start", "connecting 1; open 1"},
      {0ms, "opened 1", "connected 1; 1> ask 1 A"},
      {1s, "ack 1 1", "subscribed 1"},
      {58s, "heard", ""},
      {59999ms, "", ""},
      {1ms, "", "quiet; close 1; disconnected 1 wait 1000; lost A"},
  });
}

BOOST_AUTO_TEST_CASE(a_symbol_without_data_is_told_once_and_once_more_when_it_is_fresh) {
  begin(rules(), {"A", "B"});
  tell_story({
      {0ms, "start", "connecting 1; open 1"},
      {0ms, "opened 1", "connected 2; 1> ask 1 A B"},
      {1s, "ack 1 1", "subscribed 2"},
      {29s, "data 1 A", ""},
      {29s, "data 1 A", ""},
      {1s, "data 1 A", "stale B"},
      {50s, "data 1 A", ""},
      {30s, "data 1 A", ""},
  });
  BOOST_TEST(sut->count().stale == 1u);
  BOOST_TEST(sut->count().connections == 1u); // a quiet symbol replaces nothing
  tell_story({
      {0ms, "data 1 B", "fresh B"},
      {0ms, "data 1 B", ""},
  });
  BOOST_TEST(sut->count().stale == 0u);
}

BOOST_AUTO_TEST_CASE(before_an_announced_close_a_new_connection_takes_over) {
  begin(rules(), {"A", "B"});
  tell_story({
      {0ms, "start", "connecting 1; open 1"},
      {0ms, "opened 1", "connected 2; 1> ask 1 A B"},
      {0ms, "ack 1 1", "subscribed 2"},
      {10s, "announced 1", "notice; replacing; connecting 1; open 2"},
      {0ms, "announced 1", "notice"},
      {1s, "opened 2", "connected 2; 2> ask 1 A B"},
      {0ms, "data 1 A", ""}, // both are heard
      {0ms, "ack 2 1", "subscribed 2"},
      {1s, "data 2 A", ""},
      {1s, "data 2 B", "close 1; replaced 2"},
      {0ms, "closed 1", ""},
      {0ms, "data 1 A", "not ours"}, // nothing to us any more
  });
  BOOST_TEST(sut->count().replacements == 1u);
  BOOST_TEST(sut->count().reconnects == 0u);
}

BOOST_AUTO_TEST_CASE(an_announced_close_of_a_connection_that_just_began_makes_no_loop) {
  begin(rules(), {"A"});
  tell_story({
      {0ms, "start", "connecting 1; open 1"},
      {0ms, "opened 1", "connected 1; 1> ask 1 A"},
      {0ms, "ack 1 1", "subscribed 1"},
      {1s, "announced 1", "notice; replacing"},
      {999ms, "", ""},
      {1ms, "", "connecting 2; open 2"},
      {0ms, "opened 2", "connected 1; 2> ask 1 A"},
      {1s, "announced 2", "notice; close 2; disconnected 2 wait 2000"},
      {2s, "opened 3", "connecting 3; open 3; connected 1; 3> ask 1 A"},
      {0ms, "data 3 A", "subscribed 1; close 1; replaced 1"},
  });
}

BOOST_AUTO_TEST_CASE(a_quiet_symbol_does_not_hold_up_the_new_connection_for_long) {
  begin(rules(), {"A", "B"});
  tell_story({
      {0ms, "start", "connecting 1; open 1"},
      {0ms, "opened 1", "connected 2; 1> ask 1 A B"},
      {0ms, "ack 1 1", "subscribed 2"},
      {10s, "data 1 A", ""},
      {0ms, "announced 1", "notice; replacing; connecting 1; open 2"},
      {0ms, "opened 2", "connected 2; 2> ask 1 A B"},
      {0ms, "data 2 A", ""},
      {1s, "ack 2 1", "subscribed 2"},
      {4999ms, "", ""},
      {1ms, "", "close 1; replaced 2"},
  });
}

BOOST_AUTO_TEST_CASE(a_new_connection_that_is_silent_does_not_take_over_while_the_old_one_delivers) {
  begin(rules(), {"A"});
  std::vector<step> story{
      {0ms, "start", "connecting 1; open 1"},
      {0ms, "opened 1", "connected 1; 1> ask 1 A"},
      {0ms, "ack 1 1", "subscribed 1"},
      {10s, "data 1 A", ""},
      {0ms, "announced 1", "notice; replacing; connecting 1; open 2"},
      {0ms, "opened 2", "connected 1; 2> ask 1 A"},
      {0ms, "ack 2 1", "subscribed 1"},
  };
  for (int i = 0; i < 8; ++i) {
    story.push_back({10s, "data 1 A", ""});
    story.push_back({0ms, "heard", ""});
  }
  story.push_back({10s, "data 1 A", "close 2; disconnected 1 wait 1000"});
  story.push_back({1s, "opened 3", "connecting 2; open 3; connected 1; 3> ask 1 A"});
  story.push_back(
      {1s, "closed 1", "close 1; disconnected 1; lost A"}); // it ends first: what there is goes on
  story.push_back({1s, "data 3 A", "subscribed 1"});
  tell_story(story);
}

BOOST_AUTO_TEST_CASE(when_the_old_connection_ends_early_only_what_the_new_one_has_not_delivered_is_lost) {
  begin(rules(), {"A", "B", "C"});
  tell_story({
      {0ms, "start", "connecting 1; open 1"},
      {0ms, "opened 1", "connected 3; 1> ask 1 A B; 1> ask 2 C"},
      {0ms, "ack 1 1", ""},
      {0ms, "ack 1 2", "subscribed 3"},
      {10s, "announced 1", "notice; replacing; connecting 1; open 2"},
      {0ms, "opened 2", "connected 3; 2> ask 1 A B; 2> ask 2 C"},
      {0ms, "data 2 B", ""},
      {0ms, "closed 1", "close 1; disconnected 1; lost A; lost C"},
      {0ms, "data 2 A", ""},
      {0ms, "data 2 C", "subscribed 3"},
  });
  BOOST_TEST(sut->count().connections == 1u);
}

BOOST_AUTO_TEST_CASE(a_connection_is_replaced_before_the_exchange_ends_it_for_its_age) {
  auto with = rules();
  with.replace_after = 23h;
  with.dead_after = 48h;
  how.stale_after = 48h;
  begin(with, {"A"});
  tell_story({
      {0ms, "start", "connecting 1; open 1"},
      {0ms, "opened 1", "connected 1; 1> ask 1 A"},
      {0ms, "data 1 A", "subscribed 1"},
      {22h, "data 1 A", ""},
      {59min, "data 1 A", ""},
      {1min, "", "replacing; connecting 1; open 2"},
      {0ms, "opened 2", "connected 1; 2> ask 1 A"},
      {0ms, "data 2 A", "subscribed 1; close 1; replaced 1"},
      {22h, "data 2 A", ""},
      {1h, "", "replacing; connecting 1; open 3"},
  });
}

BOOST_AUTO_TEST_CASE(a_connection_on_which_every_symbol_is_quiet_is_replaced_less_and_less_often) {
  begin(rules(), {"A", "B"});
  tell_story({
      {0ms, "start", "connecting 1; open 1"},
      {0ms, "opened 1", "connected 2; 1> ask 1 A B"},
      {0ms, "ack 1 1", "subscribed 2"},
      {30s, "data 1 A", ""},
      {29s, "heard", ""},
      {1s, "heard", "stale B"},
      {29s, "heard", ""},
      {1s, "heard", "stale A; replacing; connecting 1; open 2"},
      {0ms, "opened 2", "connected 2; 2> ask 1 A B"},
      {0ms, "ack 2 1", "subscribed 2"},
      {5s, "heard", "close 1; replaced 2"},
  });
  for (int i = 0; i < 9; ++i) tell_story({{30s, "heard", ""}});
  tell_story({
      {25s, "heard", "replacing; connecting 1; open 3"}, // 5 min after the first time
      {0ms, "opened 3", "connected 2; 3> ask 1 A B"},
      {0ms, "data 3 A", "fresh A"},
      {0ms, "data 3 B", "subscribed 2; fresh B; close 2; replaced 2"},
  });
}

BOOST_AUTO_TEST_CASE(a_quiet_connection_that_is_lost_is_looked_at_again_only_when_it_stands) {
  begin(rules(), {"A"});
  tell_story({
      {0ms, "start", "connecting 1; open 1"},
      {0ms, "opened 1", "connected 1; 1> ask 1 A"},
      {0ms, "ack 1 1", "subscribed 1"},
      {59s, "heard", ""},
      {1s, "heard", "stale A; replacing; connecting 1; open 2"},
      {0ms, "opened 2", "connected 1; 2> ask 1 A"},
      {0ms, "ack 2 1", "subscribed 1"},
      {5s, "heard", "close 1; replaced 1"},
      {10s, "closed 2", "close 2; disconnected 1 wait 1000; lost A"},
      {1s, "", "connecting 2; open 3"},
      {14s, "", ""},
      {1s, "", "close 3; disconnected 2 wait 2000"},
  });
  // Nobody opens it for ten minutes: it wakes for nothing but its attempts.
  session_actions out;
  wait(10min, out);
}

BOOST_AUTO_TEST_CASE(symbols_are_split_over_connections_and_connects_are_paced) {
  auto with = rules();
  with.symbols_per_connection = 2;
  with.connects = {2, 10s};
  begin(with, {"A", "B", "C", "D", "E"});
  tell_story({
      {0ms, "start", "connecting 1; open 1; connecting 1; open 2"},
      {0ms, "opened 1", "connected 2; 1> ask 1 A B"},
      {0ms, "opened 2", "connected 2; 2> ask 1 C D"},
      {0ms, "ack 1 1", "subscribed 2"},
      {9999ms, "ack 2 1", "subscribed 2"},
      {1ms, "", "connecting 1; open 3"},
      {0ms, "opened 3", "connected 1; 3> ask 1 E"},
      {0ms, "data 3 A", "not ours"}, // it carries E only
      {0ms, "data 3 E", "subscribed 1"},
      {0ms, "closed 2", "close 2; disconnected 1 wait 1000; lost C; lost D"}, // the others go on
      {1s, "opened 4", "connecting 2; open 4; connected 2; 4> ask 1 C D"},
  });
  BOOST_TEST(sut->count().connections == 3u);
  BOOST_TEST(sut->count().symbols == 5u);
}

BOOST_AUTO_TEST_CASE(arguments_may_fill_a_connection_before_their_number_does) {
  auto with = rules();
  with.name_bytes_per_connection = 40; // 16 beside each name
  begin(with, {"AAAA", "BBBB", "CCCC"});
  tell_story({{0ms, "start", "connecting 1; open 1; connecting 1; open 2"},
              {0ms, "opened 1", "connected 2; 1> ask 1 AAAA BBBB"},
              {0ms, "opened 2", "connected 1; 2> ask 1 CCCC"}});
}

BOOST_AUTO_TEST_CASE(requests_and_messages_have_budgets_of_their_own) {
  auto with = rules();
  with.symbols_per_request = 1;
  with.messages_of_all = {3, 1s};
  with.requests_of_one = {2, 1h};
  with.symbols_per_connection = 3;
  how.patience.acknowledge_within = 2h;
  how.stale_after = 3h;
  with.dead_after = 3h;
  begin(with, {"A", "B", "C", "D"});
  tell_story({
      {0ms, "start", "connecting 1; open 1; connecting 1; open 2"},
      {0ms, "opened 1", "connected 3; 1> ask 1 A; 1> ask 2 B"},
      {0ms, "opened 2", "connected 1; 2> ask 1 D"}, // the third message of all
      {59min, "", ""},
      {1min, "", "1> ask 3 C"}, // an hour after the first request
  });
}

BOOST_AUTO_TEST_CASE(subscriptions_follow_the_symbols_by_difference) {
  begin(rules(), {"A", "B"});
  tell_story({
      {0ms, "start", "connecting 1; open 1"},
      {0ms, "opened 1", "connected 2; 1> ask 1 A B"},
      {0ms, "ack 1 1", "subscribed 2"},
      {1s, "follow A C D", "gone B; symbols_changed; 1> drop 2 B; 1> ask 3 C D"},
      {0ms, "data 1 B", "not ours"}, // was on its way
      {1s, "ack 1 3", "subscribed 3"},
      {0ms, "follow A C D", ""},
      {0ms, "follow C", "gone A; gone D; symbols_changed; 1> drop 4 A D"},
      {0ms, "follow", "gone C; symbols_changed; close 1"},
      {1h, "", ""},
      {0ms, "follow B", "symbols_changed; connecting 1; open 2"},
  });
}

BOOST_AUTO_TEST_CASE(symbols_may_change_while_nothing_is_connected_or_one_connection_replaces_another) {
  begin(rules(), {"A"});
  tell_story({
      {0ms, "start", "connecting 1; open 1"},
      {0ms, "follow A B", "symbols_changed"},
      {0ms, "opened 1", "connected 2; 1> ask 1 A B"},
      {0ms, "ack 1 1", "subscribed 2"},
      {10s, "announced 1", "notice; replacing; connecting 1; open 2"},
      {1s, "opened 2", "connected 2; 2> ask 1 A B"},
      {1s, "follow A C", "gone B; symbols_changed; 2> drop 2 B; 2> ask 3 C; 1> drop 2 B; 1> ask 3 C"},
      {0ms, "ack 2 1", ""},
      {1s, "ack 2 3", "subscribed 2"},
      {0ms, "data 2 A", ""},
      {0ms, "data 2 C", "close 1; replaced 2"},
  });
}

BOOST_AUTO_TEST_CASE(pings_go_out_in_their_interval) {
  auto with = rules();
  with.ping = "ping";
  with.ping_after = 20s;
  begin(with, {"A"});
  tell_story({
      {0ms, "start", "connecting 1; open 1"},
      {0ms, "opened 1", "connected 1; 1> ask 1 A"},
      {1s, "data 1 A", "subscribed 1"},
      {18s, "heard", ""},
      {1s, "heard", "1> ping"},
      {19s, "heard", ""},
      {1s, "heard", "1> ping"},
  });
}

BOOST_AUTO_TEST_CASE(where_pings_are_for_silence_data_puts_them_off) {
  auto with = rules();
  with.ping = "ping";
  with.ping_after = 20s;
  with.ping_when_quiet = true;
  with.dead_after = 35s;
  how.stale_after = 1h;
  begin(with, {"A"});
  tell_story({
      {0ms, "start", "connecting 1; open 1"},
      {0ms, "opened 1", "connected 1; 1> ask 1 A"},
      {1s, "data 1 A", "subscribed 1"},
      {18s, "heard", ""},
      {19s, "heard", ""},
      {20s, "", "1> ping"},
      {15s, "", "quiet; close 1; disconnected 1 wait 1000; lost A"},
  });
}

BOOST_AUTO_TEST_CASE(after_a_stop_nothing_happens) {
  begin(rules(), {"A"});
  tell_story({
      {0ms, "start", "connecting 1; open 1"},
      {0ms, "opened 1", "connected 1; 1> ask 1 A"},
      {0ms, "stop", "close 1"},
      {1h, "closed 1", ""},
      {0ms, "data 1 A", "not ours"},
      {0ms, "stop", ""},
  });
  BOOST_TEST(!sut->next_wake());
}

BOOST_AUTO_TEST_CASE(symbols_beyond_what_the_exchange_allows_are_left_out_aloud) {
  auto with = rules();
  with.symbols_per_connection = 2;
  with.connections = 1;
  begin(with, {"A", "B", "C"});
  tell_story({{0ms, "start", "subscription_refused C; connecting 1; open 1"}});
  BOOST_TEST(sut->count().refused == 1u);
  begin(rules(), {});
  tell_story({{0ms, "start", ""}});
  BOOST_TEST(!sut->next_wake());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater
