#pragma once

#include "messages/exchange.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

/// Everything an operator can set, as plain structs with their defaults. One schema row per member:
/// schema.hpp.
namespace breakwater {

using namespace std::chrono_literals;
using milliseconds = std::chrono::milliseconds;

/// A text that must not be shown; streams and formatters print ***.
class secret {
public:
  secret() = default;
  explicit secret(std::string value) : value_(std::move(value)) {}
  [[nodiscard]] const std::string& reveal() const noexcept { return value_; }
  [[nodiscard]] bool empty() const noexcept { return value_.empty(); }

private:
  std::string value_;
};
inline std::string to_string(const secret& x) { return x.empty() ? "" : "***"; }

struct process_settings {
  std::string instance = "a";
  std::string data_dir = "/var/lib/breakwater";
  std::size_t worker_threads = 0; ///< 0: one a core, at least 2.
  milliseconds shutdown_timeout = 10s;
};

enum class log_level : std::uint8_t { debug, info, warn, error };
enum class log_format : std::uint8_t { text, json };

struct log_settings {
  log_level level = log_level::info;
  log_format format = log_format::text;
  std::string file; ///< Empty: standard error.
};

struct redis_settings {
  std::string url = "redis://127.0.0.1:6379/0";
  std::string username;
  std::string password_file;
  secret password; ///< Read from password_file, or from the URL, by the loader.
  milliseconds connect_timeout = 5s;
  milliseconds command_timeout = 5s;
  milliseconds health_interval = 30s;
  milliseconds backoff_initial = 1s;
  milliseconds backoff_max = 30s;
  double backoff_jitter = 0.2;
};

enum class breaker_mode : std::uint8_t {
  enforce, ///< Refuses calls while open.
  observe, ///< Counts and logs what it would have refused; refuses nothing.
  off,     ///< Grants everything, stays closed.
};

constexpr const char* to_string(breaker_mode mode) noexcept {
  return mode == breaker_mode::enforce ? "enforce" : mode == breaker_mode::observe ? "observe" : "off";
}

struct breaker_settings {
  std::size_t failure_threshold = 5;
  milliseconds open_duration = 60s;
  milliseconds max_open_duration = 10min;
  std::size_t half_open_probes = 1;
  milliseconds reset_quiet_period = 5min;
  breaker_mode mode = breaker_mode::enforce;
};

/// What of trade intents' results counts for breaker.orders.
struct orders_settings {
  std::string result_stream = "quantum:stream:execution.result"; ///< Empty: none is read.
  std::vector<std::string> failure_statuses{"rejected", "failed", "error"};
  /// Intents with these actions, and those with reduce_only, are never held back.
  std::vector<std::string> always_pass_actions{"CLOSE"};
};

enum class market : std::uint8_t { spot, linear };

struct symbols_settings {
  breakwater::market market = breakwater::market::spot;
  std::vector<std::string> list{"BTCUSDT", "ETHUSDT", "SOLUSDT"};
  std::string universe_key; ///< Redis key with more symbols, behind the list; empty: none.
  std::size_t max = 800;
};

struct feed_settings {
  bool enabled = true;
  std::string url;      ///< Empty: the exchange's own address for symbols.market; so is rest_url's.
  std::string rest_url; ///< Where its past candles are asked for.
  std::map<std::string, std::string>
      symbols; ///< Our spelling -> the exchange's, where the naming rule does not fit.
};

struct feeds_settings {
  bool publish_raw = false; ///< Candles go to aggregator.raw_stream, too.
  std::size_t raw_maxlen = 10000;
  milliseconds stale_after = 60s;
  milliseconds fill_within = 1h; ///< Missed minutes older than this are not asked for any more.
  std::string quality_stream = "quantum:stream:exchange.quality"; ///< Empty: markers are only logged.
  std::size_t quality_maxlen = 10000;
  std::array<feed_settings, exchange_count> of{}; ///< By index_of(exchange).
};

enum class emit_mode : std::uint8_t { update, interval, close };

enum class candle_source : std::uint8_t { feeds, raw_stream };

struct aggregator_settings {
  candle_source source = candle_source::feeds;
  std::string raw_stream = "quantum:stream:exchange.raw";
  std::string stream = "quantum:stream:exchange.normalized";
  std::size_t maxlen = 50000;
  std::size_t min_exchanges = 2;
  double max_deviation = 0.05;
  milliseconds window = 120s;
  emit_mode emit = emit_mode::update;
  milliseconds emit_interval = 100ms;
};

enum class spool_sync : std::uint8_t {
  batch, ///< Every group of batches is on disk before it counts as accepted.
  os,    ///< The kernel writes when it likes: a crash of the host may lose or double the last moments.
};

struct spool_settings {
  spool_sync sync = spool_sync::batch;
  std::size_t max_bytes = std::size_t{4} << 30; ///< Waiting and retained records together.
  milliseconds retain = 10min;
  std::size_t retain_bytes = std::size_t{1} << 30;
  milliseconds trim_patience = 60s;
};

/// One route of the event bus.
struct bridge_settings {
  std::string name = "trade-intent";
  std::string from = "quantum:stream:trade.intent";
  std::string group = "breakwater";
  std::string contract = "trade.intent"; ///< A JSON Schema: contracts/<contract>.json beside the config file.
  std::string breaker = "orders";        ///< Empty: nothing holds its events back.
  std::string latest_key = "live_signals"; ///< The newest `keep` valid events as a JSON array; empty: none.
  std::size_t keep = 50;
  milliseconds max_age = 60s;
  double max_distance = 0.5;
  std::string to;                 ///< A stream to copy valid events to; empty: none.
  std::size_t maxlen = 10000;     ///< Of `to`, `<from>.dead` and `<from>.blocked`.
  milliseconds claim_after = 60s; ///< Entries another consumer left unfinished for so long are taken over.
};

struct position_monitor_settings {
  std::string stream;
  std::string journal_unit;
  std::string log_file;
  std::string activity_pattern = "positionSide=BOTH";
  std::string error_pattern = "APIError";
  milliseconds silent_after = 5min;
};

struct alerts_settings {
  milliseconds breaker_open_for = 10min;
  std::size_t redis_reconnects_per_hour = 10;
  milliseconds feed_stale_for = 60s;
  milliseconds no_record_for = 120s;
  double spool_warn = 0.5;
  double spool_critical = 0.9;
  milliseconds clock_skew = 2s;
  milliseconds interval = 5s;                   ///< Between two looks.
  std::string stream = "quantum:stream:alerts"; ///< Empty: alerts are not written to Redis.
  std::size_t maxlen = 10000;
  std::string webhook_url;
};

struct health_settings {
  milliseconds interval = 30s;
  milliseconds answer_within = 5s;
  std::string stream = "quantum:stream:health.breakwater"; ///< Of one entry a tick; empty: none.
  std::size_t maxlen = 10000;
};

struct supervisor_settings {
  milliseconds restart_initial = 100ms;
  milliseconds restart_max = 10s;
  std::size_t max_restarts = 10;
  milliseconds within = 60s;
  milliseconds grace = 5s;
};

struct api_settings {
  std::string listen = "127.0.0.1:8000"; ///< Empty: no API.
  std::string token_file;
  secret token; ///< Read from token_file by the loader; empty: none is needed.
};

struct chaos_settings {
  bool enabled = false; ///< Lets the API kill and hang actors.
};

struct settings {
  std::string folder; ///< Of the config file; empty: the working directory. contracts/ is looked for there.
  process_settings process;
  log_settings log;
  redis_settings redis;
  breaker_settings breaker_redis;
  breaker_settings breaker_orders = [] {
    breaker_settings guard;
    guard.open_duration = 300s;
    return guard;
  }();
  orders_settings orders;
  symbols_settings symbols;
  feeds_settings feeds;
  aggregator_settings aggregator;
  spool_settings spool;
  std::vector<bridge_settings> bridges; ///< None unless the file has some.
  position_monitor_settings position_monitor;
  health_settings health;
  alerts_settings alerts;
  supervisor_settings supervisor;
  api_settings api;
  chaos_settings chaos;
};

} // namespace breakwater
