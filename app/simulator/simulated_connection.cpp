#include "app/simulator/simulated_connection.hpp"

#include "app/simulator/dialects.hpp"

#include <algorithm>

namespace breakwater {
namespace {

using namespace std::chrono_literals;

constexpr auto late_by = 3s;
/// A frame that was to change places waits no longer for another.
constexpr auto held_for = 2s;
/// As large as the order books that some exchanges send after a subscription.
constexpr std::size_t huge_bytes = 570'000;
constexpr std::uint64_t garbled_every = 4;

// Codes of a WebSocket's close.
constexpr std::uint16_t going_away = 1001, policy_error = 1008;

/// Whether the client subscribes or unsubscribes, in whatever words.
bool is_subscription(std::string_view text) {
  return text.find("ubscribe") != text.npos || text.find("UBSCRIBE") != text.npos;
}

/// `level` again and again.
std::string levels(std::string_view level, std::size_t bytes) {
  std::string text{level};
  while (text.size() < bytes) (text += ',') += level;
  return text;
}

} // namespace

simulated_connection::simulated_connection(std::unique_ptr<venue> side, const fault_plan& plan,
                                           fault_counts& done, std::uint64_t seed, wall_time now)
    : side_(std::move(side)), plan_(plan), done_(done), seed_(seed) {
  for (std::size_t i = 0; i < fault_count; ++i)
    seen_[i] = plan_.begun(static_cast<fault>(i), side_->from(), now);
}

wire_actions simulated_connection::on_open(wall_time now) { return pass(side_->on_open(now), now); }
wire_actions simulated_connection::on_text(std::string_view text, wall_time now) {
  return pass(is_subscription(text) ? answer(text, now) : side_->on_text(text, now), now);
}
wire_actions simulated_connection::on_control(wall_time now) { return pass(side_->on_control(now), now); }
wire_actions simulated_connection::on_scripted(const scripted_frame& frame, wall_time now) {
  return pass(side_->on_scripted(frame, now), now);
}

wire_actions simulated_connection::frames_due(wall_time now) {
  auto reaction = side_->frames_due(now);
  // What is no market data comes unasked for here: heartbeats.
  if (const auto* rule = plan_.active(fault::silent, side_->from(), now);
      rule && rule->share >= 1 && reaction.texts.size() > reaction.data.size()) {
    count(fault::silent);
    venue_reaction data_only;
    for (auto& [at, symbol] : reaction.data) {
      data_only.data.push_back({data_only.texts.size(), symbol});
      data_only.texts.push_back(std::move(reaction.texts[at]));
    }
    data_only.cut = reaction.cut;
    reaction = std::move(data_only);
  }
  auto out = pass(std::move(reaction), now);
  if (held_ && now - held_->first >= held_for) carry(std::exchange(held_, std::nullopt)->second, now, out);
  for (; !delayed_.empty() && delayed_.front().first <= now; delayed_.pop_front())
    out.texts.push_back(std::move(delayed_.front().second));
  happen(out, now);
  return out;
}

wall_time simulated_connection::next_due(wall_time now) const {
  auto due = std::min(side_->next_due(), plan_.next_change(side_->from(), now));
  if (held_) due = std::min(due, held_->first + held_for);
  if (!delayed_.empty()) due = std::min(due, delayed_.front().first);
  if (ends_at_) due = std::min(due, *ends_at_);
  return std::max(due, now);
}

bool simulated_connection::begins(fault what, wall_time now) {
  auto& seen = seen_[static_cast<std::size_t>(what)];
  const auto begun = plan_.begun(what, side_->from(), now);
  if (begun == seen) return false;
  seen = begun;
  count(what);
  return true;
}

/// What comes back for a subscription.
venue_reaction simulated_connection::answer(std::string_view text, wall_time now) {
  if (suffers(fault::rate_limit, now)) {
    count(fault::rate_limit);
    return side_->on_text(text, now, mood::over_limit);
  }
  if (!suffers(fault::wrong_acknowledgement, now)) {
    auto out = side_->on_text(text, now);
    if (!out.texts.empty() && (out.data.empty() || out.data.back().at + 1 < out.texts.size()))
      last_answer_ = out.texts.back();
    return out;
  }
  count(fault::wrong_acknowledgement);
  const auto draw = (seed_ + ++answers_) % 4;
  if (draw == 0) return {};                                            // the request was lost
  if (draw == 1) return side_->on_text(text, now, mood::out_of_order); // refused, and not subscribed
  // Subscribed; the answer is lost, or it is another request's.
  auto truth = side_->on_text(text, now);
  venue_reaction out;
  if (draw == 2 && !last_answer_.empty()) out.texts.push_back(last_answer_);
  for (auto& [at, symbol] : truth.data) {
    out.data.push_back({out.texts.size(), symbol});
    out.texts.push_back(std::move(truth.texts[at]));
  }
  out.cut = std::move(truth.cut);
  return out;
}

wire_actions simulated_connection::pass(venue_reaction reaction, wall_time now) {
  wire_actions out;
  out.frames = reaction.data.size();
  out.granted = reaction.granted;
  out.refused = reaction.refused;
  auto data = reaction.data.begin();
  for (std::size_t i = 0; i < reaction.texts.size(); ++i) {
    if (data != reaction.data.end() && data->at == i)
      pass_frame(std::move(reaction.texts[i]), (data++)->symbol, now, out);
    else
      out.texts.push_back(std::move(reaction.texts[i]));
  }
  if (!reaction.cut.empty()) {
    out.end = wire_actions::ending::close;
    out.code = policy_error;
    out.reason = std::move(reaction.cut);
    out.broke_limit = true;
  }
  return out;
}

void simulated_connection::pass_frame(std::string text, const std::string& symbol, wall_time now,
                                      wire_actions& out) {
  ++frames_;
  if (is_silenced(symbol, now)) return count(fault::silent);
  std::vector<std::string> texts;
  if (suffers(fault::malformed, now) && frames_ % garbled_every == 0) {
    count(fault::malformed);
    ++garbled_;
    texts.push_back(garbled(text));
    if (garbled_ % 2 == 0) texts.push_back(std::move(text)); // the frame itself comes, too
  } else {
    texts.push_back(std::move(text));
  }
  if (suffers(fault::duplicate, now)) {
    count(fault::duplicate);
    texts.push_back(texts.back());
  }
  for (auto& each : texts) {
    if (held_) {
      count(fault::reordered);
      carry(std::move(each), now, out);
      carry(std::exchange(held_, std::nullopt)->second, now, out);
    } else if (suffers(fault::reordered, now)) {
      held_.emplace(now, std::move(each));
    } else {
      carry(std::move(each), now, out);
    }
  }
}

void simulated_connection::carry(std::string text, wall_time now, wire_actions& out) {
  const bool is_late = suffers(fault::slow, now);
  if (is_late) count(fault::slow);
  if (!is_late && delayed_.empty()) {
    out.texts.push_back(std::move(text));
    return;
  }
  // Late or not, it does not overtake what is under way.
  const auto arrives = is_late ? now + late_by : now;
  delayed_.emplace_back(delayed_.empty() ? arrives : std::max(arrives, delayed_.back().first),
                        std::move(text));
}

bool simulated_connection::is_silenced(const std::string& symbol, wall_time now) const {
  const auto* rule = plan_.active(fault::silent, side_->from(), now);
  if (!rule || rule->share >= 1) return rule != nullptr;
  auto drawn = dialects::scramble(plan_.begun(fault::silent, side_->from(), now));
  for (auto c : dialects::joined_name(symbol))
    drawn = dialects::scramble(drawn ^ static_cast<unsigned char>(c));
  return static_cast<double>(drawn % 1000) < rule->share * 1000;
}

/// Faults that happen at once.
void simulated_connection::happen(wire_actions& out, wall_time now) {
  if (out.end != wire_actions::ending::none) return;
  if (begins(fault::snapshot, now)) out.texts.push_back(huge_frame());
  if (begins(fault::day_end, now) && !ends_at_) ends_at_ = now + announce_end(now, out);
  if (ends_at_ && now >= *ends_at_) {
    out.end = wire_actions::ending::close;
    out.code = going_away;
    out.reason = "the connection's day is over";
  }
  if (begins(fault::cut, now))
    out.end = seed_ % 2 == 0 ? wire_actions::ending::cut : wire_actions::ending::reset;
}

/// Says that the connection will end where the exchange says so, and returns after how long it will.
std::chrono::milliseconds simulated_connection::announce_end(wall_time now, wire_actions& out) const {
  switch (side_->from()) {
  case exchange::binance: {
    const auto event = R"({"e":"serverShutdown","E":)" + std::to_string(epoch_ms(now)) + "}";
    out.texts.push_back(side_->address().envelope ? R"({"stream":"!serverShutdown","data":)" + event + "}"
                                                  : event);
    return 30s;
  }
  case exchange::okx:
    out.texts.emplace_back(
        R"({"event":"notice","code":"64008","msg":"The connection will soon be closed for a service )"
        R"(upgrade. Please reconnect.","connId":"a4d3ae55"})");
    return 30s + std::chrono::seconds{seed_ % 30};
  case exchange::bybit:
  case exchange::coinbase:
  case exchange::kraken: break;
  }
  return 0ms;
}

std::string simulated_connection::garbled(const std::string& text) const {
  switch (garbled_ % 3) {
  case 0: return "\xef\xbb\xbf<html><title>502 Bad Gateway</title></html>";
  case 1: return text.substr(0, text.size() / 2);
  default: return R"({"data":null,"k":[],"type":7})";
  }
}

std::string simulated_connection::huge_frame() const {
  const auto bids = [](std::string_view level) { return levels(level, huge_bytes / 2); };
  switch (side_->from()) {
  case exchange::binance:
    return R"({"stream":"btcusdt@depth20","data":{"lastUpdateId":1,"bids":[)" +
           bids(R"(["84000.01","0.5"])") + R"(],"asks":[)" + bids(R"(["84000.02","0.5"])") + "]}}";
  case exchange::bybit:
    return R"({"topic":"orderbook.1000.BTCUSDT","type":"snapshot","ts":1,"data":{"s":"BTCUSDT","b":[)" +
           bids(R"(["84000.01","0.5"])") + R"(],"a":[)" + bids(R"(["84000.02","0.5"])") +
           R"(],"u":1,"seq":1}})";
  case exchange::okx:
    return R"({"arg":{"channel":"books","instId":"BTC-USDT"},"action":"snapshot","data":[{"asks":[)" +
           bids(R"(["84000.02","0.5","0","1"])") + R"(],"bids":[)" + bids(R"(["84000.01","0.5","0","1"])") +
           R"(],"ts":"1","checksum":0,"seqId":1,"prevSeqId":-1}]})";
  case exchange::kraken:
    return R"({"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[)" +
           bids(R"({"price":84000.1,"qty":0.5})") + R"(],"asks":[)" + bids(R"({"price":84000.2,"qty":0.5})") +
           R"(],"checksum":1}]})";
  case exchange::coinbase: break;
  }
  return R"({"type":"snapshot","product_id":"BTC-USD","bids":[)" + bids(R"(["84000.01","0.5"])") +
         R"(],"asks":[)" + bids(R"(["84000.02","0.5"])") + "]}";
}

} // namespace breakwater
