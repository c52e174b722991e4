#include "actors/position_monitor/activity.hpp"

#include "actors/support/resp.hpp"
#include "actors/support/stream_reply.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace breakwater {
namespace {

constexpr const char* no_source = "no source is configured and no heartbeat came; set "
                                  "position_monitor.stream, log_file or journal_unit, or "
                                  "have it POST /api/position-monitor/heartbeat";

/// "95 s", "6 min".
std::string text_of(mono_time::duration span) {
  const auto s = std::chrono::duration_cast<std::chrono::seconds>(span).count();
  return s < 120 ? std::to_string(s) + " s" : std::to_string(s / 60) + " min";
}

/// The moment a stream entry was made, by the clock of its id.
moment made_at(entry_id id, moment now) {
  const auto now_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(epoch_ms(now.wall), 0));
  if (id.ms >= now_ms) return now; // its writer's clock is ahead of ours
  const auto age = milliseconds{static_cast<std::int64_t>(now_ms - id.ms)};
  return {now.mono - age, now.wall - age};
}

} // namespace

activity::activity(position_monitor_settings how, moment born)
    : how_(std::move(how)),
      born_(born),
      sources_{source{"stream", how_.stream, !how_.stream.empty()},
               source{"log", how_.log_file.empty() ? how_.journal_unit : how_.log_file,
                      !how_.log_file.empty() || !how_.journal_unit.empty()},
               source{"heartbeat", {}}} {}

void activity::take_heartbeat(moment now) { see(from::heartbeat, now, 1); }

void activity::take_log(const log_sightings& seen, moment now) {
  at(from::log).problem = seen.problem;
  cut_lines_ += seen.cut;
  if (seen.activities > 0) see(from::log, now, seen.activities);
  if (seen.errors == 0) return;
  errors_ += seen.errors;
  last_error_ = seen.last_error;
  last_error_at_ = now;
}

redis_commands activity::newest_entry() const {
  auto wire = std::make_shared<std::string>();
  append_command(*wire, {"XREVRANGE", how_.stream, "+", "-", "COUNT", "1"});
  redis_commands ask;
  ask.wire = std::move(wire);
  ask.count = 1;
  return ask;
}

void activity::take_stream(const redis_reply& newest, moment now) {
  if (newest.what == redis_reply::kind::error) return stream_unread(newest.text);
  if (newest.items.empty()) return stream_unread("it does not exist or is empty");
  const auto id = entry_id_of(newest.items.front());
  if (!id) return stream_unread("Redis answered XREVRANGE with something that is no entry");
  at(from::stream).problem.clear();
  if (newest_id_ == id) return;
  newest_id_ = id;
  see(from::stream, made_at(*id, now), 1);
}

void activity::stream_unread(std::string why) { at(from::stream).problem = std::move(why); }

void activity::see(from which, moment when, std::uint64_t times) {
  if (when.mono >= born_.mono) activities_ += times;
  auto& by = at(which);
  if (!by.last_seen || by.last_seen->mono < when.mono) by.last_seen = when;
  if (last_seen_ && last_seen_->mono > when.mono) return;
  last_seen_ = when;
  seen_by_ = by.name;
}

bool activity::is_expected() const {
  return std::any_of(sources_.begin(), sources_.end(),
                     [](const source& s) { return s.is_configured || s.last_seen; });
}

position_status activity::status(mono_time now) const {
  if (!is_expected()) return position_status::unknown;
  const auto quiet_since = last_seen_ ? std::max(last_seen_->mono, born_.mono) : born_.mono;
  if (now - quiet_since > how_.silent_after) return position_status::silent;
  if (last_error_at_ && now - last_error_at_->mono <= how_.silent_after) return position_status::check_needed;
  if (last_seen_ && now - last_seen_->mono <= how_.silent_after) return position_status::healthy;
  return position_status::unknown;
}

std::string activity::why(position_status status, mono_time now) const {
  std::string text;
  if (status == position_status::healthy) return text;
  if (!is_expected()) return no_source;
  if (status == position_status::check_needed)
    text = "errors in its log, the newest " + text_of(now - last_error_at_->mono) + " ago: " + last_error_;
  else if (last_seen_)
    text = "not seen active for " + text_of(now - last_seen_->mono);
  else
    text = "not seen active since breakwater began, " + text_of(now - born_.mono) + " ago";
  if (status == position_status::silent && last_error_at_)
    text += "; its last error, " + text_of(now - last_error_at_->mono) + " ago: " + last_error_;
  for (const auto& one : sources_)
    if (status != position_status::check_needed && !one.problem.empty())
      text += std::string{"; its "} + one.name + " " + one.of + " tells nothing: " + one.problem;
  return text;
}

position_report activity::report(moment now) const {
  const auto wall_of = [](const std::optional<moment>& when) {
    return when ? std::optional{when->wall} : std::nullopt;
  };
  position_report told;
  told.status = status(now.mono);
  told.why = why(told.status, now.mono);
  told.last_seen = wall_of(last_seen_);
  told.seen_by = seen_by_;
  told.activities = activities_;
  told.errors = errors_;
  told.last_error_at = wall_of(last_error_at_);
  told.last_error = last_error_;
  for (const auto& one : sources_)
    if (one.is_configured || &one == &at(from::heartbeat))
      told.sources.push_back({one.name, one.of, wall_of(one.last_seen), one.problem});
  return told;
}

} // namespace breakwater
