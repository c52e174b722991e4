#include "config/load.hpp"

#include "config/print.hpp"
#include "config/secret_file.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace breakwater;
namespace fs = std::filesystem;

namespace {

const environment nothing_set = [](const char*) { return std::nullopt; };

environment redis_url(std::string url) {
  return [url](const char* name) -> std::optional<std::string> {
    if (std::string{name} == "REDIS_URL") return url;
    return std::nullopt;
  };
}

result<loaded_settings> parse(const std::string& text, const environment& variables = nothing_set) {
  return parse_settings(text, "f.toml", variables);
}

/// What is said about `text`, problems or else warnings, a line each.
std::string said_about(const std::string& text, const environment& variables = nothing_set) {
  const auto loaded = parse(text, variables);
  if (!loaded) return loaded.error().detail;
  std::string all;
  for (const auto& warning : loaded->warnings) all += (all.empty() ? "warning: " : "\nwarning: ") + warning;
  return all;
}

/// A folder that is gone after the test.
struct temporary_folder {
  fs::path path = fs::temp_directory_path() / ("breakwater_load_test_" + std::to_string(::getpid()));
  temporary_folder() { fs::create_directories(path); }
  ~temporary_folder() { fs::remove_all(path); }
  std::string write(const std::string& name, const std::string& text,
                    fs::perms rights = fs::perms::owner_read | fs::perms::owner_write) const {
    std::ofstream{path / name} << text;
    fs::permissions(path / name, rights);
    return (path / name).string();
  }
};

struct row {
  const char* text;
  const char* said; ///< The whole of it.
};

} // namespace

BOOST_AUTO_TEST_CASE(an_empty_file_means_the_defaults) {
  const auto loaded = parse("");
  BOOST_REQUIRE(loaded);
  BOOST_TEST(loaded->warnings.empty());
  BOOST_TEST(effective_config(loaded->values) == effective_config(settings{}));
}

BOOST_AUTO_TEST_CASE(every_kind_of_value_is_read) {
  const auto loaded = parse(R"(
breaker.redis.mode = "observe"
[process]
worker_threads = 4
shutdown_timeout = "1500ms"
[log]
format = "json"
[redis]
url = "unix:///run/redis.sock?db=2"
backoff_jitter = 1
[symbols]
market = "linear"
list = ["1000PEPEUSDT", "ETHBTC"]
[feeds.kraken]
enabled = false
symbols = { ETHBTC = "ETH/XBT" }
[feeds.okx.symbols]
ETHBTC = "ETH-BTC"
[spool]
max_bytes = "64MiB"
retain_bytes = "0B"
)");
  BOOST_REQUIRE_MESSAGE(loaded, (loaded ? "" : loaded.error().detail));
  BOOST_TEST(loaded->warnings.empty());
  const auto& x = loaded->values;
  BOOST_TEST((x.breaker_redis.mode == breaker_mode::observe));
  BOOST_TEST(x.process.worker_threads == 4u);
  BOOST_TEST((x.process.shutdown_timeout == 1500ms));
  BOOST_TEST((x.log.format == log_format::json));
  BOOST_TEST(x.redis.url == "unix:///run/redis.sock?db=2");
  BOOST_TEST(x.redis.backoff_jitter == 1.0);
  BOOST_TEST((x.symbols.market == market::linear));
  BOOST_TEST((x.symbols.list == std::vector<std::string>{"1000PEPEUSDT", "ETHBTC"}));
  BOOST_TEST(!x.feeds.of[index_of(exchange::kraken)].enabled);
  BOOST_TEST(x.feeds.of[index_of(exchange::kraken)].symbols.at("ETHBTC") == "ETH/XBT");
  BOOST_TEST(x.feeds.of[index_of(exchange::okx)].symbols.at("ETHBTC") == "ETH-BTC");
  BOOST_TEST(x.feeds.of[index_of(exchange::bybit)].enabled);
  BOOST_TEST(x.spool.max_bytes == std::size_t{64} << 20);
  BOOST_TEST(x.spool.retain_bytes == 0u);
}

BOOST_AUTO_TEST_CASE(a_refused_value_is_told_with_place_key_value_and_bounds) {
  const std::vector<row> table{
      {"[breaker.redis]\nfailure_threshold = 0",
       "f.toml:2:21: breaker.redis.failure_threshold = 0 is outside 1..1000000000"},
      {"breaker.redis.failure_threshold = 1000000001",
       "f.toml:1:35: breaker.redis.failure_threshold = 1000000001 is outside 1..1000000000"},
      {"aggregator.maxlen = -1", "f.toml:1:21: aggregator.maxlen = -1 is outside 1..1000000000"},
      {"process.worker_threads = \"4\"",
       "f.toml:1:26: process.worker_threads = \"4\" must be a whole number, 0..1024"},
      {"process.worker_threads = 2.0",
       "f.toml:1:26: process.worker_threads = 2 must be a whole number, 0..1024"},
      {"redis.backoff_jitter = 1.5", "f.toml:1:24: redis.backoff_jitter = 1.5 is outside 0..1"},
      {"redis.backoff_jitter = nan", "f.toml:1:24: redis.backoff_jitter = nan is outside 0..1"},
      {"redis.backoff_jitter = true", "f.toml:1:24: redis.backoff_jitter = true must be a number, 0..1"},
      {"aggregator.max_deviation = 0", "f.toml:1:28: aggregator.max_deviation = 0 is outside 0.0001..1"},
      {"health.interval = \"9ms\"", "f.toml:1:19: health.interval = \"9ms\" is outside 10ms..720h"},
      {"health.interval = 30",
       "f.toml:1:19: health.interval = 30 must be a duration such as \"30s\" (ms, s, m or h), 10ms..720h"},
      {"health.interval = \"30 sec\"", "f.toml:1:19: health.interval = \"30 sec\" must be a duration such as "
                                       "\"30s\" (ms, s, m or h), 10ms..720h"},
      {"spool.max_bytes = \"1B\"", "f.toml:1:19: spool.max_bytes = \"1B\" is outside 16MiB..1TiB"},
      {"spool.max_bytes = 1048576",
       "f.toml:1:19: spool.max_bytes = 1048576 must be a size such as \"64MiB\" (B, "
       "KiB, MiB, GiB or TiB), 16MiB..1TiB"},
      {"log.level = \"verbose\"",
       "f.toml:1:13: log.level = \"verbose\" must be one of debug, info, warn, error"},
      {"log.level = 3", "f.toml:1:13: log.level = 3 must be one of debug, info, warn, error"},
      {"log.file = 3", "f.toml:1:12: log.file = 3 must be a text in quotes"},
      {"chaos.enabled = \"yes\"", "f.toml:1:17: chaos.enabled = \"yes\" must be true or false"},
      {"chaos.enabled = 1979-05-27", "f.toml:1:17: chaos.enabled = a date or time must be true or false"},
      {"symbols.list = \"BTCUSDT\"",
       "f.toml:1:16: symbols.list = \"BTCUSDT\" must be a list of texts such as [\"a\", \"b\"]"},
      {"symbols.list = [\"BTCUSDT\", 5]", "f.toml:1:28: symbols.list: 5 must be a text in quotes"},
      {"feeds.okx.symbols = []",
       "f.toml:1:21: feeds.okx.symbols = [...] must be a table of texts such as { BTCUSDT = \"XBT/USD\" }"},
      {"feeds.okx.symbols = { BTCUSDT = 5 }",
       "f.toml:1:33: feeds.okx.symbols.BTCUSDT = 5 must be a text in quotes"},
      {"redis = 5", "f.toml:1:9: redis must be a section: [redis]"},
      {"bridge = 5", "f.toml:1:10: bridge must be a section: [[bridge]]"},
      {"[redis.url]\nx = 1", "f.toml:1:1: redis.url = {...} must be a text in quotes"},
  };
  for (const auto& [text, said] : table) BOOST_TEST_CONTEXT(text) {
      BOOST_TEST(said_about(text) == said);
    }
}

BOOST_AUTO_TEST_CASE(an_unknown_key_gets_the_nearest_one_suggested) {
  const std::vector<row> table{
      {"[breaker.redis]\nopen_durration = \"1s\"",
       "f.toml:2:1: breaker.redis.open_durration is unknown; did you mean open_duration?"},
      {"[log]\nlevle = \"info\"", "f.toml:2:1: log.levle is unknown; did you mean level?"},
      {"[breker.redis]\nmode = \"off\"", "f.toml:1:2: breker is unknown; did you mean breaker?"},
      {"[breaker.rediss]\nmode = \"off\"", "f.toml:1:10: breaker.rediss is unknown; did you mean redis?"},
      {"[feeds.binnance]", "f.toml:1:8: feeds.binnance is unknown; did you mean binance?"},
      {"[redis]\nfailure_threshold = 5",
       "f.toml:2:1: redis.failure_threshold is unknown; did you mean breaker.redis.failure_threshold?"},
      {"data_dir = \"/tmp\"", "f.toml:1:1: data_dir is unknown; did you mean process.data_dir?"},
      {"[api]\nlistne = \"\"", "f.toml:2:1: api.listne is unknown; did you mean listen?"},
      {"[redis]\npassword = \"hunter2\"", "f.toml:2:1: redis.password is unknown"},
      {"something_else_entirely = 1", "f.toml:1:1: something_else_entirely is unknown"},
  };
  for (const auto& [text, said] : table) BOOST_TEST_CONTEXT(text) {
      BOOST_TEST(said_about(text) == said);
    }
}

BOOST_AUTO_TEST_CASE(values_must_fit_together) {
  const std::vector<row> table{
      {"process.instance = \"two words\"",
       "f.toml:1:20: process.instance = \"two words\" must be 1 to 64 letters, "
       "digits, dots, dashes or underscores"},
      {"process.data_dir = \"\"", "f.toml:1:20: process.data_dir = \"\" must name a folder"},
      {"redis.url = \"http://x\"",
       "f.toml:1:13: redis.url = \"http://x\" must start with redis:// or unix://"},
      {"redis.url = \"rediss://x\"", "f.toml:1:13: redis.url = \"rediss://x\" asks for TLS, which this "
                                     "version cannot do; use redis:// or unix://"},
      {"redis.url = \"redis://:6379\"", "f.toml:1:13: redis.url = \"redis://:6379\" names no host"},
      {"redis.url = \"redis://h:0\"", "f.toml:1:13: redis.url = \"redis://h:0\" has a port outside 1..65535"},
      {"redis.url = \"redis://h/x\"",
       "f.toml:1:13: redis.url = \"redis://h/x\" must have a database number behind the last /"},
      {"redis.url = \"unix://redis.sock\"",
       "f.toml:1:13: redis.url = \"unix://redis.sock\" must name the socket by "
       "its full path: unix:///run/redis.sock"},
      {"redis.url = \"unix:///r.sock?x=1\"",
       "f.toml:1:13: redis.url = \"unix:///r.sock?x=1\" may end in ?db=N and nothing else"},
      {"[redis]\nbackoff_initial = \"5m\"",
       "f.toml:2:19: redis.backoff_initial = \"5m\" is above backoff_max = \"30s\""},
      {"[breaker.redis]\nmax_open_duration = \"30s\"",
       "f.toml:2:21: breaker.redis.open_duration = \"60s\" is above max_open_duration = \"30s\""},
      {"supervisor.restart_max = \"50ms\"",
       "f.toml:1:26: supervisor.restart_initial = \"100ms\" is above restart_max = \"50ms\""},
      {"symbols.list = [\"BTCUSDT\", \"btc-usd\"]", "f.toml:1:28: symbols.list: \"btc-usd\" is no symbol; "
                                                    "write base and quote joined in capitals, such as "
                                                    "\"BTCUSDT\" (quote USDT, USDC, USD, EUR or BTC)"},
      {"symbols.list = [\"BTCUSDT\", \"BTCUSDT\"]",
       "f.toml:1:28: symbols.list: \"BTCUSDT\" stands there twice"},
      {"symbols.max = 2", "f.toml:1:15: symbols.list has 3 symbols, more than symbols.max = 2"},
      {"feeds.okx.url = \"https://x\"",
       "f.toml:1:17: feeds.okx.url = \"https://x\" must start with ws:// or wss://"},
      {"feeds.okx.url = \"ws:///path\"", "f.toml:1:17: feeds.okx.url = \"ws:///path\" names no host"},
      {"feeds.okx.url = \"ws://h:0\"",
       "f.toml:1:17: feeds.okx.url = \"ws://h:0\" has a port outside 1..65535"},
      {"feeds.okx.url = \"ws://::1/x\"",
       "f.toml:1:17: feeds.okx.url = \"ws://::1/x\" must have an IPv6 address in brackets, such as [::1]"},
      {"feeds.okx.url = \"ws://me:pw@h\"",
       "f.toml:1:17: feeds.okx.url = \"ws://***@h\" must not name a user or password"},
      {"feeds.okx.url = \"ws://h/a b\"",
       "f.toml:1:17: feeds.okx.url = \"ws://h/a b\" may hold printable ASCII only, and no blanks"},
      {"feeds.okx.url = \"ws://h/#x\"", "f.toml:1:17: feeds.okx.url = \"ws://h/#x\" must not have a # part"},
      {"feeds.okx.rest_url = \"wss://h\"",
       "f.toml:1:22: feeds.okx.rest_url = \"wss://h\" must start with http:// or https://"},
      {"feeds.okx.rest_url = \"h.example\"",
       "f.toml:1:22: feeds.okx.rest_url = \"h.example\" must start with http:// or https://"},
      {"feeds.okx.rest_url = \"https://\"", "f.toml:1:22: feeds.okx.rest_url = \"https://\" names no host"},
      {"feeds.okx.rest_url = \"https://h:x\"",
       "f.toml:1:22: feeds.okx.rest_url = \"https://h:x\" has a port outside 1..65535"},
      {"feeds.okx.rest_url = \"https://h/\"",
       "f.toml:1:22: feeds.okx.rest_url = \"https://h/\" must end behind host and port: the path is the "
       "exchange's"},
      {"feeds.okx.rest_url = \"https://h?a=b\"",
       "f.toml:1:22: feeds.okx.rest_url = \"https://h?a=b\" must end behind host and port: the path is the "
       "exchange's"},
      {"feeds.quality_stream = \"quantum:stream:exchange.normalized\"",
       "f.toml:1:24: feeds.quality_stream and aggregator.stream are both "
       "\"quantum:stream:exchange.normalized\": markers need a stream of their own"},
      {"aggregator.raw_stream = \"x\"\nfeeds.quality_stream = \"x\"",
       "f.toml:2:24: feeds.quality_stream and aggregator.raw_stream are both \"x\": markers need a stream of "
       "their own"},
      {"breaker.orders.result_stream = \"quantum:stream:exchange.quality\"",
       "f.toml:1:32: feeds.quality_stream and breaker.orders.result_stream are both "
       "\"quantum:stream:exchange.quality\": markers need a stream of their own"},
      {"symbols.universe_key = \"quantum:stream:exchange.quality\"",
       "f.toml:1:24: symbols.universe_key and feeds.quality_stream are both "
       "\"quantum:stream:exchange.quality\": the universe is a text and no stream"},
      {"feeds.okx.symbols = { btc = \"x\" }",
       "f.toml:1:23: feeds.okx.symbols: \"btc\" is no symbol of ours, such as BTCUSDT"},
      {"feeds.okx.symbols = { BTCUSDT = \"\" }",
       "f.toml:1:23: feeds.okx.symbols.BTCUSDT = \"\" must be the exchange's spelling"},
      {"aggregator.stream = \"\"", "f.toml:1:21: aggregator.stream = \"\" must name a Redis stream"},
      {"aggregator.raw_stream = \"\"\naggregator.source = \"raw_stream\"",
       "f.toml:1:25: aggregator.raw_stream = \"\" must name a Redis stream"},
      {"aggregator.raw_stream = \"\"\nfeeds.publish_raw = true",
       "f.toml:1:25: aggregator.raw_stream = \"\" must name a Redis stream"},
      {"aggregator.raw_stream = \"quantum:stream:exchange.normalized\"",
       "f.toml:1:25: aggregator.raw_stream and aggregator.stream are both "
       "\"quantum:stream:exchange.normalized\": what goes in and what comes out must be two streams"},
      {"[[bridge]]\n[[bridge]]\nfrom = \"x\"",
       "f.toml:2:1: bridge.name = \"trade-intent\" stands there twice"},
      {"[[bridge]]\nfrom = \"x\"\n[[bridge]]\nname = \"b\"\nfrom = \"x\"",
       "f.toml:5:8: bridge.from = \"x\" is read by two routes: what one finishes the other would do again"},
      {"[[bridge]]\nname = \"a b\"\ngroup = \"\"\ncontract = \"../x\"\nbreaker = \"redis\"",
       "f.toml:2:8: bridge.name = \"a b\" must be 1 to 64 letters, digits, dots, dashes or underscores\n"
       "f.toml:3:9: bridge.group = \"\" must name a consumer group\n"
       "f.toml:4:12: bridge.contract = \"../x\" must be 1 to 64 letters, digits, dots, dashes or "
       "underscores\n"
       "f.toml:5:11: bridge.breaker = \"redis\" must be orders, or empty for none"},
      {"[[bridge]]\nfrom = \"\"", "f.toml:2:8: bridge.from = \"\" must name a Redis stream"},
      {"[[bridge]]\nto = \"quantum:stream:trade.intent.dead\"",
       "f.toml:2:6: bridge.to = \"quantum:stream:trade.intent.dead\" is what bridge.from reads, or a stream "
       "beside it: it needs one of its own"},
      {"[[bridge]]\nlatest_key = \"quantum:stream:exchange.normalized\"",
       "f.toml:2:14: bridge.latest_key = \"quantum:stream:exchange.normalized\" is aggregator.stream, too: "
       "events need a key of their own"},
      {"[[bridge]]\nkeep = 0", "f.toml:2:8: bridge.keep = 0 is outside 1..100000"},
      {"[[bridge]]\nlatst_key = \"x\"", "f.toml:2:1: bridge.latst_key is unknown; did you mean latest_key?"},
      {"[alerts]\nspool_warn = 0.95",
       "f.toml:2:14: alerts.spool_warn = 0.95 is above alerts.spool_critical = 0.9"},
      {"[alerts]\nwebhook_url = \"ftp://x/secret\"",
       "f.toml:2:15: alerts.webhook_url must start with http:// or https://"},
      {"[position_monitor]\nstream = \"quantum:stream:alerts\"",
       "f.toml:2:10: position_monitor.stream and alerts.stream are both \"quantum:stream:alerts\": what "
       "breakwater writes is no sign of life of the position monitor"},
      {"[position_monitor]\nlog_file = \"x\"\njournal_unit = \"y\"",
       "f.toml:2:12: position_monitor.log_file and position_monitor.journal_unit are both set: name the one "
       "in "
       "which its log is"},
      {"log.file = \"/no/such/folder/x.log\"", "f.toml:1:12: log.file = \"/no/such/folder/x.log\" lies in a "
                                               "folder that does not exist: /no/such/folder"},
  };
  for (const auto& [text, said] : table) BOOST_TEST_CONTEXT(text) {
      BOOST_TEST(said_about(text) == said);
    }
}

BOOST_AUTO_TEST_CASE(what_is_odd_but_usable_is_a_warning) {
  const std::vector<row> table{
      {"symbols.list = []", "warning: f.toml:1:16: symbols.list is empty: nothing is followed"},
      {"feeds.okx.symbols = { XRPUSDT = \"XRP-USDT\" }",
       "warning: f.toml:1:23: feeds.okx.symbols.XRPUSDT has no effect: XRPUSDT is not in symbols.list"},
      {"aggregator.min_exchanges = 6",
       "warning: f.toml:1:28: aggregator.min_exchanges = 6 is more than the enabled "
       "feeds (5): live data will never be published"},
      {"symbols.market = \"linear\"\naggregator.min_exchanges = 5",
       "warning: f.toml:2:28: aggregator.min_exchanges = 5 is more than the enabled "
       "feeds (4): live data will never be published"},
      {"symbols.market = \"linear\"\nfeeds.coinbase.url = \"wss://x\"",
       "warning: f.toml:2:22: feeds.coinbase.url is set, but Coinbase is spot only and symbols.market = "
       "\"linear\": it has nothing to merge with the others"},
      {"symbols.market = \"linear\"\nfeeds.coinbase.symbols = { BTCUSDT = \"BTC-USD\" }",
       "warning: f.toml:2:26: feeds.coinbase.symbols is set, but Coinbase is spot only and symbols.market = "
       "\"linear\": it has nothing to merge with the others"},
      {"aggregator.source = \"raw_stream\"\nfeeds.okx.url = \"ws://127.0.0.1:1\"",
       "warning: f.toml:2:17: feeds.okx has no effect: with aggregator.source = \"raw_stream\" an exchange "
       "is "
       "connected only for feeds.publish_raw"},
      {"aggregator.source = \"raw_stream\"\nfeeds.okx.rest_url = \"http://127.0.0.1:1\"",
       "warning: f.toml:2:22: feeds.okx has no effect: with aggregator.source = \"raw_stream\" an exchange "
       "is connected only for feeds.publish_raw"},
      {"health.interval = \"1s\"",
       "warning: f.toml:1:19: health.answer_within = \"5s\" is longer than health.interval "
       "= \"1s\": answers may still be due at the next tick"},
      {"chaos.enabled = true\napi.listen = \"\"",
       "warning: f.toml:1:17: chaos.enabled has no effect while api.listen is empty"},
  };
  for (const auto& [text, said] : table) BOOST_TEST_CONTEXT(text) {
      BOOST_TEST(static_cast<bool>(parse(text)));
      BOOST_TEST(said_about(text) == said);
    }
}

BOOST_AUTO_TEST_CASE(a_process_without_feeds_is_valid_and_needs_no_warning) {
  BOOST_TEST(said_about("[feeds]\nbinance.enabled = false\nbybit.enabled = false\nokx.enabled = false\n"
                        "coinbase.enabled = false\nkraken.enabled = false") == "");
}

BOOST_AUTO_TEST_CASE(a_universe_may_stand_in_for_the_list) {
  const std::string universe = "symbols.universe_key = \"quantum:cfg:universe:active\"\n";
  BOOST_TEST(said_about(universe + "symbols.list = []") == "");
  BOOST_TEST(said_about(universe + "feeds.okx.symbols = { XRPUSDT = \"XRP-USDT\" }") == "");
}

BOOST_AUTO_TEST_CASE(coinbase_is_left_out_of_linear_without_a_word_unless_it_was_set_up) {
  const std::string linear = "symbols.market = \"linear\"\n";
  BOOST_TEST(said_about(linear) == "");
  BOOST_TEST(said_about(linear + "feeds.coinbase = { enabled = false, url = \"wss://x\" }") == "");
  // Simulated exchanges have every market.
  BOOST_TEST(said_about(linear + "feeds.coinbase.url = \"ws://127.0.0.1:9000/coinbase\"\n"
                                 "aggregator.min_exchanges = 5") == "");
  BOOST_TEST(said_about(linear + "feeds.coinbase.url = \"ws://[::1]:9000/coinbase\"") == "");
}

BOOST_AUTO_TEST_CASE(addresses_of_exchanges_are_taken_in_every_good_form) {
  for (const auto* url :
       {"ws://127.0.0.1:9000", "wss://x.example/ws?a=b", "ws://[::1]:1/x", "wss://x.example"})
    BOOST_TEST(said_about("feeds.okx.url = \"" + std::string{url} + "\"") == "", url);
  for (const auto* url : {"http://127.0.0.1:9000", "https://x.example", "https://[::1]:1", "https://[::1]"})
    BOOST_TEST(said_about("feeds.okx.rest_url = \"" + std::string{url} + "\"") == "", url);
}

BOOST_AUTO_TEST_CASE(a_raw_stream_as_the_source_needs_no_feeds_and_no_warning) {
  const std::string raw = "aggregator.source = \"raw_stream\"\n";
  BOOST_TEST(said_about(raw) == "");
  BOOST_TEST(said_about(raw + "aggregator.min_exchanges = 5") == "");
  BOOST_TEST(said_about(raw + "feeds.publish_raw = true\nfeeds.okx.url = \"ws://127.0.0.1:1\"") == "");
}

BOOST_AUTO_TEST_CASE(all_problems_are_told_at_once_in_the_order_of_the_file) {
  BOOST_TEST(
      said_about("[supervisor]\n"
                 "grace = \"1ms\"\n"
                 "[redis]\n"
                 "backoff_initial = \"1h\"\n"
                 "conect_timeout = \"1s\"\n"
                 "[log]\n"
                 "level = \"loud\"\n"
                 "[symbols]\n"
                 "list = []\n"
                 "[health]\n"
                 "interval = 3\n") ==
      "f.toml:2:9: supervisor.grace = \"1ms\" is outside 10ms..720h\n"
      "f.toml:4:19: redis.backoff_initial = \"1h\" is above backoff_max = \"30s\"\n"
      "f.toml:5:1: redis.conect_timeout is unknown; did you mean connect_timeout?\n"
      "f.toml:7:9: log.level = \"loud\" must be one of debug, info, warn, error\n"
      "f.toml:11:12: health.interval = 3 must be a duration such as \"30s\" (ms, s, m or h), 10ms..720h\n"
      "warning: f.toml:9:8: symbols.list is empty: nothing is followed");
}

BOOST_AUTO_TEST_CASE(each_bridge_has_its_own_keys_and_the_defaults_of_the_rest) {
  BOOST_TEST(parse("")->values.bridges.empty());
  const auto loaded = parse("[[bridge]]\n[[bridge]]\nname = \"b\"\nfrom = \"x\"\nkeep = 7\n");
  BOOST_REQUIRE_MESSAGE(loaded, (loaded ? "" : loaded.error().detail));
  const auto& routes = loaded->values.bridges;
  BOOST_REQUIRE(routes.size() == 2u);
  BOOST_TEST(routes[0].name == "trade-intent");
  BOOST_TEST(routes[0].keep == 50u);
  BOOST_TEST(routes[1].from == "x");
  BOOST_TEST(routes[1].keep == 7u);
  BOOST_TEST(routes[1].latest_key == "live_signals");
}

BOOST_AUTO_TEST_CASE(there_are_at_most_64_bridges) {
  std::string text;
  const auto add = [&](int i) {
    text += "[[bridge]]\nname = \"b" + std::to_string(i) + "\"\nfrom = \"s" + std::to_string(i) + "\"\n";
  };
  for (int i = 0; i < 64; ++i) add(i);
  BOOST_TEST(said_about(text) == "");
  add(64);
  BOOST_TEST(said_about(text) ==
             "f.toml:193:1: 65 bridges are more than 64: let another process have some of them");
}

BOOST_AUTO_TEST_CASE(a_syntax_error_is_told_with_its_place) {
  for (const auto& [text, start] : std::vector<row>{
           {"[log]\nlevel = info\n", "f.toml:2:"},
           {"[log\n", "f.toml:1:"},
           {"[log]\nlevel = \"info\"\nlevel = \"warn\"\n", "f.toml:3:"},
           {"a = \"\xff\"\n", "f.toml:1:"},
       })
    BOOST_TEST_CONTEXT(text) {
      const auto loaded = parse(text);
      BOOST_REQUIRE(!loaded);
      BOOST_TEST((loaded.error().code == errc::config_invalid));
      BOOST_TEST(loaded.error().detail.starts_with(start), loaded.error().detail);
    }
}

BOOST_AUTO_TEST_CASE(redis_url_of_the_environment_wins) {
  const auto loaded = parse("redis.url = \"redis://from-file:1\"", redis_url("redis://from-env:2/3"));
  BOOST_REQUIRE(loaded);
  BOOST_TEST(loaded->values.redis.url == "redis://from-env:2/3");
  BOOST_TEST(parse("redis.url = \"redis://from-file:1\"", redis_url(""))->values.redis.url ==
             "redis://from-file:1");
  BOOST_TEST(said_about("redis.url = \"redis://from-file:1\"", redis_url("tcp://u:hunter2@host")) ==
             "f.toml: REDIS_URL in the environment: redis.url = \"tcp://***@host\" must start with redis:// "
             "or unix://");
}

BOOST_AUTO_TEST_CASE(user_and_password_leave_the_url) {
  const auto loaded = parse("redis.url = \"redis://me:p%40ss:w@host:6380/1\"");
  BOOST_REQUIRE(loaded);
  BOOST_TEST(loaded->values.redis.url == "redis://host:6380/1");
  BOOST_TEST(loaded->values.redis.username == "me");
  BOOST_TEST(loaded->values.redis.password.reveal() == "p@ss:w");

  const auto password_only = parse("redis.url = \"redis://:pa/ss@[::1]:6380\"\nredis.username = \"named\"");
  BOOST_REQUIRE(password_only);
  BOOST_TEST(password_only->values.redis.url == "redis://[::1]:6380");
  BOOST_TEST(password_only->values.redis.username == "named");
  BOOST_TEST(password_only->values.redis.password.reveal() == "pa/ss");

  const auto socket = parse("redis.url = \"unix://:pw@/run/a@b.sock\"");
  BOOST_REQUIRE(socket);
  BOOST_TEST(socket->values.redis.url == "unix:///run/a@b.sock");
  BOOST_TEST(socket->values.redis.password.reveal() == "pw");
}

BOOST_FIXTURE_TEST_CASE(the_password_file_wins_over_the_url, temporary_folder) {
  const auto secret_file = write("password", "hunter2\r\nsecond line\n");
  const auto loaded =
      parse("[redis]\nurl = \"redis://:other@host\"\npassword_file = \"" + secret_file + "\"");
  BOOST_REQUIRE(loaded);
  BOOST_TEST(loaded->warnings.empty());
  BOOST_TEST(loaded->values.redis.password.reveal() == "hunter2");
}

BOOST_FIXTURE_TEST_CASE(a_password_file_must_hold_a_password_and_should_be_private, temporary_folder) {
  const auto about = [](const std::string& file) {
    return said_about("redis.password_file = \"" + file + "\"");
  };
  const auto head = [](const std::string& file) {
    return "f.toml:1:23: redis.password_file = \"" + file + "\" ";
  };
  const auto gone = (path / "gone").string();
  BOOST_TEST(about(gone) == head(gone) + "cannot be read: No such file or directory");
  BOOST_TEST(about(path.string()) == head(path.string()) + "cannot be read: Is a directory");
  const auto empty = write("empty", "\n");
  BOOST_TEST(about(empty) == head(empty) + "has nothing in its first line");
  const auto open = write("open", "hunter2\n", fs::perms::owner_all | fs::perms::others_read);
  BOOST_TEST(about(open) ==
             "warning: " + head(open) + "can be read by everyone on this machine: chmod o-r " + open);
  const auto pipe = path / "pipe";
  BOOST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  BOOST_TEST(about(pipe.string()) == head(pipe.string()) + "is no regular file"); // and nobody waits for it
  BOOST_TEST(about(write("endless", std::string(5000, 'x'))) ==
             head((path / "endless").string()) +
                 "has a first line of more than 4096 bytes: is it the right file?");
}

BOOST_FIXTURE_TEST_CASE(what_stands_where_a_file_name_belongs_may_be_the_secret_itself, temporary_folder) {
  BOOST_TEST(said_about("redis.password_file = \"hunter2\"") ==
             "f.toml:1:23: redis.password_file = ... cannot be read: No such file or directory");
  BOOST_TEST(said_about("api.token_file = \"t0ken\"") ==
             "f.toml:1:18: api.token_file = ... cannot be read: No such file or directory");
}

BOOST_FIXTURE_TEST_CASE(a_file_that_others_can_change_is_not_believed, temporary_folder) {
  using fs::perms;
  const auto own = perms::owner_read | perms::owner_write;
  const auto file = write("secret", "correct horse battery\n");
  const auto config = write("f.toml", "redis.password_file = \"" + file + "\"\n");
  const auto refused = [&] {
    const auto loaded = load_settings(config, nothing_set);
    return loaded ? std::string{"not refused"} : loaded.error().detail;
  };
  BOOST_TEST(refused() == "not refused");

  fs::permissions(file, own | perms::others_write);
  const auto why = " can be written by everyone on this machine: chmod go-w ";
  BOOST_TEST(refused() == config + ":1:23: redis.password_file = \"" + file + "\"" + why + file +
                              ", and put in what belongs there");
  BOOST_TEST(!read_secret_file(file)); // the way of a new connection
  fs::permissions(file, own);

  fs::permissions(config, own | perms::others_write);
  BOOST_TEST(refused() == config + ":" + why + config + ", and look what stands in it");
  fs::permissions(config, own);

  // A link is as good as what it leads to, and both folders count.
  const auto link = path / "link";
  fs::create_symlink(file, link);
  BOOST_TEST(static_cast<bool>(read_secret_file(link.string())));
  fs::permissions(file, own | perms::others_write);
  BOOST_TEST(!read_secret_file(link.string()));
  fs::permissions(file, own);
  fs::create_directory(path / "open");
  fs::permissions(path / "open", perms::all);
  fs::create_symlink(file, path / "open" / "link");
  BOOST_TEST(read_secret_file((path / "open" / "link").string()).error().detail ==
             "can be replaced by everyone on this machine: chmod o-w " + (path / "open").string() +
                 ", and put in what belongs there");
  fs::permissions(path / "open", perms::all | perms::sticky_bit); // as /tmp
  BOOST_TEST(static_cast<bool>(read_secret_file((path / "open" / "link").string())));
}

BOOST_AUTO_TEST_CASE(who_may_write_and_read_a_file_is_judged_by_its_mode_group_and_folder) {
  struct one {
    file_rights of;
    const char *written, *readable;
  };
  const one table[] = {
      {{.mode = 0600}, "", ""},
      {{.mode = 0400}, "", ""},
      {{.mode = 0640, .group_is_owners = false}, "", ""}, // root:breakwater, as the package has it
      {{.mode = 0440, .group_is_owners = false}, "", ""}, // a credential of systemd
      {{.mode = 0660, .group_is_owners = true}, "", ""},
      {{.mode = 0660, .group_is_owners = false}, "chmod g-w '/a b'", ""},
      {{.mode = 0644}, "", "chmod o-r '/a b'"},
      {{.mode = 0664}, "", "chmod o-r '/a b'"},
      {{.mode = 0602}, "chmod go-w '/a b'", ""},
      {{.mode = 0666}, "chmod go-w '/a b'", "chmod o-r '/a b'"},
      {{.mode = 0777, .group_is_owners = false}, "chmod go-w '/a b'", "chmod o-r '/a b'"},
  };
  for (const auto& row : table) BOOST_TEST_CONTEXT(std::oct << row.of.mode << ' ' << row.of.group_is_owners) {
      BOOST_TEST(who_may_write(row.of, "/a b").command == row.written);
      BOOST_TEST(who_may_read(row.of, "/a b").command == row.readable);
    }
  const file_rights replaceable{.folder_is_open = true};
  BOOST_TEST(who_may_write(replaceable, "/nowhere/x").command == "chmod o-w /nowhere");
}

BOOST_FIXTURE_TEST_CASE(a_config_that_holds_a_secret_should_be_private, temporary_folder) {
  struct one {
    const char* text;
    bool holds_secret;
  };
  const one table[] = {{"redis.url = \"redis://:hunter2@host\"", true},
                       {"redis.url = \"redis://host\"", false},
                       {"alerts.webhook_url = \"https://host/key\"", true},
                       {"", false}};
  for (const auto& row : table)
    for (const auto& rights : {0600, 0640, 0644}) BOOST_TEST_CONTEXT(row.text << ' ' << rights) {
        const auto file = write("f.toml", row.text, static_cast<fs::perms>(rights));
        const auto loaded = load_settings(file, nothing_set);
        BOOST_REQUIRE(loaded);
        const bool open = row.holds_secret && rights == 0644;
        BOOST_TEST(loaded->warnings.size() == (open ? 1u : 0u));
        BOOST_TEST(loaded->exposed.size() == loaded->warnings.size());
        if (!open) continue;
        BOOST_TEST(loaded->warnings[0] ==
                   file +
                       ": can be read by everyone on this machine and holds a secret (in redis.url or "
                       "alerts.webhook_url): chmod o-r " +
                       file);
        BOOST_TEST(loaded->exposed[0].command == "chmod o-r " + file);
      }
  const auto file = write("f.toml", "redis.url = \"redis://:hunter2@host\"", static_cast<fs::perms>(0644));
  BOOST_TEST(load_settings(file, redis_url("redis://host"))->warnings.size() ==
             1u); // it stands there all the same
}

BOOST_FIXTURE_TEST_CASE(a_data_dir_that_everybody_may_write_to_is_said, temporary_folder) {
  const auto text = "process.data_dir = \"" + path.string() + "\"";
  BOOST_TEST(said_about(text) == "");
  fs::permissions(path, fs::perms::all);
  BOOST_TEST(said_about(text) == "warning: f.toml:1:20: " + text +
                                     " can be written by everyone on this machine: chmod o-w " +
                                     path.string());
}

BOOST_FIXTURE_TEST_CASE(a_token_that_can_be_guessed_is_said, temporary_folder) {
  const auto short_one = write("short", "t0ken\n"), long_one = write("long", "0123456789abcdef\n");
  BOOST_TEST(said_about("api.token_file = \"" + long_one + "\"") == "");
  BOOST_TEST(said_about("api.token_file = \"" + short_one + "\"") ==
             "warning: f.toml:1:18: api.token_file = \"" + short_one +
                 "\" holds fewer than 16 characters, which can be guessed: openssl rand -hex 32");
}

BOOST_FIXTURE_TEST_CASE(a_token_is_read_from_its_file_and_needed_beyond_the_loopback, temporary_folder) {
  const auto loaded =
      parse("api.token_file = \"" + write("token", "t0ken\n") + "\"\napi.listen = \"0.0.0.0:80\"");
  BOOST_REQUIRE(loaded);
  BOOST_TEST(loaded->values.api.token.reveal() == "t0ken");
  for (const auto* listen : {"127.0.0.1:8000", "127.1.2.3:1", "[::1]:8000", "localhost:0", ""})
    BOOST_TEST(said_about("api.listen = \"" + std::string{listen} + "\"") == "", listen);
  for (const auto* listen : {"0.0.0.0:8000", "192.168.1.5:8000", "[::]:8000", "127.evil.example:80"})
    BOOST_TEST(
        said_about("api.listen = \"" + std::string{listen} + "\"") ==
            "f.toml:1:14: api.listen = \"" + std::string{listen} +
                "\" can be reached from other machines, so api.token_file must name a file with a token; "
                "or listen on 127.0.0.1",
        listen);
  for (const auto* listen :
       {"8000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", ":8000", "::1:80"})
    BOOST_TEST(
        said_about("api.listen = \"" + std::string{listen} + "\"").find("must be an address and a port") !=
            std::string::npos,
        listen);
}

BOOST_FIXTURE_TEST_CASE(a_file_that_cannot_be_read_is_named_with_what_to_do, temporary_folder) {
  const auto gone = (path / "gone.toml").string();
  const auto loaded = load_settings(gone, nothing_set);
  BOOST_REQUIRE(!loaded);
  BOOST_TEST((loaded.error().code == errc::file_unreadable));
  BOOST_TEST(loaded.error().detail ==
             "The config file " + gone +
                 " cannot be read: No such file or directory. Name one with --config FILE; "
                 "config/breakwater.toml has every key with its default to start from.");
  BOOST_TEST(load_settings(path.string(), nothing_set).error().detail.find("it is a folder") !=
             std::string::npos);
  BOOST_TEST(static_cast<bool>(load_settings(write("empty.toml", ""), nothing_set)));
  const auto file = write("good.toml", "[chaos]\nenable = 1\n");
  BOOST_TEST(load_settings(file, nothing_set).error().detail ==
             file + ":2:1: chaos.enable is unknown; did you mean enabled?");
}
