#include "app/simulator/venue.hpp"

#include "app/simulator/dialects.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <functional>
#include <utility>

namespace breakwater {

using namespace std::chrono_literals;

namespace {

constexpr auto heartbeat_interval = 1s;
/// How many minutes are made up for when the clock jumped; the rest is left out.
constexpr std::int64_t most_missed_minutes = 5;

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto end = text.find(at);
    if (end != 0) parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return parts;
}

/// Takes `prefix` off the front of `path` if it is a whole first part of it.
bool take_prefix(std::string_view& path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return false;
  const auto rest = path.substr(prefix.size());
  if (!rest.empty() && rest.front() != '/') return false;
  path = rest;
  return true;
}

std::optional<venue_address> parse_binance_address(std::string_view path, std::string_view query) {
  venue_address address{.from = exchange::binance, .streams = {}};
  // USD-M futures are split by kind of data: on the wrong path a client is connected, acknowledged and hears
  // nothing.
  if (take_prefix(path, "/market"))
    address.kind = market::linear;
  else if (take_prefix(path, "/public"))
    address.kind = market::linear, address.candles = false;
  if (take_prefix(path, "/stream")) {
    constexpr std::string_view streams = "streams=";
    if (!path.empty() && path != "/") return std::nullopt;
    if (const auto at = query.find(streams); at != std::string_view::npos) {
      const auto list = query.substr(at + streams.size());
      address.streams = split(list.substr(0, list.find('&')), '/');
    }
    return address;
  }
  if (!take_prefix(path, "/ws")) return std::nullopt;
  address.envelope = false;
  address.streams = split(path, '/');
  return address;
}

} // namespace

std::optional<venue_address> parse_venue_address(std::string_view target) {
  const auto question = target.find('?');
  const auto path = target.substr(0, question);
  const auto query = question == std::string_view::npos ? std::string_view{} : target.substr(question + 1);
  if (path == "/v5/public/spot") return venue_address{.from = exchange::bybit, .streams = {}};
  if (path == "/v5/public/linear")
    return venue_address{.from = exchange::bybit, .kind = market::linear, .streams = {}};
  if (path == "/ws/v5/business") return venue_address{.from = exchange::okx, .streams = {}};
  if (path == "/ws/v5/public") return venue_address{.from = exchange::okx, .candles = false, .streams = {}};
  if (path == "/coinbase") return venue_address{.from = exchange::coinbase, .streams = {}};
  if (path == "/v2") return venue_address{.from = exchange::kraken, .streams = {}};
  return parse_binance_address(path, query);
}

std::string_view venue_path(exchange from, market kind) noexcept {
  switch (from) {
  case exchange::binance: return kind == market::spot ? "/stream" : "/market/stream";
  case exchange::bybit: return kind == market::spot ? "/v5/public/spot" : "/v5/public/linear";
  case exchange::okx: return "/ws/v5/business";
  case exchange::kraken: return kind == market::spot ? "/v2" : "";
  case exchange::coinbase: return kind == market::spot ? "/coinbase" : ""; // the real address has no path
  }
  return "";
}

std::unique_ptr<venue> venue::make(venue_address address, invented_market& shared, std::uint64_t connection,
                                   std::chrono::milliseconds interval, bool invents) {
  auto made = [&]() -> std::unique_ptr<venue> {
    switch (address.from) {
    case exchange::binance: return dialects::make_binance(std::move(address), shared, connection);
    case exchange::bybit: return dialects::make_bybit(std::move(address), shared, connection);
    case exchange::okx: return dialects::make_okx(std::move(address), shared, connection);
    case exchange::kraken: return dialects::make_kraken(std::move(address), shared, connection);
    case exchange::coinbase: return dialects::make_coinbase(std::move(address), shared, connection);
    }
    return nullptr;
  }();
  if (made) {
    made->interval_ = interval;
    made->invents_ = invents;
  }
  return made;
}

venue::venue(venue_address address, invented_market& shared, std::uint64_t connection)
    : address_(std::move(address)), market_(shared), connection_(connection) {}

std::chrono::milliseconds venue::ping_interval() const noexcept {
  if (address_.from != exchange::binance) return 0ms;
  return address_.kind == market::spot ? 20s : 180s;
}

venue_reaction venue::on_open(wall_time now) {
  venue_reaction out;
  active_at_ = now;
  greet(out, now);
  return out;
}

venue_reaction venue::on_text(std::string_view text, wall_time now, mood how) {
  venue_reaction out;
  active_at_ = now;
  mood_ = how;
  if (!admit(out, now)) return out;
  json request;
  if (parser_.parse(text.data(), text.size()).get(request) || !request.is_object())
    on_other_text(text, out, now);
  else
    on_request(request, out, now);
  return out;
}

venue_reaction venue::on_control(wall_time now) {
  venue_reaction out;
  mood_ = mood::well;
  // A WebSocket ping does not count against idleness: these exchanges want to see their own kind.
  admit_control(out, now);
  return out;
}

venue_reaction venue::frames_due(wall_time now) {
  venue_reaction out;
  if (invents_ && address_.candles)
    for (auto& what : subscriptions_)
      if (what.symbol && what.due <= now) print_due(what, now, out);
  if (heartbeat_due_ <= now) {
    heartbeat_due_ = now + heartbeat_interval;
    if (!subscriptions_.empty()) heartbeat(out, now);
  }
  if (!out.texts.empty()) active_at_ = now;
  if (idle_limit() > 0ms && now - active_at_ >= idle_limit()) out.cut = "idle";
  return out;
}

wall_time venue::next_due() const {
  auto due = idle_limit() > 0ms ? active_at_ + idle_limit() : wall_time::max();
  if (subscriptions_.empty()) return due;
  due = std::min(due, heartbeat_due_);
  if (invents_ && address_.candles)
    for (const auto& what : subscriptions_)
      if (what.symbol) due = std::min(due, what.due);
  return due;
}

venue_reaction venue::on_scripted(const scripted_frame& frame, wall_time now) {
  venue_reaction out;
  if (frame.from != address_.from || !subscribed(frame.key)) return out;
  active_at_ = now;
  const bool wrapped = address_.from == exchange::binance && address_.envelope;
  send_frame(out,
             wrapped ? "{\"stream\":" + dialects::in_quotes(frame.key).append(",\"data\":") + frame.text + "}"
                     : frame.text,
             frame.symbol);
  return out;
}

void venue::print_due(subscription& what, wall_time now, venue_reaction& out) {
  what.due += interval_ * ((now - what.due) / interval_ + 1);
  const auto minute = minute_of(now);
  std::vector<row> rows;
  if (what.minute != 0)
    for (auto ended = std::max(what.minute, minute - most_missed_minutes * minute_ms); ended < minute;
         ended += minute_ms)
      rows.push_back(candle_at(what, ended, now));
  auto open = candle_at(what, minute, now);
  const bool changed = what.minute != minute || what.trades != open.candle.trades;
  if (!changed) return;
  what.minute = minute;
  what.trades = open.candle.trades;
  rows.push_back(std::move(open));
  std::erase_if(rows, [](const row& each) { return each.candle.trades == 0; }); // quiet minutes
  if (!rows.empty()) print(what, rows, now, out);
}

venue::row venue::candle_at(const subscription& what, std::int64_t start_ms, wall_time now) const {
  return {market_.candle(address_.from, *what.symbol, start_ms, now), start_ms + minute_ms <= epoch_ms(now)};
}

venue::subscription& venue::subscribe(std::string key, std::string name,
                                      std::optional<invented_market::symbol_id> symbol, wall_time now) {
  const auto [found, fresh] = by_key_.emplace(key, subscriptions_.size());
  if (fresh) {
    // Symbols do not all speak at the same instant.
    const auto lag = std::chrono::milliseconds{static_cast<std::int64_t>(
        std::hash<std::string>{}(key) % static_cast<std::size_t>(interval_.count()))};
    subscriptions_.push_back({std::move(key), std::move(name), symbol, 0, 0, now + lag});
  }
  return subscriptions_[found->second];
}

bool venue::unsubscribe(const std::string& key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return false;
  const auto index = found->second;
  by_key_.erase(found);
  if (index + 1 != subscriptions_.size()) {
    subscriptions_[index] = std::move(subscriptions_.back());
    by_key_[subscriptions_[index].key] = index;
  }
  subscriptions_.pop_back();
  return true;
}

void venue::send_frame(venue_reaction& out, std::string text, const std::string& symbol) {
  out.data.push_back({out.texts.size(), symbol});
  out.texts.push_back(std::move(text));
}

namespace dialects {

std::string fixed(double value, int decimals) {
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, decimals).ptr;
  return {text, end};
}

std::string trimmed(double value, int decimals) {
  auto text = fixed(value, decimals);
  if (text.find('.') == std::string::npos) return text;
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (auto c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      out += escape;
    } else {
      out += c;
    }
  }
  return out += '"';
}

std::uint64_t scramble(std::uint64_t key) noexcept {
  key += 0x9e3779b97f4a7c15;
  key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9;
  key = (key ^ (key >> 27)) * 0x94d049bb133111eb;
  return key ^ (key >> 31);
}

std::string joined_name(std::string_view name) {
  std::string joined;
  for (auto c : name) {
    if (c == '-' || c == '/') continue;
    joined += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return joined;
}

std::optional<invented_market::symbol_id> dollar_market(const invented_market& in, std::string_view name,
                                                        char separator) {
  const auto at = name.find(separator);
  if (at == std::string_view::npos) return std::nullopt;
  const auto symbol = joined_name(name);
  if (auto found = in.find(symbol)) return found;
  return name.substr(at + 1) == "USD" ? in.find(symbol + "T") : std::nullopt;
}

} // namespace dialects
} // namespace breakwater
