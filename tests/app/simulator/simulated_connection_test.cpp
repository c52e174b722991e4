#include "app/simulator/simulated_exchanges.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <initializer_list>
#include <ostream>

using namespace breakwater;
using namespace std::chrono_literals;

namespace {

constexpr auto began = wall_time_from_ms(1'767'571'200'000); // 2026-01-05T00:00:00Z

struct line {
  std::chrono::milliseconds at; ///< Since `began`.
  std::string text;
};

/// One client of exchanges where `faults` go wrong, in a time of its own.
struct visit {
  std::unique_ptr<simulated_exchanges> exchanges;
  std::unique_ptr<simulated_connection> sut;
  wall_time now = began;
  std::vector<line> heard;
  wire_actions end;
  std::chrono::milliseconds ended_at{};

  visit(std::string_view target, std::initializer_list<std::string_view> faults)
      : exchanges{std::make_unique<simulated_exchanges>(options(faults), began)},
        sut{exchanges->connect(target, began).connection} {
    BOOST_REQUIRE(sut);
    note(sut->on_open(now));
  }

  static simulator_options options(std::initializer_list<std::string_view> faults) {
    simulator_options out;
    out.symbols = {"BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT", "DOGEUSDT", "ADAUSDT", "TRXUSDT"};
    for (auto text : faults) out.faults.push_back(*parse_fault_rule(text));
    return out;
  }

  void note(wire_actions what) {
    for (auto& text : what.texts) heard.push_back({now - began, std::move(text)});
    what.texts.clear();
    if (what.end == wire_actions::ending::none) return;
    end = std::move(what);
    ended_at = now - began;
  }
  std::vector<std::string> say(std::string_view text) {
    const auto from = heard.size();
    note(sut->on_text(text, now));
    std::vector<std::string> out;
    for (auto i = from; i < heard.size(); ++i) out.push_back(heard[i].text);
    return out;
  }
  void wait_until(std::chrono::milliseconds since_start) {
    while (now < began + since_start && end.end == wire_actions::ending::none) {
      now += 50ms;
      note(sut->frames_due(now));
    }
  }
  /// What was heard of `part` from then until then.
  [[nodiscard]] std::vector<std::string> texts(std::string_view part, std::chrono::milliseconds from,
                                               std::chrono::milliseconds to) const {
    std::vector<std::string> out;
    for (const auto& [at, text] : heard)
      if (at >= from && at < to && text.find(part) != std::string::npos) out.push_back(text);
    return out;
  }
  [[nodiscard]] std::uint64_t done(fault what) const {
    return exchanges->faults_done()[static_cast<std::size_t>(what)];
  }
};

struct exchange_row {
  std::string_view name, target, subscribe, frame, answer;
};
std::ostream& operator<<(std::ostream& out, const exchange_row& row) { return out << row.name; }

constexpr exchange_row rows[] = {
    {"binance", "/stream",
     R"({"method":"SUBSCRIBE","params":["btcusdt@kline_1m","ethusdt@kline_1m","solusdt@kline_1m","bnbusdt@kline_1m","xrpusdt@kline_1m","dogeusdt@kline_1m"],"id":7})",
     R"("e":"kline")", R"("result":null)"},
    {"bybit", "/v5/public/linear",
     R"({"op":"subscribe","args":["kline.1.BTCUSDT","kline.1.ETHUSDT","kline.1.SOLUSDT","kline.1.BNBUSDT","kline.1.XRPUSDT","kline.1.DOGEUSDT"]})",
     R"("topic":"kline.1.)", R"("success":true)"},
    {"coinbase", "/coinbase",
     R"({"type":"subscribe","product_ids":["BTC-USD","ETH-USD","SOL-USD","BNB-USD","XRP-USD","DOGE-USD"],"channels":["matches","heartbeat"]})",
     R"("type":"match")", R"("type":"subscriptions")"},
    {"okx", "/ws/v5/business",
     R"({"op":"subscribe","args":[{"channel":"candle1m","instId":"BTC-USDT"},{"channel":"candle1m","instId":"ETH-USDT"},{"channel":"candle1m","instId":"SOL-USDT"},{"channel":"candle1m","instId":"BNB-USDT"},{"channel":"candle1m","instId":"XRP-USDT"},{"channel":"candle1m","instId":"DOGE-USDT"}]})",
     R"("data":[[")", R"("event":"subscribe")"},
    {"kraken", "/v2",
     R"({"method":"subscribe","params":{"channel":"ohlc","symbol":["BTC/USDT","ETH/USDT","SOL/USDT","BNB/USDT","XRP/USDT","DOGE/USDT"],"snapshot":false}})",
     R"("type":"update","timestamp")", R"("success":true)"},
};
constexpr std::size_t symbols = 6; ///< Subscribed to by each.

/// Subscribes to one symbol, or unsubscribes.
std::string request(const exchange_row& row, bool adds, std::string coin) {
  const std::string verb = adds ? "subscribe" : "unsubscribe";
  if (row.name == "binance") {
    for (auto& c : coin) c = static_cast<char>(c - 'A' + 'a');
    return R"({"method":")" + std::string{adds ? "SUBSCRIBE" : "UNSUBSCRIBE"} + R"(","params":[")" + coin +
           R"(usdt@kline_1m"],"id":8})";
  }
  if (row.name == "bybit") return R"({"op":")" + verb + R"(","args":["kline.1.)" + coin + R"(USDT"]})";
  if (row.name == "coinbase")
    return R"({"type":")" + verb + R"(","product_ids":[")" + coin + R"(-USD"],"channels":["matches"]})";
  if (row.name == "okx")
    return R"({"op":")" + verb + R"(","args":[{"channel":"candle1m","instId":")" + coin + R"(-USDT"}]})";
  return R"({"method":")" + verb + R"(","params":{"channel":"ohlc","symbol":[")" + coin +
         R"(/USDT"],"snapshot":false}})";
}

/// A fault of ten seconds, ten seconds after the start, at every exchange at that time.
std::string at_ten_seconds(std::string_view kind, const exchange_row& row) {
  return std::string{kind} + ",exchange=" + std::string{row.name} + ",after=10s,for=10s,every=10m";
}

/// A client that subscribes and listens; without faults where `kind` is empty.
visit played(std::string_view kind, const exchange_row& row, std::chrono::milliseconds until = 30s) {
  const auto fault = at_ten_seconds(kind.empty() ? "cut" : kind, row);
  visit v = kind.empty() ? visit{row.target, {}} : visit{row.target, {fault}};
  v.say(row.subscribe);
  v.wait_until(until);
  return v;
}

} // namespace

BOOST_AUTO_TEST_SUITE(simulated_connection_test)

BOOST_AUTO_TEST_CASE(behaves_without_faults) {
  for (const auto& row : rows) BOOST_TEST_CONTEXT(row) {
      const auto v = played("", row);
      BOOST_TEST(v.texts(row.answer, 0s, 1s).size() >= 1u);
      BOOST_TEST(v.texts(row.frame, 0s, 30s).size() > 30 * symbols);
      BOOST_TEST((v.end.end == wire_actions::ending::none));
      for (auto done : v.exchanges->faults_done()) BOOST_TEST(done == 0u);
    }
}

BOOST_AUTO_TEST_CASE(delays_frames_and_keeps_their_order) {
  for (const auto& row : rows) BOOST_TEST_CONTEXT(row) {
      const auto v = played("slow", row), calm = played("", row);
      BOOST_TEST(v.texts(row.frame, 10050ms, 13s).empty());
      BOOST_TEST(v.texts(row.frame, 13s, 23s).size() > 10 * symbols);
      BOOST_TEST(v.done(fault::slow) > 10u);
      BOOST_TEST((v.texts(row.frame, 0s, 23s) == calm.texts(row.frame, 0s, 23s)));
    }
}

BOOST_AUTO_TEST_CASE(breaks_without_a_word) {
  for (const auto& row : rows) BOOST_TEST_CONTEXT(row) {
      const auto v = played("cut", row);
      BOOST_TEST((v.end.end == wire_actions::ending::cut || v.end.end == wire_actions::ending::reset));
      BOOST_TEST((v.ended_at == 10s));
      BOOST_TEST(v.done(fault::cut) == 1u);
    }
}

BOOST_AUTO_TEST_CASE(leaves_a_connection_made_after_the_fault_alone) {
  simulated_exchanges exchanges{visit::options({"cut,exchange=bybit,after=10s,every=1m"}), began};
  const auto sut = exchanges.connect("/v5/public/spot", began + 11s).connection;
  sut->on_open(began + 11s);
  BOOST_TEST((sut->frames_due(began + 60s).end == wire_actions::ending::none));
  BOOST_TEST((sut->frames_due(began + 70s).end != wire_actions::ending::none));
}

BOOST_AUTO_TEST_CASE(falls_silent_and_still_answers) {
  for (const auto& row : rows) BOOST_TEST_CONTEXT(row) {
      auto v = played("silent", row, 12s);
      BOOST_TEST(!v.say(row.subscribe).empty());
      const auto answered = v.heard.size();
      v.wait_until(20s);
      BOOST_TEST(v.heard.size() - answered <= symbols); // heartbeats are silent, too
      v.wait_until(22s);
      BOOST_TEST(v.texts(row.frame, 20s, 22s).size() > symbols);
      BOOST_TEST(v.done(fault::silent) > 10u);
    }
}

BOOST_AUTO_TEST_CASE(silences_some_symbols) {
  constexpr std::string_view coins[] = {"BTC", "ETH", "SOL", "BNB", "XRP", "DOGE"};
  for (const auto& row : rows) BOOST_TEST_CONTEXT(row) {
      const auto v = played("silent,share=0.5", row);
      std::size_t silent = 0;
      for (auto coin : coins) {
        const auto mine = v.texts(row.frame, 11s, 20s);
        silent += std::none_of(mine.begin(), mine.end(),
                               [&](const auto& text) { return text.find(coin) != std::string::npos; });
      }
      BOOST_TEST(silent > 0u);
      BOOST_TEST(silent < symbols);
    }
}

BOOST_AUTO_TEST_CASE(sends_frames_twice) {
  for (const auto& row : rows) BOOST_TEST_CONTEXT(row) {
      const auto twice = played("duplicate", row).texts(row.frame, 11s, 20s);
      const auto once = played("", row).texts(row.frame, 11s, 20s);
      BOOST_REQUIRE_EQUAL(twice.size(), 2 * once.size());
      for (std::size_t i = 0; i < once.size(); ++i) {
        BOOST_TEST(twice[2 * i] == once[i]);
        BOOST_TEST(twice[2 * i + 1] == once[i]);
      }
    }
}

BOOST_AUTO_TEST_CASE(swaps_neighbours_and_loses_none) {
  for (const auto& row : rows) BOOST_TEST_CONTEXT(row) {
      const auto v = played("reordered", row);
      auto swapped = v.texts(row.frame, 0s, 30s);
      auto straight = played("", row).texts(row.frame, 0s, 30s);
      BOOST_TEST((swapped != straight));
      BOOST_TEST(v.done(fault::reordered) > 10u);
      std::size_t moved = 0;
      for (std::size_t i = 0; i < straight.size(); ++i) moved += swapped[i] != straight[i];
      BOOST_TEST(moved > 20u);
      std::sort(swapped.begin(), swapped.end());
      std::sort(straight.begin(), straight.end());
      BOOST_TEST((swapped == straight));
    }
}

BOOST_AUTO_TEST_CASE(garbles_every_fourth_frame) {
  for (const auto& row : rows) BOOST_TEST_CONTEXT(row) {
      const auto v = played("malformed", row);
      const auto straight = played("", row);
      std::vector<std::string> kinds;
      std::size_t garbled = 0;
      for (const auto& [at, text] : v.heard) {
        if (at < 10s || at >= 20s) continue;
        const auto good = straight.texts(text, 10s, 20s);
        garbled += good.empty() || std::find(good.begin(), good.end(), text) == good.end();
      }
      BOOST_TEST(garbled == v.done(fault::malformed));
      const auto frames = straight.texts(row.frame, 10s, 20s).size();
      BOOST_TEST(garbled >= frames / 4 - 1);
      BOOST_TEST(garbled <= frames / 4 + 1);
      BOOST_TEST(v.texts("<html>", 10s, 20s).size() > 0u);
      // Every other one comes in place of the frame.
      const auto left = v.texts(row.frame, 10s, 20s).size();
      BOOST_TEST(left < frames);
      BOOST_TEST(left + garbled >= frames);
    }
}

BOOST_AUTO_TEST_CASE(sends_a_huge_frame_of_another_channel_once) {
  for (const auto& row : rows) BOOST_TEST_CONTEXT(row) {
      const auto v = played("snapshot", row);
      std::vector<std::size_t> huge;
      for (const auto& each : v.heard)
        if (each.text.size() > 500'000) huge.push_back(each.text.size());
      BOOST_REQUIRE_EQUAL(huge.size(), 1u);
      BOOST_TEST(huge[0] >= 570'000u);
      BOOST_TEST(v.texts(row.frame, 11s, 30s).size() > 10 * symbols);
    }
}

BOOST_AUTO_TEST_CASE(answers_subscriptions_wrongly_in_every_way) {
  for (const auto& row : rows) BOOST_TEST_CONTEXT(row) {
      std::size_t lost = 0, refused = 0, unanswered = 0, mistaken = 0;
      for (int before = 0; before < 4; ++before) { // each way has its turn
        visit v{row.target, {at_ten_seconds("wrong_acknowledgement", row)}};
        const auto true_answer = v.say(request(row, true, "BTC"));
        v.wait_until(11s);
        for (int i = 0; i < before; ++i) v.say(request(row, false, "SOL"));
        const auto answer = v.say(request(row, true, "ETH"));
        BOOST_TEST(v.done(fault::wrong_acknowledgement) == static_cast<std::uint64_t>(before) + 1);
        v.wait_until(14s);
        auto frames = v.texts(row.frame, 11s, 14s);
        const bool subscribed = std::any_of(frames.begin(), frames.end(), [](const std::string& text) {
          return text.find("ETH") != text.npos || text.find("eth") != text.npos;
        });
        if (answer.empty())
          ++(subscribed ? unanswered : lost);
        else if (subscribed)
          mistaken += answer.back() == true_answer.back();
        else
          refused += answer.back().find(row.answer) == std::string::npos;
      }
      BOOST_TEST(lost == 1u);
      BOOST_TEST(refused == 1u);
      BOOST_TEST(unanswered == 1u);
      BOOST_TEST(mistaken == 1u);
    }
}

BOOST_AUTO_TEST_CASE(ends_the_day_and_announces_it_where_the_exchange_does) {
  for (const auto& row : rows) BOOST_TEST_CONTEXT(row) {
      const auto v = played("day_end", row, 90s);
      BOOST_TEST((v.end.end == wire_actions::ending::close));
      BOOST_TEST(v.end.code == 1001);
      BOOST_TEST(!v.end.broke_limit);
      const bool announces = row.name == "binance" || row.name == "okx";
      const auto told =
          v.texts(row.name == "binance" ? R"({"stream":"!serverShutdown","data":{"e":"serverShutdown","E":)"
                                        : R"({"event":"notice","code":"64008",)",
                  10s, 11s);
      BOOST_TEST(told.size() == (announces ? 1u : 0u));
      BOOST_TEST((v.ended_at >= (announces ? 40s : 10s)));
      BOOST_TEST((v.ended_at <= (announces ? 70s : 10s)));
      if (announces) BOOST_TEST(v.texts(row.frame, 11s, v.ended_at).size() > 10 * symbols);
    }
  visit bare{"/ws/btcusdt@kline_1m", {"day_end,exchange=binance,after=10s"}};
  bare.wait_until(11s);
  BOOST_TEST(bare.texts(R"({"e":"serverShutdown","E":)", 10s, 11s).size() == 1u);
}

BOOST_AUTO_TEST_CASE(tells_when_to_look_again) {
  for (auto kind : {"slow", "reordered", "day_end", "cut"})
    for (const auto& row : rows) BOOST_TEST_CONTEXT(row << " " << kind) {
        visit v{row.target, {at_ten_seconds(kind, row)}};
        v.say(row.subscribe);
        while (v.now < began + 30s && v.end.end == wire_actions::ending::none) {
          v.now = std::max(v.sut->next_due(v.now), v.now + 1ms);
          v.note(v.sut->frames_due(v.now));
        }
        const auto often = played(kind, row);
        BOOST_TEST((v.end.end == often.end.end));
        if (v.end.end != wire_actions::ending::none) BOOST_TEST((v.ended_at == often.ended_at));
        BOOST_TEST(v.texts(row.frame, 0s, 30s).size() * 10 >= often.texts(row.frame, 0s, 30s).size() * 9);
      }
}

BOOST_AUTO_TEST_SUITE_END()
