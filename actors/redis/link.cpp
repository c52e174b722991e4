#include "actors/redis/link.hpp"

#include "actors/support/expects.hpp"
#include "actors/support/resp.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace breakwater {
namespace {

using std::chrono::milliseconds;

std::shared_ptr<const std::string> wire_of(std::initializer_list<std::string_view> command) {
  auto wire = std::make_shared<std::string>();
  append_command(*wire, command);
  return wire;
}

/// CLIENT SETNAME refuses blanks and what cannot be printed.
std::string connection_name(std::string name) {
  std::ranges::replace_if(
      name, [](char c) { return c <= ' ' || c > '~'; }, '_');
  return name;
}

/// "loading_eta_seconds:12" in the answer to INFO persistence.
std::optional<milliseconds> loading_eta(std::string_view info) {
  constexpr std::string_view key = "loading_eta_seconds:";
  const auto at = info.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  const auto text = info.substr(at + key.size());
  std::int64_t eta_s = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), eta_s);
  if (error != std::errc{} || eta_s < 0) return std::nullopt;
  return milliseconds{std::chrono::seconds{eta_s}};
}

} // namespace

link::link(options how)
    : how_(std::move(how)),
      reconnect_waits_(
          {how_.settings.backoff_initial, how_.settings.backoff_max, how_.settings.backoff_jitter},
          how_.seed),
      loading_waits_({how_.settings.backoff_initial, how_.settings.backoff_max, how_.settings.backoff_jitter},
                     how_.seed),
      next_connection_(std::max<connection_number>(how_.first, 1)) {
  how_.client_name = connection_name(std::move(how_.client_name));
}

link_actions link::start(mono_time now) {
  expects(phase_ == link_phase::disconnected, "a link is started once");
  link_actions out;
  out.push_back(link_news{.what = event::redis_connecting, .reason = {}});
  lost_at_ = now;
  connect(now, out);
  return out;
}

link_actions link::on_event(const link_event& what, mono_time now, wall_time wall) {
  link_actions out;
  const bool alive = phase_ == link_phase::connecting || phase_ == link_phase::handshaking || ready();
  if (!alive || what.connection != connection_) return out; // of an earlier connection
  if (std::holds_alternative<link_connected>(what.what)) {
    if (phase_ == link_phase::connecting) introduce(now, out);
  } else if (const auto* answer = std::get_if<link_answered>(&what.what)) {
    on_answer(*answer, now, wall, out);
  } else if (const auto* closed = std::get_if<link_closed>(&what.what)) {
    // Before we could speak an error tells why we were turned away ("ERR max number of clients reached").
    // Later it belongs to some command, and the end has a cause of its own.
    if (ready() || closed->error_reply.empty()) {
      lose(reply_class::transport, closed->reason, true, now, wall, out);
    } else {
      const auto said = classify_error(closed->error_reply);
      lose(meaning_of(said).counts_as_failure ? said : reply_class::transport, closed->error_reply, true, now,
           wall, out);
    }
  }
  return out;
}

link_actions link::on_wake(mono_time now, wall_time wall) {
  link_actions out;
  if (phase_ == link_phase::backing_off) {
    if (now >= retry_at_) connect(now, out);
    return out;
  }
  if (phase_ == link_phase::connecting) {
    if (now >= connect_due_)
      lose(reply_class::transport, "no connection within connect_timeout", true, now, wall, out);
    return out;
  }
  if (const auto due = answer_due(); due && now >= *due) {
    lose(reply_class::transport, "no answer within command_timeout", true, now, wall, out);
    return out;
  }
  if (ping_again_at_ && now >= *ping_again_at_) {
    ping_again_at_.reset();
    ping_at_ = 0;
    name_at_ = 1;
    ping(purpose::handshake, now, out);
  }
  if (ready() && now >= next_health_) {
    do next_health_ += how_.settings.health_interval;
    while (next_health_ <= now);
    ping(purpose::health, now, out);
  }
  return out;
}

link_actions link::submit(std::uint64_t call, std::shared_ptr<const std::string> wire, std::size_t count,
                          milliseconds blocks_for, mono_time now) {
  expects(ready(), "commands are submitted to a ready link");
  link_actions out;
  send(purpose::call, call, std::move(wire), count, now, out, blocks_for);
  return out;
}

std::optional<mono_time> link::next_wake() const {
  switch (phase_) {
  case link_phase::disconnected: return std::nullopt;
  case link_phase::backing_off: return retry_at_;
  case link_phase::connecting: return connect_due_;
  default: break;
  }
  auto due = answer_due();
  const auto sooner = [&due](mono_time at) { due = due ? std::min(*due, at) : at; };
  if (ping_again_at_) sooner(*ping_again_at_);
  if (ready()) sooner(next_health_);
  return due;
}

redis_report link::report(mono_time now) const {
  auto seen = seen_;
  seen.connected = ready();
  seen.healthy = healthy();
  seen.phase = to_string(phase_);
  seen.address = to_string(how_.address);
  seen.in_flight = in_flight();
  seen.reconnects_last_hour = static_cast<std::size_t>(std::ranges::count_if(
      reconnected_at_, [now](mono_time at) { return now - at < std::chrono::hours{1}; }));
  return seen;
}

void link::connect(mono_time now, link_actions& out) {
  phase_ = link_phase::connecting;
  connection_ = next_connection_++;
  connect_due_ = now + how_.settings.connect_timeout;
  ++attempt_;
  ++seen_.connection_attempts;
  out.push_back(open_connection{connection_});
}

void link::introduce(mono_time now, link_actions& out) {
  phase_ = link_phase::handshaking;
  loading_waits_.reset();
  auto wire = std::make_shared<std::string>();
  std::size_t count = 0;
  const auto& to = how_.address;
  if (!to.password.empty()) {
    if (to.username.empty())
      append_command(*wire, {"AUTH", to.password.reveal()});
    else
      append_command(*wire, {"AUTH", to.username, to.password.reveal()});
    ++count;
  }
  if (to.database != 0) {
    append_command(*wire, {"SELECT", std::to_string(to.database)});
    ++count;
  }
  name_at_ = count++;
  append_command(*wire, {"CLIENT", "SETNAME", how_.client_name});
  ping_at_ = count++;
  append_command(*wire, {"PING"});
  send(purpose::handshake, 0, std::move(wire), count, now, out);
}

void link::ping(purpose why, mono_time now, link_actions& out) {
  send(why, 0, wire_of({"PING"}), 1, now, out);
}

void link::send(purpose why, std::uint64_t call, std::shared_ptr<const std::string> wire, std::size_t count,
                mono_time now, link_actions& out, milliseconds blocks_for) {
  sent_.push_back({++last_tag_, why, call, now, blocks_for});
  out.push_back(send_commands{last_tag_, std::move(wire), count});
}

void link::on_answer(const link_answered& answer, mono_time now, wall_time wall, link_actions& out) {
  expects(!sent_.empty() && sent_.front().tag == answer.tag, "replies come in the order of the commands");
  expects(answer.replies && !answer.replies->empty(), "an answer has replies");
  const auto asked = sent_.front();
  sent_.pop_front();
  last_answer_ = now;
  switch (asked.why) {
  case purpose::handshake:
    seen_.last_round_trip = std::chrono::duration_cast<std::chrono::microseconds>(now - asked.at);
    return on_handshake(*answer.replies, now, wall, out);
  case purpose::loading_info: return on_loading_info(answer.replies->front(), now);
  case purpose::health: return on_health(asked, answer.replies->front(), now, wall, out);
  case purpose::call: break;
  }
  auto judged = judge(*answer.replies);
  const auto meaning = meaning_of(judged.what);
  if (meaning.counts_as_failure) {
    ++seen_.failed_operations;
    ++seen_.consecutive_failures;
    note_error(judged.what, judged.text, wall);
  } else if (judged.what != reply_class::waiting) {
    ++seen_.successful_operations;
    seen_.consecutive_failures = 0;
  }
  const auto text = judged.text;
  out.push_back(finish_call{asked.call, {answer.replies, connection_}, std::move(judged)});
  if (meaning.what == reply_class::waiting) note_wait(text, wall, out);
  if (meaning.what == reply_class::configuration)
    out.push_back(link_news{.what = event::redis_denied, .reason = text});
  // Its failure is counted with the call's permit, so it is not counted again for the connection.
  if (!meaning.keeps_connection) lose(meaning.what, text, false, now, wall, out);
}

void link::on_handshake(const std::vector<redis_reply>& replies, mono_time now, wall_time wall,
                        link_actions& out) {
  if (replies.size() <= ping_at_)
    return lose(reply_class::transport, "handshake cut short", true, now, wall, out);
  // A user without the right to name itself may still write, so SETNAME's refusal alone is no reason to stay
  // away.
  verdict refused;
  for (std::size_t i = 0; i <= ping_at_ && refused.what == reply_class::fine; ++i)
    if (i != name_at_) refused = judge({&replies[i], 1});
  switch (refused.what) {
  case reply_class::fine: {
    const bool is_pong = replies[ping_at_].text == "PONG";
    if (!is_pong) return lose(reply_class::target, "PING was not answered with PONG", true, now, wall, out);
    seen_.last_health_check = wall;
    ping_took_ = seen_.last_round_trip;
    return become_ready(true, now, out);
  }
  case reply_class::waiting: note_wait(refused.text, wall, out); return wait_for_redis(refused, now, out);
  case reply_class::temporary:
    note_error(refused.what, refused.text, wall);
    ++seen_.consecutive_failures;
    out.push_back(count_failure{"temporary: " + refused.text, 0, {}});
    out.push_back(link_news{.what = event::redis_waits, .reason = refused.text});
    return wait_for_redis(refused, now, out);
  case reply_class::refusing_writes: // it answers, but not with PONG; reading and waiting work
    note_error(refused.what, refused.text, wall);
    return become_ready(false, now, out);
  default:
    // Whatever else it refuses (such as a database it has not), only a human can mend.
    const auto what = refused.what == reply_class::target ? reply_class::configuration : refused.what;
    return lose(what, refused.text, true, now, wall, out);
  }
}

void link::wait_for_redis(const verdict& said, mono_time now, link_actions& out) {
  ping_again_at_ = now + loading_waits_.next();
  if (said.text.starts_with("LOADING"))
    send(purpose::loading_info, 0, wire_of({"INFO", "persistence"}), 1, now, out);
}

void link::on_loading_info(const redis_reply& reply, mono_time now) {
  if (reply.what != redis_reply::kind::text) return; // no right to ask: the backoff stands
  const auto eta = loading_eta(reply.text);
  if (!eta || !ping_again_at_) return;
  // Redis guesses by the bytes it has read. Not trusted beyond the longest backoff, nor below what ends a
  // busy loop.
  ping_again_at_ = now + std::clamp(*eta, std::min(milliseconds{100}, how_.settings.backoff_max),
                                    how_.settings.backoff_max);
}

void link::on_health(const sent& asked, const redis_reply& reply, mono_time now, wall_time wall,
                     link_actions& out) {
  seen_.last_health_check = wall;
  seen_.last_round_trip = std::chrono::duration_cast<std::chrono::microseconds>(now - asked.at);
  if (reply.what != redis_reply::kind::error) {
    ping_took_ = seen_.last_round_trip;
    if (phase_ == link_phase::degraded) phase_ = link_phase::ready;
    return;
  }
  phase_ = link_phase::degraded;
  const auto meaning = meaning_of(classify_error(reply.text));
  if (meaning.what == reply_class::waiting) note_wait(reply.text, wall, out);
  if (meaning.what == reply_class::configuration)
    out.push_back(link_news{.what = event::redis_denied, .reason = reply.text});
  if (!meaning.keeps_connection) return lose(meaning.what, reply.text, true, now, wall, out);
  if (!meaning.counts_as_failure) return;
  note_error(meaning.what, reply.text, wall);
  ++seen_.consecutive_failures;
  out.push_back(count_failure{std::string{meaning.name} + ": " + reply.text, 0, {}});
}

void link::become_ready(bool healthy, mono_time now, link_actions& out) {
  phase_ = healthy ? link_phase::ready : link_phase::degraded;
  ping_again_at_.reset();
  ready_since_ = now;
  next_health_ = now + how_.settings.health_interval;
  seen_.consecutive_failures = 0;
  if (std::exchange(was_ready_, true)) {
    ++seen_.reconnects;
    reconnected_at_.push_back(now);
    while (now - reconnected_at_.front() >= std::chrono::hours{1}) reconnected_at_.pop_front();
    out.push_back(link_news{.what = event::redis_reconnected,
                            .attempt = attempt_,
                            .away = std::chrono::duration_cast<milliseconds>(now - lost_at_),
                            .reason = {}});
  }
  attempt_ = 0;
  out.push_back(link_news{.what = event::redis_connected, .reason = {}});
  out.push_back(link_restored{connection_});
}

void link::lose(reply_class what, std::string reason, bool counts, mono_time now, wall_time wall,
                link_actions& out) {
  const bool had_been_ready = ready();
  phase_ = link_phase::backing_off;
  out.push_back(drop_connection{});
  for (const auto& waiting : std::exchange(sent_, {})) {
    if (waiting.why != purpose::call) continue;
    ++seen_.failed_operations;
    out.push_back(fail_call{waiting.call, reason});
  }
  ping_again_at_.reset();
  note_error(what, reason, wall);
  ++seen_.consecutive_failures;

  if (had_been_ready) {
    lost_at_ = now;
    attempt_ = 0;
    if (now - ready_since_ >= stable_after) reconnect_waits_.reset();
  }
  auto wait = reconnect_waits_.next();
  if (meaning_of(what).retry == retry_way::slowly) wait = std::max(wait, slow_retry);
  retry_at_ = now + wait;
  if (had_been_ready)
    out.push_back(link_news{.what = event::redis_lost, .wait = wait, .reason = reason});
  else
    out.push_back(
        link_news{.what = event::redis_connect_failed, .attempt = attempt_, .wait = wait, .reason = reason});
  if (what == reply_class::configuration)
    out.push_back(link_news{.what = event::redis_denied, .reason = reason});
  if (counts) out.push_back(count_failure{std::string{to_string(what)} + ": " + reason, attempt_ + 1, wait});
}

void link::note_error(reply_class what, const std::string& text, wall_time wall) {
  seen_.last_error = text;
  seen_.last_error_class = to_string(what);
  seen_.last_error_time = wall;
}

void link::note_wait(const std::string& text, wall_time wall, link_actions& out) {
  note_error(reply_class::waiting, text, wall);
  out.push_back(link_news{.what = event::redis_waits, .reason = text});
}

std::optional<mono_time> link::answer_due() const {
  if (sent_.empty()) return std::nullopt;
  // Counted from the last answer when there was one since: a queue that moves is no dead link.
  const auto& oldest = sent_.front();
  return std::max(oldest.at, last_answer_) + oldest.blocks_for + how_.settings.command_timeout;
}

} // namespace breakwater
