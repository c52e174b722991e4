#include "config/schema.hpp"

#include "config/value_text.hpp"

#include <string_view>
#include <type_traits>
#include <utility>

namespace breakwater::config {
namespace {

constexpr std::size_t most = 1'000'000'000;
constexpr milliseconds shortest = 10ms;
constexpr milliseconds longest = 720h;
constexpr std::size_t kib = std::size_t{1} << 10;
constexpr std::size_t tib = std::size_t{1} << 40;

/// Makes the accessors from `pick(settings)`, which returns a reference to the member.
template <class Pick>
access reach(Pick pick) {
  return {[pick](const settings& s) -> option_value {
            const auto& member = pick(s);
            if constexpr (std::is_enum_v<std::remove_cvref_t<decltype(member)>>)
              return static_cast<std::size_t>(member);
            else
              return member;
          },
          [pick](settings& s, option_value value) {
            auto& member = pick(s);
            using member_type = std::remove_reference_t<decltype(member)>;
            if constexpr (std::is_enum_v<member_type>)
              member = static_cast<member_type>(std::get<std::size_t>(value));
            else
              member = std::get<member_type>(std::move(value));
          }};
}

template <class Part, class Member>
access at(Part settings::*part, Member Part::*member) {
  return reach([=](auto& s) -> auto& { return s.*part.*member; });
}

/// Of the [[bridge]] that was read last; the defaults, if there is none.
template <class Member>
access at(Member bridge_settings::*member) {
  return reach([=](auto& s) -> auto& {
    if constexpr (std::is_const_v<std::remove_reference_t<decltype(s)>>) {
      static const bridge_settings defaults;
      return s.bridges.empty() ? defaults.*member : s.bridges.back().*member;
    } else {
      if (s.bridges.empty()) s.bridges.emplace_back();
      return s.bridges.back().*member;
    }
  });
}

template <class Member>
access at(exchange x, Member feed_settings::*member) {
  return reach([=](auto& s) -> auto& { return s.feeds.of[index_of(x)].*member; });
}

std::vector<option> make_options() {
  constexpr duration any_duration{shortest, longest};
  std::vector<option> rows{
      {"process.instance", at(&settings::process, &process_settings::instance), text{},
       "Names this process in Redis (CLIENT SETNAME), logs and the audit log. Letters, digits, dot, dash, "
       "underscore."},
      {"process.data_dir", at(&settings::process, &process_settings::data_dir), text{},
       "Folder for what must survive a restart. It is created; only one process may use it."},
      {"process.worker_threads", at(&settings::process, &process_settings::worker_threads), count{0, 1024},
       "Threads that run actors. 0: one a core, at least 2."},
      {"process.shutdown_timeout", at(&settings::process, &process_settings::shutdown_timeout), any_duration,
       "How long SIGTERM waits for what was taken to reach Redis."},

      {"log.level", at(&settings::log, &log_settings::level), choice{{"debug", "info", "warn", "error"}},
       "The least severe lines that are written."},
      {"log.format", at(&settings::log, &log_settings::format), choice{{"text", "json"}},
       "Lines for people, or one JSON object a line for machines."},
      {"log.file", at(&settings::log, &log_settings::file), text{},
       "File the log is appended to; its folder must exist. Empty: standard error."},

      {"redis.url", at(&settings::redis, &redis_settings::url), text{},
       "redis://[user[:password]@]host[:port][/db] or unix:///path/redis.sock[?db=N]. The environment "
       "variable "
       "REDIS_URL overrides it."},
      {"redis.username", at(&settings::redis, &redis_settings::username), text{},
       "ACL user. Empty: the one in the URL, else the default user."},
      {"redis.password_file", at(&settings::redis, &redis_settings::password_file), text{},
       "File whose first line is the password. Empty: the one in the URL, else none."},
      {"redis.connect_timeout", at(&settings::redis, &redis_settings::connect_timeout), any_duration,
       "How long one connection attempt may take."},
      {"redis.command_timeout", at(&settings::redis, &redis_settings::command_timeout), any_duration,
       "How long an answer may take before the connection counts as dead."},
      {"redis.health_interval", at(&settings::redis, &redis_settings::health_interval), any_duration,
       "How often an idle connection is asked for a PONG."},
      {"redis.backoff_initial", at(&settings::redis, &redis_settings::backoff_initial), any_duration,
       "Wait before the first reconnect; it doubles with every failure. At most backoff_max."},
      {"redis.backoff_max", at(&settings::redis, &redis_settings::backoff_max), any_duration,
       "Longest wait between reconnects. They go on for ever."},
      {"redis.backoff_jitter", at(&settings::redis, &redis_settings::backoff_jitter), number{0, 1},
       "Share by which each wait is varied at random: 0.2 is 20 % up or down."},

  };
  const auto add_breaker = [&](const std::string& name, breaker_settings settings::*of) {
    const auto key = "breaker." + name + ".";
    rows.push_back({key + "failure_threshold", at(of, &breaker_settings::failure_threshold), count{1, most},
                    "Failures in a row that open the breaker."});
    rows.push_back({key + "open_duration", at(of, &breaker_settings::open_duration), any_duration,
                    "How long it stays open before the first probe; doubles with every failed probe. At most "
                    "max_open_duration."});
    rows.push_back({key + "max_open_duration", at(of, &breaker_settings::max_open_duration), any_duration,
                    "Longest time it stays open before the next probe."});
    rows.push_back({key + "half_open_probes", at(of, &breaker_settings::half_open_probes), count{1, most},
                    "Calls let through when half-open; all must succeed to close it."});
    rows.push_back({key + "reset_quiet_period", at(of, &breaker_settings::reset_quiet_period), any_duration,
                    "A reset counts as safe when the last failure is older than this; any other needs an "
                    "override with a reason."});
    rows.push_back({key + "mode", at(of, &breaker_settings::mode), choice{{"enforce", "observe", "off"}},
                    "enforce refuses calls while open; observe only logs what it would have refused; off "
                    "grants everything."});
  };
  add_breaker("redis", &settings::breaker_redis);
  add_breaker("orders", &settings::breaker_orders);
  rows.push_back({"breaker.orders.result_stream", at(&settings::orders, &orders_settings::result_stream),
                  text{},
                  "Redis stream with the results of executed intents, field status. Empty: none is read."});
  rows.push_back(
      {"breaker.orders.failure_statuses", at(&settings::orders, &orders_settings::failure_statuses),
       text_list{},
       "What counts as a failure there; filled, partially_filled and success are successes, anything else "
       "is neither."});
  rows.push_back({"breaker.orders.always_pass_actions",
                  at(&settings::orders, &orders_settings::always_pass_actions), text_list{},
                  "Trade intents with these actions, and those with reduce_only, pass whatever the breaker's "
                  "state: they "
                  "reduce risk."});
  std::vector<option> market_rows{
      {"symbols.market", at(&settings::symbols, &symbols_settings::market), choice{{"spot", "linear"}},
       "Spot, or linear perpetuals (USDT). Only like is merged with like."},
      {"symbols.list", at(&settings::symbols, &symbols_settings::list), text_list{},
       "What to follow, such as BTCUSDT: base and quote joined, quote USDT, USDC, USD, EUR or BTC."},
      {"symbols.universe_key", at(&settings::symbols, &symbols_settings::universe_key), text{},
       "Redis key with more symbols, as JSON {\"symbols\": [...]}; they are added behind the list, and read "
       "again "
       "every minute. Empty: none."},
      {"symbols.max", at(&settings::symbols, &symbols_settings::max), count{1, most},
       "Most symbols to follow. A longer list is refused; of universe_key the rest is left out, and said."},

      {"feeds.stale_after", at(&settings::feeds, &feeds_settings::stale_after), any_duration,
       "A symbol without data for so long is reported as stale."},
      {"feeds.fill_within", at(&settings::feeds, &feeds_settings::fill_within), any_duration,
       "After a gap the missed minutes are asked for at the exchange, unless they are older than this."},
      {"feeds.quality_stream", at(&settings::feeds, &feeds_settings::quality_stream), text{},
       "Redis stream of markers: gap, stale, resync, recovered, by exchange and symbol. Empty: none."},
      {"feeds.quality_maxlen", at(&settings::feeds, &feeds_settings::quality_maxlen), count{1, most},
       "Entries Redis keeps in that stream (XADD MAXLEN ~)."},
      {"feeds.publish_raw", at(&settings::feeds, &feeds_settings::publish_raw), flag{},
       "Whether each exchange's candles go to aggregator.raw_stream, too."},
      {"feeds.raw_maxlen", at(&settings::feeds, &feeds_settings::raw_maxlen), count{1, most},
       "Entries Redis keeps in that stream (XADD MAXLEN ~)."},
  };
  rows.insert(rows.end(), std::make_move_iterator(market_rows.begin()),
              std::make_move_iterator(market_rows.end()));
  for (const auto x : all_exchanges) {
    const auto name = "feeds." + std::string{to_string(x)};
    rows.push_back(
        {name + ".enabled", at(x, &feed_settings::enabled), flag{}, "Whether to connect to this exchange."});
    rows.push_back({name + ".url", at(x, &feed_settings::url), text{},
                    "WebSocket address, ws:// or wss://. Empty: the exchange's own for symbols.market."});
    rows.push_back(
        {name + ".rest_url", at(x, &feed_settings::rest_url), text{},
         "Where past candles are asked for after a gap, http:// or https://, without a path. Empty: "
         "the exchange's own."});
    rows.push_back({name + ".symbols", at(x, &feed_settings::symbols), text_map{},
                    "The exchange's spelling of a symbol, only where its naming rule does not fit: "
                    "{ BTCUSDT = \"XBT/USD\" }."});
  }
  std::vector<option> rest{
      {"aggregator.source", at(&settings::aggregator, &aggregator_settings::source),
       choice{{"feeds", "raw_stream"}}, "Where candles come from: the exchanges, or a Redis stream of them."},
      {"aggregator.raw_stream", at(&settings::aggregator, &aggregator_settings::raw_stream), text{},
       "That stream: read when source is raw_stream, written when feeds.publish_raw is true."},
      {"aggregator.stream", at(&settings::aggregator, &aggregator_settings::stream), text{},
       "Redis stream the merged records go to."},
      {"aggregator.maxlen", at(&settings::aggregator, &aggregator_settings::maxlen), count{1, most},
       "Entries Redis keeps in that stream (XADD MAXLEN ~)."},
      {"aggregator.min_exchanges", at(&settings::aggregator, &aggregator_settings::min_exchanges),
       count{1, most}, "Exchanges that must have a candle of a minute before it is published."},
      {"aggregator.max_deviation", at(&settings::aggregator, &aggregator_settings::max_deviation),
       number{0.0001, 1},
       "Share by which a price may lie off the median before it is left out: 0.05 is 5 %."},
      {"aggregator.window", at(&settings::aggregator, &aggregator_settings::window), any_duration,
       "How far behind the newest minute of its symbol one may still change. An older one is closed for "
       "good; "
       "only if no record told it yet, candles that are filled afterwards (feeds.fill_within) make one."},
      {"aggregator.emit", at(&settings::aggregator, &aggregator_settings::emit),
       choice{{"update", "interval", "close"}},
       "When to publish: at every change, the newest per symbol every emit_interval, or only closed "
       "minutes."},
      {"aggregator.emit_interval", at(&settings::aggregator, &aggregator_settings::emit_interval),
       any_duration, "Least time between two records of a symbol and minute. Only with emit = \"interval\"."},

      {"spool.sync", at(&settings::spool, &spool_settings::sync), choice{{"batch", "os"}},
       "batch: records are on disk before they count as accepted. os: the kernel writes when it likes; a "
       "crash "
       "of the host, not of the process, may then lose or double the last moments."},
      {"spool.max_bytes", at(&settings::spool, &spool_settings::max_bytes), byte_size{16 * kib * kib, tib},
       "Room on disk for records that wait for Redis and for those kept after it took them. When it is full, "
       "intake waits."},
      {"spool.retain", at(&settings::spool, &spool_settings::retain), any_duration,
       "How long records are kept after Redis took them, to heal a Redis that comes back older than it was."},
      {"spool.retain_bytes", at(&settings::spool, &spool_settings::retain_bytes), byte_size{0, tib},
       "Most bytes kept for that; max_bytes bounds it too."},
      {"spool.trim_patience", at(&settings::spool, &spool_settings::trim_patience), any_duration,
       "How long catch-up waits for a consumer group that would lose unread entries to trimming."},

      {"bridge.name", at(&bridge_settings::name), text{},
       "Names the route in logs, health and alerts. Letters, digits, dot, dash, underscore."},
      {"bridge.from", at(&bridge_settings::from), text{},
       "Redis stream it reads. What is invalid goes to <from>.dead, what the breaker holds back to "
       "<from>.blocked."},
      {"bridge.group", at(&bridge_settings::group), text{},
       "Its consumer group there; created where it is missing. The consumer is process.instance."},
      {"bridge.contract", at(&bridge_settings::contract), text{},
       "What a valid event is: the JSON Schema contracts/<contract>.json beside this file, or the built-in "
       "trade.intent."},
      {"bridge.breaker", at(&bridge_settings::breaker), text{},
       "Circuit breaker that holds back what adds risk: orders. Empty: none."},
      {"bridge.latest_key", at(&bridge_settings::latest_key), text{},
       "Redis key with the newest valid events as one JSON array, oldest first. Empty: none."},
      {"bridge.keep", at(&bridge_settings::keep), count{1, 100'000}, "Events in that array."},
      {"bridge.max_age", at(&bridge_settings::max_age), any_duration,
       "An event older than this is invalid; one that reduces risk is only marked late."},
      {"bridge.max_distance", at(&bridge_settings::max_distance), number{0.0001, 1000},
       "Share of the live price by which stop-loss and take-profit may lie away from it: 0.5 is 50 %."},
      {"bridge.to", at(&bridge_settings::to), text{},
       "Redis stream valid events are copied to. Empty: none."},
      {"bridge.maxlen", at(&bridge_settings::maxlen), count{1, most},
       "Entries Redis keeps in `to`, <from>.dead and <from>.blocked (XADD MAXLEN ~)."},
      {"bridge.claim_after", at(&bridge_settings::claim_after), any_duration,
       "Entries that another consumer of the group left unfinished for so long are taken over."},

      {"position_monitor.stream", at(&settings::position_monitor, &position_monitor_settings::stream), text{},
       "Redis stream the position monitor writes: a new entry means that it is active. Empty: none."},
      {"position_monitor.journal_unit",
       at(&settings::position_monitor, &position_monitor_settings::journal_unit), text{},
       "systemd unit whose journal is its log. Empty: none."},
      {"position_monitor.log_file", at(&settings::position_monitor, &position_monitor_settings::log_file),
       text{}, "File that is its log; followed when it is rotated. Empty: none."},
      {"position_monitor.activity_pattern",
       at(&settings::position_monitor, &position_monitor_settings::activity_pattern), text{},
       "A line of the log with this text means that it is active. Empty: every line does."},
      {"position_monitor.error_pattern",
       at(&settings::position_monitor, &position_monitor_settings::error_pattern), text{},
       "A line of the log with this text is an error of it. Empty: none is."},
      {"position_monitor.silent_after",
       at(&settings::position_monitor, &position_monitor_settings::silent_after), any_duration,
       "Not seen active for so long, it is SILENT."},

      {"health.interval", at(&settings::health, &health_settings::interval), any_duration,
       "How often every actor is asked how it is."},
      {"health.answer_within", at(&settings::health, &health_settings::answer_within), any_duration,
       "How long the answer may take. An actor that misses two in a row is restarted."},
      {"health.stream", at(&settings::health, &health_settings::stream), text{},
       "Redis stream with one entry a tick. Empty: none."},
      {"health.maxlen", at(&settings::health, &health_settings::maxlen), count{1, most},
       "Entries Redis keeps in that stream (XADD MAXLEN ~)."},

      {"alerts.breaker_open_for", at(&settings::alerts, &alerts_settings::breaker_open_for), any_duration,
       "A breaker that is open longer than this raises an alert."},
      {"alerts.redis_reconnects_per_hour", at(&settings::alerts, &alerts_settings::redis_reconnects_per_hour),
       count{1, most}, "More reconnects to Redis within an hour raise an alert."},
      {"alerts.feed_stale_for", at(&settings::alerts, &alerts_settings::feed_stale_for), any_duration,
       "A symbol without data from an exchange for longer than this raises an alert."},
      {"alerts.no_record_for", at(&settings::alerts, &alerts_settings::no_record_for), any_duration,
       "A symbol without a merged record for longer than this raises an alert."},
      {"alerts.spool_warn", at(&settings::alerts, &alerts_settings::spool_warn), number{0, 1},
       "Share of spool.max_bytes above which the spool raises a warning."},
      {"alerts.spool_critical", at(&settings::alerts, &alerts_settings::spool_critical), number{0, 1},
       "Share of spool.max_bytes above which that becomes critical."},
      {"alerts.clock_skew", at(&settings::alerts, &alerts_settings::clock_skew), any_duration,
       "Our clock and Redis's TIME further apart than this raise an alert."},
      {"alerts.interval", at(&settings::alerts, &alerts_settings::interval), any_duration,
       "How often the rules are judged."},
      {"alerts.stream", at(&settings::alerts, &alerts_settings::stream), text{},
       "Redis stream with one entry for each alert raised or cleared. Empty: none."},
      {"alerts.maxlen", at(&settings::alerts, &alerts_settings::maxlen), count{1, most},
       "Entries Redis keeps in that stream (XADD MAXLEN ~)."},
      {"alerts.webhook_url", at(&settings::alerts, &alerts_settings::webhook_url), hidden_text{},
       "http:// or https:// address each alert is posted to as JSON. Empty: none."},

      {"supervisor.restart_initial", at(&settings::supervisor, &supervisor_settings::restart_initial),
       any_duration,
       "Wait before a failed actor's first restart; it doubles with every failure. At most restart_max."},
      {"supervisor.restart_max", at(&settings::supervisor, &supervisor_settings::restart_max), any_duration,
       "Longest wait between restarts of one actor."},
      {"supervisor.max_restarts", at(&settings::supervisor, &supervisor_settings::max_restarts),
       count{0, most},
       "More restarts than this within `within` end the process, for its service manager to start it again."},
      {"supervisor.within", at(&settings::supervisor, &supervisor_settings::within), any_duration,
       "The time max_restarts is counted over."},
      {"supervisor.grace", at(&settings::supervisor, &supervisor_settings::grace), any_duration,
       "How long one actor may take to end before it counts as hanging."},

      {"api.listen", at(&settings::api, &api_settings::listen), text{},
       "Address and port of the HTTP API. Anything but the loopback needs token_file. Empty: no API."},
      {"api.token_file", at(&settings::api, &api_settings::token_file), text{},
       "File whose first line is the bearer token that changing requests need. Empty: none is needed."},

      {"chaos.enabled", at(&settings::chaos, &chaos_settings::enabled), flag{},
       "Lets the API kill actors and make them hang: POST /api/actors/<name>/kill and /hang. For game days "
       "and "
       "tests only."},
  };
  rows.insert(rows.end(), std::make_move_iterator(rest.begin()), std::make_move_iterator(rest.end()));
  return rows;
}

template <class... Fs>
struct overload : Fs... {
  using Fs::operator()...;
};

std::string joined(const std::vector<std::string>& names, std::string_view separator) {
  std::string out;
  for (const auto& name : names) (out += out.empty() ? std::string_view{} : separator) += name;
  return out;
}

} // namespace

const std::vector<option>& options() {
  static const auto rows = make_options();
  return rows;
}

const std::vector<section>& sections() {
  static const std::vector<section> rows{
      {"process", "The process itself."},
      {"log", "One line an event."},
      {"redis", "The connection to Redis."},
      {"breaker.redis", "The circuit breaker around Redis calls. While it is open, records wait here."},
      {"breaker.orders", "The circuit breaker for trade intents. It opens when executions fail, or by an "
                         "operator; what adds risk is then held back."},
      {"symbols", "What is followed on every exchange."},
      {"feeds", "What all exchanges have in common."},
      {"feeds.binance", "Binance."},
      {"feeds.bybit", "Bybit."},
      {"feeds.coinbase", "Coinbase Exchange: spot only."},
      {"feeds.okx", "OKX."},
      {"feeds.kraken", "Kraken."},
      {"aggregator", "Candles of several exchanges in, merged records out."},
      {"spool", "Records that wait for Redis, on disk under process.data_dir."},
      {"bridge",
       "A route of the event bus: reads a stream, judges and gates each event, and passes on what is "
       "valid. Write the section once for each route; without it nothing is carried.",
       true},
      {"position_monitor", "How the external position monitor is seen to be alive. POST "
                           "/api/position-monitor/heartbeat counts, too."},
      {"health", "The regular look at every actor."},
      {"alerts",
       "What an operator must know: each alert is told once when it rises and once when it clears."},
      {"supervisor", "Restarts of failed actors."},
      {"api", "HTTP: status and orders for people and programs."},
      {"chaos", "Failures on purpose."},
  };
  return rows;
}

std::string parent_of(const std::string& key) {
  const auto dot = key.rfind('.');
  return dot == std::string::npos ? std::string{} : key.substr(0, dot);
}

std::string leaf_of(const std::string& key) { return key.substr(key.rfind('.') + 1); }

std::string bounds_of(const value_kind& kind) {
  const auto range = [](const std::string& min, const std::string& max) { return min + ".." + max; };
  return std::visit(overload{
                        [](flag) -> std::string { return "true or false"; },
                        [&](count x) { return range(std::to_string(x.min), std::to_string(x.max)); },
                        [&](number x) { return range(format_number(x.min), format_number(x.max)); },
                        [&](duration x) { return range(format_duration(x.min), format_duration(x.max)); },
                        [&](byte_size x) { return range(format_size(x.min), format_size(x.max)); },
                        [](text) -> std::string { return "text"; },
                        [](hidden_text) -> std::string { return "text"; },
                        [](text_list) -> std::string { return "list of texts"; },
                        [](text_map) -> std::string { return "table of texts"; },
                        [](const choice& x) { return std::string{"one of "}.append(joined(x.names, ", ")); },
                    },
                    kind);
}

std::string format_value(const value_kind& kind, const option_value& value) {
  return std::visit(
      overload{
          [&](flag) -> std::string { return std::get<bool>(value) ? "true" : "false"; },
          [&](count) { return std::to_string(std::get<std::size_t>(value)); },
          [&](number) {
            auto digits = format_number(std::get<double>(value));
            // Without point or exponent TOML takes it for a whole number.
            return digits.find_first_of(".e") == std::string::npos ? digits + ".0" : digits;
          },
          [&](duration) { return toml_string(format_duration(std::get<milliseconds>(value))); },
          [&](byte_size) { return toml_string(format_size(std::get<std::size_t>(value))); },
          [&](text) { return toml_string(std::get<std::string>(value)); },
          [&](hidden_text) { return toml_string(to_string(secret{std::get<std::string>(value)})); },
          [&](text_list) {
            std::vector<std::string> items;
            for (const auto& item : std::get<std::vector<std::string>>(value))
              items.push_back(toml_string(item));
            return std::string{"["}.append(joined(items, ", ")).append("]");
          },
          [&](text_map) -> std::string {
            std::vector<std::string> items;
            for (const auto& [name, item] : std::get<std::map<std::string, std::string>>(value))
              items.push_back(key_text(name) + " = " + toml_string(item));
            return items.empty() ? "{}" : std::string{"{ "}.append(joined(items, ", ")).append(" }");
          },
          [&](const choice& x) { return toml_string(x.names.at(std::get<std::size_t>(value))); },
      },
      kind);
}

} // namespace breakwater::config
