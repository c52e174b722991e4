#include "actors/api/metric_families.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <initializer_list>
#include <limits>
#include <map>
#include <set>
#include <string_view>
#include <utility>

namespace breakwater {
namespace {

using kind = metric_family::kind;
using labels = std::vector<std::pair<std::string, std::string>>;

/// Families in the order in which they were told first, each once.
class collection {
public:
  void gauge(const char* name, const char* help, double value, labels which = {}) {
    add(kind::gauge, name, help, value, std::move(which));
  }
  void counter(const char* name, const char* help, double value, labels which = {}) {
    add(kind::counter, name, help, value, std::move(which));
  }
  template <class T>
  void counter(const char* name, const char* help, T value, labels which = {}) {
    add(kind::counter, name, help, static_cast<double>(value), std::move(which));
  }
  /// 1 for the state that holds, 0 for the others.
  void state(const char* name, const char* help, std::string_view holds,
             std::initializer_list<const char*> states, const labels& whose = {}) {
    for (const auto* one : states) {
      auto which = whose;
      which.emplace_back("state", one);
      gauge(name, help, holds == one ? 1 : 0, std::move(which));
    }
  }
  metric_families take() { return std::move(all_); }

  void add(kind type, const char* name, const char* help, double value, labels which) {
    const auto [place, is_new] = places_.try_emplace(name, all_.size());
    if (is_new) all_.push_back({name, help, type, {}});
    all_[place->second].samples.push_back({std::move(which), value});
  }

private:
  metric_families all_;
  std::map<std::string_view, std::size_t> places_;
};

double seconds(wall_time at) { return static_cast<double>(epoch_ms(at)) / 1000; }
double seconds(const std::optional<wall_time>& at) { return at ? seconds(*at) : 0; }
template <class Rep, class Period>
double seconds(std::chrono::duration<Rep, Period> x) {
  return std::chrono::duration<double>(x).count();
}
template <class T>
double number(T x) {
  return static_cast<double>(x);
}

double level_number(health_level level) { return static_cast<double>(level); }

/// A fact of the health tick that is a metric.
struct fact_row {
  std::string_view actor; ///< "bridge/" stands for all that begin like that.
  std::string_view fact;
  kind type;
  const char *name, *help;
  const char* label = "";   ///< What tells the actors apart; its value is the actor's name behind `actor`.
  const char* outcome = ""; ///< A label `outcome` of that value.
};

constexpr const char* bridge_help = "Events of a bridge that were finished, by what became of them.";
constexpr fact_row fact_rows[] = {
    {"aggregator", "candles", kind::counter, "breakwater_aggregator_candles_total",
     "Candles that were merged."},
    {"aggregator", "symbols", kind::gauge, "breakwater_aggregator_symbols", "Symbols with an open minute."},
    {"aggregator", "waiting", kind::gauge, "breakwater_aggregator_waiting_records",
     "Records that wait for the publisher to take them."},
    {"aggregator", "late", kind::counter, "breakwater_aggregator_late_candles_total",
     "Candles that came after their minute was closed for good."},
    {"aggregator", "out_of_order", kind::counter, "breakwater_aggregator_out_of_order_candles_total",
     "Candles older than what was known of their minute."},
    {"aggregator", "unchanged", kind::counter, "breakwater_aggregator_unchanged_candles_total",
     "Candles that changed nothing."},
    {"aggregator", "again", kind::counter, "breakwater_aggregator_again_candles_total",
     "Candles of the raw stream that were read a second time and not merged again."},
    {"aggregator", "alone", kind::counter, "breakwater_aggregator_alone_candles_total",
     "Candles of minutes that too few exchanges had."},
    {"aggregator", "over_limit", kind::counter, "breakwater_aggregator_over_limit_candles_total",
     "Candles of more symbols than are kept."},
    {"aggregator", "late_filled", kind::counter, "breakwater_aggregator_late_filled_candles_total",
     "Filled candles of minutes that were told and closed for good."},
    {"aggregator", "past_minutes", kind::gauge, "breakwater_aggregator_past_windows",
     "Past minutes that wait for their fills."},
    {"aggregator", "past_dropped", kind::counter, "breakwater_aggregator_past_dropped_windows_total",
     "Past minutes let go because too many waited."},
    {"publisher", "disturbed", kind::counter, "breakwater_publisher_disturbed_transactions_total",
     "Transactions that were void because somebody else wrote to the stream."},
    {"publisher", "restamped", kind::counter, "breakwater_publisher_restamped_records_total",
     "Records that got a new id behind what somebody else wrote."},
    {"raw_reader", "candles", kind::counter, "breakwater_raw_reader_candles_total",
     "Candles of the raw stream that the aggregator took."},
    {"raw_reader", "entries", kind::counter, "breakwater_raw_reader_entries_total",
     "Entries of the raw stream that were read."},
    {"raw_reader", "behind", kind::gauge, "breakwater_raw_reader_unread_entries",
     "Entries of the raw stream that were there and not yet read, at the last look."},
    {"raw_reader", "unreadable", kind::counter, "breakwater_raw_reader_unreadable_entries_total",
     "Entries that are no candles."},
    {"raw_reader", "markers", kind::counter, "breakwater_raw_reader_marker_entries_total",
     "Entries that carry no data."},
    {"raw_reader", "holes", kind::counter, "breakwater_raw_reader_holes_total",
     "Times that entries of the raw stream were gone before they were read."},
    {"raw_reader", "trimmed_unread", kind::counter, "breakwater_raw_reader_trimmed_unread_entries_total",
     "Entries of the raw stream that were gone before they were read."},
    {"bridge/", "delivered", kind::counter, "breakwater_bridge_events_total", bridge_help, "bridge",
     "delivered"},
    {"bridge/", "dead", kind::counter, "breakwater_bridge_events_total", bridge_help, "bridge", "dead"},
    {"bridge/", "duplicates", kind::counter, "breakwater_bridge_events_total", bridge_help, "bridge",
     "duplicate"},
    {"bridge/", "held_back", kind::counter, "breakwater_bridge_events_total", bridge_help, "bridge",
     "held_back"},
    {"bridge/", "gone", kind::counter, "breakwater_bridge_events_total", bridge_help, "bridge", "gone"},
    {"bridge/", "late", kind::counter, "breakwater_bridge_late_events_total",
     "Events older than max_age that were delivered since they reduce risk.", "bridge"},
    {"bridge/", "from_side", kind::counter, "breakwater_bridge_from_side_events_total",
     "Events that said side where the contract says action.", "bridge"},
    {"bridge/", "price_unchecked", kind::counter, "breakwater_bridge_price_unchecked_events_total",
     "Events delivered without a live price to check theirs against.", "bridge"},
    {"bridge/", "claimed", kind::counter, "breakwater_bridge_claimed_events_total",
     "Events taken over from consumers that had left them.", "bridge"},
    {"bridge/", "trimmed_unread", kind::counter, "breakwater_bridge_trimmed_unread_events_total",
     "Events that were gone before they were read.", "bridge"},
    {"bridge/", "bodiless", kind::counter, "breakwater_bridge_bodiless_events_total",
     "Pending events that were gone before they were finished.", "bridge"},
    {"result_reader", "results", kind::counter, "breakwater_result_reader_results_total",
     "Execution results told to the orders breaker."},
    {"result_reader", "failures", kind::counter, "breakwater_result_reader_failures_total",
     "Execution results that are failures."},
    {"universe", "symbols", kind::gauge, "breakwater_universe_symbols", "Symbols that are followed."},
    {"universe", "cut", kind::gauge, "breakwater_universe_cut_symbols",
     "Symbols of the universe key that symbols.max leaves out."},
    {"universe", "odd", kind::gauge, "breakwater_universe_odd_symbols",
     "Names in the universe key that are no symbols."},
    {"audit", "lines", kind::gauge, "breakwater_audit_lines", "Lines of the audit log."},
    {"audit", "failed", kind::counter, "breakwater_audit_failed_writes_total",
     "Lines that could not be written to the audit log."},
    {"alerts", "raised", kind::counter, "breakwater_alerts_raised_total", "Alerts that were raised."},
    {"alerts", "cleared", kind::counter, "breakwater_alerts_cleared_total", "Alerts that were cleared."},
    {"alerts", "unjudged", kind::gauge, "breakwater_alerts_unjudged_rules",
     "Rules that could not be judged at the last look, since somebody did not answer."},
    {"alerts", "webhook_waiting", kind::gauge, "breakwater_alerts_webhook_waiting_posts",
     "Alerts that wait for the webhook."},
    {"alerts", "webhook_delivered", kind::counter, "breakwater_alerts_webhook_delivered_posts_total",
     "Alerts that the webhook took."},
    {"alerts", "webhook_dropped", kind::counter, "breakwater_alerts_webhook_dropped_posts_total",
     "Alerts that never reached the webhook."},
};

/// Entries of quality markers, health and alerts: the same of each of these actors.
constexpr std::string_view notice_actors[] = {"quality", "notices/health", "notices/alerts"};
constexpr fact_row notice_rows[] = {
    {"", "written", kind::counter, "breakwater_notices_written_entries_total",
     "Entries written to their stream."},
    {"", "waiting", kind::gauge, "breakwater_notices_waiting_entries", "Entries that wait for Redis."},
    {"", "dropped", kind::counter, "breakwater_notices_dropped_entries_total",
     "Entries dropped because too many waited."},
    {"", "refused", kind::counter, "breakwater_notices_refused_entries_total",
     "Entries that Redis will never take."},
};

std::optional<double> fact_of(const health_answer& answer, std::string_view name) {
  for (const auto& [key, text] : answer.facts) {
    if (key != name) continue;
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number(value);
  }
  return std::nullopt;
}

void tell_fact(collection& out, const fact_row& row, const health_report::part& part, labels which) {
  const auto value = fact_of(part.answer, row.fact);
  if (!value) return;
  if (*row.outcome != '\0') which.emplace_back("outcome", row.outcome);
  out.add(row.type, row.name, row.help, *value, std::move(which));
}

void tell_facts(collection& out, const health_report::part& part) {
  for (const auto& row : fact_rows) {
    const bool of_all = row.actor.ends_with('/');
    if (of_all ? !part.name.starts_with(row.actor) : part.name != row.actor) continue;
    tell_fact(out, row, part, of_all ? labels{{row.label, part.name.substr(row.actor.size())}} : labels{});
  }
  if (std::find(std::begin(notice_actors), std::end(notice_actors), part.name) != std::end(notice_actors))
    for (const auto& row : notice_rows) tell_fact(out, row, part, {{"actor", part.name}});
}

void tell_health(collection& out, const health_report& tick) {
  if (!tick.as_of) return; // nobody was asked yet
  auto worst = health_level::ok;
  for (const auto& part : tick.parts) {
    worst = std::max(worst, part.answer.level);
    out.gauge("breakwater_health_actor_level",
              "How an actor was at the last health tick: 0 ok, 1 degraded, 2 critical.",
              level_number(part.answer.level), {{"actor", part.name}});
    tell_facts(out, part);
  }
  out.gauge("breakwater_health_level", "The worst of the actors at the last health tick: 0, 1 or 2.",
            level_number(worst));
}

void tell_supervision(collection& out, const supervision_report& told) {
  for (const auto& child : told.children) {
    const labels whose{{"actor", child.name}};
    out.gauge("breakwater_supervisor_actor_running", "1: the actor runs; 0: it waits for its restart.",
              child.running ? 1 : 0, whose);
    out.gauge("breakwater_supervisor_actor_age_seconds", "How long the actor's present life has lasted.",
              child.running ? seconds(child.age) : 0, whose);
    out.counter("breakwater_supervisor_actor_restarts_total", "Times the actor failed and was restarted.",
                child.restarts, whose);
    out.gauge("breakwater_supervisor_actor_last_failure_timestamp_seconds",
              "When the actor failed last. 0: not since the process began.", seconds(child.last_failed_at),
              whose);
  }
  out.gauge("breakwater_supervisor_recent_failures", "Failures of all actors within supervisor.within.",
            number(told.recent));
  out.gauge("breakwater_supervisor_max_restarts", "One more failure than so many ends the process.",
            number(told.most));
  out.gauge("breakwater_supervisor_within_seconds", "The time within which recent failures are counted.",
            seconds(told.within));
}

void tell_breaker(collection& out, const breaker_report& told) {
  const labels whose{{"breaker", told.name}};
  const auto& seen = told.statistics;
  out.state("breakwater_breaker_state", "1 for the state of the circuit, 0 for the others.",
            to_string(told.phase), {"CLOSED", "OPEN", "HALF_OPEN", "FORCED_OPEN"}, whose);
  auto mode = whose;
  mode.emplace_back("mode", told.mode);
  out.gauge("breakwater_breaker_mode", "1 for the mode in force.", 1, std::move(mode));
  out.gauge("breakwater_breaker_consecutive_failures", "Failures in a row.", number(told.failures), whose);
  out.gauge("breakwater_breaker_failure_threshold", "Failures in a row that open the circuit.",
            number(told.failure_threshold), whose);
  out.gauge("breakwater_breaker_last_failure_timestamp_seconds", "When a failure was counted last. 0: never.",
            seconds(told.last_failure_at), whose);
  out.gauge("breakwater_breaker_opened_timestamp_seconds", "When the circuit left CLOSED. 0: it is closed.",
            seconds(told.opened_at), whose);
  out.gauge("breakwater_breaker_retry_timestamp_seconds",
            "When calls are let through again. 0: they are, or only an operator can tell.",
            seconds(told.retry_at), whose);
  out.counter("breakwater_breaker_allowed_calls_total",
              "Calls let through, over all runs of the process; so are the other totals of breakers.",
              seen.allowed, whose);
  out.counter("breakwater_breaker_blocked_calls_total", "Calls refused.", seen.blocked, whose);
  out.counter("breakwater_breaker_would_block_calls_total",
              "Calls let through in mode observe that enforce would have refused.", seen.would_block, whose);
  out.counter("breakwater_breaker_successes_total", "Successes counted.", seen.successes, whose);
  out.counter("breakwater_breaker_failures_total", "Failures counted.", seen.failures, whose);
  out.counter("breakwater_breaker_opened_total", "Times the circuit left CLOSED.", seen.times_opened, whose);
  out.counter("breakwater_breaker_open_seconds_total", "Time the circuit was not CLOSED, all times together.",
              seconds(seen.time_open), whose);
  out.gauge("breakwater_breaker_longest_open_seconds", "The longest time the circuit was not CLOSED.",
            seconds(seen.longest_open), whose);
}

void tell_redis(collection& out, const redis_report& told) {
  out.gauge("breakwater_redis_connected", "1: the connection for commands stands.", told.connected ? 1 : 0);
  out.gauge("breakwater_redis_healthy", "1: the last health ping was answered with PONG.",
            told.healthy ? 1 : 0);
  out.state("breakwater_redis_state", "1 for the state of the connection, 0 for the others.", told.phase,
            {"disconnected", "connecting", "handshaking", "ready", "degraded", "backing_off"});
  out.counter("breakwater_redis_connection_attempts_total", "Attempts to connect.", told.connection_attempts);
  constexpr const char* operations = "breakwater_redis_operations_total";
  constexpr const char* operations_help = "Pieces of commands by their end.";
  out.counter(operations, operations_help, told.successful_operations, {{"outcome", "succeeded"}});
  out.counter(operations, operations_help, told.failed_operations, {{"outcome", "failed"}});
  out.gauge("breakwater_redis_consecutive_failures", "Failed attempts, operations and health pings in a row.",
            number(told.consecutive_failures));
  out.counter("breakwater_redis_reconnects_total", "Times the connection was made anew.", told.reconnects);
  out.gauge("breakwater_redis_reconnects_last_hour", "Reconnects within the last hour.",
            number(told.reconnects_last_hour));
  out.gauge("breakwater_redis_last_round_trip_seconds", "Round trip of the last health ping.",
            seconds(told.last_round_trip));
  out.gauge("breakwater_redis_last_error_timestamp_seconds",
            "When something of the connection failed last. 0: nothing did.", seconds(told.last_error_time));
  out.gauge("breakwater_redis_commands_in_flight", "Pieces of commands sent and not answered.",
            number(told.in_flight));
}

void tell_spool(collection& out, const std::vector<spool_report>& streams) {
  for (const auto& told : streams) {
    const labels whose{{"stream", told.stream}};
    out.gauge("breakwater_publisher_level", "How the publisher is: 0 ok, 1 degraded, 2 critical.",
              level_number(told.level), whose);
    if (told.state.empty()) continue; // the spool is being opened
    out.state("breakwater_publisher_state", "1 for the state of the delivery, 0 for the others.", told.state,
              {"unsynced", "comparing", "restamping", "ready", "disowned", "halted"}, whose);
    out.gauge("breakwater_spool_waiting_records", "Records that wait for Redis.", number(told.waiting),
              whose);
    out.gauge("breakwater_spool_retained_records",
              "Records that Redis has and that are kept for a Redis that comes back older.",
              number(told.retained), whose);
    out.gauge("breakwater_spool_dead_records", "Records set aside; breakwater spool dead lists them.",
              number(told.dead), whose);
    out.gauge("breakwater_spool_oldest_waiting_timestamp_seconds",
              "When the oldest record that waits was accepted. 0: none waits.", seconds(told.oldest_waiting),
              whose);
    out.counter("breakwater_publisher_accepted_records_total", "Records written to the spool.", told.accepted,
                whose);
    // What Redis lost is taken off by the publisher; here it would look like a restart.
    out.counter("breakwater_publisher_acknowledged_records_total",
                "Acknowledgements of records by Redis; one that Redis lost again is acknowledged twice.",
                told.acknowledged + told.sent_again, whose);
    out.counter("breakwater_publisher_sent_again_records_total",
                "Acknowledged records that Redis had lost and that were sent again.", told.sent_again, whose);
    out.counter("breakwater_publisher_transactions_total", "Transactions that Redis applied.",
                told.transactions, whose);
    out.counter("breakwater_publisher_resyncs_total", "Times the stream was looked at to get in step.",
                told.resyncs, whose);
    out.counter("breakwater_publisher_refusals_total", "Batches that Redis refused.", told.refusals, whose);
    out.counter("breakwater_publisher_holes_total",
                "Times Redis came back older than what is retained: records are lost.", told.holes, whose);
    out.counter("breakwater_publisher_trimmed_unread_entries_total",
                "Entries trimmed before a consumer group had read them.", told.trimmed_unread, whose);
  }
  // All streams share one spool.
  for (const auto& told : streams) {
    if (told.max_bytes == 0) continue;
    out.gauge("breakwater_spool_used_bytes", "What the spool holds, all streams together.",
              number(told.bytes));
    out.gauge("breakwater_spool_max_bytes", "spool.max_bytes: at so much nothing more is accepted.",
              number(told.max_bytes));
    break;
  }
}

/// The counts of a feed's report that are metrics; the others are details of the channel.
struct count_row {
  std::string_view count;
  const char *name, *help;
};
constexpr count_row feed_counts[] = {
    {"frames", "breakwater_feed_frames_total", "Frames that came."},
    {"candles", "breakwater_feed_candles_total", "Candles that were news."},
    {"unreadable", "breakwater_feed_unreadable_frames_total", "Frames that could not be read."},
    {"other", "breakwater_feed_other_frames_total", "Frames of other channels."},
    {"conflated", "breakwater_feed_conflated_candles_total",
     "Older states of a candle that were replaced by newer ones before the aggregator took them."},
    {"dropped", "breakwater_feed_dropped_candles_total", "Candles dropped because too many waited."},
    {"reconnects", "breakwater_feed_reconnects_total", "Connections that were made anew after a loss."},
    {"replacements", "breakwater_feed_replacements_total",
     "Connections that were replaced before the exchange ended them."},
    {"repeats", "breakwater_feed_repeated_candles_total", "Candles that were known already."},
    {"gaps", "breakwater_feed_gaps_total", "Gaps in a symbol's minutes."},
    {"missing_minutes", "breakwater_feed_missing_candles_total", "Minutes that were missing."},
    {"filled_minutes", "breakwater_feed_filled_candles_total", "Missing minutes that were filled."},
    {"quiet_minutes", "breakwater_feed_quiet_candles_total", "Missing minutes in which nobody had traded."},
    {"unfilled_minutes", "breakwater_feed_unfilled_candles_total", "Missing minutes that nobody could fill."},
};

void tell_symbols(collection& out, const feed_report& told, const std::set<std::string_view>& listed) {
  const std::string exchange = to_string(told.of);
  std::map<std::string_view, std::size_t> by_state{
      {"wanted", 0}, {"asked", 0}, {"subscribed", 0}, {"stale", 0}, {"refused", 0}};
  std::optional<wall_time> oldest;
  for (const auto& symbol : told.symbols) {
    ++by_state[symbol.state];
    const bool has_data = symbol.state == "subscribed" || symbol.state == "stale";
    if (has_data && symbol.last_data && (!oldest || *symbol.last_data < *oldest)) oldest = symbol.last_data;
    if (listed.contains(symbol.name) && symbol.state != "refused")
      out.gauge("breakwater_feed_symbol_last_data_timestamp_seconds",
                "When data of a symbol of symbols.list came last. 0: never.", seconds(symbol.last_data),
                {{"exchange", exchange}, {"symbol", symbol.name}});
  }
  for (const auto& [state, count] : by_state)
    out.gauge("breakwater_feed_symbols", "Symbols by the state of their subscription.", number(count),
              {{"exchange", exchange}, {"state", std::string{state}}});
  out.gauge("breakwater_feed_oldest_data_timestamp_seconds",
            "When data came last of the subscribed symbol that has waited longest. 0: none has had any.",
            seconds(oldest), {{"exchange", exchange}});
}

void tell_feed(collection& out, const feed_report& told, const std::set<std::string_view>& listed) {
  const labels whose{{"exchange", to_string(told.of)}};
  out.gauge("breakwater_feed_connected", "1: at least one connection stands.", told.connected ? 1 : 0, whose);
  out.gauge("breakwater_feed_connections", "Connections.", number(told.connections.size()), whose);
  tell_symbols(out, told, listed);
  for (const auto& [name, count] : told.counts)
    for (const auto& row : feed_counts)
      if (row.count == name) out.counter(row.name, row.help, count, whose);
  if (told.clock_offset)
    out.gauge("breakwater_feed_clock_offset_seconds",
              "Receipt by our clock less event time by the exchange's, the least of the last minute: clock "
              "offset and shortest way together.",
              seconds(*told.clock_offset), whose);
  if (told.clock_spread)
    out.gauge("breakwater_feed_clock_spread_seconds",
              "The most of the last minute above that: what queues add.", seconds(*told.clock_spread), whose);
}

void tell_merging(collection& out, const merge_report& told) {
  out.counter("breakwater_aggregator_records_total", "Merged records.", told.records);
  out.counter("breakwater_aggregator_suspect_records_total",
              "Records whose two exchanges differ by more than aggregator.max_deviation.", told.suspect);
  out.counter("breakwater_aggregator_filled_candles_total",
              "Candles of long past minutes that were merged after all.", told.filled);
  for (const auto x : all_exchanges) {
    const auto& of = told.exchanges[index_of(x)];
    const labels whose{{"exchange", to_string(x)}};
    out.counter("breakwater_aggregator_contributed_records_total", "Records an exchange was part of.",
                of.contributed, whose);
    out.counter("breakwater_aggregator_excluded_records_total",
                "Records an exchange was left out of, too far from the median.", of.excluded, whose);
  }
  if (told.lead_lag)
    out.gauge("breakwater_aggregator_lead_lag_ratio",
              "Mean of (Binance - Bybit) / mean over the records that have it.", *told.lead_lag);
}

void tell_prices(collection& out, const price_answer& told, const std::set<std::string_view>& listed) {
  double widest = 0;
  std::size_t suspect = 0;
  std::optional<wall_time> oldest;
  for (const auto& last : told.prices) {
    const auto deviation = last.price > 0 ? last.deviation / last.price : 0;
    widest = std::max(widest, deviation);
    suspect += last.suspect ? 1 : 0;
    if (!listed.contains(last.symbol)) continue;
    if (!oldest || last.at < *oldest) oldest = last.at;
    const labels whose{{"symbol", last.symbol}};
    out.gauge(
        "breakwater_aggregator_symbol_deviation_ratio",
        "Standard deviation of the exchanges' closes over their mean, of the last record of a symbol of "
        "symbols.list.",
        deviation, whose);
    out.gauge("breakwater_aggregator_symbol_spread_ratio",
              "Highest less lowest close over the mean, of the last record of a symbol of symbols.list.",
              last.spread_bps / 10000, whose);
    out.gauge("breakwater_aggregator_symbol_exchanges",
              "Exchanges the last record of a symbol of symbols.list is made of.", last.contributing, whose);
    out.gauge("breakwater_aggregator_symbol_last_record_timestamp_seconds",
              "When the candle was received that made the last record of a symbol of symbols.list.",
              seconds(last.at), whose);
  }
  out.gauge("breakwater_aggregator_widest_deviation_ratio",
            "The largest deviation among the last records of all symbols.", widest);
  out.gauge("breakwater_aggregator_suspect_symbols",
            "Symbols whose last record is of two exchanges that differ too much.", number(suspect));
}

void tell_alerts(collection& out, const alerts_report& told) {
  std::map<std::pair<std::string, std::string>, std::size_t> active;
  std::map<std::string, std::size_t> by_level{{"warning", 0}, {"critical", 0}};
  for (const auto& one : told.active) {
    ++active[{one.rule, to_string(one.level)}];
    ++by_level[to_string(one.level)];
  }
  for (const auto& [which, count] : active)
    out.gauge("breakwater_alerts_active", "Alerts that stand, by rule; a rule without any is absent.",
              number(count), {{"rule", which.first}, {"level", which.second}});
  for (const auto& [level, count] : by_level)
    out.gauge("breakwater_alerts_standing", "Alerts that stand, by level.", number(count),
              {{"level", level}});
}

void tell_position(collection& out, const position_report& told) {
  out.state("breakwater_position_monitor_state",
            "1 for the state of the external position monitor, 0 for the others.", to_string(told.status),
            {"HEALTHY", "CHECK_NEEDED", "SILENT", "UNKNOWN"});
  out.gauge("breakwater_position_monitor_last_seen_timestamp_seconds",
            "When the position monitor was seen active last. 0: never.", seconds(told.last_seen));
  out.gauge("breakwater_position_monitor_last_error_timestamp_seconds",
            "When an error of the position monitor was seen last. 0: never.", seconds(told.last_error_at));
  out.counter("breakwater_position_monitor_activities_total", "Times it was seen active.", told.activities);
  out.counter("breakwater_position_monitor_errors_total", "Errors of it that were seen.", told.errors);
}

} // namespace

metric_families families_of(const metric_sources& from, const metric_facts& about) {
  collection out;
  out.gauge("breakwater_build_info", "1; version and instance of the process.", 1,
            {{"version", about.version}, {"instance", about.instance}});
  out.gauge("breakwater_scrape_incomplete",
            "Actors that did not answer in time: what they know is left out this time.",
            number(from.asked - std::min(from.answered, from.asked)));
  out.counter("breakwater_api_requests_total", "HTTP requests.", about.requests);
  out.counter("breakwater_api_refused_requests_total", "HTTP requests answered with 4xx or 5xx.",
              about.refused);
  std::set<std::string_view> listed;
  for (const auto& symbol : about.symbols)
    if (listed.size() < most_symbols) listed.insert(symbol);
  if (from.tick) tell_health(out, *from.tick);
  if (from.supervision) tell_supervision(out, *from.supervision);
  for (const auto& told : from.breakers) tell_breaker(out, told);
  if (from.redis) tell_redis(out, *from.redis);
  tell_spool(out, from.spool);
  for (const auto& told : from.feeds) tell_feed(out, told, listed);
  if (from.merging) tell_merging(out, *from.merging);
  if (from.prices) tell_prices(out, *from.prices, listed);
  if (from.alerts) tell_alerts(out, *from.alerts);
  if (from.position) tell_position(out, *from.position);
  return out.take();
}

} // namespace breakwater
