#include "actors/support/metrics_io.hpp"

#include "actors/support/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>

namespace breakwater {
namespace {

using boundaries = prometheus::Histogram::BucketBoundaries;

struct latency_row {
  latency what;
  const char *name, *label, *help;
  boundaries buckets;
};
struct success_row {
  success what;
  const char *name, *label, *help;
};

// A received_at is a whole millisecond, so below that nothing can be told apart. An outage makes hours.
const boundaries ages{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2,  0.5,
                      1,     2,     5,     10,   30,   60,   300, 1800, 7200};
const boundaries round_trips{0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01,
                             0.02,    0.05,   0.1,    0.2,    0.5,   1,     2,     5};

const std::array<latency_row, latency_count> latencies{{
    {latency::frame_to_reply, "breakwater_publisher_frame_to_reply_seconds", "stream",
     "From the receipt of the oldest frame of a batch to the Redis reply that acknowledges it, counted for "
     "each record of the batch.",
     ages},
    {latency::redis_command, "breakwater_redis_command_seconds", "",
     "From sending commands to Redis until the last of their replies; blocking reads are left out.",
     round_trips},
    {latency::redis_ping, "breakwater_redis_ping_seconds", "", "Round trip of a health ping to Redis.",
     round_trips},
    {latency::spool_commit, "breakwater_spool_commit_seconds", "",
     "One transaction of the spool, with its sync to disk if spool.sync is batch.", round_trips},
    {latency::actor_answer, "breakwater_health_answer_seconds", "actor",
     "From the health tick's question until the actor's answer: how long its mailbox makes one wait.",
     round_trips},
    {latency::api_request, "breakwater_api_request_seconds", "status",
     "From a whole HTTP request until its answer, by the class of its status.", round_trips},
}};

constexpr std::array<success_row, success_count> successes{{
    {success::universe_read, "breakwater_universe_last_read_timestamp_seconds", "",
     "When symbols.universe_key was read and understood last."},
    {success::feed_data, "breakwater_feed_last_data_timestamp_seconds", "exchange",
     "When a candle of the exchange came last, by our clock."},
    {success::feed_fetch, "breakwater_feed_last_fetch_timestamp_seconds", "exchange",
     "When past candles of the exchange were fetched last."},
    {success::raw_read, "breakwater_raw_reader_last_read_timestamp_seconds", "",
     "When the raw stream was read last, whether or not it had anything new."},
    {success::merged_candle, "breakwater_aggregator_last_candle_timestamp_seconds", "",
     "When a candle was merged last."},
    {success::merged_record, "breakwater_aggregator_last_record_timestamp_seconds", "",
     "When a merged record was made last."},
    {success::spool_commit, "breakwater_spool_last_commit_timestamp_seconds", "",
     "When a transaction of the spool was committed last."},
    {success::record_kept, "breakwater_publisher_last_kept_timestamp_seconds", "stream",
     "When a record was accepted, that is written to the spool, last."},
    {success::record_published, "breakwater_publisher_last_acknowledged_timestamp_seconds", "stream",
     "When Redis acknowledged a record last."},
    {success::redis_ping, "breakwater_redis_last_ping_timestamp_seconds", "",
     "When a health ping was answered with PONG last."},
    {success::redis_command, "breakwater_redis_last_reply_timestamp_seconds", "",
     "When Redis answered commands last; blocking reads are left out."},
    {success::breaker_saved, "breakwater_breaker_last_saved_timestamp_seconds", "breaker",
     "When the breaker's state was written to disk last."},
    {success::results_read, "breakwater_result_reader_last_read_timestamp_seconds", "",
     "When the stream of execution results was read last, whether or not it had anything new."},
    {success::bridge_read, "breakwater_bridge_last_read_timestamp_seconds", "bridge",
     "When the bridge's stream was read last, whether or not it had anything new."},
    {success::bridge_finished, "breakwater_bridge_last_finished_timestamp_seconds", "bridge",
     "When an event was finished last: delivered, held back or set aside."},
    {success::notice_written, "breakwater_notices_last_written_timestamp_seconds", "stream",
     "When an entry was written to the stream of quality markers, health or alerts last."},
    {success::health_tick, "breakwater_health_last_tick_timestamp_seconds", "",
     "When a health tick was closed last."},
    {success::alerts_look, "breakwater_alerts_last_look_timestamp_seconds", "",
     "When the alert rules were judged last."},
    {success::clock_compared, "breakwater_alerts_last_clock_comparison_timestamp_seconds", "",
     "When our clock was compared with that of Redis last."},
    {success::webhook_taken, "breakwater_alerts_last_webhook_timestamp_seconds", "",
     "When the webhook took an alert last."},
    {success::audit_written, "breakwater_audit_last_written_timestamp_seconds", "",
     "When a line of the audit log was written to disk last."},
}};

constexpr const char* events_name = "breakwater_events_total";
constexpr const char* events_help = "Events of the log, also those whose line was not printed.";

const latency_row& row_of(latency what) { return latencies[static_cast<std::size_t>(what)]; }
const success_row& row_of(success what) { return successes[static_cast<std::size_t>(what)]; }

constexpr const char* text_of(severity level) {
  constexpr std::array names{"debug", "info", "warn", "error"};
  return names[static_cast<std::size_t>(level)];
}

std::map<std::string, std::string> labels_of(const char* label, std::string_view subject) {
  if (*label == '\0') return {};
  return {{label, std::string{subject}}};
}

/// The one registry of the process. It is never destroyed: threads may still count while the process ends.
struct registry_state {
  registry_state() {
    // All from the beginning, so that the first one is seen to be one more than none.
    for (std::size_t i = 0; i <= static_cast<std::size_t>(event::repeats_counted); ++i)
      events[i] = &counter_of(static_cast<event>(i));
  }
  prometheus::Counter& counter_of(event what) {
    const auto& row = info_of(what);
    return event_family.Add({{"event", row.name}, {"level", text_of(row.level)}});
  }

  prometheus::Registry all{prometheus::Registry::InsertBehavior::Merge};
  prometheus::Family<prometheus::Counter>& event_family =
      prometheus::BuildCounter().Name(events_name).Help(events_help).Register(all);
  std::array<prometheus::Counter*, 256> events{}; ///< By event; nullptr: one behind the last we know of.
};

registry_state& registry() {
  static auto& the_registry = *new registry_state;
  return the_registry;
}

prometheus::MetricFamily converted(const metric_family& told) {
  const bool counts = told.type == metric_family::kind::counter;
  prometheus::MetricFamily family;
  family.name = told.name;
  family.help = told.help;
  family.type = counts ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
  for (const auto& sample : told.samples) {
    auto& metric = family.metric.emplace_back();
    for (const auto& [name, value] : sample.labels) metric.label.push_back({name, value});
    (counts ? metric.counter.value : metric.gauge.value) = sample.value;
  }
  return family;
}

// What the operating system says of the process, under the names every Prometheus client uses.

metric_family of_process(const char* name, const char* help, double value,
                         metric_family::kind type = metric_family::kind::gauge) {
  return {name, help, type, {{{}, value}}};
}

std::size_t open_files() {
  std::size_t count = 0;
  if (auto* folder = ::opendir("/proc/self/fd")) {
    while (::readdir(folder) != nullptr) ++count;
    ::closedir(folder);
  }
  return count > 3 ? count - 3 : 0; // ".", ".." and the folder itself
}

/// Seconds since the epoch at which the machine was started; 0: not known.
double booted_at() {
  std::ifstream in{"/proc/stat"};
  for (std::string word; in >> word;)
    if (double at = 0; word == "btime" && in >> at) return at;
  return 0;
}

metric_families process_families() {
  // Behind the command's name, which may hold anything, the third field of proc(5) comes first.
  std::ifstream in{"/proc/self/stat"};
  std::string line;
  std::getline(in, line);
  std::istringstream words{line.substr(std::min(line.rfind(')') + 1, line.size()))};
  std::array<std::string, 22> field;
  for (auto& one : field) words >> one;
  const auto number = [&](std::size_t of_proc) {
    std::istringstream text{field.at(of_proc - 3)};
    double value = 0;
    text >> value;
    return value;
  };
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  static const double boot = booted_at();
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  return {
      of_process("process_cpu_seconds_total", "User and system CPU time spent.",
                 (number(14) + number(15)) / ticks, metric_family::kind::counter),
      of_process("process_resident_memory_bytes",
                 "Resident memory, with the pages of the spool's file that are mapped in.",
                 number(24) * page),
      of_process("process_virtual_memory_bytes", "Virtual memory, with the whole map of the spool.",
                 number(23)),
      of_process("process_threads", "Threads.", number(20)),
      of_process("process_open_fds", "Open file descriptors.", static_cast<double>(open_files())),
      of_process("process_max_fds", "Most file descriptors the process may open.",
                 static_cast<double>(files.rlim_cur)),
      of_process("process_start_time_seconds", "When the process began, in seconds since the epoch.",
                 boot + number(22) / ticks),
  };
}

} // namespace

last_success::last_success(success what, std::string_view subject) {
  const auto& row = row_of(what);
  const std::string never = " 0: not since the process began.";
  cell_ = &prometheus::BuildGauge()
               .Name(row.name)
               .Help(row.help + never)
               .Register(registry().all)
               .Add(labels_of(row.label, subject));
}

void last_success::now() const {
  if (cell_ == nullptr) return;
  static_cast<prometheus::Gauge*>(cell_)->Set(static_cast<double>(epoch_ms(system_wall_time())) / 1000);
}

latency_histogram::latency_histogram(latency what, std::string_view subject) : what_(what) {
  const auto& row = row_of(what);
  cell_ = &prometheus::BuildHistogram()
               .Name(row.name)
               .Help(row.help)
               .Register(registry().all)
               .Add(labels_of(row.label, subject), row.buckets);
}

void latency_histogram::observe(std::chrono::nanoseconds took, std::size_t count) const {
  if (cell_ == nullptr || count == 0) return;
  auto& histogram = *static_cast<prometheus::Histogram*>(cell_);
  const auto seconds = std::max(0.0, std::chrono::duration<double>(took).count());
  if (count == 1) return histogram.Observe(seconds);
  const auto& buckets = row_of(what_).buckets;
  std::vector<double> increments(buckets.size() + 1);
  const auto place = std::lower_bound(buckets.begin(), buckets.end(), seconds) - buckets.begin();
  increments[static_cast<std::size_t>(place)] = static_cast<double>(count);
  histogram.ObserveMultiple(increments, seconds * static_cast<double>(count));
}

void count_event(event what) {
  auto& mine = registry();
  auto* known = mine.events[static_cast<std::uint8_t>(what)];
  (known != nullptr ? *known : mine.counter_of(what)).Increment();
}

std::string metrics_io::text(const metric_families& told) {
  auto all = registry().all.Collect();
  const auto add = [&](const metric_families& families) {
    for (const auto& family : families)
      if (!family.samples.empty()) all.push_back(converted(family));
  };
  add(process_families());
  add(told);
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return prometheus::TextSerializer{}.Serialize(all);
}

std::vector<metric_row> measured_metrics() {
  std::vector<metric_row> rows{{events_name, "counter", "event, level", events_help}};
  for (const auto& row : latencies) rows.push_back({row.name, "histogram", row.label, row.help});
  for (const auto& row : successes) rows.push_back({row.name, "gauge", row.label, row.help});
  for (const auto& family : process_families())
    rows.push_back(
        {family.name, family.type == metric_family::kind::counter ? "counter" : "gauge", "", family.help});
  return rows;
}

} // namespace breakwater
