#include "actors/feed/session.hpp"

#include <boost/test/unit_test.hpp>

#include <memory>
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

/// A language of one word a request: "ask 1 A B".
class plain_dialect : public dialect {
public:
  plain_dialect(exchange_rules rules, const std::vector<std::string>& symbols)
      : dialect(std::move(rules), symbol_names{exchange::binance, market::spot, symbols, {}}) {}
  frame_content read(std::string_view, wall_time, std::vector<candle>&) override { return other_read{}; }
  std::string subscribe_text(std::uint64_t id, std::span<const std::string_view> theirs) const override {
    auto text = std::string{"ask "} + std::to_string(id);
    for (auto name : theirs) (text += ' ') += name;
    return text;
  }
};

struct session_fixture {
  mono_time now{1h};
  std::unique_ptr<plain_dialect> speaks;
  std::unique_ptr<session> sut;
  session_settings how;

  static exchange_rules rules() {
    return {.url = "ws://x",
            .messages = 2,
            .per = 1s,
            .symbols_per_request = 2,
            .symbols_per_connection = 6,
            .ping = "",
            .dead_after = 60s};
  }
  void begin(exchange_rules with, const std::vector<std::string>& symbols) {
    how.wait = {1s, 60s, 0.0};
    speaks = std::make_unique<plain_dialect>(std::move(with), symbols);
    sut = std::make_unique<session>(*speaks, how);
  }

  /// Plays "start", "opened 1", "closed 1", "heard", "ack 2", "ack 0 A", "refused 2", "refused 0 A", "stands
  /// 2", "data A", "announced", "stop" or "" (only time passes, in steps the session asks for).
  session_actions play(const std::string& what) {
    const auto word = what.substr(0, what.find(' '));
    const auto rest = what.size() > word.size() ? what.substr(word.size() + 1) : std::string{};
    const auto number = rest.empty() || rest.find_first_of("0123456789") != 0 ? 0 : std::stoull(rest);
    const auto symbol = rest.find(' ') == rest.npos ? std::string{} : rest.substr(rest.find(' ') + 1);
    if (word == "start") return sut->start(now);
    if (word == "opened") return sut->on_opened(number, now);
    if (word == "closed") return sut->on_closed(number, "reset", now);
    if (word == "ack") return sut->on_acknowledged({number, symbol}, now);
    if (word == "refused") return sut->on_refused({number, symbol, "no", false}, now);
    if (word == "stands") return sut->on_refused({number, symbol, "no", true}, now);
    if (word == "data") {
      sut->on_heard(now);
      return sut->on_data(rest, now);
    }
    if (word == "announced") return sut->on_closing_announced("soon", now);
    if (word == "stop") return sut->stop();
    if (word == "heard") sut->on_heard(now);
    return {};
  }

  static std::string in_words(const session_actions& actions) {
    std::string text;
    for (const auto& action : actions) {
      if (!text.empty()) text += "; ";
      if (const auto* open = std::get_if<open_socket>(&action))
        (text += "open ") += std::to_string(open->number);
      else if (const auto* sent = std::get_if<send_text>(&action))
        text += sent->text;
      else if (const auto* told = std::get_if<tell>(&action)) {
        text += info_of(told->what).name;
        if (!told->symbol.empty()) (text += " ") += told->symbol;
        if (told->count > 0) (text += " ") += std::to_string(told->count);
        if (told->wait >= 0ms) (text += " wait ") += std::to_string(told->wait.count());
      } else
        text += "close";
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
      {0ms, "start", "feed_connecting 1; open 1"},
      {50ms, "opened 1", "feed_connected 5; ask 1 A B; ask 2 C D"},
      {10ms, "ack 1", ""},
      {989ms, "ack 2", ""},
      {1ms, "", "ask 3 E"},
      {10ms, "ack 3", "feed_subscribed 5"},
  });
  BOOST_TEST(sut->subscribed() == 5u);
  BOOST_TEST(sut->connected());
}

BOOST_AUTO_TEST_CASE(a_candle_acknowledges_its_symbol) {
  begin(rules(), {"A", "B", "C"});
  tell_story({
      {0ms, "start", "feed_connecting 1; open 1"},
      {0ms, "opened 1", "feed_connected 3; ask 1 A B; ask 2 C"},
      {0ms, "data B", ""},
      {0ms, "ack 0 C", ""},
      {0ms, "data A", "feed_subscribed 3"},
  });
}

BOOST_AUTO_TEST_CASE(
    what_is_not_acknowledged_is_asked_again_and_after_three_tries_the_connection_is_replaced) {
  begin(rules(), {"A", "B", "C"});
  tell_story({
      {0ms, "start", "feed_connecting 1; open 1"},
      {0ms, "opened 1", "feed_connected 3; ask 1 A B; ask 2 C"},
      {1s, "ack 1", ""},
      {8999ms, "heard", ""},
      {1ms, "heard", "feed_subscription_silent C 1; ask 3 C"},
      {10s, "heard", "feed_subscription_silent C 1; ask 4 C"},
      {9999ms, "heard", ""},
      {1ms, "", "close; feed_disconnected 1 wait 1000"},
      {1s, "", "feed_connecting 2; open 2"},
      {0ms, "opened 1", ""}, // the old socket means nothing any more
      {0ms, "opened 2", "feed_connected 3; ask 5 A B; ask 6 C"},
  });
  BOOST_TEST(sut->reconnects() == 1u);
}

BOOST_AUTO_TEST_CASE(a_refused_symbol_is_given_up_until_the_next_connect) {
  begin(rules(), {"A", "B"});
  tell_story({
      {0ms, "start", "feed_connecting 1; open 1"},
      {0ms, "opened 1", "feed_connected 2; ask 1 A B"},
      {0ms, "refused 1 B", "feed_subscription_refused B"},
      {0ms, "ack 0 A", ""},
      {30s, "heard", ""},
      {0ms, "closed 1", "close; feed_disconnected 1 wait 1000"},
      {1s, "opened 2", "feed_connecting 2; open 2; feed_connected 2; ask 2 A B"},
  });
  BOOST_TEST(sut->refused() == 0u);
}

BOOST_AUTO_TEST_CASE(a_refusal_of_several_symbols_is_split_and_each_asked_for_by_itself) {
  begin(rules(), {"A", "B"});
  tell_story({
      {0ms, "start", "feed_connecting 1; open 1"},
      {0ms, "opened 1", "feed_connected 2; ask 1 A B"},
      {0ms, "refused 1", "ask 2 A"},
      {1s, "", "ask 3 B"},
      {0ms, "stands 2", ""},
      {0ms, "refused 3", "feed_subscription_refused B"},
  });
  BOOST_TEST(sut->subscribed() == 1u);
  BOOST_TEST(sut->refused() == 1u);
}

BOOST_AUTO_TEST_CASE(a_refusal_of_nobody_knows_what_is_told) {
  begin(rules(), {"A"});
  tell_story({
      {0ms, "start", "feed_connecting 1; open 1"},
      {0ms, "opened 1", "feed_connected 1; ask 1 A"},
      {0ms, "refused 99", "feed_subscription_refused"},
      {10s, "", "feed_subscription_silent A 1; ask 2 A"},
  });
}

BOOST_AUTO_TEST_CASE(it_connects_for_ever_waiting_longer_each_time_up_to_a_minute) {
  begin(rules(), {"A"});
  tell_story({
      {0ms, "start", "feed_connecting 1; open 1"},
      {0ms, "closed 1", "close; feed_disconnected 1 wait 1000"},
      {1s, "closed 2", "feed_connecting 2; open 2; close; feed_disconnected 2 wait 2000"},
      {2s, "closed 3", "feed_connecting 3; open 3; close; feed_disconnected 3 wait 4000"},
      {4s, "closed 4", "feed_connecting 4; open 4; close; feed_disconnected 4 wait 8000"},
      {8s, "closed 5", "feed_connecting 5; open 5; close; feed_disconnected 5 wait 16000"},
      {16s, "closed 6", "feed_connecting 6; open 6; close; feed_disconnected 6 wait 32000"},
      {32s, "closed 7", "feed_connecting 7; open 7; close; feed_disconnected 7 wait 60000"},
      {60s, "closed 8", "feed_connecting 8; open 8; close; feed_disconnected 8 wait 60000"},
      {60s, "opened 9", "feed_connecting 9; open 9; feed_connected 1; ask 1 A"},
      {9s, "closed 9", "close; feed_disconnected 9 wait 60000"}, // not stable yet
      {60s, "opened 10", "feed_connecting 10; open 10; feed_connected 1; ask 2 A"},
      {1s, "ack 2", "feed_subscribed 1"},
      {9s, "closed 10", "close; feed_disconnected 1 wait 1000"}, // stable: from the beginning
  });
}

BOOST_AUTO_TEST_CASE(a_connection_that_never_opens_is_given_up) {
  begin(rules(), {"A"});
  tell_story({
      {0ms, "start", "feed_connecting 1; open 1"},
      {15s, "", "close; feed_disconnected 1 wait 1000"},
  });
}

BOOST_AUTO_TEST_CASE(only_silence_replaces_a_connection_and_any_sign_of_life_ends_silence) {
  begin(rules(), {"A"});
  how.stale_after = 1h;
  begin(rules(), {"A"});
  tell_story({
      {0ms, "start", "feed_connecting 1; open 1"},
      {0ms, "opened 1", "feed_connected 1; ask 1 A"},
      {1s, "ack 1", "feed_subscribed 1"},
      {58s, "heard", ""},
      {59999ms, "", ""},
      {1ms, "", "feed_quiet; close; feed_disconnected 1 wait 1000"},
  });
}

BOOST_AUTO_TEST_CASE(a_symbol_without_data_is_told_once_and_once_more_when_it_is_fresh) {
  begin(rules(), {"A", "B"});
  tell_story({
      {0ms, "start", "feed_connecting 1; open 1"},
      {0ms, "opened 1", "feed_connected 2; ask 1 A B"},
      {1s, "ack 1", "feed_subscribed 2"},
      {30s, "data A", ""},
      {29s, "heard", ""},
      {1s, "heard", "feed_stale B"},
      {29s, "heard", ""},
      {1s, "heard", "feed_stale A"},
      {50s, "heard", ""},
      {0ms, "data B", "feed_fresh B"},
      {0ms, "data B", ""},
  });
  BOOST_TEST(sut->stale() == 1u);
  BOOST_TEST(sut->connected()); // a quiet symbol replaces nothing
}

BOOST_AUTO_TEST_CASE(an_announced_close_is_answered_by_a_new_connection_at_once) {
  begin(rules(), {"A"});
  tell_story({
      {0ms, "start", "feed_connecting 1; open 1"},
      {0ms, "opened 1", "feed_connected 1; ask 1 A"},
      {0ms, "ack 1", "feed_subscribed 1"},
      {10s, "announced", "feed_notice; close; feed_disconnected wait 0; feed_connecting 1; open 2"},
      {0ms, "opened 2", "feed_connected 1; ask 2 A"},
      {1s, "announced", "feed_notice; close; feed_disconnected 1 wait 1000"}, // but not in a loop
  });
}

BOOST_AUTO_TEST_CASE(pings_go_out_in_their_interval) {
  auto with = rules();
  with.ping = "ping";
  with.ping_after = 20s;
  begin(with, {"A"});
  tell_story({
      {0ms, "start", "feed_connecting 1; open 1"},
      {0ms, "opened 1", "feed_connected 1; ask 1 A"},
      {1s, "data A", "feed_subscribed 1"},
      {18s, "heard", ""},
      {1s, "heard", "ping"},
      {19s, "heard", ""},
      {1s, "heard", "ping"},
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
      {0ms, "start", "feed_connecting 1; open 1"},
      {0ms, "opened 1", "feed_connected 1; ask 1 A"},
      {1s, "data A", "feed_subscribed 1"},
      {18s, "heard", ""},
      {19s, "heard", ""},
      {20s, "", "ping"},
      {15s, "", "feed_quiet; close; feed_disconnected 1 wait 1000"},
  });
}

BOOST_AUTO_TEST_CASE(after_a_stop_nothing_happens) {
  begin(rules(), {"A"});
  tell_story({
      {0ms, "start", "feed_connecting 1; open 1"},
      {0ms, "opened 1", "feed_connected 1; ask 1 A"},
      {0ms, "stop", "close"},
      {1h, "closed 1", ""},
      {0ms, "data A", ""},
      {0ms, "stop", ""},
  });
  BOOST_TEST(!sut->next_wake());
}

BOOST_AUTO_TEST_CASE(symbols_one_connection_may_not_carry_are_left_out_aloud) {
  begin(rules(), {"A", "B", "C", "D", "E", "F", "G"});
  tell_story({{0ms, "start", "feed_subscription_refused G; feed_connecting 1; open 1"}});
  begin(rules(), {});
  tell_story({{0ms, "start", ""}});
  BOOST_TEST(!sut->next_wake());
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
} // namespace breakwater
