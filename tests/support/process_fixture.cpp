#include "tests/support/process_fixture.hpp"

#include "actors/aggregator/number.hpp"
#include "actors/support/emit_io.hpp"

#include <caf/event_based_actor.hpp>

#include <algorithm>
#include <cstdlib>
#include <functional>

namespace breakwater::test {

/// Something a fake does later.
struct later_call {
  std::shared_ptr<std::function<void()>> what;
};

} // namespace breakwater::test

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(breakwater::test::later_call)

namespace breakwater::test {
namespace {

constexpr std::array senders{exchange::binance, exchange::bybit, exchange::okx, exchange::kraken};

/// BREAKWATER_TEST_LOG=/dev/stderr shows what the process logs.
void keep_the_log_quiet() {
  const auto* file = std::getenv("BREAKWATER_TEST_LOG");
  log_settings how;
  how.file = file ? file : "/dev/null";
  (void)open_log(how);
}

std::string value_of(const entry_fields& record, std::string_view name) {
  for (const auto& [key, value] : record)
    if (key == name) return value;
  return "null";
}

std::string summary(const std::string& symbol, std::int64_t start_s,
                    const std::array<std::string, exchange_count>& prices) {
  auto text = symbol + " " + std::to_string(start_s);
  for (const auto& price : prices) text += " " + (price.empty() ? "null" : price);
  return text;
}

/// Where two lists of records part, in words; empty if they do not.
template <class List, class Text>
std::string difference(const List& is, const List& should, Text text) {
  const auto common = std::min(is.size(), should.size());
  const auto [here, there] =
      std::mismatch(is.begin(), is.begin() + static_cast<std::ptrdiff_t>(common), should.begin());
  const auto at = static_cast<std::size_t>(here - is.begin());
  if (at == is.size() && at == should.size()) return {};
  const auto say = [&](const List& list) { return at < list.size() ? text(list[at]) : std::string{"none"}; };
  const auto again =
      at < is.size() && std::find(is.begin(), here, is[at]) != here ? " (it is there before)" : "";
  return "record " + std::to_string(at) + " of " + std::to_string(is.size()) + " is " + say(is) + again +
         ", should be " + say(should) + " of " + std::to_string(should.size());
}

} // namespace

void remembering_spool::on_append(const stamped_run& run, bool kept) {
  if (!kept) ++refused;
  for (std::size_t i = 0; kept && i < run.size(); ++i) {
    accepted.push_back(fields_of((*run.records)[run.begin + i]));
    stamped.push_back(run.first.plus(i));
  }
}

std::string summary_of(const entry_fields& record) {
  std::array<std::string, exchange_count> prices;
  for (auto x : all_exchanges) prices[index_of(x)] = value_of(record, std::string{to_string(x)} + "_price");
  return summary(value_of(record, "symbol"), std::stoll(value_of(record, "timestamp")), prices);
}

process_fixture::process_fixture() {
  keep_the_log_quiet();
  what.symbols.list = {"BTCUSDT", "ETHUSDT"};
  what.orders.result_stream.clear(); // fake_redis holds no reads back
  what.feeds.quality_stream.clear();
  what.health.stream.clear();
  what.alerts.stream.clear();
  what.feeds.of[index_of(exchange::coinbase)].enabled = false; // it has no candles to send
  auto stage = spawn([](caf::event_based_actor*) -> caf::behavior {
    return {[](const later_call& call) {
      try {
        (*call.what)();
      } catch (const std::exception& e) {
        BOOST_ERROR("a fake was asked what it does not understand: " << e.what());
      }
    }};
  });
  time.now = [this] { return now(); };
  time.later = [stage](milliseconds wait, std::function<void()> call) {
    caf::delayed_anon_send(stage, wait, later_call{std::make_shared<std::function<void()>>(std::move(call))});
  };
  time.wall = [clock = wall(), jump = wall_jump_] { return clock() + *jump; };
  exchanges = std::make_shared<fake_exchanges>(time);
  sockets = exchanges;
  past = rest = std::make_shared<fake_rest>(time);
  redis = std::make_shared<fake_redis>(time);
}

void process_fixture::starts() {
  for (const auto& name : {what.aggregator.stream, what.aggregator.raw_stream})
    spools[name] = std::make_shared<remembering_spool>(what.spool);
  spool = spools[what.aggregator.stream];
  starts_actors();
}

void process_fixture::exchanges_remember() {
  rest->answer = [](const std::string& url) {
    const auto number = [&](const std::string& name) {
      return std::stoll(url.substr(url.find(name + "=") + name.size() + 1));
    };
    const bool okx = url.find("/api/v5/") != url.npos, bybit = url.find("category=") != url.npos;
    const auto from = okx ? number("before") + 1 : number(bybit ? "start" : "startTime");
    const auto to = okx ? number("after") - 1 : number(bybit ? "end" : "endTime");
    std::string rows;
    for (auto start = from; start <= to; start += 60000)
      rows += std::string{rows.empty() ? "" : ","} + R"([")" + std::to_string(start) +
              R"(","100","100","100","100","9","9","9","1"])";
    fetched out;
    out.status = 200;
    out.body = okx     ? R"({"code":"0","msg":"","data":[)" + rows + "]}"
               : bybit ? R"({"retCode":0,"retMsg":"OK","result":{"list":[)" + rows + "]}}"
                       : "[" + rows + "]";
    return out;
  };
}

void process_fixture::crashes_and_starts() {
  const auto old = caf::actor_cast<caf::strong_actor_ptr>(all.supervisor);
  std::erase(started, old);
  caf::anon_send_exit(old, caf::exit_reason::kill); // and with it its children
  settle();
  ended.reset();
  starts_actors();
}

void process_fixture::starts_actors() {
  edges world;
  world.sockets = sockets;
  world.rest = past;
  world.redis = redis;
  world.webhook = webhook;
  world.open_spool = [all = spools](const std::string& name) { return all.at(name); };
  world.audit = audit;
  world.hash = fake_hash;
  world.breakers = breakers;
  world.logs = logs;
  world.clock = time.wall;
  world.on_hang = [this] { ++hangs; };
  world.on_end = [this](const failure& why) { ended = why; };
  all = start_actors(sys, what, std::move(world));
  started.push_back(caf::actor_cast<caf::strong_actor_ptr>(all.supervisor));
  wait(1s);
}

void process_fixture::sends(exchange from, const std::string& symbol) {
  settle();
  candle x;
  x.symbol = symbol;
  x.from = from;
  x.event_at = wall_now() - *wall_jump_; // their clock is not ours
  x.start_s = epoch_ms(x.event_at) / 60000 * 60;
  // Close together, so that none is left out for being far from the others.
  x.close = x.open = x.high = x.low = 100 + static_cast<double>(++sent_) / 10000;
  x.volume = 1;
  const bool heard = exchanges->sends(x);
  settle();
  if (!heard) return;
  auto& prices = known_[{symbol, x.start_s}];
  prices[index_of(from)] = number_text{}.of(x.close);
  const auto exchanges_known = static_cast<std::size_t>(
      std::count_if(prices.begin(), prices.end(), [](const auto& p) { return !p.empty(); }));
  if (exchanges_known >= what.aggregator.min_exchanges)
    expected.push_back(summary(symbol, x.start_s, prices));
}

void process_fixture::candles_flow(milliseconds time_span, milliseconds every) {
  const auto until = now() + time_span;
  while (now() < until) {
    sends(senders[turn_ % senders.size()],
          what.symbols.list[turn_ / senders.size() % what.symbols.list.size()]);
    ++turn_;
    wait(every);
  }
}

void process_fixture::kill(const std::string& name) { caf::anon_send(all.supervisor, chaos_kill{name}); }

void process_fixture::run_steps(std::size_t count) {
  while (count > 0 && scheduler.try_run_once()) --count;
}

void process_fixture::check_accepted_is_published() {
  BOOST_TEST(difference(published(), spool->accepted, [](const auto& r) { return summary_of(r); }) == "");
  BOOST_TEST(spool->size().waiting == 0u);
  for (const auto& name : redis->unknown_commands()) BOOST_ERROR("fake_redis does not know " << name);
}

void process_fixture::check_all_is_published() {
  check_accepted_is_published();
  std::vector<std::string> is;
  for (const auto& record : published()) is.push_back(summary_of(record));
  BOOST_TEST(difference(is, expected, [](const auto& text) { return text; }) == "");
}

void process_fixture::check_newest_is_published() {
  std::map<std::pair<std::string, std::int64_t>, std::string> newest;
  for (const auto& record : published())
    newest[{value_of(record, "symbol"), std::stoll(value_of(record, "timestamp"))}] = summary_of(record);
  for (const auto& [key, prices] : known_) {
    if (std::count_if(prices.begin(), prices.end(), [](const auto& p) { return !p.empty(); }) <
        static_cast<std::ptrdiff_t>(what.aggregator.min_exchanges))
      continue;
    BOOST_TEST(newest[key] == summary(key.first, key.second, prices));
  }
}

} // namespace breakwater::test
